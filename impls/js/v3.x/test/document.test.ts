import assert from "node:assert/strict";
import { test } from "node:test";
import { significant, toYaml } from "../src/document.ts";

test("six significant digits, a decimal point, no exponent", () => {
  const cases: [number, string][] = [
    [6.5123419, "6.51234"],
    [0.00012345678, "0.000123457"],
    [12_345_678, "12345700.0"],
    [7, "7.0"],
    [0, "0.0"],
    [1e-9, "0.000000001"],
    [1e21, "1000000000000000000000.0"],
    [-2.5, "-2.5"],
  ];
  for (const [value, text] of cases) assert.equal(significant(value), text);
});

test("the document has the contract's form", () => {
  const document = toYaml({
    sections: { latency: [0.25], upload: [6.81, 6.84, 6.83, 6.82, 5.102] },
    node: {
      name: "js-perf-node",
      version: "0.1.0",
      stack: { transport: "tcp", secureChannel: "noise", muxer: "yamux", profile: "stock" },
      negotiation: "v1",
      phases: { dial: 0.1, security: 1.2, muxer: 0.3 },
      streamOpen: { p50: 0.1, p99: undefined },
      latency: { p50: 0.2, p90: undefined, p95: undefined, p99: undefined },
      cpuSeconds: 12.3,
      peakRssBytes: 31457280,
      extra: { runtime: "node v20.0.0", peer_agent: "go: libp2p" },
    },
    failure: {
      class: "transfer",
      phase: "download",
      message: 'stream "reset"',
      iteration: 3,
      partial: { moved: { sent: 0, received: 77 }, samples: [1.5, 2], section: "download" },
    },
  });
  assert.equal(
    document,
    `upload:
  iterations: 5
  min: 6.81
  q1: 6.81
  median: 6.82
  q3: 6.83
  max: 6.84
  outliers: [5.102]
  samples: [6.81, 6.84, 6.83, 6.82, 5.102]
  unit: Gbps
latency:
  iterations: 1
  min: 0.25
  q1: 0.25
  median: 0.25
  q3: 0.25
  max: 0.25
  outliers: []
  samples: [0.25]
  unit: ms
node:
  name: js-perf-node
  version: 0.1.0
  stack: {transport: tcp, secure_channel: noise, muxer: yamux, profile: stock, negotiation: v1}
  phases_ms: {dial: 0.1, security: 1.2, muxer: 0.3, stream_open: {p50: 0.1, p99: null}}
  latency_percentiles_ms: {p50: 0.2, p90: null, p95: null, p99: null}
  cpu_seconds: 12.3
  peak_rss_bytes: 31457280
  runtime: node v20.0.0
  peer_agent: "go: libp2p"
failure:
  class: transfer
  phase: download
  message: "stream \\"reset\\""
  iteration: 3
  partial:
    bytes_sent: 0
    bytes_received: 77
    samples: [1.5, 2.0]
    unit: Gbps
`,
  );
});
