/** The document a dialer prints: one YAML document, its keys, order and indentation those of the contract. */

import type { Class, Phase } from "./failure.ts";
import type { Moved } from "./meter.ts";
import { UNIT } from "./plan.ts";
import type { Section } from "./request.ts";
import type { Stack } from "./stack.ts";
import { boxPlot } from "./stats.ts";

export interface Document {
  /** Each present only if every one of its iterations was measured. */
  sections: Partial<Record<Section, number[]>>;
  node: NodeInfo;
  failure?: FailureInfo;
}

export interface NodeInfo {
  name: string;
  version: string;
  stack?: Stack;
  negotiation?: string;
  /** Milliseconds of connecting. */
  phases: Record<string, number>;
  /** Percentiles; undefined where too few samples lie beyond. */
  streamOpen?: Percentiles<"p50" | "p99">;
  exchange?: Percentiles<"p50" | "p99">;
  latency?: Percentiles<"p50" | "p90" | "p95" | "p99">;
  cpuSeconds: number;
  peakRssBytes: number;
  extra: Record<string, string>;
}

export type Percentiles<Names extends string> = Record<Names, number | undefined>;

export interface FailureInfo {
  class: Class;
  phase: Phase;
  message: string;
  iteration?: number;
  partial?: { moved: Moved; samples: number[]; section: Section };
}

export function toYaml(document: Document): string {
  const lines: string[] = [];
  for (const section of ["upload", "download", "latency"] as const) {
    const samples = document.sections[section];
    if (samples !== undefined) lines.push(`${section}:`, ...sectionLines(samples, UNIT[section]));
  }
  lines.push("node:", ...nodeLines(document.node));
  if (document.failure !== undefined) lines.push("failure:", ...failureLines(document.failure));
  return `${lines.join("\n")}\n`;
}

/** The nine keys; none where there is nothing true to say. */
function sectionLines(samples: number[], unit: string): string[] {
  const plot = boxPlot(samples);
  if (plot === undefined) return [];
  const five = (["min", "q1", "median", "q3", "max"] as const).map(
    (key) => `  ${key}: ${significant(plot[key])}`,
  );
  return [
    `  iterations: ${samples.length}`,
    ...five,
    `  outliers: ${list(plot.outliers)}`,
    `  samples: ${list(samples)}`,
    `  unit: ${unit}`,
  ];
}

function nodeLines(node: NodeInfo): string[] {
  const lines = [`  name: ${scalar(node.name)}`, `  version: ${scalar(node.version)}`];
  if (node.stack !== undefined) lines.push(`  stack: ${mapping(stackEntries(node.stack, node.negotiation))}`);
  const phases = Object.entries(node.phases).map(([name, ms]) => [name, significant(ms)]);
  if (node.streamOpen !== undefined) phases.push(["stream_open", percentiles(node.streamOpen)]);
  if (node.exchange !== undefined) phases.push(["exchange", percentiles(node.exchange)]);
  lines.push(`  phases_ms: ${mapping(phases)}`);
  if (node.latency !== undefined) lines.push(`  latency_percentiles_ms: ${percentiles(node.latency)}`);
  lines.push(`  cpu_seconds: ${significant(node.cpuSeconds)}`, `  peak_rss_bytes: ${node.peakRssBytes}`);
  lines.push(...Object.entries(node.extra).map(([name, value]) => `  ${name}: ${scalar(value)}`));
  return lines;
}

function stackEntries(stack: Stack, negotiation: string | undefined): string[][] {
  const { transport, secureChannel, muxer, profile } = stack;
  const entries = [["transport", transport]];
  if (secureChannel !== undefined) entries.push(["secure_channel", secureChannel]);
  if (muxer !== undefined) entries.push(["muxer", muxer]);
  entries.push(["profile", profile]);
  if (negotiation !== undefined) entries.push(["negotiation", negotiation]);
  return entries;
}

function failureLines(failure: FailureInfo): string[] {
  const { class: cls, phase, message, iteration, partial } = failure;
  const lines = [`  class: ${cls}`, `  phase: ${phase}`, `  message: ${JSON.stringify(message)}`];
  if (iteration !== undefined) lines.push(`  iteration: ${iteration}`);
  if (partial !== undefined) {
    lines.push(
      "  partial:",
      `    bytes_sent: ${partial.moved.sent}`,
      `    bytes_received: ${partial.moved.received}`,
      `    samples: ${list(partial.samples)}`,
      `    unit: ${UNIT[partial.section]}`,
    );
  }
  return lines;
}

function list(values: number[]): string {
  return `[${values.map(significant).join(", ")}]`;
}

function mapping(entries: (string | undefined)[][]): string {
  return `{${entries.map(([key, value]) => `${key}: ${value}`).join(", ")}}`;
}

function percentiles(values: Record<string, number | undefined>): string {
  const shown = (value: number | undefined) => (value === undefined ? "null" : significant(value));
  return mapping(Object.entries(values).map(([name, value]) => [name, shown(value)]));
}

/** As it is where YAML reads that back as the same string, else quoted. */
function scalar(text: string): string {
  const word = /^[A-Za-z][A-Za-z0-9._/-]*( [A-Za-z0-9._/-]+)*$/.test(text);
  const version = /^[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.-]*$/.test(text);
  const reserved = /^(true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return (word || version) && !reserved ? text : JSON.stringify(text);
}

/** Six significant digits at most, without exponent, and a decimal point always. */
export function significant(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return value.toFixed(1);
  const decimals = 5 - Math.floor(Math.log10(Math.abs(value)));
  if (decimals < 0) {
    const unit = 10 ** -decimals;
    return `${BigInt(Math.round(value / unit)) * BigInt(unit)}.0`;
  }
  const text = value.toFixed(decimals);
  const [whole, fraction = ""] = text.split(".");
  return `${whole}.${fraction.replace(/0+$/, "") || "0"}`;
}
