/** The js-libp2p node of a stack: as js-libp2p ships, less what would disturb a measurement, and nothing else offered. */

import { type Identify, identify } from "@libp2p/identify";
import type { Connection, Libp2p, PrivateKey } from "@libp2p/interface";
import { mplex } from "@libp2p/mplex";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import type { Role } from "./config.ts";
import type { Muxer, SecureChannel, Stack } from "./stack.ts";

/** What a negotiated connection calls a layer. */
export const SECURE_CHANNEL_NAMES: Record<SecureChannel, string> = { noise: "/noise", tls: "/tls/1.0.0" };
export const MUXER_NAMES: Record<Muxer, string> = { yamux: "/yamux/1.0.0", mplex: "/mplex/6.7.0" };

const SECURE_CHANNELS = { noise: noise(), tls: tls() };
const MUXERS = {
  yamux: yamux(),
  // It closes a connection on its sixth new stream within a second; a latency section opens thousands.
  mplex: mplex({ disconnectThreshold: Number.POSITIVE_INFINITY }),
};

/** A connection that nothing uses for that long is closed. */
const IDLE_MS = 300_000;

export type PerfNode = Libp2p<{ identify: Identify }>;

/** A node of a TCP stack, bound to `listen` if it is a listener. */
export async function createNode(
  stack: Stack,
  role: Role,
  privateKey: PrivateKey,
  listen: string[],
  stallMs: number,
): Promise<PerfNode> {
  const { secureChannel = "noise", muxer = "yamux" } = stack;
  // A stall is for the meter to find, not for the socket.
  const idleMs = Math.max(IDLE_MS, 2 * stallMs);
  return createLibp2p({
    privateKey,
    addresses: { listen },
    transports: [tcp({ inboundSocketInactivityTimeout: idleMs, outboundSocketInactivityTimeout: idleMs })],
    connectionEncrypters: [SECURE_CHANNELS[secureChannel]],
    streamMuxers: [MUXERS[muxer]],
    // Pings would stand among the samples.
    connectionMonitor: { enabled: false },
    connectionManager: {
      // One address, and one limit to the dial: the caller's.
      addressDialTimeout: IDLE_MS,
      dialTimeout: IDLE_MS,
      // By default five connections a second from one host.
      inboundConnectionThreshold: Number.POSITIVE_INFINITY,
      maxIncomingPendingConnections: Number.POSITIVE_INFINITY,
    },
    // Others' new streams wait for identify. A dialer asks itself, and waits for the answer.
    services: { identify: identify({ runOnConnectionOpen: role === "listener" }) },
  });
}

/** Why `connection` is not what `stack` says; undefined where it is. */
export function otherStack(connection: Connection, stack: Stack): string | undefined {
  const layers: [string | undefined, string | undefined][] = [
    [connection.encryption, stack.secureChannel && SECURE_CHANNEL_NAMES[stack.secureChannel]],
    [connection.multiplexer, stack.muxer && MUXER_NAMES[stack.muxer]],
  ];
  const wrong = layers.find(([negotiated, asked]) => asked !== undefined && negotiated !== asked);
  return wrong && `negotiated ${wrong[0] ?? "nothing"} where ${wrong[1]} was asked for`;
}
