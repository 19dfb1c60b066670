/**
 * Lets identify end both ways before the first sample: it opens on every connection from both sides. That time is in no
 * phase and no sample. Runs in Node and in the browser.
 */

import type { Identify } from "@libp2p/identify";
import type { Connection } from "@libp2p/interface";

/** For the answer to our question. */
const ANSWER_MS = 1000;
/** How long no stream may be open before the connection counts as quiet, and how long that is waited for. */
const QUIET_MS = 100;
const QUIET_LIMIT_MS = 1000;

/** The agent that the peer says it is, if it answers. */
export async function settle(identify: Identify, connection: Connection): Promise<string | undefined> {
  const asked = identify.identify(connection, { signal: AbortSignal.timeout(ANSWER_MS) });
  const answer = await asked.catch(() => undefined);
  const limit = performance.now() + QUIET_LIMIT_MS;
  let quietSince = performance.now();
  for (;;) {
    const now = performance.now();
    if (connection.streams.length > 0) quietSince = now;
    if (now - quietSince >= QUIET_MS || now >= limit) return answer?.agentVersion;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
