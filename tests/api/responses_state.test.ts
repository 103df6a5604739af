// Replies of the Responses API that later requests refer to: kept here for providers that keep
// nothing, asked for where they were made for those that do.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type {
  ResponseCreateParamsNonStreaming as Params,
  ResponseInputItem as Item,
} from "openai/resources/responses/responses";
import { ask, type Directives } from "../support/fake";
import { until } from "../support/eventually";
import { gateway } from "../support/gateway";
import type { Channel } from "../support/management";
import { TestServer } from "../support/server";
import { explained } from "../support/management";
import { receive } from "../support/sse";

const SECRETS = { CRYPTO_SECRET: "c".repeat(32), SESSION_SECRET: "s".repeat(32) };
const gw = gateway({ env: SECRETS });
let client: OpenAI;
let stranger: OpenAI;
let native: Channel[];

beforeAll(async () => {
  const models = ["fake-cu", "gemini-2.5-pro", "fake-rs", "fake-two", "fake-or"];
  await gw.setPrices({
    ModelRatio: Object.fromEntries(models.map((model) => [model, 2])),
    CompletionRatio: Object.fromEntries(models.map((model) => [model, 5])),
    CacheRatio: Object.fromEntries(models.map((model) => [model, 0.1])),
  });
  client = gw.openai;
  const other = await gw.server.createUser();
  stranger = gw.openaiAs((await gw.newToken({}, other)).key);
  await gw.addOpenai("cu", { type: "custom", models: "fake-cu" });
  await gw.addGemini("ge", { models: "gemini-2.5-pro" });
  await gw.addOpenai("or", { type: "openrouter", models: "fake-or" });
  native = [
    await gw.addOpenai("n1", { models: "fake-rs,fake-two", key: "sk-fake-n1" }),
    await gw.addOpenai("n2", { models: "fake-rs", key: "sk-fake-n2a\nsk-fake-n2b" }),
  ];
});

const user = (wish: Directives, text?: string): Item => ({
  role: "user",
  content: ask(wish, text),
});

async function said(
  params: Params,
  stream: boolean,
  as = client,
): Promise<OpenAI.Responses.Response> {
  if (!stream) return as.responses.create(params);
  return as.responses.stream({ ...params, stream: true }).finalResponse();
}

const status = async (call: Promise<unknown>): Promise<number | undefined> =>
  call.then(
    () => undefined,
    (error: unknown) => (error instanceof OpenAI.APIError ? error.status : -1),
  );

const TRANSLATED = [
  { upstream: "chat", model: "fake-cu" },
  { upstream: "Anthropic", model: "claude-sonnet-4-6" },
  { upstream: "Gemini", model: "gemini-2.5-pro" },
  { upstream: "a Responses provider without memory", model: "fake-or" },
];

describe.each(TRANSLATED)("over $upstream", ({ model }) => {
  test.each([false, true])("a conversation goes on by id alone (stream: %p)", async (stream) => {
    const first = await said(
      { model, input: [user({ reply: "Blue." }, "My colour is blue.")] },
      stream,
    );
    expect(first).toMatchObject({ store: true, previous_response_id: null });
    const second = await said(
      { model, previous_response_id: first.id, input: ask({ reply: "Yes." }, "Remember?") },
      stream,
    );
    expect(second).toMatchObject({ previous_response_id: first.id, output_text: "Yes." });
    const third = await said(
      { model, previous_response_id: second.id, input: [user({ reply: "End." }, "And now?")] },
      stream,
    );
    expect(third.output_text).toBe("End.");
    const sent = JSON.stringify(gw.lastSeen.body);
    const order = ["My colour is blue.", "Blue.", "Remember?", "Yes.", "And now?"];
    const places = order.map((text) => sent.indexOf(text));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(sent).not.toContain(first.id);
    expect(gw.lastSeen.body["store"] ?? false).toBe(false);
  });

  test("a tool's result refers to the call that was kept", async () => {
    const tools: OpenAI.Responses.FunctionTool[] = [
      {
        type: "function",
        name: "time",
        parameters: { type: "object", properties: {} },
        strict: false,
      },
    ];
    const wish = { tools: [{ name: "time" }], thinking: "hm", then: { reply: "Noon." } };
    const first = await client.responses.create({
      model,
      tools,
      reasoning: { effort: "low" },
      input: [user(wish)],
    });
    const call = first.output.find((item) => item.type === "function_call");
    if (call?.type !== "function_call") throw new Error("no call");
    const second = await client.responses.create({
      model,
      tools,
      reasoning: { effort: "low" },
      previous_response_id: first.id,
      input: [{ type: "function_call_output", call_id: call.call_id, output: "12:00" }],
    });
    expect(second.output_text).toBe("Noon.");
    expect(JSON.stringify(gw.lastSeen.body)).toContain("12:00");
  });

  test("items that are named stand for themselves", async () => {
    const first = await client.responses.create({ model, input: ask({ reply: "Blue." }) });
    const named = { type: "item_reference" as const, id: first.output[0]?.id ?? "" };
    const request = {
      model,
      input: [user({}, "Colour?"), named, user({ reply: "Yes." }, "Sure?")],
    };
    const second = await client.responses.create(request);
    expect(second.output_text).toBe("Yes.");
    const sent = JSON.stringify(gw.lastSeen.body);
    const places = ["Colour?", "Blue.", "Sure?"].map((text) => sent.indexOf(text));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(sent).not.toContain("item_reference");
    const third = { model, previous_response_id: second.id, input: ask({ reply: "End." }) };
    expect((await client.responses.create(third)).output_text).toBe("End.");
    expect(JSON.stringify(gw.lastSeen.body)).toContain("Blue.");
    const before = gw.fake.requests.length;
    if (model !== "fake-or") {
      expect(await status(stranger.responses.create(request))).toBe(400);
      await client.responses.delete(first.id);
      expect(await status(client.responses.create(request))).toBe(400);
      expect(gw.fake.requests.length).toBe(before);
    }
  });

  test("it is shown, its input listed, and deleted", async () => {
    const first = await client.responses.create({ model, input: ask({ reply: "One." }, "uno") });
    const second = await client.responses.create({
      model,
      previous_response_id: first.id,
      input: [user({ reply: "Two." }, "due"), user({ reply: "Two." }, "tre")],
    });
    expect(await client.responses.retrieve(second.id)).toEqual(second);
    const items: unknown[] = [];
    for await (const item of client.responses.inputItems.list(second.id, {
      order: "asc",
      limit: 2,
    }))
      items.push(item);
    const text = items.map((item) => JSON.stringify(item));
    expect(items).toHaveLength(4);
    ["uno", "One.", "due", "tre"].forEach((what, i) => expect(text[i]).toContain(what));
    expect(new Set(items.map((item) => (item as { id: string }).id)).size).toBe(4);
    const newest = await client.responses.inputItems.list(second.id, { limit: 1 });
    expect(JSON.stringify(newest.data)).toContain("tre");
    expect(newest.has_more).toBe(true);
    expect(await status(client.responses.cancel(second.id))).toBe(400);
    await client.responses.delete(second.id);
    expect(await status(client.responses.retrieve(second.id))).toBe(404);
    expect(await status(client.responses.delete(second.id))).toBe(404);
  });

  test("what is somebody else's, unknown or not stored is not there", async () => {
    const mine = await client.responses.create({ model, input: ask({ reply: "Mine." }) });
    const loose = await client.responses.create({ model, store: false, input: ask({}) });
    expect(loose).toMatchObject({ store: false });
    const refusals = [
      await status(stranger.responses.retrieve(mine.id)),
      await status(stranger.responses.delete(mine.id)),
      await status(stranger.responses.inputItems.list(mine.id)),
      await status(client.responses.retrieve(loose.id)),
      await status(client.responses.retrieve("resp_unknown")),
    ];
    expect(refusals).toEqual([404, 404, 404, 404, 404]);
    const before = gw.fake.requests.length;
    for (const [as, id] of [
      [stranger, mine.id],
      [client, loose.id],
    ] as const) {
      const error = await as.responses
        .create({ model, previous_response_id: id, input: "x" })
        .catch((e: unknown) => e);
      expect(error).toBeInstanceOf(OpenAI.APIError);
      expect(error).toMatchObject({ status: 400, code: "previous_response_not_found" });
    }
    expect(gw.fake.requests.length).toBe(before);
    expect((await client.responses.retrieve(mine.id)).id).toBe(mine.id);
  });
});

describe("where the provider keeps its replies", () => {
  test.each([false, true])(
    "the same channel and key is asked again (stream: %p)",
    async (stream) => {
      for (let i = 0; i < 6; i++) {
        const first = await said({ model: "fake-rs", input: ask({ reply: "1" }) }, stream);
        const { headers } = gw.lastSeen;
        const request = {
          model: "fake-rs",
          previous_response_id: first.id,
          input: ask({ reply: "2" }),
        };
        const second = await said(request, stream);
        expect(second.output_text).toBe("2");
        expect(gw.lastSeen.headers["authorization"]).toBe(headers["authorization"] ?? "");
        expect(gw.lastSeen.body).toMatchObject(request);
      }
    },
  );

  test.each([false, true])(
    "so it is for who names only items of it (stream: %p)",
    async (stream) => {
      for (let i = 0; i < 6; i++) {
        const wish = { reply: "Blue.", thinking: i % 2 ? "hm" : undefined };
        const first = await said({ model: "fake-rs", input: ask(wish) }, stream);
        const { headers } = gw.lastSeen;
        const named = first.output.map(({ id }) => ({ type: "item_reference" as const, id: id! }));
        const request = {
          model: "fake-rs",
          input: [user({}, "Colour?"), ...named, user({ reply: "Yes." }, "Sure?")],
        };
        const second = await said(request, stream);
        expect(second.output_text).toBe("Yes.");
        expect(gw.lastSeen.headers["authorization"]).toBe(headers["authorization"] ?? "");
        expect(gw.lastSeen.body).toMatchObject(request);
      }
    },
  );

  test("items are nobody else's, and of what was not stored nothing is known", async () => {
    const stored = await client.responses.create({ model: "fake-two", input: ask({}) });
    const loose = await client.responses.create({
      model: "fake-two",
      store: false,
      input: ask({}),
    });
    const naming = ({ output }: typeof stored) => ({
      model: "fake-rs",
      input: [{ type: "item_reference" as const, id: output[0]?.id ?? "" }, user({})],
    });
    await gw.server.admin.put("/api/channel/", { id: native[0]?.id, status: 2 });
    gw.allowRefusals();
    const gone = await client.responses.create(naming(stored)).catch((e: unknown) => e);
    expect(gone).toMatchObject({ status: 404, code: "response_gone" });
    for (const [as, reply] of [
      [stranger, stored],
      [client, loose],
    ] as const) {
      const before = gw.fake.requests.length;
      const refused = await as.responses.create(naming(reply)).catch((e: unknown) => e);
      expect(refused).toMatchObject({ status: 404, type: "invalid_request_error" });
      expect(gw.fake.requests.length).toBeGreaterThan(before); // its provider was asked, and refused
    }
    await gw.server.admin.put("/api/channel/", { id: native[0]?.id, status: 1 });
    const back = await client.responses.create({ ...naming(stored), model: "fake-two" });
    expect(back.status).toBe("completed");
  });

  test("it is shown, listed and deleted there, for nothing", async () => {
    const first = await client.responses.create({ model: "fake-rs", input: ask({ reply: "1" }) });
    const reply = await receive(
      await fetch(`${gw.server.url}/v1/responses/${first.id}?include[]=a`, {
        headers: { authorization: `Bearer ${gw.token.key}` },
      }),
    );
    expect(reply.status).toBe(200);
    expect(reply.bytes.equals(gw.lastSeen.sent)).toBe(true);
    expect(gw.lastSeen).toMatchObject({ method: "GET", query: "include[]=a" });
    const items = await client.responses.inputItems.list(first.id);
    expect(items.data).toHaveLength(1);
    expect(gw.lastSeen.path).toEndWith(`/v1/responses/${first.id}/input_items`);
    gw.allowRefusals();
    expect(await status(client.responses.cancel(first.id))).toBe(400);
    expect(gw.lastSeen.path).toEndWith("/cancel");
    const before = gw.fake.requests.length;
    expect(await status(stranger.responses.retrieve(first.id))).toBe(404);
    expect(gw.fake.requests.length).toBe(before);
    await client.responses.delete(first.id);
    expect(await status(client.responses.retrieve(first.id))).toBe(404);
  });

  test("a conversation that began elsewhere is told in full, then kept there", async () => {
    const first = await client.responses.create({
      model: "claude-sonnet-4-6",
      reasoning: { effort: "low" },
      input: ask({ reply: "Blue.", thinking: "hm" }, "colour?"),
    });
    const second = await client.responses.create({
      model: "fake-two",
      previous_response_id: first.id,
      input: ask({ reply: "Sure." }, "really?"),
    });
    expect(second.output_text).toBe("Sure.");
    const sent = JSON.stringify(gw.lastSeen.body);
    for (const text of ["colour?", "Blue.", "really?"]) expect(sent).toContain(text);
    for (const secret of ["tfr1.", first.id]) expect(sent).not.toContain(secret);
    const third = {
      model: "fake-two",
      previous_response_id: second.id,
      input: ask({ reply: "3" }),
    };
    expect((await client.responses.create(third)).output_text).toBe("3");
    expect(gw.lastSeen.body).toEqual(third);
  });

  test("when its channel is gone, that is said", async () => {
    const first = await client.responses.create({ model: "fake-two", input: ask({}) });
    await gw.server.admin.put("/api/channel/", { id: native[0]?.id, status: 2 });
    const next = { model: "fake-rs", previous_response_id: first.id, input: "x" };
    const error = await client.responses.create(next).catch((e: unknown) => e);
    expect(error).toMatchObject({ status: 404, code: "response_gone" });
    expect(await status(client.responses.retrieve(first.id))).toBe(404);
    await gw.server.admin.put("/api/channel/", { id: native[0]?.id, status: 1 });
    expect((await client.responses.retrieve(first.id)).id).toBe(first.id);
  });
});

test("what is kept survives a restart, sealed", async () => {
  const secret = "the-secret-of-this-conversation";
  const first = await client.responses.create({ model: "fake-cu", input: ask({}, secret) });
  await gw.server.stop();
  await gw.server.restart();
  client = gw.openai;
  const next = { model: "fake-cu", previous_response_id: first.id, input: "x" };
  await client.responses.create(next);
  expect(JSON.stringify(gw.lastSeen.body)).toContain(secret);
  for (const file of readdirSync(gw.server.dataDir)) {
    const path = join(gw.server.dataDir, file);
    if (statSync(path).isFile()) expect(readFileSync(path).includes(secret)).toBe(false);
  }
});

// SQLite has one node.
test.skipIf(!process.env["TF_TEST_DSN"])("another node knows what was kept", async () => {
  const env = { ...SECRETS, NODE_NAME: "node-2" };
  const second = await TestServer.start({ env, dsn: gw.server.dsn ?? "" });
  const there = new OpenAI({ apiKey: gw.token.key, baseURL: `${second.url}/v1`, maxRetries: 0 });
  for (const model of ["fake-cu", "fake-rs"]) {
    const first = await client.responses.create({ model, input: ask({ reply: "Here." }, "one") });
    const asked = gw.lastSeen.headers["authorization"];
    const next = { model, previous_response_id: first.id, input: ask({ reply: "There." }, "two") };
    await until(
      "it is in the database",
      async () => (await status(there.responses.retrieve(first.id))) === undefined,
    );
    const reply = await there.responses.create(next);
    expect(reply.output_text).toBe("There.");
    expect(gw.lastSeen.headers["authorization"]).toBe(asked ?? "");
    const named = { type: "item_reference" as const, id: first.output[0]?.id ?? "" };
    const naming = { model, input: [named, user({ reply: "Again." })] };
    expect((await there.responses.create(naming)).output_text).toBe("Again.");
    expect(gw.lastSeen.headers["authorization"]).toBe(asked ?? "");
    await until(
      "its reply too",
      async () => (await status(client.responses.retrieve(reply.id))) === undefined,
    );
    await there.responses.delete(first.id);
    expect(await status(client.responses.retrieve(first.id))).toBe(404);
  }
  gw.allowRefusals();
  await second.dispose();
});

test("replies in the background are refused by name", async () => {
  for (const model of ["fake-rs", "fake-cu"]) {
    const reply = await receive(
      await gw.post("/v1/responses", { model, background: true, input: "x" }),
    );
    expect(reply.status).toBe(400);
    expect(reply.text).toContain("background_unsupported");
  }
});

describe("counting and shortening", () => {
  test("its provider counts, else we do", async () => {
    const input = "one two three four five six seven";
    const far = await client.responses.inputTokens.count({ model: "fake-rs", input });
    expect(far).toMatchObject({ object: "response.input_tokens", input_tokens: 42 });
    const before = gw.fake.requests.length;
    const here = await client.responses.inputTokens.count({ model: "claude-sonnet-4-6", input });
    expect(here.object).toBe("response.input_tokens");
    expect(here.input_tokens).toBeGreaterThan(7);
    expect(here.input_tokens).toBeLessThan(30);
    expect(gw.fake.requests.length).toBe(before);
    const first = await client.responses.create({ model: "fake-cu", input: "word ".repeat(200) });
    const more = await client.responses.inputTokens.count({
      model: "fake-cu",
      previous_response_id: first.id,
      input,
    });
    expect(more.input_tokens).toBeGreaterThan(200);
  });

  test("its provider shortens and is paid; others cannot", async () => {
    const request = { model: "fake-rs", input: [{ role: "user", content: "long" }] };
    const reply = await receive(await gw.post("/v1/responses/compact", request));
    expect(reply.status).toBe(200);
    expect(reply.text).toContain("response.compaction");
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log).toMatchObject({
      prompt_tokens: 30,
      completion_tokens: 4,
      quota: (20 + 10 * 0.1 + 4 * 5) * 2,
    });
    expect(explained(log)).toMatchObject({ usage_source: "upstream" });
    const other = await receive(
      await gw.post("/v1/responses/compact", { ...request, model: "claude-sonnet-4-6" }),
    );
    expect(other.status).toBe(404);
  });
});

test("the oldest go when a user keeps too many", async () => {
  await gw.server.setOption("StoredResponsesPerUser", 3);
  const ids: string[] = [];
  for (let i = 0; i < 40; i++)
    ids.push(
      (await client.responses.create({ model: "fake-cu", input: ask({ reply: `${i}` }) })).id,
    );
  await until(
    "the oldest is gone",
    async () => (await status(client.responses.retrieve(ids[0] ?? ""))) === 404,
  );
  expect((await client.responses.retrieve(ids.at(-1) ?? "")).output_text).toBe("39");
  await gw.server.setOption("StoredResponsesPerUser", 10000);
});

test("where nothing is kept, nothing is said to be", async () => {
  await gw.server.setOption("StoredResponseDays", 0);
  const reply = await client.responses.create({ model: "fake-cu", input: ask({}) });
  expect(reply).toMatchObject({ store: false });
  expect(await status(client.responses.retrieve(reply.id))).toBe(404);
  await gw.server.setOption("StoredResponseDays", 30);
});

describe("requests of one conversation", () => {
  const channels = async (member: Record<string, string>): Promise<Set<string>> => {
    const seen = new Set<string>();
    for (let i = 0; i < 12; i++) {
      await gw.post("/v1/responses", { model: "fake-rs", store: false, input: ask({}), ...member });
      seen.add(gw.lastSeen.headers["authorization"] ?? "");
    }
    return seen;
  };

  test("stay with one channel and key, different ones do not", async () => {
    const all = new Set<string>();
    for (let i = 0; i < 16; i++) {
      const seen = await channels({ prompt_cache_key: `conversation-${i}` });
      expect(seen.size).toBe(1);
      for (const one of seen) all.add(one);
    }
    expect(all.size).toBeGreaterThan(1);
    expect((await channels({})).size).toBeGreaterThan(1);
  });

  test("unless it fails", async () => {
    const [one] = [...(await channels({ prompt_cache_key: "k" }))];
    const key = (one ?? "").replace("Bearer ", "");
    gw.fake.behave(key, { status: 500 });
    const reply = await gw.post("/v1/responses", {
      model: "fake-rs",
      store: false,
      prompt_cache_key: "k",
      input: ask({}),
    });
    gw.fake.behave(key, undefined);
    expect(reply.status).toBe(200);
  });
});
