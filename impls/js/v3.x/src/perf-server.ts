/** The protocol's server: reads to the client's end, then sends exactly what was asked for. */

import type { Stream } from "@libp2p/interface";
import { Meter } from "./meter.ts";
import { decodeHeader, HEADER_BYTES } from "./protocol.ts";
import { guard } from "./stall.ts";
import { readToEnd, writePayload } from "./streams.ts";

/** Answers one stream. What breaks it ends with it, and is told to `complain`. */
export async function answer(
  stream: Stream,
  stallMs: number,
  complain: (message: string) => void,
): Promise<void> {
  const meter = new Meter();
  meter.opened(stream);
  try {
    await guard(meter, stallMs, async () => {
      const asked = await readRequest(stream, meter);
      await writePayload(stream, asked, (bytes) => {
        meter.sent += bytes;
      });
      await stream.close();
    });
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error));
    stream.abort(reason);
    complain(`a stream broke: ${reason.message}`);
  }
}

/** Reads to the client's end, and returns how many bytes it wants back. */
async function readRequest(stream: Stream, meter: Meter): Promise<number> {
  const header = new Uint8Array(HEADER_BYTES);
  await readToEnd(stream, (data) => {
    // A list of buffers, unlike a buffer, is not to be asked for more than it has.
    const length = Math.min(data.byteLength, Math.max(HEADER_BYTES - meter.received, 0));
    if (length > 0) header.set(data.subarray(0, length), meter.received);
    meter.received += data.byteLength;
  });
  if (meter.received < HEADER_BYTES) {
    throw new Error(`the client ended after ${meter.received} of the header's ${HEADER_BYTES} bytes`);
  }
  return decodeHeader(header);
}
