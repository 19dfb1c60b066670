/** Dials over webtransport: in Chromium, since js-libp2p can in a browser alone. */

import type { Config } from "./config.ts";
import { openPage } from "./chromium.ts";
import { Failure } from "./failure.ts";
import { privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { readIdentity } from "./identity.ts";
import type { Dialed } from "./plan.ts";
import type { Answer, PerfPage } from "./page.ts";

/** What the page's functions are called from here: they run over there. */
declare const perf: PerfPage;

export async function dialInBrowser(config: Config, address: string, signal: AbortSignal): Promise<Dialed> {
  const identity = Buffer.from(privateKeyToProtobuf(await readIdentity(config.identity))).toString("base64");
  const { page, version, close } = await openPage(signal);
  const giveUp = () => void close();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    const request = { address, identity, stallMs: config.stallMs };
    const { agent, phases } = valueOf(await page.evaluate((request) => perf.dial(request), request), address);
    signal.removeEventListener("abort", giveUp);
    const extra = { runtime: `Chromium ${version}`, ...(agent !== undefined && { peer_agent: agent }) };
    return {
      details: { phases, extra, negotiation: "v1" },
      iterate: async (section, amount) =>
        valueOf(
          await page.evaluate(([section, amount]) => perf.iterate(section, amount), [
            section,
            amount,
          ] as const),
        ),
      moved: () => page.evaluate(() => perf.moved()),
      close: async () => {
        await page.evaluate(() => perf.close()).catch(() => {});
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the page answered, or its error as ours. */
function valueOf<T>(answer: Answer<T>, dialed?: string): T {
  if ("value" in answer) return answer.value;
  if (dialed === undefined) throw new Error(answer.error);
  const why = `cannot connect to ${dialed}: ${answer.error}; offered webtransport alone`;
  throw new Failure("connect", "dial", why);
}
