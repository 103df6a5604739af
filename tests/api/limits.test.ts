// How much may be asked for: of a key, a user, a model, a channel, an address and everybody.
import Anthropic from "@anthropic-ai/sdk";
import { ApiError } from "@google/genai";
import { afterEach, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { caught } from "../support/caught";
import { eventually, until } from "../support/eventually";
import { ask, type Directives } from "../support/fake";
import { gateway } from "../support/gateway";
import { failed, PATHS, question, type Spoken } from "../support/shapes";
import { receive, type Received } from "../support/sse";

const gw = gateway();

const MODELS: Record<Spoken, string> = { openai: "gpt-4o", claude: "claude-sonnet-4-6" };
const CLIENTS: Spoken[] = ["openai", "claude"];
const OPTIONS = ["GlobalRateLimit", "AddressRateLimit", "UserRateLimits", "ModelRateLimits"];

afterEach(async () => {
  for (const key of OPTIONS) await gw.server.setOption(key, {});
});

async function post(
  client: Spoken,
  key: string,
  wish: Directives = {},
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Received> {
  const body = question(client, MODELS[client], wish, more);
  return receive(await gw.post(PATHS[client], body, { key, headers }));
}

/** So many of `count` requests, one after the other, are answered; the others get a 429. */
async function answered(count: number, key: string, client: Spoken = "openai"): Promise<number> {
  let n = 0;
  for (let i = 0; i < count; i++) {
    const reply = await post(client, key);
    if (reply.status === 200) n++;
    else failed(client, reply, 429);
  }
  return n;
}

const others = (key: string) => gw.server.admin.get<Record<string, unknown>>(key);

describe.each(CLIENTS)("a %s client's key", (client) => {
  test("has so many requests per minute, and is told", async () => {
    const token = await gw.newToken({ rpm: 3 });
    const names =
      client === "openai"
        ? ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"]
        : ["anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"];
    for (let left = 2; left >= 0; left--) {
      const reply = await post(client, token.key);
      expect(reply.status).toBe(200);
      expect(names.map((name) => reply.headers.get(name))).toEqual(["3", String(left)]);
    }
    const before = gw.fake.stats.requests;
    const reply = await post(client, token.key);
    const error = failed(client, reply, 429);
    expect(client === "openai" ? error.code : error.type).toBe(
      client === "openai" ? "rate_limit_exceeded" : "rate_limit_error",
    );
    expect(error.message).toContain("3 requests per minute");
    expect(Number(reply.headers.get("retry-after"))).toBeWithin(15, 21);
    expect(names.map((name) => reply.headers.get(name))).toEqual(["3", "0"]);
    expect(gw.fake.stats.requests).toBe(before);
  });

  test("has so many tokens per minute, put right by what was used", async () => {
    const token = await gw.newToken({ tpm: 2000 });
    const more = { max_tokens: 900 };
    // Each is estimated at some 920 and uses 100: only the estimate of running ones counts in full.
    const wish: Directives = { usage: { input: 60, output: 40 } };
    for (let i = 0; i < 8; i++)
      expect((await post(client, token.key, wish, more)).status).toBe(200);
    const costly: Directives = { usage: { input: 5000, output: 1000 } };
    expect((await post(client, token.key, costly, more)).status).toBe(200);
    const reply = await post(client, token.key, wish, more);
    const error = failed(client, reply, 429);
    expect(error.message).toContain("2000 tokens per minute");
    const name =
      client === "openai" ? "x-ratelimit-remaining-tokens" : "anthropic-ratelimit-tokens-remaining";
    expect(reply.headers.get(name)).toBe("0");
    // 6800 used of 2000: some 4800 must drain, and 920 more have room
    expect(Number(reply.headers.get("retry-after"))).toBeWithin(140, 175);
  });

  test("has so many requests per day", async () => {
    const token = await gw.newToken({ rpd: 2 });
    expect(await answered(4, token.key, client)).toBe(2);
    const reply = await post(client, token.key);
    expect(Number(reply.headers.get("retry-after"))).toBeWithin(43_000, 43_201);
  });

  test("has so many requests at a time, streams among them", async () => {
    const token = await gw.newToken({ concurrency: 2 });
    const name = `gate-${client}`;
    const wish: Directives = { hold: { after_events: 2, name } };
    const before = gw.fake.stats.requests;
    const streams = [1, 2].map(() => post(client, token.key, wish, { stream: true }));
    await until("both run", () => gw.fake.stats.requests === before + 2);
    const error = failed(client, await post(client, token.key), 429);
    expect(error.message).toContain("2 requests at a time");
    const early = failed(client, await post(client, token.key, {}, { stream: true }), 429);
    expect(early.message).toBe(error.message);
    gw.fake.release(name);
    for (const stream of await Promise.all(streams)) expect(stream.status).toBe(200);
    expect(await answered(5, token.key, client)).toBe(5);
  });

  test("is not held to it by those who left or failed", async () => {
    const token = await gw.newToken({ concurrency: 1 });
    const gone = new AbortController();
    const wish: Directives = { hold: { after_events: -1, name: `never-${client}` } };
    const body = question(client, MODELS[client], wish, {});
    const before = gw.fake.stats.requests;
    const reply = gw.post(PATHS[client], body, { key: token.key, signal: gone.signal });
    await until("it runs", () => gw.fake.stats.requests === before + 1);
    gone.abort();
    await caught(reply);
    await eventually(async () => expect((await post(client, token.key)).status).toBe(200));
    for (const status of [400, 500, 503]) {
      expect((await post(client, token.key, { status })).status).not.toBe(429);
    }
    expect((await receive(await gw.post(PATHS[client], "{", { key: token.key }))).status).toBe(400);
    expect(await answered(3, token.key, client)).toBe(3);
  });

  test("gets streams with the same headers, and ours instead of the upstream's", async () => {
    const upstream = {
      "x-ratelimit-limit-requests": "9999",
      "x-ratelimit-remaining-tokens": "77",
      "anthropic-ratelimit-requests-limit": "9999",
      "anthropic-ratelimit-tokens-remaining": "77",
    };
    const limited = await gw.newToken({ rpm: 100 });
    const free = await gw.newToken();
    const [theirs, ours] =
      client === "openai"
        ? ["x-ratelimit-remaining-tokens", "x-ratelimit-limit-requests"]
        : ["anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-requests-limit"];
    for (const stream of [false, true]) {
      const plain = await post(client, free.key, { headers: upstream }, { stream });
      expect([theirs, ours].map((name) => plain.headers.get(name))).toEqual(["77", "9999"]);
      const reply = await post(client, limited.key, { headers: upstream }, { stream });
      expect([theirs, ours].map((name) => reply.headers.get(name))).toEqual([null, "100"]);
    }
  });
});

describe("the official SDKs", () => {
  test("OpenAI's raises RateLimitError, with headers", async () => {
    const token = await gw.newToken({ rpm: 1 });
    const client = gw.openaiAs(token.key);
    const asked = { model: "gpt-4o", messages: [{ role: "user" as const, content: "hi" }] };
    const { response } = await client.chat.completions.create(asked).withResponse();
    expect(response.headers.get("x-ratelimit-reset-requests")).toMatch(/^(1m0s|59(\.\d+)?s)$/);
    const error = (await caught(client.chat.completions.create(asked))) as InstanceType<
      typeof OpenAI.RateLimitError
    >;
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(error.code).toBe("rate_limit_exceeded");
    expect(error.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(Number(error.headers.get("retry-after"))).toBeWithin(55, 61);
    const responses = client.responses.create({ model: "gpt-4o", input: "hi" });
    expect(await caught(responses)).toBeInstanceOf(OpenAI.RateLimitError);
  });

  test("Anthropic's raises RateLimitError, with headers", async () => {
    const token = await gw.newToken({ rpm: 1 });
    const client = gw.claudeAs(token.key);
    const asked = {
      model: "claude-sonnet-4-6",
      max_tokens: 100,
      messages: [{ role: "user" as const, content: "hi" }],
    };
    const { response } = await client.messages.create(asked).withResponse();
    const reset = response.headers.get("anthropic-ratelimit-requests-reset") ?? "";
    expect(reset).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Date.parse(reset) - Date.now()).toBeWithin(50_000, 62_000);
    const error = (await caught(client.messages.create(asked))) as InstanceType<
      typeof Anthropic.RateLimitError
    >;
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    expect(error.headers?.get("anthropic-ratelimit-requests-remaining")).toBe("0");
    expect(Number(error.headers?.get("retry-after"))).toBeWithin(55, 61);
  });

  test("Google's reads RESOURCE_EXHAUSTED and when to come again", async () => {
    await gw.addGemini("gm", { models: "gemini-2.5-flash" });
    await gw.setPrices({ ModelRatio: { "gemini-2.5-flash": 1 } });
    const owner = await gw.server.createUser();
    await gw.newToken({}, owner);
    await gw.server.setOption("ModelRateLimits", { "gemini-2.5-flash": { rpm: 1 } });
    const asked = { model: "gemini-2.5-flash", contents: ask({}) };
    await gw.google.models.generateContent(asked);
    const error = (await caught(gw.google.models.generateContent(asked))) as ApiError;
    expect(error).toBeInstanceOf(ApiError);
    expect(error.status).toBe(429);
    const body = JSON.parse(error.message) as {
      error: { status: string; details: { "@type": string; retryDelay?: string }[] };
    };
    expect(body.error.status).toBe("RESOURCE_EXHAUSTED");
    const info = body.error.details.find((detail) => detail["@type"].endsWith("RetryInfo"));
    expect(Number.parseInt(info?.retryDelay ?? "")).toBeWithin(50, 61);
  });

  test("come again by themselves when they are told", async () => {
    const token = await gw.newToken({ rpm: 60 });
    expect(await answered(60, token.key)).toBeGreaterThanOrEqual(60);
    const client = new OpenAI({
      apiKey: token.key,
      baseURL: `${gw.server.url}/v1`,
      maxRetries: 4,
    });
    const asked = { model: "gpt-4o", messages: [{ role: "user" as const, content: "hi" }] };
    for (let i = 0; i < 3; i++) await client.chat.completions.create(asked);
  });
});

describe("a user", () => {
  test("has what his group has, over all his keys", async () => {
    await gw.server.setOption("GroupRatio", { default: 1, vip: 1 });
    await gw.server.setOption("UserRateLimits", { vip: { rpm: 5 }, "*": { rpm: 2 } });
    const [plain, vip] = await Promise.all([
      gw.server.createUser(),
      gw.server.createUser({ group: "vip" }),
    ]);
    await gw.addOpenai("vip", { models: "gpt-4o", group: "vip" });
    for (const [owner, most] of [
      [plain, 2],
      [vip, 5],
    ] as const) {
      const keys = [await gw.newToken({}, owner), await gw.newToken({ rpm: 4 }, owner)];
      let n = 0;
      for (let i = 0; i < 8; i++) n += await answered(1, keys[i % 2]!.key);
      expect(n).toBe(most);
    }
    await gw.server.setOption("UserRateLimits", { vip: { rpm: 5 } });
    expect(await answered(10, (await gw.newToken({}, plain)).key)).toBe(10);
  });
});

describe("a model", () => {
  test("has its own, over all users", async () => {
    await gw.server.setOption("ModelRateLimits", { "gpt-4o": { rpm: 3 } });
    const other = await gw.newToken({}, await gw.server.createUser());
    const mine = await gw.newToken();
    expect((await answered(2, mine.key)) + (await answered(4, other.key))).toBe(3);
    expect((await post("claude", mine.key)).status).toBe(200);
  });
});

describe("everybody and an address", () => {
  test("together have so many", async () => {
    await gw.server.setOption("GlobalRateLimit", { rpm: 4 });
    const keys = await Promise.all([1, 2].map(() => gw.newToken()));
    expect((await answered(3, keys[0]!.key)) + (await answered(3, keys[1]!.key))).toBe(4);
    const reply = await post("openai", keys[0]!.key);
    expect(reply.headers.get("x-ratelimit-limit-requests")).toBeNull();
  });

  test("an address, before anybody looks who asks", async () => {
    await gw.server.setOption("AddressRateLimit", { rpm: 3 });
    const token = await gw.newToken();
    for (let i = 0; i < 3; i++) expect((await post("openai", "sk-nobody")).status).toBe(401);
    failed("openai", await post("openai", token.key), 429);
    failed("claude", await post("claude", "sk-nobody"), 429);
  });

  test("an address at the management API, also for logging in", async () => {
    await gw.server.setOption("ApiAddressRateLimit", { rpm: 30 });
    let refused = 0;
    for (let i = 0; i < 40; i++) {
      const response = await fetch(`${gw.server.url}/api/user/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username: `nobody${i}`, password: "wrong password" }),
      });
      if (response.status === 429) {
        expect(response.headers.get("retry-after")).toMatch(/^[1-3]$/);
        expect(await response.json()).toMatchObject({ success: false, code: "rate_limited" });
        refused++;
      } else expect(response.status).toBe(401);
    }
    expect(refused).toBeGreaterThan(5);
    expect((await fetch(`${gw.server.url}/healthz`)).status).toBe(200);
    await eventually(() => gw.server.setOption("ApiAddressRateLimit", {}));
    for (let i = 0; i < 40; i++) await others("/api/user/self");
  });
});

describe("a channel at its limit", () => {
  test("is passed over while others can serve, and only then is it a 429", async () => {
    const models = "fake-busy";
    await gw.setPrices({ ModelRatio: { [models]: 1 } });
    const first = await gw.addOpenai("busy1", { models, priority: 10, rpm: 2 });
    const second = await gw.addOpenai("busy2", { models, priority: 0, rpm: 3 });
    const token = await gw.newToken({ rpm: 100 });
    const routes: string[] = [];
    for (let i = 0; i < 5; i++) {
      const body = question("openai", models, {});
      const reply = await receive(await gw.post(PATHS.openai, body, { key: token.key }));
      expect(reply.status).toBe(200);
      routes.push(gw.lastSeen.path);
    }
    expect(routes.map((path) => path.includes("busy1"))).toEqual([true, true, false, false, false]);
    const body = question("openai", models, {});
    const reply = await receive(await gw.post(PATHS.openai, body, { key: token.key }));
    const error = failed("openai", reply, 429);
    expect(error.code).toBe("rate_limit_exceeded");
    expect(Number(reply.headers.get("retry-after"))).toBeWithin(10, 31);
    expect(reply.headers.get("x-ratelimit-remaining-requests")).toBe("94"); // not his fault
    for (const { id } of [first, second])
      await gw.server.admin.put("/api/channel/", { id, rpm: 0 });
    const freed = await receive(await gw.post(PATHS.openai, body, { key: token.key }));
    expect(freed.status).toBe(200);
    expect(freed.headers.get("x-ratelimit-remaining-requests")).toBe("94");
  });

  test("is free again when its running request ends, however it ends", async () => {
    const models = "fake-single";
    await gw.setPrices({ ModelRatio: { [models]: 1 } });
    await gw.addOpenai("single", { models, concurrency: 1, auto_ban: false });
    const body = (wish: Directives) => question("openai", models, wish);
    for (const end of [{}, { status: 500 }, { status: 400 }, { cut: { after_bytes: 5 } }]) {
      const name = `single-${JSON.stringify(end)}`;
      const before = gw.fake.stats.requests;
      const running = gw.post(PATHS.openai, body({ hold: { after_events: -1, name }, ...end }));
      await until("it runs", () => gw.fake.stats.requests === before + 1);
      failed("openai", await receive(await gw.post(PATHS.openai, body({}))), 429);
      gw.fake.release(name);
      await receive(await running);
      expect((await receive(await gw.post(PATHS.openai, body({})))).status).toBe(200);
    }
  });

  test("has tokens of its own", async () => {
    const models = "fake-tokens";
    await gw.setPrices({ ModelRatio: { [models]: 1 } });
    await gw.addOpenai("tokens", { models, tpm: 1000 });
    const body = question("openai", models, { usage: { input: 1500, output: 100 } });
    expect((await receive(await gw.post(PATHS.openai, body))).status).toBe(200);
    failed("openai", await receive(await gw.post(PATHS.openai, body)), 429);
  });
});

describe("refusals", () => {
  test("are written down, but a flood of them is not", async () => {
    const owner = await gw.server.createUser();
    const token = await gw.newToken({ rpm: 1 }, owner);
    const said = gw.server.lines.length;
    expect(await answered(201, token.key)).toBe(1);
    await until("all is booked", async () => {
      return (await gw.server.metric("tf_journal_pending_records")) === 0;
    });
    const rows = await gw.server.logs({ user_id: owner.id, type: 5 });
    expect(rows.length).toBeWithin(1, 4);
    expect(rows[0]).toMatchObject({ content: "rate_limited", quota: 0, token_id: token.id });
    expect(await gw.server.metric("tf_rate_limited_total")).toBeGreaterThanOrEqual(200);
    const lines = gw.server.lines.slice(said).filter((line) => line.includes("rate_limited"));
    expect(lines.length).toBe(rows.length);
  });

  test("leave nothing held", async () => {
    const owner = await gw.server.createUser({ quota: 100_000 });
    const token = await gw.newToken({ concurrency: 1, rpm: 10_000 }, owner);
    await Promise.all(Array.from({ length: 60 }, () => post("openai", token.key)));
    expect(await answered(20, token.key)).toBe(20);
  });
});

describe("values", () => {
  test("are checked where they are set", async () => {
    const api = await gw.owner.api();
    const wish = { name: "x", unlimited_quota: true, expired_time: -1 };
    for (const [name, value] of [
      ["rpm", -1],
      ["tpm", 1e12],
      ["rpd", "ten"],
      ["concurrency", 0.5],
    ] as const) {
      await api.fail(400, "POST", "/api/token/", { ...wish, [name]: value });
    }
    const odd: [string, unknown][] = [
      ["GlobalRateLimit", { rpm: -1 }],
      ["GlobalRateLimit", { rpm: 1.5 }],
      ["GlobalRateLimit", { per_minute: 5 }],
      ["AddressRateLimit", { rpm: "5" }],
      ["UserRateLimits", { rpm: 5 }],
      ["UserRateLimits", { vip: { rpm: 2_000_000_000 } }],
      ["ModelRateLimits", '{"a":{"rpm":1},"a":{"rpm":2}}'],
      ["ModelRateLimits", "[]"],
    ];
    for (const [key, value] of odd) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      await gw.server.admin.fail(400, "PUT", "/api/option/", { key, value: text });
    }
  });

  test("of a key change at once", async () => {
    const token = await gw.newToken({ rpm: 1 });
    expect(await answered(3, token.key)).toBe(1);
    const api = await gw.owner.api();
    const raised = await api.put<Record<string, unknown>>("/api/token/", { id: token.id, rpm: 4 });
    expect(raised["rpm"]).toBe(4);
    expect(await answered(6, token.key)).toBe(3);
    await api.put("/api/token/", { id: token.id, rpm: 0 });
    const reply = await post("openai", token.key);
    expect(reply.status).toBe(200);
    expect(reply.headers.get("x-ratelimit-limit-requests")).toBeNull();
  });
});
