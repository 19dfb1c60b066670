/**
 * One iteration: requests timed around, watched for stalls, their counts checked. Runs where the connection is: in Node, or
 * in the browser, so that no time between the two is in a sample.
 */

import type { Connection } from "@libp2p/interface";
import type { Amount } from "./config.ts";
import { Meter, type Moved } from "./meter.ts";
import { exchange } from "./perf-client.ts";
import { guard } from "./stall.ts";

export type Section = "upload" | "download" | "latency";

/** What an iteration moved in what time; of a latency exchange also how long opening its stream took. */
export interface Iteration {
  bytes: number;
  ms: number;
  openMs: number;
}

/** Makes requests over one connection, one at a time. */
export class Requester {
  #meter = new Meter();

  constructor(
    private readonly connection: Connection,
    private readonly stallMs: number,
  ) {}

  /** What the request under way, or the last one, has moved. */
  get moved(): Moved {
    return { sent: this.#meter.sent, received: this.#meter.received };
  }

  async iterate(section: Section, amount: Amount): Promise<Iteration> {
    if ("bytes" in amount) return this.#request(section, amount.bytes);
    return this.#requestsFor(section, amount.ms);
  }

  /** Back-to-back requests for about `limitMs`: whole requests, and all the time that they took. */
  async #requestsFor(section: Section, limitMs: number): Promise<Iteration> {
    const began = performance.now();
    let bytes = 0;
    let size = SMALLEST_REQUEST;
    for (;;) {
      const { openMs } = await this.#request(section, size);
      bytes += size;
      const ms = performance.now() - began;
      if (ms >= limitMs) return { bytes, ms, openMs };
      size = nextRequest(bytes, ms, limitMs - ms);
    }
  }

  async #request(section: Section, bytes: number): Promise<Iteration> {
    const meter = new Meter();
    this.#meter = meter;
    const send = section === "download" ? 0 : bytes;
    const ask = section === "upload" ? 0 : bytes;
    await guard(meter, this.stallMs, (signal) => exchange(this.connection, send, ask, meter, signal));
    const ms = performance.now() - meter.began;
    if (meter.sent !== send || meter.received !== ask) {
      throw new Error(
        `asked to send ${send} bytes and receive ${ask}, counted ${meter.sent} and ${meter.received}`,
      );
    }
    return { bytes, ms, openMs: (meter.openedAt ?? meter.began) - meter.began };
  }
}

const SMALLEST_REQUEST = 2 ** 20;
const LARGEST_REQUEST = 2 ** 30;

/** What the rate so far moves in a second, or in what remains, whichever is shorter. */
export function nextRequest(bytes: number, ms: number, remainingMs: number): number {
  const next = Math.floor((bytes / Math.max(ms, 1e-6)) * Math.min(remainingMs, 1000));
  return Math.min(Math.max(next, SMALLEST_REQUEST), LARGEST_REQUEST);
}
