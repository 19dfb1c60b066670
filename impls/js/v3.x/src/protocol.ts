/** /perf/1.0.0: what both sides have in common. */

export const PROTOCOL = "/perf/1.0.0";

/** A u64, big-endian: how many bytes the client wants back. */
export const HEADER_BYTES = 8;

/** Streams of one connection that are answered, or asked for, at a time. */
export const MAX_STREAMS = 256;

export function encodeHeader(bytes: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  new DataView(header.buffer).setBigUint64(0, BigInt(bytes));
  return header;
}

/** Beyond 2^53 the number is rounded; no connection lives to see its end. */
export function decodeHeader(header: Uint8Array): number {
  return Number(new DataView(header.buffer, header.byteOffset, HEADER_BYTES).getBigUint64(0));
}
