import "../src/with-resolvers.ts";
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { withoutPerf } from "./support.ts";

/** The node as a process, as it is shipped: in one file. */
const NODE = fileURLToPath(new URL("../bundle/node.js", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "js-perf-node-"));
let redis: ChildProcess;
let port: number;

before(async () => {
  port = await freePort();
  redis = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", ""], {
    stdio: "ignore",
    cwd: folder,
  });
  await Promise.race([
    once(redis, "exit").then(() => assert.fail("redis-server ended; is it installed?")),
    until(() => redisCli("PING") === "PONG"),
  ]);
});

after(() => {
  redis.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function redisCli(...words: string[]): string {
  try {
    return execFileSync("redis-cli", ["-p", String(port), ...words], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "";
  }
}

async function until(holds: () => boolean): Promise<void> {
  const limit = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > limit) assert.fail("waited 20 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Starts a node with nothing in its environment but this. */
function start(environment: Record<string, string>): { process: ChildProcess; ended: Promise<Ended> } {
  const base = { PATH: process.env.PATH, REDIS_ADDR: `127.0.0.1:${port}`, LISTENER_IP: "127.0.0.1" };
  const env = { ...base, TRANSPORT: "tcp", SECURE_CHANNEL: "noise", MUXER: "yamux", ...environment };
  const child = spawn(process.execPath, [NODE], { env, stdio: ["ignore", "pipe", "pipe"] });
  const ended: Ended = { status: null, stdout: "", stderr: "" };
  child.stdout.on("data", (data) => {
    ended.stdout += data;
  });
  child.stderr.on("data", (data) => {
    ended.stderr += data;
  });
  const done = once(child, "close").then(([status]) => ({ ...ended, status }));
  return { process: child, ended: done };
}

const SMALL = {
  UPLOAD_BYTES: "1M",
  DOWNLOAD_BYTES: "1M",
  UPLOAD_ITERATIONS: "2",
  DOWNLOAD_ITERATIONS: "2",
  LATENCY_ITERATIONS: "20",
};

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";

test("a listener and two dialers, one after the other", async () => {
  const identity = join(folder, "key");
  const listener = start({ IS_DIALER: "false", TEST_KEY: "pair", PERF_IDENTITY: identity });
  await until(() => redisCli("GET", "pair_listener_multiaddr") !== "");
  const address = redisCli("GET", "pair_listener_multiaddr");
  assert.match(address, /^\/ip4\/127\.0\.0\.1\/tcp\/[1-9][0-9]*\/p2p\/12D3Koo[A-Za-z0-9]+$/);
  const life = Number(redisCli("TTL", "pair_listener_multiaddr"));
  assert.ok(life > 3500 && life <= 3600, String(life));
  assert.equal(statSync(identity).mode & 0o777, 0o600);
  // The second reads the address as older images leave it.
  for (const list of [false, true]) {
    if (list) {
      redisCli("DEL", "pair_listener_multiaddr");
      redisCli("RPUSH", "pair_listener_multiaddr", address);
    }
    const dialer = await start({ IS_DIALER: "1", TEST_KEY: "pair", DEBUG: "true", ...SMALL }).ended;
    assert.equal(dialer.status, 0, dialer.stderr);
    assert.match(
      dialer.stdout,
      /^upload:\n {2}iterations: 2\n[^]*\ndownload:\n[^]*\nlatency:\n {2}iterations: 20\n[^]*\nnode:\n {2}name: js-perf-node\n/,
    );
    assert.match(
      dialer.stdout,
      /stack: {transport: tcp, secure_channel: noise, muxer: yamux, profile: stock/,
    );
    assert.match(dialer.stdout, /peer_agent: js-libp2p\//);
    const samples = /latency:\n[^]*? {2}samples: \[(.*)\]\n {2}unit: ms/.exec(dialer.stdout)?.[1];
    assert.equal(samples?.split(", ").length, 20);
    assert.match(dialer.stderr, /dialing \/ip4\/127/);
  }
  const began = Date.now();
  listener.process.kill("SIGTERM");
  const { status, stdout } = await listener.ended;
  assert.deepEqual([status, stdout], [0, ""]);
  assert.ok(Date.now() - began < 2000, `${Date.now() - began} ms to end`);
});

test("what this node does not speak is 127, what is not understood is 2; both say so", async () => {
  const cases: [Record<string, string>, number, string, RegExp][] = [
    [{ TRANSPORT: "quic-v1" }, 127, "unsupported", /does not speak \(quic-v1\)/],
    [{ PERF_PROFILE: "tuned" }, 127, "unsupported", /as it ships/],
    [{ TRANSPORT: "udp" }, 2, "usage", /TRANSPORT: \\"udp\\" is not accepted; it takes tcp, ws/],
  ];
  await Promise.all(
    cases.map(async ([environment, status, cls, message]) => {
      const standalone = environment.TRANSPORT && { SECURE_CHANNEL: "null", MUXER: "" };
      const ended = await start({ IS_DIALER: "true", ...standalone, ...environment }).ended;
      assert.equal(ended.status, status, ended.stderr);
      assert.match(ended.stdout, new RegExp(`^node:\n[^]*\nfailure:\n {2}class: ${cls}\n`));
      assert.ok(lastLine(ended.stderr).startsWith(`failure: {class: ${cls}, message: "`), ended.stderr);
      assert.match(ended.stderr, message);
    }),
  );
});

test("a webtransport listener is unsupported, and prints no document", async () => {
  const environment = { TRANSPORT: "webtransport", SECURE_CHANNEL: "", MUXER: "null" };
  const { status, stdout, stderr } = await start({ IS_DIALER: "false", ...environment }).ended;
  assert.deepEqual([status, stdout], [127, ""]);
  assert.match(
    lastLine(stderr),
    /^failure: {class: unsupported, .*it speaks tcp, and webtransport as dialer alone/,
  );
});

test("a port that is taken, a key of another type and a key file that is none are the environment's", async () => {
  redisCli("HSET", "odd_listener_multiaddr", "a", "b");
  const cases: [Record<string, string>, RegExp][] = [
    [{ IS_DIALER: "false", PERF_LISTENER_PORT: String(port) }, /cannot listen on .*EADDRINUSE/],
    [{ IS_DIALER: "true", TEST_KEY: "odd" }, /odd_listener_multiaddr .* is a hash/],
    [{ IS_DIALER: "false", PERF_IDENTITY: NODE }, /PERF_IDENTITY: .* cannot be used as a key file/],
  ];
  await Promise.all(
    cases.map(async ([environment, message]) => {
      const { status, stderr } = await start(environment).ended;
      assert.equal(status, 3, stderr);
      assert.match(lastLine(stderr), message);
    }),
  );
});

test("a stale address gives way to one that changes", async () => {
  redisCli("SET", "stale_listener_multiaddr", "/ip4/127.0.0.1/tcp/1");
  const dialer = start({ IS_DIALER: "true", TEST_KEY: "stale", ...SMALL });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const listener = start({ IS_DIALER: "false", TEST_KEY: "stale" });
  const { status, stderr } = await dialer.ended;
  listener.process.kill("SIGINT");
  assert.equal(status, 0, stderr);
  assert.equal((await listener.ended).status, 0);
});

test("a peer that does not speak perf is not connected to", async () => {
  const { listener, address } = await withoutPerf();
  redisCli("SET", "refused_listener_multiaddr", address);
  const { status, stdout, stderr } = await start({ IS_DIALER: "true", TEST_KEY: "refused", ...SMALL }).ended;
  await listener.stop();
  assert.equal(status, 4, stderr);
  assert.match(stdout, /^node:\n[^]*\nfailure:\n {2}class: connect\n/);
  assert.match(stdout, /the peer does not speak \/perf\/1\.0\.0/);
});

test("a dialer that is told to end says what it has", async () => {
  const listener = start({ IS_DIALER: "false", TEST_KEY: "end" });
  const ends = async (signal: NodeJS.Signals | undefined, extra: Record<string, string>) => {
    const environment = { IS_DIALER: "true", TEST_KEY: "end", ...SMALL, DOWNLOAD_BYTES: "100G", ...extra };
    const dialer = start(environment);
    if (signal !== undefined) {
      await new Promise((resolve) => dialer.process.stderr?.once("data", resolve));
      dialer.process.kill(signal);
    }
    return dialer.ended;
  };
  const [terminated, interrupted, late] = await Promise.all([
    ends("SIGTERM", {}),
    ends("SIGINT", {}),
    ends(undefined, { PERF_TIMEOUT_SECS: "6", UPLOAD_ITERATIONS: "0" }),
  ]);
  listener.process.kill("SIGTERM");
  await listener.ended;
  assert.equal(terminated.status, 5, terminated.stderr);
  assert.match(
    terminated.stdout,
    /failure:\n {2}class: transfer\n[^]*ended by SIGTERM before all was measured/,
  );
  assert.equal(interrupted.status, 130, interrupted.stderr);
  assert.match(interrupted.stdout, /failure:\n {2}class: interrupted\n/);
  assert.equal(late.status, 5, late.stderr);
  assert.match(late.stdout, /not done within PERF_TIMEOUT_SECS, 6 s/);
  assert.match(
    late.stdout,
    / {2}phase: download\n[^]* {2}iteration: 1\n {2}partial:\n {4}bytes_sent: 0\n {4}bytes_received: [1-9]/,
  );
});

const chromium = (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, "chromium")));

test(
  "in Chromium, an address where nobody is is the peer's",
  { skip: !chromium && "no chromium here" },
  async () => {
    const hash = "uEiBWcHtAEF7DdxVTJZPXE1B3LoWvtGf7pWbYYgbF03rIBA";
    const peer = "12D3KooWNSEsXw6xKu88Mq1JSfeWKHiGVtDGdas3dJeAYUEBfZDx";
    const address = `/ip4/127.0.0.1/udp/9/quic-v1/webtransport/certhash/${hash}/p2p/${peer}`;
    redisCli("SET", "browser_listener_multiaddr", address);
    const environment = { TRANSPORT: "webtransport", SECURE_CHANNEL: "", MUXER: "", TEST_KEY: "browser" };
    const { status, stdout, stderr } = await start({ IS_DIALER: "true", ...environment }).ended;
    assert.equal(status, 4, stderr);
    // The page would have said so if its clock were coarse; a busy machine's Chromium may need longer to give up.
    const expected =
      /class: connect\n {2}phase: dial\n.*(handshake failed.*offered webtransport alone|no connection within)/;
    assert.match(stdout, expected);
  },
);
