// Two nodes with one database and one Redis: limits hold for both together.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../support/eventually";
import type { Directives } from "../support/fake";
import { gateway } from "../support/gateway";
import { Redis } from "../support/redis";
import { TestServer } from "../support/server";
import { failed, PATHS, question } from "../support/shapes";
import { receive, type Received } from "../support/sse";

const redis = await Redis.start();
afterAll(() => redis.dispose());

const ENV = {
  REDIS_CONN_STRING: redis.url,
  CRYPTO_SECRET: "a secret that both nodes know 0123456789",
  SESSION_SECRET: "another secret that both nodes know 0123",
};
const gw = gateway({ env: { ...ENV, NODE_NAME: "one" } });
const FILE = () => `sqlite:${gw.server.dataDir}/token-factory.db`;
const nodes: TestServer[] = [];
const MODEL = "gpt-4o";

async function startSecond(): Promise<void> {
  const env = { ...ENV, NODE_NAME: "two", SQL_DSN: gw.server.dsn ?? FILE() };
  nodes[1] = await TestServer.start({ root: false, env });
}

const up = (node: TestServer) =>
  until("Redis is up", async () => (await node.metric("tf_redis_up")) === 1);

beforeAll(async () => {
  await gw.setPrices({ ModelRatio: { "fake-shared": 1 } });
  await gw.addOpenai("shared", { models: "fake-shared", concurrency: 2 });
  await gw.server.setOption("ModelRateLimits", { "fake-cl": { rpm: 32 } });
  nodes[0] = gw.server;
  await startSecond();
  await Promise.all(nodes.map(up));
}, 120_000);
afterAll(() => nodes[1]?.dispose());

async function post(
  node: number,
  key: string,
  wish: Directives = {},
  model = MODEL,
  more: Record<string, unknown> = {},
): Promise<Received> {
  const response = await fetch(nodes[node]!.url + PATHS.openai, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify(question("openai", model, wish, more)),
  });
  return receive(response);
}

/** Asks; true: it was answered, false: it was too much. */
async function may(node: number, key: string, wish: Directives = {}, model = MODEL) {
  const reply = await post(node, key, wish, model);
  if (reply.status !== 200) failed("openai", reply, 429);
  return reply.status === 200;
}

async function alternately(count: number, key: string, wish: Directives = {}): Promise<number> {
  let n = 0;
  for (let i = 0; i < count; i++) n += Number(await may(i % 2, key, wish));
  return n;
}

/** Requests that stay until they are released. */
async function hold(node: number, key: string, count: number, name: string, model = MODEL) {
  const before = gw.fake.stats.requests;
  const wish: Directives = { hold: { after_events: -1, name } };
  const running = Array.from({ length: count }, () => post(node, key, wish, model));
  await until("they run", () => gw.fake.stats.requests === before + count);
  return running;
}

/** Until Redis has answered, a node may go ahead by one, again and again (docs/limits.md). */
const known = (node: number, key: string, model = MODEL) =>
  until("the node knows", async () => !(await may(node, key, {}, model)));

/** What the nodes may be above a limit together: each by an eighth, or by one. */
const bound = (limit: number) => 2 * Math.max(1, Math.floor(limit / 8));

describe("requests per minute", () => {
  test.each([1, 5, 16, 40])("%d, one after the other on both nodes", async (rpm) => {
    const token = await gw.newToken({ rpm });
    const began = Date.now();
    const n = await alternately(rpm * 2 + 10, token.key);
    const refilled = Math.ceil(((Date.now() - began) * rpm) / 60_000);
    expect(n).toBeWithin(rpm - Math.floor(rpm / 16), rpm + bound(rpm) + refilled + 1);
  });

  test.each([6, 60])("%d, all at once on both nodes", async (rpm) => {
    const token = await gw.newToken({ rpm });
    const began = Date.now();
    const asked = Array.from({ length: rpm * 4 }, (_, i) => may(i % 2, token.key));
    const n = (await Promise.all(asked)).filter(Boolean).length;
    const refilled = Math.ceil(((Date.now() - began) * rpm) / 60_000);
    expect(n).toBeWithin(rpm - Math.floor(rpm / 8), rpm + bound(rpm) + refilled + 1);
  });

  test("a burst on one node gets all of it at once", async () => {
    const token = await gw.newToken({ rpm: 60 });
    const asked = Array.from({ length: 60 }, () => may(1, token.key));
    expect((await Promise.all(asked)).filter(Boolean).length).toBe(60);
  });

  test("what one node holds and does not use goes back", async () => {
    const token = await gw.newToken({ rpm: 320 });
    expect(await may(0, token.key)).toBe(true);
    await Bun.sleep(2500);
    let n = 0;
    for (let i = 0; i < 340; i++) n += Number(await may(1, token.key));
    expect(n).toBeGreaterThanOrEqual(319);
  });

  test("headers tell what is left of all", async () => {
    const token = await gw.newToken({ rpm: 10 });
    for (let i = 0; i < 6; i++) await post(0, token.key);
    await post(1, token.key);
    await Bun.sleep(50);
    const reply = await post(1, token.key);
    expect(Number(reply.headers.get("x-ratelimit-remaining-requests"))).toBeWithin(1, 4);
  });

  test("a model's, over keys and nodes", async () => {
    await gw.addOpenai("cl", { models: "fake-cl" });
    const keys = await Promise.all([gw.newToken(), gw.newToken()]);
    let n = 0;
    for (let i = 0; i < 60; i++) {
      n += Number(await may(1, keys[i % 2]!.key, {}, "fake-cl"));
    }
    expect(n).toBeWithin(31, 36);
  });
});

describe("tokens per minute", () => {
  test("used on one node are gone on the other", async () => {
    const token = await gw.newToken({ tpm: 2000 });
    const wish: Directives = { usage: { input: 1500, output: 2500 } };
    expect(await may(0, token.key, wish)).toBe(true);
    await Bun.sleep(300);
    const reply = await post(1, token.key);
    if (reply.status === 200) await Bun.sleep(300); // one, before the node knew
    const refused = await post(1, token.key);
    expect(failed("openai", refused, 429).message).toContain("2000 tokens per minute");
    expect(Number(refused.headers.get("retry-after"))).toBeWithin(60, 110);
  });
});

describe("at a time", () => {
  test("one, one after the other on both nodes: nobody is refused", async () => {
    const token = await gw.newToken({ concurrency: 1 });
    expect(await alternately(30, token.key)).toBe(30);
  });

  test("four, over both nodes", async () => {
    const token = await gw.newToken({ concurrency: 4 });
    const first = await hold(0, token.key, 4, "four");
    expect(await alternately(1, token.key)).toBe(0);
    await known(1, token.key);
    for (let i = 0; i < 5; i++) {
      expect(await may(1, token.key)).toBe(false);
      await Bun.sleep(120);
    }
    gw.fake.release("four");
    await Promise.all(first);
    const second = await hold(1, token.key, 4, "four again");
    await known(0, token.key);
    expect(await may(0, token.key)).toBe(false);
    gw.fake.release("four again");
    await Promise.all(second);
  });

  test("a channel's: passed over, and free again, on both nodes", async () => {
    const key = gw.token.key;
    const running = await hold(0, key, 2, "channel", "fake-shared");
    await known(1, key, "fake-shared");
    for (let i = 0; i < 3; i++) expect(await may(1, key, {}, "fake-shared")).toBe(false);
    gw.fake.release("channel");
    await Promise.all(running);
    expect(await may(1, key, {}, "fake-shared")).toBe(true);
  });
});

describe("Redis", () => {
  test("that is away leaves each node its own count, and nobody waits", async () => {
    const token = await gw.newToken({ rpm: 20 });
    expect(await may(0, token.key)).toBe(true);
    redis.freeze(true);
    for (let i = 0; i < 10; i++) {
      const began = Date.now();
      expect(await may(i % 2, token.key)).toBe(true);
      expect(Date.now() - began).toBeLessThan(900);
    }
    await until("it is noticed", async () => (await nodes[1]!.metric("tf_redis_up")) === 0);
    for (let i = 0; i < 12; i++) expect(await may(0, token.key)).toBe(true);
    for (let i = 0; i < 12; i++) expect(await may(1, token.key)).toBe(true);
    let more = 0;
    for (let i = 0; i < 10; i++) more += Number(await may(0, token.key));
    expect(more).toBeLessThanOrEqual(6);
    redis.freeze(false);
    await Promise.all(nodes.map(up));
    const fresh = await gw.newToken({ rpm: 12 });
    await Bun.sleep(1200);
    expect(await alternately(40, fresh.key)).toBeWithin(12, 16);
  });

  test("that has forgotten all gives a node no more than its own limit", async () => {
    const token = await gw.newToken({ rpm: 6 });
    for (let i = 0; i < 8; i++) await may(0, token.key);
    await redis.stop();
    await redis.start();
    await Promise.all(nodes.map(up));
    await Bun.sleep(100);
    let n = 0;
    for (let i = 0; i < 8; i++) n += Number(await may(0, token.key));
    expect(n).toBeLessThanOrEqual(1);
  });
});

describe("a node that is killed", () => {
  test("gives back what it held, by itself", async () => {
    const token = await gw.newToken({ concurrency: 3 });
    const gone = (await hold(1, token.key, 3, "killed")).map((reply) => reply.catch(() => {}));
    await known(0, token.key);
    expect(await may(0, token.key)).toBe(false);
    await nodes[1]!.kill9();
    await Promise.all(gone);
    expect(await may(0, token.key)).toBe(false);
    const began = Date.now();
    await until("they are free again", () => may(0, token.key));
    expect(Date.now() - began).toBeLessThan(16_500);
    gw.fake.release("killed");
    const running = await hold(0, token.key, 3, "all of them");
    gw.fake.release("all of them");
    await Promise.all(running);
    await nodes[1]!.restart(); // on its own disk: its name and its leases are there
  }, 60_000);
});
