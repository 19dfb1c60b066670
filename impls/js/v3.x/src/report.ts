/** From measurements to the document. */

import type { Document, NodeInfo } from "./document.ts";
import type { Failure } from "./failure.ts";
import type { Moved } from "./meter.ts";
import type { Details, Measurements } from "./plan.ts";
import type { Stack } from "./stack.ts";
import { percentile } from "./stats.ts";
import { type Usage, usage } from "./usage.ts";
import { VERSION } from "./version.ts";

/** What a dialer knows when it reports. */
export interface Run {
  stack?: Stack;
  details: Details;
  measurements: Measurements;
  /** Of the broken request. */
  moved: Moved;
  /** When all was measured, or could not be. */
  usage?: Usage;
}

export function emptyRun(): Run {
  return {
    details: { phases: {}, extra: {} },
    measurements: { whole: {}, streamOpen: [], exchange: [] },
    moved: { sent: 0, received: 0 },
  };
}

export function documentOf(run: Run, failure: Failure | undefined): Document {
  const document: Document = { sections: run.measurements.whole, node: nodeInfo(run) };
  if (failure !== undefined) document.failure = failureInfo(run, failure);
  return document;
}

function nodeInfo(run: Run): NodeInfo {
  const { stack, details, measurements } = run;
  const { whole, current, streamOpen, exchange } = measurements;
  const latency = whole.latency ?? (current?.section === "latency" ? current.samples : []);
  const p50p99 = (samples: number[]) => ({ p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) });
  return {
    name: "js-perf-node",
    version: VERSION,
    ...(stack !== undefined && { stack }),
    ...(details.negotiation !== undefined && { negotiation: details.negotiation }),
    phases: details.phases,
    ...(latency.length > 0 && {
      streamOpen: p50p99(streamOpen),
      exchange: p50p99(exchange),
      latency: {
        p50: percentile(latency, 0.5),
        p90: percentile(latency, 0.9),
        p95: percentile(latency, 0.95),
        p99: percentile(latency, 0.99),
      },
    }),
    ...(run.usage ?? usage()),
    extra: details.extra,
  };
}

function failureInfo(run: Run, failure: Failure): NonNullable<Document["failure"]> {
  const { class: cls, phase, message } = failure;
  const { current } = run.measurements;
  return {
    class: cls,
    phase,
    message,
    ...(current?.iteration !== undefined && { iteration: current.iteration }),
    ...(current !== undefined && {
      partial: { moved: run.moved, samples: current.samples, section: current.section },
    }),
  };
}
