/** A page in a headless Chromium of our own, and the server that it is loaded from. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import type { Page } from "playwright-core";
import { Failure } from "./failure.ts";

export interface OpenPage {
  page: Page;
  /** The browser's. */
  version: string;
  close(): Promise<void>;
}

/** What Debian and others call it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** What a measurement needs not, and what a container lets no browser have. QUIC is left on. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/** Starts the browser, with a profile of its own, and loads the page. */
export async function openPage(): Promise<OpenPage> {
  const executablePath = inPath(NAMES);
  if (executablePath === undefined) {
    throw environment(`there is no Chromium here (${NAMES.join(", ")}): install the package chromium`);
  }
  const { chromium } = await import("playwright-core").catch(() => {
    throw environment("this build has no browser driver: it was built without --browser");
  });
  const server = await serve(await readPage());
  const options = { executablePath, args: FLAGS, handleSIGINT: false, handleSIGTERM: false };
  const browser = await chromium.launch(options).catch((error: Error) => {
    server.close();
    throw environment(`Chromium does not start: ${error.message}`);
  });
  const close = async () => {
    server.close();
    await browser.close();
  };
  try {
    const page = await browser.newPage();
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    return { page, version: browser.version(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function environment(message: string): Failure {
  return new Failure("environment", "dial", message);
}

function inPath(names: string[]): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

/** The bundle that the build puts beside this one. */
async function readPage(): Promise<Buffer> {
  const file = new URL("page.js", import.meta.url);
  return readFile(file).catch(() => {
    throw environment("this build has no page for the browser: it was built without --browser");
  });
}

/** WebTransport wants a secure context, which localhost is; a fine clock wants an isolated one, which the headers make. */
async function serve(script: Buffer): Promise<Server> {
  const server = createServer((request, response) => {
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    const isScript = request.url === "/page.js";
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html; charset=utf-8");
    response.end(isScript ? script : '<!doctype html><title>perf</title><script src="page.js"></script>');
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "localhost", resolve);
  });
  return server;
}
