/**
 * From the environment to one validated configuration. Nothing else reads the environment. Rules, words and defaults are
 * those of the contract's table, as harness-sdk has them.
 */

import { isIP } from "node:net";
import { Failure } from "./failure.ts";
import {
  isLayered,
  MUXERS,
  PROFILES,
  SECURE_CHANNELS,
  type Stack,
  TRANSPORTS,
  type Transport,
} from "./stack.ts";

export type Role = "dialer" | "listener";

/** What one iteration moves: one request of that many bytes, or requests back to back for that long. */
export type Amount = { bytes: number } | { ms: number };

export interface Direction {
  amount: Amount;
  /** 0 skips the section. */
  iterations: number;
}

/** What a dialer measures: uploads, then downloads, then latencies. */
export interface Plan {
  upload: Direction;
  download: Direction;
  latencyIterations: number;
  /** Iterations run before each section's first, and not reported. */
  warmup: number;
}

export interface Config {
  role: Role;
  stack: Stack;
  /** A redis:// URL. */
  redis: string;
  testKey?: string;
  /** What a listener binds; 0: any free port. */
  ip: string;
  port: number;
  plan: Plan;
  /** No byte for this long on a stream that should move is a failure of it. */
  stallMs: number;
  /** One deadline for a dialer's whole run. */
  timeoutMs?: number;
  /** A key file, made where absent; none: a fresh identity. */
  identity?: string;
  debug: boolean;
}

/** The contract's variables, each with what it accepts. */
export const ACCEPTS = {
  IS_DIALER: "true or false (1 or 0, in any case)",
  REDIS_ADDR: "host:port, or a redis:// URL",
  TEST_KEY: "1 to 64 of the characters A-Z a-z 0-9 . _ -",
  TRANSPORT:
    "tcp, ws, quic-v1, webtransport, webrtc-direct, https, quic, raw-tcp, raw-tls, raw-noise or raw-quic",
  SECURE_CHANNEL: "noise or tls with tcp and ws; nothing, or null, with other transports",
  MUXER: "yamux or mplex with tcp and ws; nothing, or null, with other transports",
  LISTENER_IP: "an IP address",
  UPLOAD_BYTES: "a whole number of bytes, or one with K, M or G for 1024, 1024^2, 1024^3",
  DOWNLOAD_BYTES: "a whole number of bytes, or one with K, M or G for 1024, 1024^2, 1024^3",
  UPLOAD_ITERATIONS: "a whole number up to 1000000; 0 skips the section",
  DOWNLOAD_ITERATIONS: "a whole number up to 1000000; 0 skips the section",
  LATENCY_ITERATIONS: "a whole number up to 1000000; 0 skips the section",
  DURATION: "seconds above 0, as 20, 0.5 or 20s",
  DEBUG: "true or false (1 or 0, in any case)",
  PERF_PROFILE: "stock or tuned",
  PERF_IDENTITY: "the path of a key file, made where absent",
  PERF_LISTENER_PORT: "a port, 0 to 65535; 0: any free one",
  PERF_STALL_SECS: "seconds above 0, as 20, 0.5 or 20s",
  PERF_TIMEOUT_SECS: "seconds above 0, as 20, 0.5 or 20s",
  PERF_WARMUP: "a whole number up to 1000000",
} as const;

type Variable = keyof typeof ACCEPTS;
type Environment = Record<string, string | undefined>;

const DEFAULT_BYTES = 2 ** 30;
const DEFAULT_ITERATIONS = 10;
const DEFAULT_LATENCY_ITERATIONS = 100;
const DEFAULT_STALL_MS = 30_000;
const MAX_ITERATIONS = 1_000_000;
const YEAR_MS = 365 * 86_400_000;

/** The role that IS_DIALER names, if it does: a dialer whose settings are refused prints that too. */
export function roleOf(environment: Environment): Role | undefined {
  const dialer = parseBool(text(environment, "IS_DIALER") ?? "");
  return dialer === undefined ? undefined : dialer ? "dialer" : "listener";
}

/** Everything that is present is validated in both roles. Throws a usage failure. */
export function readConfig(environment: Environment): Config {
  const read = <T>(name: Variable, parse: (text: string) => T | undefined): T | undefined => {
    const value = text(environment, name);
    if (value === undefined) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) throw usage(`${name}: "${value}" is not accepted; it takes ${ACCEPTS[name]}`);
    return parsed;
  };
  const dialer = read("IS_DIALER", parseBool);
  if (dialer === undefined) throw missing("IS_DIALER");
  const testKey = read("TEST_KEY", parseTestKey);
  const timeoutMs = read("PERF_TIMEOUT_SECS", parseSeconds);
  const identity = read("PERF_IDENTITY", (text) => text);
  return {
    role: dialer ? "dialer" : "listener",
    stack: readStack(read, environment),
    redis: read("REDIS_ADDR", parseRedis) ?? "redis://redis:6379",
    ...(testKey !== undefined && { testKey }),
    ip: read("LISTENER_IP", parseIp) ?? "0.0.0.0",
    port: read("PERF_LISTENER_PORT", parsePort) ?? 0,
    plan: readPlan(read),
    stallMs: read("PERF_STALL_SECS", parseSeconds) ?? DEFAULT_STALL_MS,
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(identity !== undefined && { identity }),
    debug: read("DEBUG", parseBool) ?? false,
  };
}

type Read = <T>(name: Variable, parse: (text: string) => T | undefined) => T | undefined;

function readStack(read: Read, environment: Environment): Stack {
  const transport = read("TRANSPORT", oneOf(TRANSPORTS));
  if (transport === undefined) throw missing("TRANSPORT");
  const secureChannel = read("SECURE_CHANNEL", oneOf(SECURE_CHANNELS));
  const muxer = read("MUXER", oneOf(MUXERS));
  checkLayer(transport, "SECURE_CHANNEL", environment);
  checkLayer(transport, "MUXER", environment);
  const profile = read("PERF_PROFILE", oneOf(PROFILES)) ?? "stock";
  return {
    transport,
    ...(secureChannel !== undefined && { secureChannel }),
    ...(muxer !== undefined && { muxer }),
    profile,
  };
}

function checkLayer(transport: Transport, name: "SECURE_CHANNEL" | "MUXER", environment: Environment): void {
  const value = text(environment, name);
  if (isLayered(transport) && value === undefined) throw missing(name);
  if (!isLayered(transport) && value !== undefined) {
    throw usage(
      `${name}: "${value}" is not accepted with transport ${transport}, which brings its own; leave it out`,
    );
  }
}

function readPlan(read: Read): Plan {
  const duration = read("DURATION", parseSeconds);
  const direction = (which: "UPLOAD" | "DOWNLOAD"): Direction => {
    const bytes = read(`${which}_BYTES`, parseBytes);
    const iterations = read(`${which}_ITERATIONS`, parseCount) ?? DEFAULT_ITERATIONS;
    if (!bytes && duration !== undefined) return { amount: { ms: duration }, iterations };
    if (bytes === 0 && iterations > 0) {
      throw usage(
        `${which}_BYTES: 0 bytes take no time that could be measured; give a size, or DURATION, or 0 iterations`,
      );
    }
    return { amount: { bytes: bytes ?? DEFAULT_BYTES }, iterations };
  };
  return {
    upload: direction("UPLOAD"),
    download: direction("DOWNLOAD"),
    latencyIterations: read("LATENCY_ITERATIONS", parseCount) ?? DEFAULT_LATENCY_ITERATIONS,
    warmup: read("PERF_WARMUP", parseCount) ?? 0,
  };
}

/** A variable's value; empty and the literal `null` are absent. */
function text(environment: Environment, name: Variable): string | undefined {
  const value = environment[name]?.trim();
  return value === undefined || value === "" || value === "null" ? undefined : value;
}

function usage(message: string): Failure {
  return new Failure("usage", "configuration", message);
}

function missing(name: Variable): Failure {
  return usage(`${name} is not set; it takes ${ACCEPTS[name]}`);
}

function oneOf<T extends string>(words: readonly T[]): (text: string) => T | undefined {
  return (text) => words.find((word) => word === text);
}

function parseBool(text: string): boolean | undefined {
  if (/^(true|1)$/i.test(text)) return true;
  return /^(false|0)$/i.test(text) ? false : undefined;
}

function parseDigits(text: string): number | undefined {
  return /^[0-9]+$/.test(text) ? Number(text) : undefined;
}

function parseCount(text: string): number | undefined {
  const count = parseDigits(text);
  return count !== undefined && count <= MAX_ITERATIONS ? count : undefined;
}

/** Up to 2^53 bytes, which a double counts exactly; more than anyone moves. */
function parseBytes(text: string): number | undefined {
  const shift = { K: 10, M: 20, G: 30 }[text.slice(-1).toUpperCase()];
  const digits = parseDigits(shift === undefined ? text : text.slice(0, -1));
  const bytes = digits === undefined ? undefined : digits * 2 ** (shift ?? 0);
  return bytes !== undefined && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Milliseconds. */
function parseSeconds(text: string): number | undefined {
  const digits = text.endsWith("s") ? text.slice(0, -1) : text;
  const ms = /^[0-9.]+$/.test(digits) ? Number(digits) * 1000 : Number.NaN;
  // A year bounds what timers are asked for.
  return ms > 0 && ms <= YEAR_MS ? ms : undefined;
}

function parsePort(text: string): number | undefined {
  const port = parseDigits(text);
  return port !== undefined && port <= 65_535 ? port : undefined;
}

function parseIp(text: string): string | undefined {
  return isIP(text) !== 0 && !text.includes("%") ? text : undefined;
}

function parseTestKey(text: string): string | undefined {
  return /^[A-Za-z0-9._-]{1,64}$/.test(text) ? text : undefined;
}

function parseRedis(text: string): string | undefined {
  if (!text.includes("://")) {
    const split = /^(.+):([0-9]+)$/.exec(text);
    const [, host, port] = split ?? [];
    const bareIpv6 = host?.includes(":") === true && !host.startsWith("[");
    if (host === undefined || bareIpv6 || Number(port) > 65_535) return undefined;
    text = `redis://${text}`;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "redis:" && url.hostname !== "" ? text : undefined;
}
