/** The protocol's client: one exchange on a fresh stream. Runs in Node and in the browser. */

import type { Connection, Stream } from "@libp2p/interface";
import { Refused } from "./failure.ts";
import type { Meter } from "./meter.ts";
import { encodeHeader, MAX_STREAMS, PROTOCOL } from "./protocol.ts";
import { readToEnd, writePayload } from "./streams.ts";

/**
 * Asks for `ask` bytes and sends `send`; returns when the peer's end of stream has been read, which for an upload is the
 * only receipt there is. Every byte is told to `meter` as it moves; whether they are as many as asked for is the
 * caller's to check. The stream is reset where anything goes wrong, or `signal` is aborted. Throws `Refused` where the
 * peer does not speak the protocol.
 */
export async function exchange(
  connection: Connection,
  send: number,
  ask: number,
  meter: Meter,
  signal: AbortSignal,
): Promise<void> {
  const stream = await open(connection, signal);
  meter.opened(stream);
  const giveUp = () => stream.abort(asError(signal.reason));
  signal.addEventListener("abort", giveUp, { once: true });
  let closing = false;
  // What was not handed on to the connection is not sent, and its end is not either.
  const halfClosed = () => closing && stream.writeBufferLength === 0;
  try {
    const answered = readToEnd(stream, (data) => {
      if (!halfClosed()) throw new Error("the peer answered before our end of stream");
      meter.received += data.byteLength;
    });
    const early = answered.then(() => {
      if (!halfClosed()) throw new Error("the peer ended the stream before our end of stream");
    });
    const sending = async () => {
      // With V1 negotiation the peer has agreed by now: header and end never travel with the protocol's name, which
      // stock js-libp2p servers do not survive.
      stream.send(encodeHeader(ask));
      await writePayload(stream, send, (bytes) => {
        meter.sent += bytes;
      });
      closing = true;
      // In yamux and mplex the end has a frame of its own: JavaScript's yamux reads an end before the data beside it.
      stream.close().catch(() => {
        // Of a stream that broke; `answered` says how.
      });
    };
    const sent = sending().catch(async (error: unknown) => {
      // That it cannot be written to says less than why it ended.
      if (stream.status !== "open") await early;
      throw error;
    });
    await Promise.all([sent, early]);
    if (connection.status !== "open") throw new Error("the connection closed with the stream");
  } catch (error) {
    stream.abort(asError(error));
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

async function open(connection: Connection, signal: AbortSignal): Promise<Stream> {
  try {
    return await connection.newStream(PROTOCOL, { signal, maxOutboundStreams: MAX_STREAMS });
  } catch (error) {
    // By its name: js-libp2p has its errors from several copies of one package.
    const refused = error instanceof Error && error.name === "UnsupportedProtocolError";
    throw refused ? new Refused(`the peer does not speak ${PROTOCOL}`) : error;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
