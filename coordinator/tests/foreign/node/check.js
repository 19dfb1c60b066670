// Drives the coordinator at the address given as the only argument with ioredis and node-redis, each over RESP2 and
// RESP3 where it speaks both.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import Redis from "ioredis";
import { createClient } from "redis";

const TIME_LIMIT_MS = 20_000;
const VALUE = "/ip4/127.0.0.1/tcp/4001";

/** The checks, for any client given as a function that sends one command and returns its answer. */
async function exercise(prefix, send, sendBlocking) {
  const [address, fresh, list] = ["address", "fresh", "list"].map((name) => `${prefix}_${name}`);
  assert.equal(await send("SET", address, VALUE, "EX", "3600"), "OK");
  assert.equal(await send("GET", address), VALUE);
  assert.equal(await send("TTL", address), 3600);
  assert.equal(await send("TYPE", address), "string");
  assert.equal(await send("SETNX", address, "other"), 0);
  assert.equal(await send("SETNX", fresh, "x"), 1);
  assert.equal(await send("TTL", fresh), -1);
  assert.equal(await send("TTL", `${prefix}_none`), -2);
  assert.equal(await send("GET", `${prefix}_none`), null);
  assert.equal(await send("RPUSH", list, "a", "b", "c"), 3);
  assert.equal(await send("TYPE", list), "list");
  assert.equal(await send("LINDEX", list, "0"), "a");
  assert.deepEqual(await send("LRANGE", list, "0", "-1"), ["a", "b", "c"]);
  assert.deepEqual(await send("BLPOP", list, "1"), [list, "a"]);
  await assert.rejects(send("GET", list), /^\w*Error: WRONGTYPE|WRONGTYPE/);
  assert.equal(await send("DEL", address, fresh, list), 3);
  assert.equal(await send("BLPOP", list, "0.1"), null);

  const blocked = sendBlocking("BLPOP", list, "10");
  await sleep(100);
  assert.equal(await send("RPUSH", list, "late"), 1);
  assert.deepEqual(await blocked, [list, "late"]);

  assert.deepEqual(await Promise.all([send("SET", fresh, "1"), send("GET", fresh), send("DEL", fresh)]), ["OK", "1", 1]);
  await assert.rejects(send("NOSUCH", "a"), /ERR unknown command 'NOSUCH'/);
  assert.equal(await send("PING"), "PONG");
}

async function withIoredis(host, port) {
  const options = { host, port, connectionName: "ioredis-test", retryStrategy: null, maxRetriesPerRequest: 0 };
  const [client, blocking] = [new Redis(options), new Redis(options)];
  try {
    assert.equal(await client.set("io_native", VALUE, "EX", 60), "OK");
    assert.equal(await client.get("io_native"), VALUE);
    assert.equal(await client.client("GETNAME"), "ioredis-test");
    await exercise("io", (...args) => client.call(...args), (...args) => blocking.call(...args));
    assert.equal(await client.quit(), "OK");
  } finally {
    client.disconnect();
    blocking.disconnect();
  }
}

async function withNodeRedis(host, port, RESP) {
  const options = { socket: { host, port, reconnectStrategy: false }, name: "node-redis-test", RESP };
  const [client, blocking] = [createClient(options), createClient(options)];
  for (const each of [client, blocking]) {
    each.on("error", (error) => console.error(`node-redis: ${error}`));
  }
  try {
    await Promise.all([client.connect(), blocking.connect()]);
    assert.equal(await client.set("node_native", VALUE, { EX: 60 }), "OK");
    assert.equal(await client.get("node_native"), VALUE);
    assert.equal(await client.clientGetName(), "node-redis-test");
    assert.equal(await client.rPush("node_native_list", "a"), 1);
    assert.deepEqual({ ...(await client.blPop("node_native_list", 1)) }, { key: "node_native_list", element: "a" });
    await exercise(`node${RESP}`, (...args) => client.sendCommand(args), (...args) => blocking.sendCommand(args));
  } finally {
    client.destroy();
    blocking.destroy();
  }
}

const [host, port] = (process.argv[2] ?? "").split(":");
if (!host || !port) {
  console.error("usage: node check.js host:port");
  process.exit(2);
}
setTimeout(() => {
  console.error(`not done after ${TIME_LIMIT_MS} ms`);
  process.exit(1);
}, TIME_LIMIT_MS).unref();

for (const [name, run] of [
  ["ioredis", () => withIoredis(host, Number(port))],
  ["node-redis, RESP2", () => withNodeRedis(host, Number(port), 2)],
  ["node-redis, RESP3", () => withNodeRedis(host, Number(port), 3)],
]) {
  try {
    await run();
    console.log(`${name}: ok`);
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exit(1);
  }
}
