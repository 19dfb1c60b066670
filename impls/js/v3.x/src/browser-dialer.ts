/** Dials over webtransport: in Chromium, since js-libp2p can in a browser alone. */

import { privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { openPage, type OpenPage } from "./chromium.ts";
import type { Config } from "./config.ts";
import type { Dial } from "./dial.ts";
import { Failure, Refused } from "./failure.ts";
import { readIdentity } from "./identity.ts";
import type { Answer, PerfPage } from "./page.ts";
import type { Dialed } from "./plan.ts";

/** What the page's functions are called from here: they run over there. */
declare const perf: PerfPage;

/** Starts the browser; it ends with the connection that is made, or with this process. */
export async function openBrowser(): Promise<Dial> {
  const browser = await openPage();
  return (config, address, signal) => dialIn(browser, config, address, signal);
}

async function dialIn(
  { page, version, close }: OpenPage,
  config: Config,
  address: string,
  signal: AbortSignal,
): Promise<Dialed> {
  const identity = Buffer.from(privateKeyToProtobuf(await readIdentity(config.identity))).toString("base64");
  const leave = () => page.evaluate(() => perf.close()).catch(() => {});
  signal.addEventListener("abort", leave, { once: true });
  const request = { address, identity, stallMs: config.stallMs };
  const answer = await page.evaluate((request) => perf.dial(request), request);
  signal.removeEventListener("abort", leave);
  if ("error" in answer) {
    const why = `cannot connect to ${address}: ${answer.error}; offered webtransport alone`;
    throw new Failure("connect", "dial", why);
  }
  const { agent, phases } = answer.value;
  const extra = { runtime: `Chromium ${version}`, ...(agent !== undefined && { peer_agent: agent }) };
  return {
    details: { phases, extra, negotiation: "v1" },
    iterate: async (section, amount) => {
      const words = [section, amount] as const;
      return valueOf(await page.evaluate(([section, amount]) => perf.iterate(section, amount), words));
    },
    moved: () => page.evaluate(() => perf.moved()),
    close: async () => {
      await leave();
      await close();
    },
  };
}

/** What the page answered, or its error as ours. */
function valueOf<T>(answer: Answer<T>): T {
  if ("error" in answer) throw answer.refused ? new Refused(answer.error) : new Error(answer.error);
  return answer.value;
}
