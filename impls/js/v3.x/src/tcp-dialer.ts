/** Dials over TCP, in this process. */

import type { Connection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { Config } from "./config.ts";
import { chain, Failure } from "./failure.ts";
import { readIdentity } from "./identity.ts";
import { createNode, MUXER_NAMES, otherStack, SECURE_CHANNEL_NAMES } from "./node.ts";
import type { Dialed } from "./plan.ts";
import { Requester } from "./request.ts";
import { settle } from "./settle.ts";
import type { Stack } from "./stack.ts";

export async function dialTcp(config: Config, address: string, signal: AbortSignal): Promise<Dialed> {
  const { stack, stallMs } = config;
  const node = await createNode(stack, "dialer", await readIdentity(config.identity), [], stallMs);
  try {
    const { connection, phases } = await connect(
      (options) => node.dial(multiaddr(address), options),
      address,
      stack,
      signal,
    );
    const agent = await settle(node.services.identify, connection);
    const requester = new Requester(connection, stallMs);
    const extra = { runtime: `node ${process.version}`, ...(agent !== undefined && { peer_agent: agent }) };
    return {
      details: { phases, extra, negotiation: "v1" },
      iterate: (section, amount) => requester.iterate(section, amount),
      moved: async () => requester.moved,
      close: async () => {
        await connection.close();
        await node.stop();
      },
    };
  } catch (error) {
    await node.stop();
    throw error;
  }
}

type Dial = (options: {
  signal: AbortSignal;
  onProgress: (event: { type: string }) => void;
}) => Promise<Connection>;

/** Connects, times the phases, and verifies what was negotiated. */
async function connect(dial: Dial, address: string, stack: Stack, signal: AbortSignal) {
  const marks = [performance.now()];
  const onProgress = ({ type }: { type: string }) => {
    if (type === "upgrader:encrypt-outbound-connection") marks[1] = performance.now();
    if (type === "upgrader:multiplex-outbound-connection") marks[2] = performance.now();
  };
  const connection = await dial({ signal, onProgress }).catch((error: unknown) => {
    const why = `cannot connect to ${address}: ${chain(error)}; ${offered(stack)}`;
    throw new Failure("connect", "dial", why);
  });
  marks[3] = performance.now();
  const other = otherStack(connection, stack);
  if (other !== undefined) throw new Failure("connect", "dial", `${address}: ${other}; ${offered(stack)}`);
  return { connection, phases: phasesOf(marks) };
}

/** A muxer that was agreed on within the secure channel's handshake has no phase of its own. */
function phasesOf([start = 0, secure, multiplex, end = 0]: (number | undefined)[]): Record<string, number> {
  if (secure === undefined) return {};
  const phases: Record<string, number> = { dial: secure - start, security: (multiplex ?? end) - secure };
  if (multiplex !== undefined) phases.muxer = end - multiplex;
  return phases;
}

function offered({ secureChannel = "noise", muxer = "yamux", transport }: Stack): string {
  return `offered ${SECURE_CHANNEL_NAMES[secureChannel]} and ${MUXER_NAMES[muxer]} alone, over ${transport}`;
}
