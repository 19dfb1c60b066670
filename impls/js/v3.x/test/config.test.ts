import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCEPTS, readConfig } from "../src/config.ts";
import { Failure } from "../src/failure.ts";

const TCP = { IS_DIALER: "true", TRANSPORT: "tcp", SECURE_CHANNEL: "noise", MUXER: "yamux" };

const contract = (extra: Record<string, string> = {}) => readConfig({ ...TCP, ...extra });

function refused(environment: Record<string, string>): string {
  try {
    readConfig(environment);
  } catch (error) {
    assert.ok(error instanceof Failure && error.class === "usage" && error.phase === "configuration");
    return error.message;
  }
  assert.fail(`accepted: ${JSON.stringify(environment)}`);
}

test("defaults are the contract's", () => {
  const gib = { amount: { bytes: 2 ** 30 }, iterations: 10 };
  assert.deepEqual(contract(), {
    role: "dialer",
    stack: { transport: "tcp", secureChannel: "noise", muxer: "yamux", profile: "stock" },
    redis: "redis://redis:6379",
    ip: "0.0.0.0",
    port: 0,
    plan: { upload: gib, download: gib, latencyIterations: 100, warmup: 0 },
    stallMs: 30_000,
    debug: false,
  });
});

// The cases of harness-sdk/src/config.rs.
const BAD: [keyof typeof ACCEPTS, string][] = [
  ["IS_DIALER", "yes"],
  ["REDIS_ADDR", "redis"],
  ["REDIS_ADDR", "redis:port"],
  ["REDIS_ADDR", "rediss://redis:6379"],
  ["REDIS_ADDR", ":6379"],
  ["REDIS_ADDR", "::1:6379"],
  ["TEST_KEY", "a b"],
  ["TRANSPORT", "TCP"],
  ["TRANSPORT", "carrier-pigeon"],
  ["SECURE_CHANNEL", "plaintext"],
  ["MUXER", "spdy"],
  ["LISTENER_IP", "localhost"],
  ["UPLOAD_BYTES", "-1"],
  ["UPLOAD_BYTES", "+1"],
  ["UPLOAD_BYTES", "1e9"],
  ["UPLOAD_BYTES", "99999999999G"],
  ["DOWNLOAD_BYTES", "1.5"],
  ["UPLOAD_ITERATIONS", "ten"],
  ["DOWNLOAD_ITERATIONS", "1000001"],
  ["LATENCY_ITERATIONS", "K"],
  ["DURATION", "0"],
  ["DURATION", "1e3"],
  ["DURATION", "20m"],
  ["DEBUG", "2"],
  ["PERF_PROFILE", "fast"],
  ["PERF_LISTENER_PORT", "65536"],
  ["PERF_STALL_SECS", "0"],
  ["PERF_TIMEOUT_SECS", "-1"],
  ["PERF_WARMUP", "x"],
];

test("every bad value names variable, value and what is accepted, in both roles", () => {
  for (const [name, value] of BAD) {
    for (const role of ["true", "false"]) {
      assert.equal(
        refused({ ...TCP, IS_DIALER: role, [name]: value }),
        `${name}: "${value}" is not accepted; it takes ${ACCEPTS[name]}`,
      );
    }
  }
});

test("null and empty are absent", () => {
  for (const absent of ["", "null", "  "]) {
    assert.deepEqual(contract({ UPLOAD_BYTES: absent, TEST_KEY: absent }), contract());
    assert.match(refused({ ...TCP, MUXER: absent }), /^MUXER is not set; it takes yamux or mplex/);
    const standalone = contract({ TRANSPORT: "webtransport", SECURE_CHANNEL: absent, MUXER: absent });
    assert.deepEqual(standalone.stack, { transport: "webtransport", profile: "stock" });
  }
});

test("missing variables are named, standalone transports refuse layers", () => {
  assert.match(refused({}), /^IS_DIALER is not set/);
  assert.match(refused({ IS_DIALER: "0" }), /^TRANSPORT is not set/);
  assert.equal(
    refused({ ...TCP, TRANSPORT: "quic-v1" }),
    'SECURE_CHANNEL: "noise" is not accepted with transport quic-v1, which brings its own; leave it out',
  );
});

test("DURATION yields to bytes that are given and not 0", () => {
  const { upload, download } = contract({ DURATION: "20s", DOWNLOAD_BYTES: "5" }).plan;
  assert.deepEqual([upload.amount, download.amount], [{ ms: 20_000 }, { bytes: 5 }]);
  assert.deepEqual(contract({ DURATION: "0.5", UPLOAD_BYTES: "0" }).plan.upload.amount, { ms: 500 });
});

test("0 bytes without DURATION are refused unless skipped", () => {
  assert.match(refused({ ...TCP, UPLOAD_BYTES: "0" }), /^UPLOAD_BYTES: 0 bytes/);
  assert.equal(contract({ UPLOAD_BYTES: "0", UPLOAD_ITERATIONS: "0" }).plan.upload.iterations, 0);
});

test("sizes take binary suffixes; Redis is an address or a URL", () => {
  const sizes = ["1", "2K", "3m", "1G"].map((text) => contract({ UPLOAD_BYTES: text }).plan.upload.amount);
  assert.deepEqual(
    sizes,
    [1, 2048, 3 << 20, 1 << 30].map((bytes) => ({ bytes })),
  );
  const redis = ["redis:6379", "[::1]:6379", "redis://user:secret@host:1/2", "redis://host"];
  assert.deepEqual(
    redis.map((text) => contract({ REDIS_ADDR: text }).redis),
    redis.map((text) => (text.includes("://") ? text : `redis://${text}`)),
  );
});
