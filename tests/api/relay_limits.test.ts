// What a key may not do, and how each dialect says so.
import { describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { caught } from "../support/caught";
import { EMBEDDING_MODEL, gateway } from "../support/gateway";
import { type Channel, type Token } from "../support/management";
import { type DialectError, failed, PATHS, question, type Spoken } from "../support/shapes";
import { receive } from "../support/sse";

const gw = gateway();

const MODELS: Record<Spoken, string> = { openai: "gpt-4o", claude: "claude-sonnet-4-6" };
const CLIENTS: Spoken[] = ["openai", "claude"];

interface Refused extends DialectError {
  status: number;
  headers: Headers;
}

async function refused(
  client: Spoken,
  key: string,
  statuses: number[],
  model = MODELS[client],
): Promise<Refused> {
  const before = gw.fake.stats.requests;
  const reply = await receive(await gw.post(PATHS[client], question(client, model, {}), { key }));
  const error = failed(client, reply, ...statuses);
  expect(gw.fake.stats.requests).toBe(before);
  return { ...error, status: reply.status, headers: reply.headers };
}

async function accepted(client: Spoken, key: string, model = MODELS[client]): Promise<void> {
  const reply = await receive(await gw.post(PATHS[client], question(client, model, {}), { key }));
  expect({ status: reply.status, text: reply.status === 200 ? "" : reply.text }).toEqual({
    status: 200,
    text: "",
  });
}

async function update(token: Token, change: Record<string, unknown>): Promise<void> {
  const api = await gw.owner.api();
  await api.put("/api/token/", { id: token.id, ...change });
}

describe.each(CLIENTS)("a %s client's key", (client) => {
  test("must be there", async () => {
    for (const headers of [
      {},
      { authorization: "" },
      { authorization: "Bearer" },
      { authorization: "Basic abc" },
    ]) {
      const response = await fetch(gw.server.url + PATHS[client], {
        method: "POST",
        headers: { "content-type": "application/json", ...(headers as Record<string, string>) },
        body: JSON.stringify(question(client, MODELS[client], {})),
      });
      const error = failed(client, await receive(response), 401);
      expect(client === "openai" ? error.code : error.type).toBe(
        client === "openai" ? "invalid_api_key" : "authentication_error",
      );
    }
  });

  test("must exist, whatever it looks like", async () => {
    for (const key of [`sk-${"x".repeat(48)}`, "sk-", "x", `sk-${"y".repeat(5000)}`, "sk-'--"]) {
      const error = await refused(client, key, [401]);
      expect(client === "openai" ? error.code : error.type).toBe(
        client === "openai" ? "invalid_api_key" : "authentication_error",
      );
      expect(error.message).not.toContain("x".repeat(40));
    }
  });

  test("stops working when it expires", async () => {
    const soon = Math.floor(Date.now() / 1000) + 3600;
    const token = await gw.newToken({ expired_time: soon });
    await accepted(client, token.key);
    await update(token, { expired_time: Math.floor(Date.now() / 1000) - 1 });
    await refused(client, token.key, [401]);
  });

  test("stops working when it is switched off or deleted, and works when switched on", async () => {
    const token = await gw.newToken();
    await accepted(client, token.key);
    await update(token, { status: 2 });
    await refused(client, token.key, [401]);
    await update(token, { status: 1 });
    await accepted(client, token.key);
    await (await gw.owner.api()).delete(`/api/token/${token.id}`);
    await refused(client, token.key, [401]);
  });

  test("spends no more than its quota", async () => {
    const token = await gw.newToken({ unlimited_quota: false, remain_quota: 0 });
    const error = await refused(client, token.key, [402, 403, 429]);
    if (client === "openai") expect(error.code).toBe("insufficient_quota");
    if (error.status === 429) expect(error.headers.get("x-should-retry")).toBe("false");
    await update(token, { remain_quota: 1_000_000 });
    await accepted(client, token.key);
  });

  test("works only for its models", async () => {
    const token = await gw.newToken({
      model_limits_enabled: true,
      model_limits: `${MODELS[client]},fake-other`,
    });
    await accepted(client, token.key);
    await refused(client, token.key, [403], "gpt-5");
    await refused(client, token.key, [403], "claude-opus-5");
  });

  test("works only from its addresses", async () => {
    for (const allow_ips of ["10.0.0.0/8", "10.1.2.3\n192.168.0.0/16", "::1", "128.0.0.0/1"]) {
      const token = await gw.newToken({ allow_ips });
      await refused(client, token.key, [403]);
    }
    for (const allow_ips of ["127.0.0.1", "10.0.0.0/8\n127.0.0.0/8", "0.0.0.0/0", ""]) {
      const token = await gw.newToken({ allow_ips });
      await accepted(client, token.key);
    }
  });

  test("does not believe a forwarded address from a stranger", async () => {
    const token = await gw.newToken({ allow_ips: "10.0.0.0/8" });
    const headers = { "x-forwarded-for": "10.0.0.1", "x-real-ip": "10.0.0.1" };
    const request = question(client, MODELS[client], {});
    const response = await gw.post(PATHS[client], request, { key: token.key, headers });
    failed(client, await receive(response), 403);
  });

  test("stops working when its user is disabled, and works when he is enabled", async () => {
    const owner = await gw.server.createUser();
    const token = await gw.newToken({}, owner);
    await accepted(client, token.key);
    await gw.server.admin.post("/api/user/manage", { id: owner.id, action: "disable" });
    await refused(client, token.key, [403]);
    await gw.server.admin.post("/api/user/manage", { id: owner.id, action: "enable" });
    await accepted(client, token.key);
  });

  test("stops working when its user has nothing left", async () => {
    const owner = await gw.server.createUser({ quota: 0 });
    const token = await gw.newToken({}, owner);
    const error = await refused(client, token.key, [402, 403, 429]);
    if (client === "openai") expect(error.code).toBe("insufficient_quota");
    await gw.server.adjust(owner, 1_000_000);
    await accepted(client, token.key);
  });

  test("knows only priced models", async () => {
    const model = "fake-unpriced";
    const channels = await gw.server.admin.get<{ items: Channel[] }>(
      `/api/channel/search?keyword=unpriced`,
    );
    if (channels.items.length === 0) {
      await gw.addOpenai("unpriced", { name: "unpriced", models: model });
    }
    const error = await refused(client, gw.token.key, [400], model);
    expect(error.message).toContain(model);
    await gw.server.setOption("SelfUseModeEnabled", "true");
    await accepted(client, gw.token.key, model);
    await gw.server.setOption("SelfUseModeEnabled", "false");
  });

  test("knows only models that exist", async () => {
    const error = await refused(client, gw.token.key, [404], "no-such-model");
    expect(error.message).toContain("no-such-model");
    expect(client === "openai" ? error.code : error.type).toBe(
      client === "openai" ? "model_not_found" : "not_found_error",
    );
  });
});

describe("groups", () => {
  test("a channel serves its groups only", async () => {
    const model = "fake-vip";
    await gw.server.setOption("GroupRatio", { default: 1, vip: 0.5 });
    await gw.server.setOption("UserUsableGroups", { default: "everybody", vip: "the few" });
    await gw.addOpenai("vip", { models: model, group: "vip" });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    await refused("openai", gw.token.key, [404], model);
    const vip = await gw.newToken({ group: "vip" });
    await accepted("openai", vip.key, model);
  });

  test("a key's group must be one that its user may use", async () => {
    await gw.server.setOption("GroupRatio", { default: 1, vip: 0.5, secret: 1 });
    await gw.server.setOption("UserUsableGroups", { default: "everybody", vip: "the few" });
    const api = await gw.owner.api();
    const wish = { name: "x", unlimited_quota: true, expired_time: -1, group: "secret" };
    await api.fail(400, "POST", "/api/token/", wish);
    const vip = await gw.newToken({ group: "vip" });
    await gw.server.setOption("UserUsableGroups", { default: "everybody" });
    await refused("openai", vip.key, [403]);
    await gw.server.setOption("UserUsableGroups", { default: "everybody", vip: "the few" });
  });

  test("the list of models is the key's", async () => {
    const token = await gw.newToken({
      model_limits_enabled: true,
      model_limits: `gpt-4o,${EMBEDDING_MODEL}`,
    });
    const ids = (await gw.openaiAs(token.key).models.list()).data.map((model) => model.id);
    expect(ids.toSorted()).toEqual(["gpt-4o", EMBEDDING_MODEL]);
    const missing = await caught(gw.openaiAs(token.key).models.retrieve("gpt-5"));
    expect(missing).toBeInstanceOf(OpenAI.NotFoundError);
  });
});

describe("the official SDK", () => {
  test("does not retry when the quota is gone", async () => {
    const token = await gw.newToken({ unlimited_quota: false, remain_quota: 0 });
    let calls = 0;
    const client = new OpenAI({
      apiKey: token.key,
      baseURL: `${gw.server.url}/v1`,
      maxRetries: 2,
      fetch: (url, init) => (calls++, fetch(url, init as RequestInit)),
    });
    const request = client.chat.completions.create({
      model: "gpt-4o",
      messages: [{ role: "user", content: "hi" }],
    });
    expect(await caught(request)).toMatchObject({ code: "insufficient_quota" });
    expect(calls).toBe(1);
  });
});

describe("many at once", () => {
  test("cannot spend more than there is", async () => {
    const owner = await gw.server.createUser({ quota: 2000 });
    const token = await gw.newToken({}, owner);
    // each costs 10 * 2 + 5 * 2 * 5 = 70
    const replies = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const request = question("openai", "gpt-4o", {}, { max_tokens: 5 });
        return receive(await gw.post(PATHS.openai, request, { key: token.key }));
      }),
    );
    const good = replies.filter((reply) => reply.status === 200).length;
    expect(good).toBeGreaterThan(0);
    expect(good * 70).toBeLessThanOrEqual(2000);
    for (const reply of replies) if (reply.status !== 200) failed("openai", reply, 403, 429);
    expect(await gw.server.balance(owner.user)).toBeGreaterThanOrEqual(0);
  });
});
