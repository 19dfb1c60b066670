/** Counts one request as it moves. Runs in Node and in the browser. */
export class Meter {
  /** Payload bytes handed to the stream, and read from it. */
  sent = 0;
  received = 0;
  /** When the request began, and when its stream had agreed on the protocol; of performance.now(). */
  readonly began = performance.now();
  openedAt: number | undefined;

  /** The stream has agreed on the protocol. */
  opened(stream: Buffered): void {
    this.openedAt = performance.now();
    this.#stream = stream;
  }

  /** Changes whenever something has happened: a byte that leaves the stream's buffer is one that moves. */
  get activity(): number {
    const left = this.sent - (this.#stream?.writeBufferLength ?? 0);
    return left + this.received + (this.openedAt === undefined ? 0 : 1);
  }

  #stream: Buffered | undefined;
}

export interface Moved {
  sent: number;
  received: number;
}

/** Of a stream: what it has taken and not handed on. */
interface Buffered {
  readonly writeBufferLength: number;
}
