/** What this process, and those that it started, have used of the machine. */

import { readdirSync, readFileSync } from "node:fs";

export interface Usage {
  /** User and system time, all threads. */
  cpuSeconds: number;
  /** The largest resident set; of several processes the sum of theirs, in which shared pages count more than once. */
  peakRssBytes: number;
}

/** Of this process, and of the processes below it that live: a browser's. */
export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const own = { cpuSeconds: (user + system) / 1e6, peakRssBytes: highWaterMark(process.pid) };
  // Where the kernel keeps no such file, node knows in kilobytes.
  if (own.peakRssBytes === 0) own.peakRssBytes = process.resourceUsage().maxRSS * 1024;
  return descendants().map(usageOf).reduce(add, own);
}

function add(one: Usage, other: Usage): Usage {
  return {
    cpuSeconds: one.cpuSeconds + other.cpuSeconds,
    peakRssBytes: one.peakRssBytes + other.peakRssBytes,
  };
}

/** Ticks a second of the times in /proc: USER_HZ, 100 on every Linux. */
const TICKS = 100;

function usageOf(pid: number): Usage {
  const ticks = stat(pid)?.ticks ?? 0;
  return { cpuSeconds: ticks / TICKS, peakRssBytes: highWaterMark(pid) };
}

function descendants(): number[] {
  const parents = new Map(processes().map((pid) => [pid, stat(pid)?.parent]));
  const below = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (parents.get(pid) === process.pid || below(parents.get(pid)));
  return [...parents.keys()].filter(below);
}

function processes(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^[0-9]+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Of proc_pid_stat(5): the parent, and the time of the process and of its children that have ended. */
function stat(pid: number): { parent: number; ticks: number } | undefined {
  // Behind the name, which may hold anything.
  const fields = read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ");
  if (fields === undefined || fields.length < 15) return undefined;
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { parent: Number(fields[1]), ticks };
}

/** `VmHWM: 31234 kB` of proc_pid_status(5), in bytes; 0 where there is none. */
function highWaterMark(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
