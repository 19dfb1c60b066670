/** What runs in the browser: the node that dials over webtransport, and the requests with their clock. */

import { privateKeyFromProtobuf } from "@libp2p/crypto/keys";
import { type Identify, identify } from "@libp2p/identify";
import type { Connection, Libp2p } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { webTransport } from "@libp2p/webtransport";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import type { Amount } from "./config.ts";
import { chain, Refused } from "./failure.ts";
import type { Moved } from "./meter.ts";
import { type Iteration, Requester, type Section } from "./request.ts";
import { settle } from "./settle.ts";

/** Errors lose their causes and their class on the way to Node: they travel as what they say. */
export type Answer<T> = { value: T } | { error: string; refused: boolean };

export interface DialRequest {
  address: string;
  /** A private key, protobuf in base64. */
  identity: string;
  stallMs: number;
}

/** What Node calls. */
export interface PerfPage {
  dial(request: DialRequest): Promise<Answer<{ agent?: string; phases: Record<string, number> }>>;
  iterate(section: Section, amount: Amount): Promise<Answer<Iteration>>;
  moved(): Moved;
  close(): Promise<void>;
}

let node: Libp2p<{ identify: Identify }> | undefined;
let requester: Requester | undefined;

const perf: PerfPage = {
  dial: (request) => answered(() => dial(request)),
  iterate: (section, amount) =>
    answered(() => {
      if (requester === undefined) throw new Error("a request before the dial");
      return requester.iterate(section, amount);
    }),
  moved: () => requester?.moved ?? { sent: 0, received: 0 },
  close: async () => {
    const own = node;
    node = undefined;
    await own?.stop();
  },
};

async function dial({ address, identity: key, stallMs }: DialRequest) {
  if (!crossOriginIsolated) throw new Error("the page is not isolated: its clock would be coarse");
  await node?.stop();
  const bytes = Uint8Array.from(atob(key), (character) => character.charCodeAt(0));
  const own = await createLibp2p({
    privateKey: privateKeyFromProtobuf(bytes),
    transports: [webTransport()],
    // The transport has its own; the node wants some all the same.
    connectionEncrypters: [noise()],
    connectionMonitor: { enabled: false },
    // One address, and one limit to the dial: Node's.
    connectionManager: { addressDialTimeout: 60_000, dialTimeout: 60_000 },
    // In a browser private addresses are denied by default.
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify({ runOnConnectionOpen: false }) },
  });
  node = own;
  const began = performance.now();
  const connection = await own.dial(multiaddr(address));
  const phases = { handshake: performance.now() - began };
  verify(connection);
  const agent = await settle(own.services.identify, connection);
  if (node !== own) throw new Error("given up");
  requester = new Requester(connection, stallMs);
  return { phases, ...(agent !== undefined && { agent }) };
}

/** Of webtransport both layers are the transport's own, and are called that. */
function verify({ encryption, multiplexer, remoteAddr }: Connection): void {
  const own = encryption === "native" && multiplexer === "/webtransport";
  if (!own) throw new Error(`negotiated ${encryption} and ${multiplexer} with ${remoteAddr}`);
}

async function answered<T>(ask: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { error: chain(error), refused: error instanceof Refused };
  }
}

Object.assign(globalThis, { perf });
