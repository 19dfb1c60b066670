import "../src/with-resolvers.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stream } from "@libp2p/interface";
import { otherStack } from "../src/node.ts";
import { encodeHeader, PROTOCOL } from "../src/protocol.ts";
import { Requester } from "../src/request.ts";
import { describe } from "../src/stack.ts";
import { readToEnd } from "../src/streams.ts";
import { connected, misled, NOISE_YAMUX, type Pair, STACKS } from "./support.ts";

async function using(pair: Promise<Pair>, use: (pair: Pair) => Promise<void>): Promise<void> {
  const made = await pair;
  try {
    await use(made);
  } finally {
    await made.close();
  }
}

for (const stack of STACKS) {
  test(`${describe(stack)}: exact counts both ways, on many streams, over the stack asked for`, async () => {
    await using(connected(stack), async ({ connection, complaints }) => {
      assert.equal(otherStack(connection, stack), undefined);
      const requester = new Requester(connection, 60_000);
      // Around frames, windows and blocks; and one that fills them all.
      for (const bytes of [1, 65_535, 262_144, 262_145, 5_000_011]) {
        const upload = await requester.iterate("upload", { bytes });
        assert.deepEqual(requester.moved, { sent: bytes, received: 0 });
        assert.ok(upload.ms > 0 && upload.openMs > 0 && upload.openMs < upload.ms);
        await requester.iterate("download", { bytes });
        assert.deepEqual(requester.moved, { sent: 0, received: bytes });
      }
      // More new streams than mplex's own limiter lets through in a second.
      for (let count = 0; count < 40; count++) await requester.iterate("latency", { bytes: 1 });
      const together = Array.from({ length: 10 }, () =>
        new Requester(connection, 60_000).iterate("download", { bytes: 100_000 }),
      );
      await Promise.all(together);
      assert.deepEqual(complaints, []);
    });
  });
}

test("an iteration by time counts whole requests", async () => {
  await using(connected(NOISE_YAMUX), async ({ connection }) => {
    const { bytes, ms } = await new Requester(connection, 60_000).iterate("upload", { ms: 200 });
    assert.ok(ms >= 200 && bytes >= 2 ** 20, `${bytes} bytes in ${ms} ms`);
  });
});

/** A stream that has said nothing, past js-libp2p's own negotiation. */
async function bare(pair: Pair): Promise<Stream> {
  const { muxer } = pair.connection as unknown as { muxer: { createStream(): Promise<Stream> } };
  return muxer.createStream();
}

const text = (line: string) => Buffer.from(`${String.fromCharCode(line.length + 1)}${line}\n`);

/** All that a lazy dialer says before it hears anything. */
const LAZY = Buffer.concat([text("/multistream/1.0.0"), text(PROTOCOL), encodeHeader(1000)]);

/** What the server says to all of it: its side of the negotiation, and a thousand bytes. */
const LAZY_ANSWER = LAZY.byteLength - 8 + 1000;

test("name, header and end that come together are answered", async () => {
  for (const stack of STACKS) {
    await using(connected(stack), async (pair) => {
      // A stream that comes before js-libp2p has finished with its connection is held back, and does not survive its end.
      await new Requester(pair.connection, 60_000).iterate("latency", { bytes: 1 });
      const stream = await bare(pair);
      let received = 0;
      const ended = readToEnd(stream, (data) => {
        received += data.byteLength;
      });
      stream.send(LAZY);
      await stream.close();
      await ended;
      assert.equal(received, LAZY_ANSWER);
    });
  }
});

test("nothing is answered before the client's end", async () => {
  await using(connected(NOISE_YAMUX), async ({ connection }) => {
    const stream = await connection.newStream(PROTOCOL);
    let received = 0;
    const ended = readToEnd(stream, (data) => {
      received += data.byteLength;
    });
    const header = encodeHeader(3);
    for (const byte of header) stream.send(Uint8Array.of(byte));
    stream.send(new Uint8Array(10));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(received, 0);
    await stream.close();
    await ended;
    assert.equal(received, 3);
  });
});

test("a header cut short resets the stream, and the next one is served", async () => {
  await using(connected(NOISE_YAMUX), async ({ connection, complaints }) => {
    const stream = await connection.newStream(PROTOCOL);
    const ended = readToEnd(stream, () => {});
    stream.send(new Uint8Array(7));
    await stream.close();
    await assert.rejects(ended);
    assert.match(complaints.join(), /after 7 of the header's 8 bytes/);
    await new Requester(connection, 60_000).iterate("latency", { bytes: 1 });
  });
});

test("a client that never ends is dropped when it stalls", async () => {
  await using(connected(NOISE_YAMUX, "0.3"), async ({ connection, complaints }) => {
    const stream = await connection.newStream(PROTOCOL);
    stream.send(encodeHeader(3));
    await assert.rejects(readToEnd(stream, () => {}));
    assert.match(complaints.join(), /stalled: no byte moved for 0.3 s, after 0 bytes sent and [08] received/);
  });
});

test("a client that goes away in a huge download ends nothing but its stream", async () => {
  await using(connected(NOISE_YAMUX), async ({ connection }) => {
    const stream = await connection.newStream(PROTOCOL);
    const first = new Promise((resolve) => stream.addEventListener("message", resolve, { once: true }));
    stream.send(new Uint8Array(8).fill(255));
    await stream.close();
    await first;
    stream.abort(new Error("enough"));
    await new Requester(connection, 60_000).iterate("download", { bytes: 1_000_000 });
  });
});

/** Servers that are not to be believed, with what a client must say of each. */
const LIARS: [string, (stream: Stream) => void, RegExp][] = [
  ["answers before the end", (stream) => void stream.send(Uint8Array.of(1)), /before our end of stream/],
  ["ends before the end", (stream) => void stream.close(), /ended the stream before our end of stream/],
  ["resets", (stream) => stream.abort(new Error("no")), /reset/],
  [
    "sends a byte too many",
    (stream) => {
      void readToEnd(stream, () => {}).then(() => {
        stream.send(Uint8Array.of(1));
        return stream.close();
      });
    },
    /asked to send 4000000 bytes and receive 0, counted 4000000 and 1/,
  ],
  [
    "reads nothing",
    (stream) => stream.pause(),
    /stalled: no byte moved for 0.5 s, after [0-9]+ bytes sent and 0 received/,
  ],
];

for (const [what, handler, expected] of LIARS) {
  test(`a server that ${what} is a failure of the upload`, async () => {
    await using(misled(handler), async ({ connection }) => {
      const stallMs = what === "reads nothing" ? 500 : 20_000;
      const upload = new Requester(connection, stallMs).iterate("upload", { bytes: 4_000_000 });
      await assert.rejects(upload, expected);
    });
  });
}

test("a download that is short is a failure", async () => {
  const short = (stream: Stream) => {
    void readToEnd(stream, () => {}).then(() => {
      stream.send(new Uint8Array(99));
      return stream.close();
    });
  };
  await using(misled(short), async ({ connection }) => {
    const download = new Requester(connection, 60_000).iterate("download", { bytes: 100 });
    await assert.rejects(download, /asked to send 0 bytes and receive 100, counted 0 and 99/);
  });
});

test("a connection that is lost is not an end of stream", async () => {
  await using(
    misled(() => {}),
    async ({ connection }) => {
      const upload = new Requester(connection, 60_000).iterate("upload", { bytes: 10 });
      setTimeout(() => connection.abort(new Error("gone")), 100);
      await assert.rejects(upload);
    },
  );
});
