/** A listener's life: bind, publish, serve, end. */

import type { Config } from "./config.ts";
import { chain, Failure } from "./failure.ts";
import { readIdentity } from "./identity.ts";
import type { Log } from "./log.ts";
import { createNode, type PerfNode } from "./node.ts";
import { answer } from "./perf-server.ts";
import { MAX_STREAMS, PROTOCOL } from "./protocol.ts";
import { keyOf, Meeting, RedisStore } from "./rendezvous.ts";
import { publishedIp } from "./route.ts";

export interface Listening {
  /** `/ip4/…/tcp/…/p2p/…`, of that IP. */
  address(ip: string): string;
  stop(): Promise<void>;
}

/** Binds, publishes and serves until `stopped`. */
export async function listen(config: Config, log: Log, stopped: Promise<unknown>): Promise<void> {
  const listening = await bind(config, log);
  const meeting = new Meeting(new RedisStore(config.redis), keyOf(config.testKey));
  try {
    const publishing = meeting.publish(async (redis) => {
      const ip = await publishedIp(config.ip, redis);
      return ip === undefined ? undefined : listening.address(ip);
    });
    const published = await Promise.race([publishing, stopped.then(() => undefined)]);
    if (published === undefined) return;
    log.info(`listening on ${published}`);
    await stopped;
  } finally {
    meeting.close();
    // The process ends within a second, whatever a peer has open.
    await Promise.race([listening.stop(), new Promise((resolve) => setTimeout(resolve, FAREWELL_MS))]);
  }
}

const FAREWELL_MS = 600;

/** Binds and answers from then on. */
export async function bind(config: Config, log: Log): Promise<Listening> {
  const family = config.ip.includes(":") ? "ip6" : "ip4";
  const wanted = `/${family}/${config.ip}/tcp/${config.port}`;
  const key = await readIdentity(config.identity);
  const node = await createNode(config.stack, "listener", key, [wanted], config.stallMs).catch(
    (error: unknown) => {
      throw new Failure("environment", "listen", `cannot listen on ${wanted}: ${reasonOf(error)}`);
    },
  );
  await node.handle(PROTOCOL, (stream) => answer(stream, config.stallMs, log.debug), {
    maxInboundStreams: MAX_STREAMS,
  });
  const port = portOf(node);
  return {
    address: (ip) => `/${family}/${ip}/tcp/${port}/p2p/${node.peerId}`,
    stop: async () => node.stop(),
  };
}

/** What the system said, out of a message that also advises, and quotes a stack. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /\blisten (E[A-Z]+: .*)/.exec(message)?.[1] ?? chain(error);
}

function portOf(node: PerfNode): number {
  const port = node
    .getMultiaddrs()[0]
    ?.getComponents()
    .find(({ name }) => name === "tcp")?.value;
  if (port === undefined) throw new Failure("environment", "listen", "bound, and no port to show for it");
  return Number(port);
}
