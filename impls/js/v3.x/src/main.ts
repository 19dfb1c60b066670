import "./with-resolvers.ts";
import { openBrowser } from "./browser-dialer.ts";
import { type Role, readConfig, roleOf } from "./config.ts";
import { dial, type Prepare, type Stop } from "./dial.ts";
import { toYaml } from "./document.ts";
import { chain, Failure, STATUS } from "./failure.ts";
import { listen } from "./listen.ts";
import { type Log, logTo } from "./log.ts";
import { documentOf, emptyRun, type Run } from "./report.ts";
import { describe, unsupported } from "./stack.ts";
import { dialTcp } from "./tcp-dialer.ts";

const HELP = `js-perf-node: a js-libp2p node that measures /perf/1.0.0 and is measured by it.

It takes no arguments; the environment says all: IS_DIALER=true|false, REDIS_ADDR, TRANSPORT=tcp|webtransport,
SECURE_CHANNEL=noise|tls, MUXER=yamux|mplex, UPLOAD_BYTES, … docs/contract.md has the table. A dialer prints one YAML
document on stdout.
`;

async function main(): Promise<void> {
  const [argument] = process.argv.slice(2);
  if (argument === "--help" || argument === "-h") {
    process.stdout.write(HELP);
    return;
  }
  const run = emptyRun();
  let failure: Failure | undefined;
  try {
    if (argument !== undefined) {
      throw new Failure("usage", "configuration", `${argument} is not understood; see --help`);
    }
    await runNode(run);
  } catch (error) {
    // Whatever is not classified by now is a bug.
    failure =
      error instanceof Failure
        ? error
        : new Failure("internal", "configuration", `a bug: ${error instanceof Error ? error.stack : error}`);
  }
  if (roleOf(process.env) === "dialer") failure = await print(toYaml(documentOf(run, failure)), failure);
  if (failure !== undefined) await write(process.stderr, `${failure.lastLine()}\n`).catch(() => {});
  // A peer's open connection would keep the process.
  process.exit(failure === undefined ? 0 : STATUS[failure.class]);
}

async function runNode(run: Run): Promise<void> {
  const config = readConfig(process.env);
  run.stack = config.stack;
  const reason = unsupported(config.stack, config.role);
  if (reason !== undefined) {
    const message = `js-perf-node does not speak (${describe(config.stack)}): ${reason}`;
    throw new Failure("unsupported", "configuration", message);
  }
  const log = logTo(config.debug);
  const stopped = stopOf(config.role, log);
  if (config.role === "dialer") {
    await dial(config, dialerOf(config.stack.transport), run, log, stopped);
    return;
  }
  const ended = stopped.then((stop) => {
    if (stop.class === "internal") throw new Failure("internal", "listen", stop.message);
  });
  await listen(config, log, ended);
}

function dialerOf(transport: string): Prepare {
  return transport === "tcp" ? async () => dialTcp : openBrowser;
}

/** What ends the process early: a signal, or an error that nobody caught, which is a bug. */
function stopOf(role: Role, log: Log): Promise<Stop> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve({ class: "interrupted", message: "interrupted by SIGINT" }));
    process.once("SIGTERM", () =>
      resolve({ class: "transfer", message: "ended by SIGTERM before all was measured" }),
    );
    const bug = (error: unknown) => {
      const where = error instanceof Error ? (error.stack ?? error.message) : String(error);
      resolve({ class: "internal", message: `a bug: ${where}` });
    };
    process.on("uncaughtException", bug);
    // Some promise of js-libp2p's that a peer broke: nothing a dialer does ends a listener.
    process.on("unhandledRejection", (error) => (role === "dialer" ? bug(error) : log.info(chain(error))));
  });
}

/** A document that nobody could read is a failure, unless it told of one. */
async function print(document: string, failure: Failure | undefined): Promise<Failure | undefined> {
  try {
    await write(process.stdout, document);
    return failure;
  } catch (error) {
    const message = `cannot write the document to stdout: ${chain(error)}`;
    return failure ?? new Failure("environment", "report", message);
  }
}

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

await main();
