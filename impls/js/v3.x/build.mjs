// Makes the node: `node build.mjs FOLDER [--browser] [--need-chromium] [--installed]`.
//
// FOLDER/node.js is the whole program. With --browser there are also FOLDER/page.js, which runs in Chromium, and the
// driver of it. --need-chromium refuses to build where no Chromium is here: it could not be measured. --installed: the dependencies are here, and
// no package server need be asked.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const flags = process.argv.slice(2).filter((word) => word.startsWith("--"));
const [folder] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const known = ["--browser", "--need-chromium", "--installed"];
const unknown = flags.find((flag) => !known.includes(flag));
if (folder === undefined || unknown !== undefined) {
  stop(`${unknown ?? "no folder"}: usage: node build.mjs FOLDER [${known.join("] [")}]`);
}
const major = Number(process.versions.node.split(".")[0]);
if (major < 20) stop(`this is Node.js ${process.versions.node}; it takes 20 or later`);
if (flags.includes("--need-chromium") && !hasChromium()) {
  stop("webtransport is dialed in Chromium, which is not on this machine; install the package chromium");
}
if (!flags.includes("--installed")) install();
const { build } = await import("esbuild");
const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  legalComments: "none",
  logLevel: "warning",
};
await build({
  ...common,
  entryPoints: ["src/main.ts"],
  outfile: join(resolve(folder), "node.js"),
  platform: "node",
  target: "node20",
  external: ["playwright-core"],
  // Some dependencies are CommonJS, and ask for Node's own modules as such do.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
});
writeFileSync(join(resolve(folder), "package.json"), '{ "type": "module" }\n');
if (flags.includes("--browser")) {
  await build({
    ...common,
    entryPoints: ["src/page.ts"],
    outfile: join(resolve(folder), "page.js"),
    platform: "browser",
    target: "chrome120",
    format: "iife",
  });
  const driver = join(resolve(folder), "node_modules", "playwright-core");
  mkdirSync(driver, { recursive: true });
  cpSync(join(here, "node_modules", "playwright-core"), driver, { recursive: true });
}

/** Dependencies as the lock file has them; not again where they are here already. */
function install() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(here, "package-lock.json")))
    .digest("hex");
  const stamp = join(here, "node_modules", ".installed-from");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const npm = spawnSync("npm", ["ci", "--ignore-scripts"], { cwd: here, stdio: "inherit" });
  if (npm.error !== undefined)
    stop(`npm cannot be started: ${npm.error.message}; install it (it comes with Node.js)`);
  if (npm.status !== 0) stop("its dependencies could not be installed: npm ci failed");
  writeFileSync(stamp, wanted);
}

function hasChromium() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome"];
  return names.some((name) => folders.some((folder) => existsSync(join(folder, name))));
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
