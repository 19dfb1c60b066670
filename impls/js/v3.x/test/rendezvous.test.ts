import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, keyOf, Meeting, type Store } from "../src/rendezvous.ts";

/** Answers from a script, the last answer again and again; an error is thrown. */
class Script implements Store {
  readonly place = "redis:6379";
  readonly published: string[] = [];
  constructor(private readonly answers: (Entry | Error)[]) {}
  async get(): Promise<Entry> {
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
    if (answer instanceof Error) throw answer;
    return answer;
  }
  async set(key: string, value: string): Promise<void> {
    await this.get();
    this.published.push(`${key}=${value}`);
  }
  addresses = async () => ["127.0.0.1"];
  close(): void {}
}

const within = (windowMs: number, ...answers: (Entry | Error)[]) =>
  new Meeting(new Script(answers), keyOf("abc"), windowMs);
const meeting = (...answers: (Entry | Error)[]) => within(30_000, ...answers);
const refused = new Error("refused");

test("Redis and the key may come late", async () => {
  assert.equal(await meeting(refused, refused, undefined, { address: "/a" }).first(), "/a");
});

test("the window ends, and the failure says what was missing", async () => {
  const failure = { class: "environment", phase: "coordination" };
  await assert.rejects(within(50, undefined).first(), { ...failure, message: /no listener published/ });
  await assert.rejects(within(50, refused).first(), {
    ...failure,
    message: /redis:6379 unreachable.*refused/,
  });
});

test("a stale address is waited out", async () => {
  const stale = { address: "/dead" };
  assert.equal(await meeting(stale, stale, { address: "/live" }).changed("/dead"), "/live");
  assert.equal(await within(50, stale).changed("/dead"), undefined);
});

test("another type ends it at once", async () => {
  await assert.rejects(meeting({ wrongType: "hash" }).first(), {
    class: "environment",
    message: /abc_listener_multiaddr .* is a hash/,
  });
});

test("publishing outlasts an absent Redis", async () => {
  const store = new Script([refused, refused, refused, undefined]);
  const made = async (addresses: string[]) => `/ip4/${addresses[0]}`;
  assert.equal(await new Meeting(store, keyOf("abc")).publish(made), "/ip4/127.0.0.1");
  assert.deepEqual(store.published, ["abc_listener_multiaddr=/ip4/127.0.0.1"]);
});

test("keys are namespaced where a TEST_KEY is given", () => {
  assert.equal(keyOf("0f3a9c1d"), "0f3a9c1d_listener_multiaddr");
  assert.equal(keyOf(undefined), "listener_multiaddr");
});
