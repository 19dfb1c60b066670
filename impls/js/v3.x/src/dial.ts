/** A dialer's life: meet, connect, measure, report. */

import type { Config } from "./config.ts";
import { Failure, type Phase } from "./failure.ts";
import type { Log } from "./log.ts";
import { type Dialed, runPlan } from "./plan.ts";
import { keyOf, Meeting, RedisStore } from "./rendezvous.ts";
import type { Run } from "./report.ts";
import { usage } from "./usage.ts";

/** Connects with exactly the configured stack; gives up where `signal` is aborted. */
export type Dial = (config: Config, address: string, signal: AbortSignal) => Promise<Dialed>;

/** Makes ready what dials, a browser say: not within the time that a dial may take. */
export type Prepare = () => Promise<Dial>;

/** For one attempt to connect, negotiation included. */
const DIAL_LIMIT_MS = 10_000;
/** While a first address is being dialed this long, nothing else asks Redis: a poll would stand in the handshake. */
const UNDISTURBED_MS = 1000;
/** For telling the peer that this was all, and for ending a browser. */
const FAREWELL_MS = 1000;

/**
 * Measures what the plan asks for, and leaves in `run` what it has, whole or not. `stopped` ends it with the failure that
 * it resolves to.
 */
export async function dial(
  config: Config,
  prepare: Prepare,
  run: Run,
  log: Log,
  stopped: Promise<Stop>,
): Promise<void> {
  const progress: { phase: Phase; dialed?: Dialed } = { phase: "coordination" };
  const ending = new AbortController();
  const measuring = async () => {
    const dialer = await prepare();
    progress.dialed = await meet(config, dialer, log, ending.signal, (phase) => {
      progress.phase = phase;
    });
    run.details = progress.dialed.details;
    await runPlan(config.plan, progress.dialed, run.measurements, log.info);
  };
  try {
    await Promise.race([measuring(), ended(config, stopped, () => phaseOf(run, progress.phase))]);
  } catch (error) {
    if (run.measurements.current !== undefined && progress.dialed !== undefined) {
      run.moved = await within(FAREWELL_MS, progress.dialed.moved(), run.moved);
    }
    throw Failure.from(phaseOf(run, progress.phase), error);
  } finally {
    ending.abort();
    // Before the farewell: a browser's processes are gone after it.
    run.usage = usage();
    await within(FAREWELL_MS, progress.dialed?.close() ?? Promise.resolve(), undefined);
  }
}

/** Why a dialer is to end before it is done. */
export interface Stop {
  class: "interrupted" | "transfer" | "internal";
  message: string;
}

/** Never resolves; rejects where the run is to end early. */
async function ended(config: Config, stopped: Promise<Stop>, phase: () => Phase): Promise<never> {
  const late = new Promise<Stop>((resolve) => {
    if (config.timeoutMs === undefined) return;
    const message = `not done within PERF_TIMEOUT_SECS, ${config.timeoutMs / 1e3} s`;
    setTimeout(() => resolve({ class: "transfer", message }), config.timeoutMs).unref();
  });
  const { class: cls, message } = await Promise.race([stopped, late]);
  throw new Failure(cls, phase(), message);
}

function phaseOf(run: Run, otherwise: Phase): Phase {
  return run.measurements.current?.section ?? otherwise;
}

/**
 * Dials what is published. While an attempt lasts or has failed, a *changed* address within the window replaces it: the
 * first may have been a dead listener's.
 */
async function meet(
  config: Config,
  dialer: Dial,
  log: Log,
  signal: AbortSignal,
  enter: (phase: Phase) => void,
): Promise<Dialed> {
  const meeting = new Meeting(new RedisStore(config.redis), keyOf(config.testKey));
  try {
    let address = await meeting.first();
    enter("dial");
    for (;;) {
      log.debug(`dialing ${address}`);
      const outcome = await dialOrChange(config, dialer, meeting, address, signal);
      if (typeof outcome !== "string") return outcome;
      address = outcome;
    }
  } finally {
    meeting.close();
  }
}

/** The connection to `address`, or another address that is to be dialed in its place. */
async function dialOrChange(
  config: Config,
  dialer: Dial,
  meeting: Meeting,
  address: string,
  signal: AbortSignal,
): Promise<Dialed | string> {
  const giveUp = new AbortController();
  const attempt = connect(config, dialer, address, AbortSignal.any([signal, giveUp.signal]));
  const changed = (async () => {
    await new Promise((resolve) => setTimeout(resolve, UNDISTURBED_MS));
    return (await meeting.changed(address, giveUp.signal)) ?? (await new Promise<never>(() => {}));
  })();
  // Where the attempt ends first, nobody waits for these.
  attempt.catch(() => {});
  changed.catch(() => {});
  try {
    return await Promise.race([attempt, changed]);
  } catch (error) {
    if (!(error instanceof Failure) || error.class !== "connect") throw error;
    const other = await meeting.changed(address);
    if (other === undefined) throw error;
    return other;
  } finally {
    giveUp.abort();
  }
}

async function connect(config: Config, dialer: Dial, address: string, signal: AbortSignal): Promise<Dialed> {
  const limit = AbortSignal.timeout(DIAL_LIMIT_MS);
  try {
    return await dialer(config, address, AbortSignal.any([signal, limit]));
  } catch (error) {
    if (!limit.aborted) throw Failure.from("dial", error);
    const seconds = DIAL_LIMIT_MS / 1e3;
    throw new Failure("connect", "dial", `${address}: no connection within ${seconds} s`);
  }
}

async function within<T>(ms: number, value: Promise<T>, otherwise: T): Promise<T> {
  const late = new Promise<T>((resolve) => setTimeout(() => resolve(otherwise), ms));
  return Promise.race([value.catch(() => otherwise), late]);
}
