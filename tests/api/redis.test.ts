// Redis comes and goes, and the gateway serves all the same.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually";
import { PATHS, question } from "../support/shapes";
import { gateway } from "../support/gateway";
import { Redis } from "../support/redis";
import { BINARY } from "../support/server";

/** Of the gateway under test; its address is known before it is there. */
const redis = await Redis.start();
await redis.stop();
afterAll(() => redis.dispose());

const gw = gateway({ env: { REDIS_CONN_STRING: redis.url } });

async function ready(): Promise<string> {
  const response = await fetch(`${gw.server.url}/readyz`);
  expect(response.status).toBe(200);
  const { data } = (await response.json()) as { data: { redis: string } };
  expect(await gw.server.metric("tf_redis_up")).toBe(data.redis === "up" ? 1 : 0);
  return data.redis;
}

const becomes = (state: string) =>
  eventually(async () => {
    expect(await ready()).toBe(state);
  });

async function relays(): Promise<void> {
  const response = await gw.post(PATHS.openai, question("openai", "gpt-4o", {}));
  expect(response.status).toBe(200);
  await response.text();
}

describe("Redis", () => {
  test("that is not there at the start is no reason not to serve", async () => {
    expect(await ready()).toBe("down");
    await relays();
  });

  test("is found when it comes, and goes and comes again", async () => {
    for (let round = 0; round < 2; round++) {
      await redis.start();
      await becomes("up");
      await relays();
      await redis.stop();
      await becomes("down");
      await relays();
    }
    await redis.start();
    await becomes("up");
  });

  test("that freezes is away, too", async () => {
    redis.freeze(true);
    await becomes("down");
    await relays();
    redis.freeze(false);
    await becomes("up");
  });

  test("its password is in no line of the log", async () => {
    const log = gw.server.lines.join("\n");
    expect(log).toContain("Redis: connected");
    expect(log).toContain("Redis: away");
    expect(log).not.toContain(redis.password);
    expect(log).not.toContain(encodeURIComponent(redis.password));
  });
});

describe("REDIS_CONN_STRING", () => {
  const bad = ["rediss://:sesame@host:6379/0", "host:6379", "redis://:sesame@host/x"];
  let folder = "";
  beforeAll(() => (folder = gw.server.dataDir));

  test.each(bad)("%s is refused, without showing it", (text) => {
    const env = { DATA_DIR: `${folder}/other`, REDIS_CONN_STRING: text };
    const { exitCode, stderr } = Bun.spawnSync([BINARY, "--check"], { cwd: folder, env });
    expect(exitCode).toBe(1);
    expect(stderr.toString()).toContain("REDIS_CONN_STRING");
    expect(stderr.toString()).not.toContain("sesame");
    if (text.startsWith("rediss")) expect(stderr.toString()).toContain("TLS");
  });
});
