// Exact amounts: every price, every kind of token, every way a reply can end.
import { describe, expect, test } from "bun:test";
import { books } from "../support/books";
import { until } from "../support/eventually";
import type { Directives, UsageNumbers } from "../support/fake";
import { EMBEDDING_MODEL, gateway } from "../support/gateway";
import { explained, type Log, type Token, type User } from "../support/management";
import { brokeOff, failed, PATHS, question, type Spoken } from "../support/shapes";
import { receive, receiveUntil } from "../support/sse";

const gw = gateway();

const CLIENTS: Spoken[] = ["openai", "claude"];
const MODELS: Record<Spoken, string> = { openai: "fake-oa", claude: "fake-cl" };
const PAIRS = CLIENTS.flatMap((client) =>
  CLIENTS.flatMap((upstream) =>
    [false, true].map((stream) => ({ client, upstream, stream, model: MODELS[upstream] })),
  ),
);

interface Spend {
  client?: Spoken;
  model?: string;
  key?: string;
  stream?: boolean;
  more?: Record<string, unknown>;
}

/** Makes one good request; answers its log. */
async function spend(wish: Directives, how: Spend = {}): Promise<Log> {
  const client = how.client ?? "openai";
  const request = question(client, how.model ?? "fake-oa", wish, {
    ...(how.stream ? { stream: true } : {}),
    ...how.more,
  });
  const options = how.key === undefined ? {} : { key: how.key };
  const reply = await receive(await gw.post(PATHS[client], request, options));
  expect(reply.status).toBe(200);
  return gw.server.logOf(reply.headers.get("x-request-id") ?? "");
}

describe.each(PAIRS)(
  "$client over $upstream, stream $stream",
  ({ client, model, stream, upstream }) => {
    const how = { client, model, stream };

    test("bills input and output", async () => {
      const log = await spend({ usage: { input: 1000, output: 100 } }, how);
      expect(log).toMatchObject({
        quota: (1000 + 100 * 5) * 2,
        prompt_tokens: 1000,
        completion_tokens: 100,
        model_name: model,
        is_stream: stream,
        user_id: gw.owner.id,
        token_id: gw.token.id,
        group: "default",
      });
      expect(explained(log)).toMatchObject({
        model_ratio: 2,
        completion_ratio: 5,
        group_ratio: 1,
        usage_source: "upstream",
        request_conversion: client === upstream ? [client] : [client, upstream],
      });
    });

    test("bills cached input", async () => {
      const usage = { input: 300, cached: 700, output: 10 };
      const log = await spend({ usage }, how);
      expect(log.quota).toBe((300 + 700 * 0.1 + 10 * 5) * 2);
      expect(log.prompt_tokens).toBe(1000);
      expect(explained(log)).toMatchObject({ cache_tokens: 700, cache_ratio: 0.1 });
    });

    test("bills cache writes", async () => {
      const usage: UsageNumbers = { input: 100, write_5m: 400, cached: 200, output: 10 };
      if (upstream === "claude") usage.write_1h = 300;
      const hour = usage.write_1h ?? 0;
      const log = await spend({ usage }, how);
      expect(log.quota).toBe((100 + 200 * 0.1 + 400 * 1.25 + hour * 2 + 10 * 5) * 2);
      expect(log.prompt_tokens).toBe(700 + hour);
      expect(explained(log)).toMatchObject({
        cache_creation_tokens_5m: 400,
        cache_creation_ratio_5m: 1.25,
        ...(hour > 0 ? { cache_creation_tokens_1h: 300, cache_creation_ratio_1h: 2 } : {}),
      });
    });

    test("bills reasoning as output, once", async () => {
      const log = await spend({ thinking: "hm", usage: { output: 50, reasoning: 40 } }, how);
      expect(log).toMatchObject({ quota: (10 + 50 * 5) * 2, completion_tokens: 50 });
    });

    test("counts when the upstream tells no usage", async () => {
      const reply = "hello".concat(" hello".repeat(19));
      const log = await spend({ no_usage: true, reply }, how);
      expect(log.prompt_tokens).toBeGreaterThan(0);
      expect(log.completion_tokens).toBeGreaterThanOrEqual(18);
      expect(log.completion_tokens).toBeLessThanOrEqual(40);
      expect(log.quota).toBe((log.prompt_tokens + log.completion_tokens * 5) * 2);
      expect(explained(log)).toMatchObject({ usage_source: "counted" });
    });

    const odd: UsageNumbers[] = [
      { input: 0, output: 0 },
      { input: -5, output: -7 },
      { input: 9e18, output: 9e18 },
      { input: 2 ** 41, output: 1 },
    ];
    test.each(odd)("counts when nobody can have used %p", async (usage) => {
      const log = await spend({ usage, reply: "hello hello" }, how);
      expect(log.prompt_tokens).toBeGreaterThan(0);
      expect(log.prompt_tokens).toBeLessThan(100);
      expect(log.completion_tokens).toBeGreaterThan(0);
      expect(log.completion_tokens).toBeLessThan(10);
      expect(log.quota).toBe((log.prompt_tokens + log.completion_tokens * 5) * 2);
      expect(explained(log)).toMatchObject({ usage_source: "counted" });
    });
  },
);

describe("a real tokenizer", () => {
  test("counts what o200k counts", async () => {
    const reply = "hello".concat(" hello".repeat(99));
    const log = await spend({ no_usage: true, reply }, { model: "gpt-4o" });
    expect(log.completion_tokens).toBe(100);
  });

  test("counts more for more", async () => {
    const short = await spend({ no_usage: true }, { model: "gpt-4o" });
    // the wish is part of the prompt, and so is its padding
    const padded: Directives = { no_usage: true, extra: { x_pad: "y ".repeat(500) } };
    const long = await spend(padded, { model: "gpt-4o" });
    expect(long.prompt_tokens).toBeGreaterThan(short.prompt_tokens + 400);
  });
});

describe("prices", () => {
  test("per call, whatever the usage", async () => {
    await gw.addOpenai("percall", { models: "fake-percall" });
    await gw.setPrices({ ModelPrice: { "fake-percall": 0.02 } });
    for (const usage of [
      { input: 1, output: 1 },
      { input: 100_000, output: 100_000 },
    ]) {
      const log = await spend({ usage }, { model: "fake-percall" });
      expect(log.quota).toBe(10_000);
      expect(explained(log)).toMatchObject({ model_price: 0.02, group_ratio: 1 });
    }
  });

  test("by group", async () => {
    await gw.server.setOption("GroupRatio", { default: 1, vip: 0.5, dear: 3 });
    await gw.server.setOption("UserUsableGroups", { default: "d", vip: "v", dear: "e" });
    await gw.addOpenai("grouped", { models: "fake-grouped", group: "default,vip,dear" });
    await gw.setPrices({
      ModelRatio: { "fake-grouped": 2 },
      CompletionRatio: { "fake-grouped": 5 },
    });
    for (const [group, ratio] of [
      ["vip", 0.5],
      ["dear", 3],
    ] as const) {
      const { key } = await gw.newToken({ group });
      const log = await spend({ usage: { input: 10, output: 10 } }, { model: "fake-grouped", key });
      expect(log).toMatchObject({ quota: (10 + 50) * 2 * ratio, group });
      expect(explained(log)).toMatchObject({ group_ratio: ratio });
    }
  });

  const roundings: [number, UsageNumbers, number][] = [
    [0.5, { input: 1, output: 0 }, 1], // 0.5
    [0.5, { input: 3, output: 0 }, 2], // 1.5
    [0.3, { input: 1, output: 0 }, 1], // 0.3, at least 1
    [0.1, { input: 14, output: 0 }, 1], // 1.4
    [0.1, { input: 15, output: 0 }, 2], // 1.5, though 0.1 has no exact binary form
    [0.1, { input: 3, output: 0 }, 1], // 0.3
    [1.005, { input: 1000, output: 0 }, 1005],
    [0.07, { input: 1, output: 7 }, 1], // 0.56
    [0.000001, { input: 5, output: 5 }, 1],
    [0, { input: 500, output: 500 }, 0],
    [15, { input: 2_000_000_000, output: 0 }, 30_000_000_000],
  ];
  test("round once, half up, exactly", async () => {
    const owner = await gw.server.createUser({ quota: 100_000_000_000 });
    const { key } = await gw.newToken({}, owner);
    await gw.addOpenai("round", { models: "fake-round" });
    for (const [ratio, usage, quota] of roundings) {
      await gw.setPrices({
        ModelRatio: { "fake-round": ratio },
        CompletionRatio: { "fake-round": 1 },
      });
      const log = await spend({ usage }, { model: "fake-round", key });
      expect({ ratio, usage, quota: log.quota }).toEqual({ ratio, usage, quota });
    }
  });

  test("by the name that was asked for, not the one it is mapped to", async () => {
    await gw.addOpenai("alias", {
      models: "fake-alias",
      model_mapping: JSON.stringify({ "fake-alias": "gpt-4o" }),
    });
    await gw.setPrices({ ModelRatio: { "fake-alias": 10 }, CompletionRatio: { "fake-alias": 1 } });
    const log = await spend({ usage: { input: 10, output: 10 } }, { model: "fake-alias" });
    expect(log).toMatchObject({ quota: 200, model_name: "fake-alias" });
    expect(explained(log)).toMatchObject({ upstream_model_name: "gpt-4o" });
  });

  test("of an embedding", async () => {
    const request = { model: EMBEDDING_MODEL, input: "some text" };
    const reply = await receive(await gw.post("/v1/embeddings", request));
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log).toMatchObject({ quota: 10, prompt_tokens: 10, completion_tokens: 0 });
  });

  test("that change hold for the next request and not for the past", async () => {
    await gw.addOpenai("changing", { models: "fake-changing" });
    const price = (ratio: number): Promise<void> =>
      gw.setPrices({
        ModelRatio: { "fake-changing": ratio },
        CompletionRatio: { "fake-changing": 1 },
      });
    await price(1);
    const before = await spend({ usage: { input: 10, output: 0 } }, { model: "fake-changing" });
    await price(4);
    const after = await spend({ usage: { input: 10, output: 0 } }, { model: "fake-changing" });
    expect([before.quota, after.quota]).toEqual([10, 40]);
    const [again] = await gw.server.logs({ request_id: before.request_id });
    expect(again?.quota).toBe(10);
  });
});

describe("what a reply is billed when it does not end well", () => {
  const words = ["hello", " hello", " hello", " hello", " hello"];

  test.each(PAIRS.filter((pair) => pair.stream))(
    "cut: $client over $upstream pays for what came",
    async ({ client, model }) => {
      const wish: Directives = { chunks: words, cut: { after_events: 6 }, usage: { input: 30 } };
      const request = question(client, model, wish, { stream: true });
      const reply = await receive(await gw.post(PATHS[client], request));
      brokeOff(client, reply);
      const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
      expect(log.prompt_tokens).toBeGreaterThan(0);
      expect(log.completion_tokens).toBeGreaterThanOrEqual(2);
      expect(log.completion_tokens).toBeLessThanOrEqual(8);
      expect(log.quota).toBe((log.prompt_tokens + log.completion_tokens * 5) * 2);
      expect(explained(log)["stream_end"]).toBe("cut");
      expect(["counted", "mixed"]).toContain(String(explained(log)["usage_source"]));
      // Anthropic tells the input at the start, and it is believed
      if (model === "fake-cl") expect(log.prompt_tokens).toBe(30);
    },
  );

  test("an error event is not billed as text", async () => {
    const message = "a very long explanation ".repeat(50);
    const wish: Directives = { chunks: words, error_in_stream: { after: 4, message } };
    const reply = await receive(
      await gw.post(PATHS.openai, question("openai", "fake-oa", wish, { stream: true })),
    );
    brokeOff("openai", reply);
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log.completion_tokens).toBeLessThanOrEqual(5);
    expect(explained(log)["stream_end"]).toBe("error");
  });

  test("an error after the usage is billed by the usage", async () => {
    const wish: Directives = {
      usage: { input: 40, output: 20 },
      usage_in_last_chunk: true,
      error_in_stream: { after: 99 },
    };
    const reply = await receive(
      await gw.post(PATHS.openai, question("openai", "fake-oa", wish, { stream: true })),
    );
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log.quota).toBe((40 + 20 * 5) * 2);
  });

  test.each([
    { status: 400 },
    { status: 500 },
    { garbage: "http" },
    { error_in_stream: { after: 0 } },
  ] as Directives[])("nothing came, nothing is billed: %j", async (wish) => {
    const before = await gw.server.admin.get<User>(`/api/users/${gw.owner.id}`);
    const reply = await receive(
      await gw.post(PATHS.openai, question("openai", "fake-oa", wish, { stream: true })),
    );
    failed("openai", reply, 400, 500, 502, 503);
    const error = await gw.server.logOf(reply.headers.get("x-request-id") ?? "", 5);
    expect(error.quota).toBe(0);
    await books(gw.server);
    const after = await gw.server.admin.get<User>(`/api/users/${gw.owner.id}`);
    expect([after.quota, after.used_quota]).toEqual([before.quota, before.used_quota]);
  });

  test.each(CLIENTS)("a client that leaves early gains nothing: %s", async (client) => {
    const name = `leave-${client}`;
    const wish: Directives = { chunks: words, hold: { after_events: 6, name }, reply: name };
    const abort = new AbortController();
    const response = await gw.post(
      PATHS[client],
      question(client, MODELS[client], wish, { stream: true }),
      { signal: abort.signal },
    );
    const requestId = response.headers.get("x-request-id") ?? "";
    await receiveUntil(response, (text) => text.split("hello").length > 3);
    abort.abort();
    await until("the upstream request is cancelled", () =>
      gw.fake.find(name).every((seen) => seen.outcome !== "running"),
    );
    const log = await gw.server.logOf(requestId);
    expect(log.completion_tokens).toBeGreaterThanOrEqual(2);
    expect(log.quota).toBe((log.prompt_tokens + log.completion_tokens * 5) * 2);
    expect(explained(log)["stream_end"]).toBe("client_gone");
  });

  test("a client that leaves before anything came pays nothing", async () => {
    const abort = new AbortController();
    const wish: Directives = { hold: { after_events: -1, name: "early" } };
    const request = question("openai", "fake-oa", wish, { x_mark: "early-leaver" });
    const pending = gw.post(PATHS.openai, request, { signal: abort.signal }).catch(() => undefined);
    await until("the upstream is asked", () => gw.fake.find("early-leaver").length === 1);
    abort.abort();
    await pending;
    await until("the upstream request is cancelled", () =>
      gw.fake.find("early-leaver").every((seen) => seen.outcome === "gone"),
    );
    const logs = await books(gw.server);
    expect(
      logs.filter(
        (log) =>
          log.model_name === "fake-oa" &&
          log.type === 2 &&
          log.quota === 0 &&
          log.completion_tokens > 0,
      ),
    ).toEqual([]);
  });
});

describe("keys and users", () => {
  const current = async (token: Token): Promise<Token> => {
    const api = await gw.owner.api();
    return api.get<Token>(`/api/token/${token.id}`);
  };

  test("a limited key pays from its own quota too", async () => {
    const token = await gw.newToken({ unlimited_quota: false, remain_quota: 50_000 });
    await spend({ usage: { input: 1000, output: 100 } }, { key: token.key });
    await books(gw.server);
    expect(await current(token)).toMatchObject({ remain_quota: 47_000, used_quota: 3000 });
  });

  test("an unlimited key counts what it used", async () => {
    const token = await gw.newToken();
    await spend({ usage: { input: 1000, output: 100 } }, { key: token.key });
    await books(gw.server);
    expect((await current(token)).used_quota).toBe(3000);
  });

  test("a reply that costs more than was left never makes a balance negative", async () => {
    const owner = await gw.server.createUser({ quota: 1000 });
    const { key } = await gw.newToken({}, owner);
    const request = question("openai", "fake-oa", { usage: { input: 100_000, output: 100_000 } });
    await receive(await gw.post(PATHS.openai, request, { key }));
    const logs = await books(gw.server);
    const user = await gw.server.admin.get<User>(`/api/users/${owner.id}`);
    expect(user.quota).toBeGreaterThanOrEqual(0);
    const [log] = logs.filter((row) => row.user_id === owner.id);
    expect(log?.quota ?? 0).toBeLessThanOrEqual(1000);
  });

  test("a reply that costs more than its limited key has left takes what is left, no more", async () => {
    const token = await gw.newToken({ unlimited_quota: false, remain_quota: 20_000 });
    const log = await spend({ usage: { input: 100_000, output: 1 } }, { key: token.key });
    expect(log.quota).toBe(20_000);
    expect(explained(log)).toMatchObject({ uncollected_quota: 180_010 });
    await books(gw.server);
    expect(await current(token)).toMatchObject({ remain_quota: 0, used_quota: 20_000 });
  });

  test("channels and users count what went through them", async () => {
    const owner = await gw.server.createUser();
    const { key } = await gw.newToken({}, owner);
    const channel = await gw.addOpenai("counted", { models: "fake-counted" });
    await gw.setPrices({
      ModelRatio: { "fake-counted": 1 },
      CompletionRatio: { "fake-counted": 1 },
    });
    await spend({ usage: { input: 60, output: 40 } }, { model: "fake-counted", key });
    await books(gw.server);
    const seen = await gw.server.admin.get<{ used_quota: number }>(`/api/channel/${channel.id}`);
    expect(seen.used_quota).toBe(100);
    const user = await gw.server.admin.get<User & { request_count: number }>(
      `/api/users/${owner.id}`,
    );
    expect(user).toMatchObject({ used_quota: 100, request_count: 1 });
  });

  test("many at once are billed exactly", async () => {
    const owner = await gw.server.createUser();
    const { key } = await gw.newToken({}, owner);
    const ids = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const client = CLIENTS[i % 2] ?? "openai";
        const model = MODELS[CLIENTS[(i >> 1) % 2] ?? "openai"];
        const request = question(
          client,
          model,
          { usage: { input: i, output: 1 } },
          { stream: i % 3 === 0 },
        );
        const reply = await receive(await gw.post(PATHS[client], request, { key }));
        expect(reply.status).toBe(200);
        return reply.headers.get("x-request-id") ?? "";
      }),
    );
    await books(gw.server, ids);
    const user = await gw.server.admin.get<User>(`/api/users/${owner.id}`);
    // the sum of (i + 5) * 2 for i = 0 .. 199
    expect(user.used_quota).toBe(2 * (19_900 + 5 * 200));
  });

  test("an adjustment while replies run is neither lost nor doubled", async () => {
    const owner = await gw.server.createUser();
    const { key } = await gw.newToken({}, owner);
    const running = Array.from({ length: 40 }, () => spend({}, { key }));
    await gw.server.adjust(owner, 5_000_000);
    await gw.server.adjust(owner, -1_000_000);
    await Promise.all(running);
    await books(gw.server);
    const user = await gw.server.admin.get<User>(`/api/users/${owner.id}`);
    expect(user.quota + user.used_quota).toBe(14_000_000);
  });
});
