/** A stream that should move and does not. Runs in Node and in the browser. */

import type { Meter } from "./meter.ts";

/**
 * Runs `transfer` as long as `meter` sees something happen at least every `limitMs`; then aborts its signal and
 * throws. The meter is looked at ten times per limit, once a second at least: a stall is noticed a tenth late at most.
 */
export async function guard<T>(
  meter: Meter,
  limitMs: number,
  transfer: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { promise: stalled, reject } = Promise.withResolvers<never>();
  let seen = meter.activity;
  let since = performance.now();
  const look = () => {
    const now = performance.now();
    if (meter.activity !== seen) {
      seen = meter.activity;
      since = now;
    } else if (now - since >= limitMs) {
      const error = new Error(
        `stalled: no byte moved for ${limitMs / 1e3} s, after ${meter.sent} bytes sent and ${meter.received} received`,
      );
      reject(error);
      controller.abort(error);
    }
  };
  const timer = setInterval(look, Math.min(Math.max(limitMs / 10, 1), 1000));
  try {
    return await Promise.race([transfer(controller.signal), stalled]);
  } finally {
    clearInterval(timer);
  }
}
