// The official Anthropic package against both upstream dialects: what it gets is Anthropic's.
import type Anthropic from "@anthropic-ai/sdk";
import { beforeAll, describe, expect, test } from "bun:test";
import { ask, type Directives, EXTRA_BETA, signature } from "../support/fake";
import { gateway } from "../support/gateway";
import { PNG } from "../support/png";
import { question } from "../support/shapes";
import { parseSse, receive } from "../support/sse";

const gw = gateway();
let claude: Anthropic;

beforeAll(() => {
  claude = gw.claude;
});

type Params = Anthropic.MessageCreateParamsNonStreaming;
type Event = Anthropic.RawMessageStreamEvent;

const user = (wish: Directives): Anthropic.MessageParam => ({ role: "user", content: ask(wish) });

const tool = (name: string): Anthropic.Tool => ({
  name,
  description: `the ${name}`,
  input_schema: { type: "object", properties: { city: { type: "string" } } },
});

async function events(params: Params): Promise<Event[]> {
  return Array.fromAsync(await claude.messages.create({ ...params, stream: true }));
}

function streamedText(received: Event[]): string {
  return received
    .map((event) =>
      event.type === "content_block_delta" && event.delta.type === "text_delta"
        ? event.delta.text
        : "",
    )
    .join("");
}

const UPSTREAMS = [
  { upstream: "Anthropic", model: "claude-sonnet-4-6" },
  { upstream: "OpenAI", model: "gpt-4o" },
];

describe.each(UPSTREAMS)("an Anthropic client over $upstream", ({ upstream, model }) => {
  const translated = upstream === "OpenAI";
  const base = { model, max_tokens: 4000 };

  test("chats", async () => {
    const reply = await claude.messages.create({
      ...base,
      system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
      messages: [
        { role: "user", content: "Who?" },
        { role: "assistant", content: [{ type: "text", text: "Me." }] },
        user({ reply: "Grüße, 世界 👋" }),
      ],
    });
    expect(reply).toMatchObject({
      type: "message",
      role: "assistant",
      model,
      stop_reason: "end_turn",
      stop_sequence: null,
      content: [{ type: "text", text: "Grüße, 世界 👋" }],
    });
    expect(reply.id).toStartWith("msg_");
    if (!translated) return;
    type Message = { role: string };
    const { messages } = gw.lastSeen.body as { messages: Message[] };
    expect(messages.map((message) => message.role)).toEqual([
      "system",
      "user",
      "assistant",
      "user",
    ]);
    expect(JSON.stringify(messages)).not.toContain("cache_control");
  });

  test("streams in the right order of events", async () => {
    const received = await events({ ...base, messages: [user({ reply: "one 二 three" })] });
    expect(streamedText(received)).toBe("one 二 three");
    const order = received.map((event) => event.type).filter((type) => (type as string) !== "ping");
    expect(order.filter((type, i) => type !== order[i - 1])).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    const start = received[0];
    expect(start?.type === "message_start" && start.message.model).toBe(model);
    expect(start?.type === "message_start" && start.message.usage.input_tokens).toBeGreaterThan(0);
  });

  test.each([false, true])("tells usage with its caches (stream: %p)", async (stream) => {
    const usage = { input: 20, cached: 7, write_5m: 3, output: 9 };
    const params = { ...base, messages: [user({ usage })] };
    const reply = stream
      ? await claude.messages.stream(params).finalMessage()
      : await claude.messages.create(params);
    expect(reply.usage).toMatchObject({
      input_tokens: 20,
      cache_read_input_tokens: 7,
      cache_creation_input_tokens: 3,
      output_tokens: 9,
    });
  });

  const reasons: [NonNullable<Directives["finish"]>, string][] = [
    ["stop", "end_turn"],
    ["length", "max_tokens"],
    ["filter", "refusal"],
  ];
  test.each(reasons)("says why it stopped: %s", async (finish, expected) => {
    const params = { ...base, messages: [user({ reply: "text", finish })] };
    expect((await claude.messages.create(params)).stop_reason as string).toBe(expected);
    const streamed = await claude.messages.stream(params).finalMessage();
    expect(streamed.stop_reason as string).toBe(expected);
  });

  test("names the stop sequence where the upstream does", async () => {
    const reply = await claude.messages.create({
      ...base,
      stop_sequences: ["END"],
      messages: [user({ finish: "stop_sequence" })],
    });
    expect(reply.stop_reason).toBe(translated ? "end_turn" : "stop_sequence");
    expect(gw.lastSeen.body[translated ? "stop" : "stop_sequences"]).toEqual(["END"]);
  });

  const parallel: Directives = {
    reply: "Looking.",
    tools: [{ name: "weather", args: { city: 'Paris "]]" \n', days: [1, 2] } }, { name: "time" }],
    then: { reply: "It is sunny." },
  };

  test.each([false, true])(
    "calls tools in parallel (stream: %p) and reads results",
    async (stream) => {
      const params = {
        ...base,
        tools: [tool("weather"), tool("time")],
        messages: [user(parallel)],
      };
      const reply = stream
        ? await claude.messages.stream(params).finalMessage()
        : await claude.messages.create(params);
      expect(reply.stop_reason).toBe("tool_use");
      expect(reply.content.map((block) => block.type)).toEqual(["text", "tool_use", "tool_use"]);
      const calls = reply.content.filter((block) => block.type === "tool_use");
      expect(calls.map((call) => call.input)).toEqual([parallel.tools?.[0]?.args, {}]);
      const answer = await claude.messages.create({
        ...params,
        messages: [
          user(parallel),
          { role: "assistant", content: reply.content },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: calls[0]?.id ?? "", content: "22 degrees" },
              {
                type: "tool_result",
                tool_use_id: calls[1]?.id ?? "",
                is_error: true,
                content: [{ type: "text", text: "no clock" }],
              },
              { type: "text", text: "Well?" },
            ],
          },
        ],
      });
      expect(answer.content).toMatchObject([{ type: "text", text: "It is sunny." }]);
      const sent = JSON.stringify(gw.lastSeen.body);
      for (const part of ["22 degrees", "no clock", "Well?"]) expect(sent).toContain(part);
    },
  );

  const choices: [Anthropic.ToolChoice, unknown][] = [
    [{ type: "auto" }, "auto"],
    [{ type: "none" }, "none"],
    [{ type: "any" }, "required"],
    [
      { type: "tool", name: "time" },
      { type: "function", function: { name: "time" } },
    ],
  ];
  test.each(choices)("says how tools may be chosen: %p", async (tool_choice, openais) => {
    const tools = [tool("weather"), tool("time")];
    await claude.messages.create({ ...base, tools, tool_choice, messages: [user({})] });
    expect(gw.lastSeen.body["tool_choice"]).toEqual(translated ? openais : tool_choice);
  });

  test("forbids parallel calls", async () => {
    const tool_choice = { type: "auto" as const, disable_parallel_tool_use: true };
    const tools = [tool("weather")];
    await claude.messages.create({ ...base, tools, tool_choice, messages: [user({})] });
    if (translated) expect(gw.lastSeen.body["parallel_tool_calls"]).toBe(false);
    else expect(gw.lastSeen.body["tool_choice"]).toEqual(tool_choice);
  });

  test("shows images, by data and by address, also in a tool's result", async () => {
    const image: Anthropic.ImageBlockParam = {
      type: "image",
      source: { type: "base64", media_type: "image/png", data: PNG },
    };
    await claude.messages.create({
      ...base,
      tools: [tool("look")],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: ask({ then: { reply: "seen" } }) },
            image,
            { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
          ],
        },
        {
          role: "assistant",
          content: [{ type: "tool_use", id: "toolu_1", name: "look", input: {} }],
        },
        {
          role: "user",
          content: [{ type: "tool_result", tool_use_id: "toolu_1", content: [image] }],
        },
      ],
    });
    const sent = JSON.stringify(gw.lastSeen.body);
    expect(sent.split(PNG).length - 1).toBe(2);
    expect(sent).toContain("https://example.com/a.png");
    if (translated) expect(sent).toContain(`data:image/png;base64,${PNG}`);
  });

  test.each([false, true])("shows what the model thought (stream: %p)", async (stream) => {
    const params: Params = {
      ...base,
      messages: [user({ thinking: "Let me see. 想", reply: "Yes." })],
      ...(translated ? {} : { thinking: { type: "enabled", budget_tokens: 1024 } }),
    };
    const reply = stream
      ? await claude.messages.stream(params).finalMessage()
      : await claude.messages.create(params);
    const [thought, said] = reply.content;
    expect(thought).toMatchObject({ type: "thinking", thinking: "Let me see. 想" });
    expect(said).toMatchObject({ type: "text", text: "Yes." });
    if (!translated) expect(thought).toMatchObject({ signature: signature("Let me see. 想") });
  });

  test("survives every spelling of the same stream", async () => {
    const spellings: Directives[] = [
      { dribble: true },
      { crlf: true },
      { comments: true },
      { no_space: true },
      { multiline: true },
      { gzip: true },
      { http10: true },
      { interim: 103 },
      { close: "announced" },
    ];
    for (const spelling of spellings) {
      const wish = { reply: "alpha beta gamma", ...spelling };
      const message = await claude.messages
        .stream({ ...base, messages: [user(wish)] })
        .finalMessage();
      expect({ spelling, content: message.content }).toMatchObject({
        spelling,
        content: [{ type: "text", text: "alpha beta gamma" }],
      });
    }
  });
});

describe("translation to OpenAI", () => {
  test("uses the field that reasoning models want, and drops what they refuse", async () => {
    await claude.messages.create({
      model: "gpt-5",
      max_tokens: 2000,
      thinking: { type: "enabled", budget_tokens: 1024 },
      messages: [user({})],
    } as Params);
    expect(gw.lastSeen.body).toMatchObject({ max_completion_tokens: 2000 });
    expect(gw.lastSeen.body).not.toHaveProperty("max_tokens");
  });

  test("drops what OpenAI does not know", async () => {
    await claude.messages.create({
      model: "gpt-4o",
      max_tokens: 50,
      metadata: { user_id: "somebody" },
      tools: [{ ...tool("weather"), cache_control: { type: "ephemeral" } }],
      messages: [
        {
          role: "user",
          content: [{ type: "text", text: ask({}), cache_control: { type: "ephemeral" } }],
        },
      ],
    });
    expect(gw.lastSeen.refusal).toBeUndefined();
    expect(JSON.stringify(gw.lastSeen.body)).not.toContain("cache_control");
  });

  test("does not send thinking back as text", async () => {
    await claude.messages.create({
      model: "gpt-4o",
      max_tokens: 50,
      messages: [
        { role: "user", content: "hi" },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "a secret thought", signature: "whatever" },
            { type: "text", text: "hello" },
          ],
        },
        user({}),
      ],
    });
    type Message = { role: string; content: unknown };
    const { messages } = gw.lastSeen.body as { messages: Message[] };
    expect(JSON.stringify(messages[1]?.content)).not.toContain("a secret thought");
  });

  test("sends OpenAI's own credentials, and none of Anthropic's headers", async () => {
    await claude.messages.create({ model: "gpt-4o", max_tokens: 50, messages: [user({})] });
    const { headers } = gw.lastSeen;
    expect(headers["authorization"]).toStartWith("Bearer sk-fake-");
    expect(Object.keys(headers).filter((name) => /^(anthropic-|x-api-key)/.test(name))).toEqual([]);
  });
});

describe("the same dialect on both sides", () => {
  const beta = { "anthropic-beta": EXTRA_BETA };

  test.each([
    ["whole", {}, {}],
    ["streamed", { stream: true }, { comments: true }],
    ["streamed, compressed", { stream: true }, { gzip: true }],
  ])("brings every byte: %s", async (_name, more, how) => {
    const wish: Directives = {
      thinking: "hm",
      tools: [{ name: "f", args: { a: "ü" } }],
      reply: "text",
      extra: { x_unknown: { nested: [1, "\u00e9"] } },
      ...how,
    };
    const request = question("claude", "claude-sonnet-4-6", wish, more);
    const reply = await receive(await gw.post("/v1/messages", request));
    expect(reply.text).toBe(gw.lastSeen.sent.toString());
    expect(reply.bytes.equals(gw.lastSeen.sent)).toBe(true);
  });

  test("sends the request and its beta header as they came", async () => {
    const raw = `{ "x_new" : {"b":1.0, "a":[1e3, null]}, "max_tokens":50,
      "model":"claude-sonnet-4-6", "messages":[{"role":"user","content":"caf\\u00e9"}] }`;
    const reply = await receive(await gw.post("/v1/messages?beta=true", raw, { headers: beta }));
    expect(reply.status).toBe(200);
    expect(gw.lastSeen.raw.toString()).toBe(raw);
    expect(gw.lastSeen.headers["anthropic-beta"]).toBe(EXTRA_BETA);
  });

  test("keeps the version that the client speaks", async () => {
    const request = question("claude", "claude-sonnet-4-6", {});
    for (const version of ["2023-06-01", "2026-10-21"]) {
      const headers = { "anthropic-version": version };
      await receive(await gw.post("/v1/messages", request, { headers }));
      expect(gw.lastSeen.headers["anthropic-version"]).toBe(version);
    }
  });

  test("takes the key as x-api-key and as Bearer", async () => {
    const body = JSON.stringify(question("claude", "claude-sonnet-4-6", {}));
    const ways: Record<string, string>[] = [
      { "x-api-key": gw.token.key },
      { authorization: `Bearer ${gw.token.key}` },
    ];
    for (const way of ways) {
      const response = await fetch(`${gw.server.url}/v1/messages`, {
        method: "POST",
        body,
        headers: {
          "content-type": "application/json",
          "anthropic-version": "2023-06-01",
          ...way,
        },
      });
      expect((await receive(response)).status).toBe(200);
    }
  });

  test("passes pings and ends with message_stop", async () => {
    const request = question("claude", "claude-sonnet-4-6", {}, { stream: true });
    const reply = await receive(await gw.post("/v1/messages", request));
    const names = parseSse(reply.text).map((event) => event.event);
    expect(names).toContain("ping");
    expect(names.at(-1)).toBe("message_stop");
  });
});

describe("other endpoints", () => {
  test("lists models in Anthropic's shape", async () => {
    const page = await claude.models.list();
    const ids = page.data.map((model) => model.id);
    expect(ids).toContain("claude-sonnet-4-6");
    expect(page.data[0]).toMatchObject({ type: "model", display_name: expect.any(String) });
    expect((await claude.models.retrieve("claude-sonnet-4-6")).type).toBe("model");
  });

  test("lists models page by page, both ways", async () => {
    const all = await claude.models.list();
    const ids = all.data.map((model) => model.id);
    expect(all).toMatchObject({ has_more: false, first_id: ids[0], last_id: ids.at(-1) });
    const walked: string[] = [];
    for await (const model of claude.models.list({ limit: 2 })) walked.push(model.id);
    expect(walked).toEqual(ids);
    const first = await claude.models.list({ limit: 2 });
    expect(first).toMatchObject({ has_more: true, first_id: ids[0], last_id: ids[1] });
    const before = await claude.models.list({ limit: 2, before_id: ids[3] ?? "" });
    expect(before.data.map((model) => model.id)).toEqual([ids[1] ?? "", ids[2] ?? ""]);
    expect(before.has_more).toBe(true);
    const start = await claude.models.list({ limit: 5, before_id: ids[1] ?? "" });
    expect(start).toMatchObject({ has_more: false, first_id: ids[0], last_id: ids[0] });
    const end = await claude.models.list({ after_id: ids.at(-1) ?? "" });
    expect(end).toMatchObject({ has_more: false, first_id: null, last_id: null, data: [] });
    for (const wrong of ["limit=0", "limit=1001", "limit=x", "after_id=nobody"]) {
      const reply = await fetch(`${gw.server.url}/v1/models?${wrong}`, {
        headers: { "x-api-key": gw.token.key, "anthropic-version": "2023-06-01" },
      });
      expect(reply.status).toBe(400);
      expect(await reply.json()).toMatchObject({ error: { type: "invalid_request_error" } });
    }
  });
});

describe.each([
  { asked: "s", sent: "claude-sonnet-4-6" },
  { asked: `claude-${"long-".repeat(30)}"name"`, sent: "claude-sonnet-4-6" },
])("a mapped model ($sent)", ({ asked, sent }) => {
  beforeAll(async () => {
    await gw.setPrices({ ModelRatio: { [asked]: 2 } });
    await gw.addClaude("mapped", {
      models: asked,
      model_mapping: JSON.stringify({ [asked]: sent }),
    });
  });

  // Claude Code keeps the thinking only then.
  test.each([false, true])("replies under the name asked for (stream: %p)", async (stream) => {
    const wish = { thinking: "hm", reply: `I am ${sent}.`, extra: { x_a: { b: [1.0] } } };
    const request = {
      model: asked,
      max_tokens: 4000,
      thinking: { type: "adaptive" },
      messages: [user(wish)],
      stream,
    };
    const reply = await receive(await gw.post("/v1/messages", request));
    expect(reply.status).toBe(200);
    expect(gw.lastSeen.body["model"]).toBe(sent);
    const theirs = gw.lastSeen.sent.toString();
    expect(reply.text).toBe(theirs.replace(JSON.stringify(sent), JSON.stringify(asked)));
    expect(reply.text).not.toBe(theirs);
  });
});
