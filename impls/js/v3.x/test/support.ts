/** A listener of ours, or one that misbehaves, and a connection to it; all in this process, on loopback. */

import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { readConfig } from "../src/config.ts";
import { bind } from "../src/listen.ts";
import { createNode, type PerfNode } from "../src/node.ts";
import { MAX_STREAMS, PROTOCOL } from "../src/protocol.ts";
import type { Muxer, SecureChannel, Stack } from "../src/stack.ts";

export const STACKS: Stack[] = (["noise", "tls"] as const).flatMap((secureChannel: SecureChannel) =>
  (["yamux", "mplex"] as const).map((muxer: Muxer) => ({
    transport: "tcp" as const,
    secureChannel,
    muxer,
    profile: "stock" as const,
  })),
);

export const [NOISE_YAMUX = { transport: "tcp", profile: "stock" }] = STACKS;

export interface Pair {
  connection: Connection;
  complaints: string[];
  close(): Promise<void>;
}

/** Our listener, and a connection to it. */
export async function connected(stack: Stack, stallSecs = "30"): Promise<Pair> {
  const { secureChannel = "", muxer = "" } = stack;
  const config = readConfig({
    IS_DIALER: "false",
    TRANSPORT: "tcp",
    SECURE_CHANNEL: secureChannel,
    MUXER: muxer,
    LISTENER_IP: "127.0.0.1",
    PERF_STALL_SECS: stallSecs,
  });
  const complaints: string[] = [];
  const log = { info: () => {}, debug: (message: string) => void complaints.push(message) };
  const listening = await bind(config, log);
  const dialer = await dialing(stack, listening.address("127.0.0.1"));
  return {
    connection: dialer.connection,
    complaints,
    close: async () => {
      await dialer.close();
      await listening.stop();
    },
  };
}

/** A listener that does with a perf stream what `handler` does. */
export async function misled(handler: (stream: Stream) => void): Promise<Pair> {
  const { listener, address } = await withoutPerf();
  await listener.handle(PROTOCOL, handler, { maxInboundStreams: MAX_STREAMS });
  const dialer = await dialing(NOISE_YAMUX, address);
  return {
    connection: dialer.connection,
    complaints: [],
    close: async () => {
      await dialer.close();
      await listener.stop();
    },
  };
}

/** A listener that speaks no protocol of ours. */
export async function withoutPerf(): Promise<{ listener: PerfNode; address: string }> {
  const key = await generateKeyPair("Ed25519");
  const listener = await createNode(NOISE_YAMUX, "listener", key, ["/ip4/127.0.0.1/tcp/0"], 30_000);
  return { listener, address: String(listener.getMultiaddrs()[0]) };
}

async function dialing(stack: Stack, address: string) {
  const node = await createNode(stack, "dialer", await generateKeyPair("Ed25519"), [], 30_000);
  const connection = await node.dial(multiaddr(address));
  return { connection, close: async () => node.stop() };
}
