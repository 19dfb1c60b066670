// The page of this node in a headless Firefox: node in-firefox.mjs PAGE.JS ADDRESS BYTES. It uploads and downloads that much over
// webtransport and takes 20 latencies, prints what it is and what each iteration moved, a line of JSON each, and ends with 0 where
// all was measured.
//
// What drives Chromium does not drive the Firefox that distributions ship. Nothing need: the page loads, measures and tells.
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const [, , page, address, bytes] = process.argv;
const LIMIT_MS = 150_000;

/** Runs in the page, beside what page.ts puts there. */
async function measure({ address, identity, bytes }) {
  const tell = (what) => fetch("told", { method: "POST", body: JSON.stringify(what) });
  const sections = [
    ["upload", 1, bytes],
    ["download", 1, bytes],
    ["latency", 20, 1],
  ];
  await tell({ browser: navigator.userAgent });
  const dialed = await perf.dial({ address, identity, stallMs: 30_000 });
  for (const [section, iterations, bytes] of dialed.error === undefined ? sections : []) {
    for (let number = 1; number <= iterations; number++) {
      await tell({ section, ...(await perf.iterate(section, { bytes })) });
    }
  }
  await perf.close();
  await tell({ ended: true, ...dialed });
}

/** An Ed25519 key as libp2p has it: protobuf, type 1, and 64 bytes. */
function identity() {
  const { d, x } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const head = Buffer.from([8, 1, 18, 64]);
  return Buffer.concat([head, Buffer.from(d, "base64url"), Buffer.from(x, "base64url")]).toString("base64");
}

const request = JSON.stringify({ address, identity: identity(), bytes: Number(bytes) });
const files = {
  "/": ["text/html", '<!doctype html><script src="page.js"></script><script src="measure.js"></script>'],
  "/page.js": ["text/javascript", readFileSync(page)],
  "/measure.js": ["text/javascript", `(${measure})(${request})`],
};
let errors = 0;
const server = createServer(async (request, response) => {
  if (request.method === "POST") {
    const line = await text(request);
    console.log(line);
    const told = JSON.parse(line);
    if (told.error !== undefined) errors += 1;
    response.end();
    if (told.ended) server.emit("measured");
    return;
  }
  // A fine clock wants an isolated page.
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  const [type, content] = files[request.url] ?? ["text/plain", ""];
  response.setHeader("Content-Type", type);
  response.end(content);
}).listen(0, "localhost");
await once(server, "listening");

const profile = mkdtempSync(join(tmpdir(), "in-firefox-"));
const url = `http://localhost:${server.address().port}/`;
const flags = ["--headless", "--no-remote", "--profile", profile, url];
const firefox = spawn("firefox-esr", flags, { stdio: "ignore" });
const install = (error) => `Firefox does not start: ${error.message}; install the package firefox-esr`;
const gone = once(firefox, "exit").then(([status]) => `Firefox ended with ${status}`, install);
const measured = once(server, "measured").then(() => "measured");
const late = new Promise((resolve) =>
  setTimeout(() => resolve(`not done within ${LIMIT_MS / 1e3} s`), LIMIT_MS).unref(),
);
const how = await Promise.race([measured, gone, late]);
if (how !== "measured") console.error(how);
firefox.kill("SIGTERM");
await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 5000))]);
firefox.kill("SIGKILL");
rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
process.exit(how === "measured" && errors === 0 ? 0 : 1);
