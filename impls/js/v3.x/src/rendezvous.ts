/** How listener and dialer meet: one key in Redis (contract, "Meeting through Redis"). */

import { lookup } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@redis/client";
import { chain, Failure } from "./failure.ts";

/** How long both sides try. */
export const WINDOW_MS = 15_000;
const KEY_LIFE_SECONDS = 3600;
const FASTEST_POLL_MS = 5;
const SLOWEST_POLL_MS = 500;
/** For one exchange with Redis, connecting included. */
const PATIENCE_MS = 2000;

/** What stands at a key: one address, nothing, or a value of another type. */
export type Entry = { address: string } | { wrongType: string } | undefined;

/** Where addresses are published: Redis, or a stand-in in tests. */
export interface Store {
  /** For people; without credentials. */
  readonly place: string;
  get(key: string): Promise<Entry>;
  /** Replaces whatever stands at `key`, in one step. */
  set(key: string, value: string): Promise<void>;
  /** The addresses that the store's name has now. */
  addresses(): Promise<string[]>;
  close(): void;
}

export function keyOf(testKey: string | undefined): string {
  return testKey === undefined ? "listener_multiaddr" : `${testKey}_listener_multiaddr`;
}

/** One side's attempt to meet the other, bounded by the window from its making. */
export class Meeting {
  readonly #deadline: number;

  constructor(
    private readonly store: Store,
    private readonly key: string,
    windowMs = WINDOW_MS,
  ) {
    this.#deadline = performance.now() + windowMs;
  }

  /** Publishes what `address` makes of the addresses that the store's name has, once there is a store. */
  async publish(address: (store: string[]) => Promise<string | undefined>): Promise<string> {
    for await (const _ of this.#polls()) {
      const published = await this.#attempt(async () => {
        const made = await address(await this.store.addresses());
        if (made === undefined) throw new Error(`no address of this machine reaches ${this.store.place}`);
        await this.store.set(this.key, made);
        return made;
      });
      if (published !== undefined) return published;
    }
    throw this.#unreachable();
  }

  /** Waits for an address. */
  async first(): Promise<string> {
    const address = await this.changed(undefined);
    if (address !== undefined) return address;
    if (this.#error !== undefined) throw this.#unreachable();
    const seconds = WINDOW_MS / 1e3;
    throw environment(
      `no listener published an address at key ${this.key} of ${this.store.place} within ${seconds} s`,
    );
  }

  /** Waits for an address other than `stale`; undefined where the window ends first. */
  async changed(stale: string | undefined, signal?: AbortSignal): Promise<string | undefined> {
    for await (const _ of this.#polls()) {
      if (signal?.aborted) return undefined;
      const entry = await this.#attempt(() => this.store.get(this.key));
      if (entry === undefined) continue;
      if ("wrongType" in entry) throw this.#wrongType(entry.wrongType);
      if (entry.address !== stale) return entry.address;
    }
    return undefined;
  }

  close(): void {
    this.store.close();
  }

  /** Why the last try failed. */
  #error: unknown;

  async #attempt<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    try {
      const value = await attempt();
      this.#error = undefined;
      return value;
    } catch (error) {
      this.#error = error;
      return undefined;
    }
  }

  /** Pauses that double to the slowest, until the deadline; the last try is made at it. */
  async *#polls(): AsyncGenerator<void> {
    let pause = FASTEST_POLL_MS;
    for (;;) {
      yield;
      const left = this.#deadline - performance.now();
      if (left <= 0) return;
      await sleep(Math.min(pause, left));
      pause = Math.min(pause * 2, SLOWEST_POLL_MS);
    }
  }

  #wrongType(type: string): Failure {
    return environment(
      `key ${this.key} at ${this.store.place} is a ${type}, not a string: something else uses this Redis; ` +
        "delete the key or set another TEST_KEY",
    );
  }

  #unreachable(): Failure {
    const why = `${chain(this.#error)}; is it running, and is REDIS_ADDR right?`;
    return environment(`Redis at ${this.store.place} unreachable for ${WINDOW_MS / 1e3} s: ${why}`);
  }
}

function environment(message: string): Failure {
  return new Failure("environment", "coordination", message);
}

type Client = ReturnType<typeof connectable>;

function connectable(url: string) {
  const client = createClient({
    url,
    RESP: 2,
    disableOfflineQueue: true,
    // This file has the retries; the contract says when.
    socket: { reconnectStrategy: false, connectTimeout: PATIENCE_MS },
  });
  // Without a listener an error would end the process; who asked is told by the call.
  client.on("error", () => {});
  return client;
}

/** Redis over one connection, made anew after an error. */
export class RedisStore implements Store {
  readonly place: string;
  readonly #url: URL;
  #client: Client | undefined;

  constructor(url: string) {
    this.#url = new URL(url);
    this.place = `${this.#url.hostname}:${this.#url.port || 6379}`;
  }

  get(key: string): Promise<Entry> {
    return this.#exchange(async (client) => {
      try {
        return found(await client.get(key));
      } catch (error) {
        if (!chain(error).startsWith("WRONGTYPE")) throw error;
      }
      const type = await client.type(key);
      // Older images push. A string or none: it was replaced meanwhile, the next try will see.
      if (type === "list") return found(await client.lIndex(key, 0));
      return type === "string" || type === "none" ? undefined : { wrongType: type };
    });
  }

  set(key: string, value: string): Promise<void> {
    return this.#exchange(async (client) => {
      await client.sendCommand(["SET", key, value, "EX", String(KEY_LIFE_SECONDS)]);
    });
  }

  async addresses(): Promise<string[]> {
    const host = this.#url.hostname.replace(/^\[|\]$/g, "");
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  }

  close(): void {
    this.#client?.destroy();
    this.#client = undefined;
  }

  async #exchange<T>(run: (client: Client) => Promise<T>): Promise<T> {
    const client = this.#client ?? connectable(this.#url.href);
    this.#client = undefined;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS / 1e3} s`)), PATIENCE_MS);
    try {
      const attempt = async () => {
        if (!client.isOpen) await client.connect();
        return run(client);
      };
      const value = await Promise.race([attempt(), late]);
      this.#client = client;
      return value;
    } catch (error) {
      if (client.isOpen) client.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function found(address: string | null): Entry {
  return address === null ? undefined : { address };
}
