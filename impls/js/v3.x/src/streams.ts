/**
 * Reading a libp2p stream to its peer's end, and writing to it as fast as it takes, with the events of js-libp2p 3 alone.
 * Its own ways have traps: an iterator that is begun after the peer's end never ends, and `onDrain()` waits only once.
 * Runs in Node and in the browser.
 */

import type { Stream } from "@libp2p/interface";
import type { Uint8ArrayList } from "uint8arraylist";

/** Pseudo-random, so that nothing on the way can compress it; far more than the windows of deflate and LZ4. */
const BLOCK = pseudoRandom(256 * 1024);

/**
 * Gives `take` all that the peer sends; resolves at its end of stream and rejects where the stream ends in any other
 * way. A transport that closes says `end` as a peer does, but not `remoteCloseWrite`: only that is the peer's word.
 */
export function readToEnd(stream: Stream, take: (data: Uint8Array | Uint8ArrayList) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    // The end may have come before anyone listened.
    let finished = stream.remoteWriteStatus === "closed" && stream.status === "open";
    const settle = (error?: Error) => {
      if (finished && error === undefined) resolve();
      else reject(error ?? new Error(`the stream ended without the peer's end of stream (${stream.status})`));
    };
    if (stream.readableEnded && stream.readBufferLength === 0) {
      settle();
      return;
    }
    stream.addEventListener("remoteCloseWrite", () => {
      finished = true;
    });
    stream.addEventListener("close", (event) => settle(event.error));
    stream.addEventListener("end", () => {
      // Of a reset the reason comes with `close`, which follows.
      if (stream.status !== "reset" && stream.status !== "aborted") settle();
    });
    stream.addEventListener("message", (event) => {
      try {
        take(event.data);
        // Where name, header and end came together, `end` was said while the negotiation held the header: not again.
        if (finished && stream.readBufferLength === 0) settle();
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

/** Sends `bytes` of payload, each piece told to `sent` when the stream has taken it. */
export async function writePayload(
  stream: Stream,
  bytes: number,
  sent: (bytes: number) => void,
): Promise<void> {
  while (bytes > 0) {
    const length = Math.min(BLOCK.byteLength, bytes);
    // Smaller pieces cost more of a processor: each is a frame, and each frame a few records of the secure channel.
    const more = stream.send(BLOCK.subarray(0, length));
    bytes -= length;
    sent(length);
    if (!more) await drained(stream);
  }
}

/** Waits until the stream takes more: one `drain` may be of less than is buffered. */
async function drained(stream: Stream): Promise<void> {
  while (stream.writableNeedsDrain) {
    await new Promise<void>((resolve, reject) => {
      const drain = () => {
        stream.removeEventListener("close", close);
        resolve();
      };
      const close = (event: { error?: Error }) => {
        stream.removeEventListener("drain", drain);
        reject(event.error ?? new Error("the stream closed while it was written to"));
      };
      stream.addEventListener("drain", drain, { once: true });
      stream.addEventListener("close", close, { once: true });
    });
  }
}

/** xorshift32 (Marsaglia, 2003) from a fixed seed. */
function pseudoRandom(bytes: number): Uint8Array {
  const words = new Uint32Array(bytes / 4);
  let state = 0x9e3779b9;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer);
}
