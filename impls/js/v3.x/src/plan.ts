/** What a dialer measures, in which order, and what remains when it breaks. */

import type { Amount, Plan } from "./config.ts";
import { Failure } from "./failure.ts";
import type { Moved } from "./meter.ts";
import type { Iteration, Section } from "./request.ts";
import { gbps } from "./stats.ts";

/** A connection to a listener, wherever it is. */
export interface Dialed {
  details: Details;
  /** One iteration on fresh streams of the connection. Throws where it broke. */
  iterate(section: Section, amount: Amount): Promise<Iteration>;
  /** What the request under way, or the last one, has moved. */
  moved(): Promise<Moved>;
  /** Tells the peer that this was all. */
  close(): Promise<void>;
}

/** What a connection tells about itself, for the document. */
export interface Details {
  /** Milliseconds of connecting, by phase, in order. */
  phases: Record<string, number>;
  /** How streams agree on their protocol; none before there is a connection. */
  negotiation?: "v1";
  /** Further keys under `node:`. */
  extra: Record<string, string>;
}

/** What was measured so far; it stays behind when the run ends early. */
export interface Measurements {
  /** Sections whose every iteration was measured. */
  whole: Partial<Record<Section, number[]>>;
  /** The section under way; no iteration during warm-up. */
  current?: { section: Section; iteration?: number; samples: number[] };
  /** Milliseconds of latency iterations: until the stream was open, and from there to the end. */
  streamOpen: number[];
  exchange: number[];
}

export const UNIT: Record<Section, string> = { upload: "Gbps", download: "Gbps", latency: "ms" };

/** Runs `plan`, section by section; the first broken iteration ends it. None is skipped and none repeated. */
export async function runPlan(
  plan: Plan,
  dialed: Dialed,
  measurements: Measurements,
  tell: (progress: string) => void,
): Promise<void> {
  const { upload, download, latencyIterations, warmup } = plan;
  const sections: [Section, number, Amount][] = [
    ["upload", upload.iterations, upload.amount],
    ["download", download.iterations, download.amount],
    ["latency", latencyIterations, { bytes: 1 }],
  ];
  for (const [section, iterations, amount] of sections) {
    if (iterations === 0) continue;
    const samples: number[] = [];
    const current: NonNullable<Measurements["current"]> = { section, samples };
    measurements.current = current;
    for (let number = 1 - warmup; number <= iterations; number++) {
      if (number > 0) current.iteration = number;
      const iteration = await iterate(dialed, section, amount);
      if (number <= 0) continue;
      const sample = section === "latency" ? iteration.ms : gbps(iteration.bytes, iteration.ms);
      samples.push(sample);
      if (section === "latency") {
        measurements.streamOpen.push(iteration.openMs);
        measurements.exchange.push(iteration.ms - iteration.openMs);
      } else {
        tell(`${section} ${number}/${iterations}: ${sample.toFixed(3)} ${UNIT[section]}`);
      }
    }
    measurements.whole[section] = samples;
    delete measurements.current;
  }
}

async function iterate(dialed: Dialed, section: Section, amount: Amount): Promise<Iteration> {
  try {
    return await dialed.iterate(section, amount);
  } catch (error) {
    throw Failure.from(section, error);
  }
}
