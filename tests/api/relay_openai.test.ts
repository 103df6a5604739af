// The official openai package against both upstream dialects: what it gets is OpenAI's.
import { beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import { ask, type Directives } from "../support/fake";
import { EMBEDDING_MODEL, gateway, LEGACY_MODEL } from "../support/gateway";
import { PNG } from "../support/png";
import { question } from "../support/shapes";
import { parseSse, receive } from "../support/sse";

const gw = gateway();
let openai: OpenAI;

beforeAll(() => {
  openai = gw.openai;
});

type Chat = OpenAI.Chat.Completions.ChatCompletion;
type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;
type Params = OpenAI.Chat.Completions.ChatCompletionCreateParams;

const user = (wish: Directives): OpenAI.Chat.ChatCompletionUserMessageParam => ({
  role: "user",
  content: ask(wish),
});

const tool = (name: string): OpenAI.Chat.ChatCompletionFunctionTool => ({
  type: "function",
  function: {
    name,
    description: `the ${name}`,
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
});

async function chunks(params: Omit<Params, "stream">): Promise<Chunk[]> {
  return Array.fromAsync(await openai.chat.completions.create({ ...params, stream: true }));
}

function text(received: Chunk[]): string {
  return received.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
}

function finish(received: Chunk[]): (string | null | undefined)[] {
  return received.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean);
}

const UPSTREAMS = [
  { upstream: "OpenAI", model: "gpt-4o" },
  { upstream: "Anthropic", model: "claude-sonnet-4-6" },
];

describe.each(UPSTREAMS)("an OpenAI client over $upstream", ({ upstream, model }) => {
  const translated = upstream === "Anthropic";

  test("chats", async () => {
    const reply: Chat = await openai.chat.completions.create({
      model,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Who?" },
        { role: "assistant", content: "Me." },
        user({ reply: "Grüße, 世界 👋" }),
      ],
    });
    expect(reply.object).toBe("chat.completion");
    expect(reply.model).toBe(model);
    expect(reply.choices.length).toBe(1);
    expect(reply.choices[0]).toMatchObject({
      index: 0,
      finish_reason: "stop",
      message: { role: "assistant", content: "Grüße, 世界 👋" },
    });
    const { messages, system } = gw.lastSeen.body as { messages: unknown[]; system?: unknown };
    expect(messages.length).toBe(translated ? 3 : 4);
    if (translated) expect(JSON.stringify(system)).toContain("Be brief.");
  });

  test("streams", async () => {
    const received = await chunks({ model, messages: [user({ reply: "one two 三 👋 five" })] });
    expect(text(received)).toBe("one two 三 👋 five");
    expect(received[0]?.choices[0]?.delta.role).toBe("assistant");
    expect(finish(received)).toEqual(["stop"]);
    expect(new Set(received.map((chunk) => chunk.id)).size).toBe(1);
    expect(new Set(received.map((chunk) => chunk.model))).toEqual(new Set([model]));
    expect(received.every((chunk) => chunk.object === "chat.completion.chunk")).toBe(true);
  });

  test("hides the usage of a stream that did not ask for it, and bills by it", async () => {
    const wish: Directives = { usage: { input: 31, output: 17 } };
    const request = question("openai", model, wish, { stream: true });
    const reply = await receive(await gw.post("/v1/chat/completions", request));
    const events = parseSse(reply.text).filter((event) => event.data !== "[DONE]");
    const bodies = events.map(({ data }) => JSON.parse(data) as Chunk);
    expect(bodies.filter((body) => body.usage)).toEqual([]);
    expect(bodies.filter((body) => body.choices.length === 0)).toEqual([]);
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log).toMatchObject({ prompt_tokens: 31, completion_tokens: 17, is_stream: true });
    if (!translated)
      expect(gw.lastSeen.body).toMatchObject({ stream_options: { include_usage: true } });
  });

  test("tells the usage of a stream that asked for it, once, last", async () => {
    const received = await chunks({
      model,
      stream_options: { include_usage: true },
      messages: [user({ usage: { input: 20, cached: 7, write_5m: 3, output: 9 } })],
    });
    const last = received.at(-1);
    expect(last?.choices).toEqual([]);
    expect(last?.usage).toMatchObject({
      prompt_tokens: 30,
      completion_tokens: 9,
      total_tokens: 39,
      prompt_tokens_details: { cached_tokens: 7 },
    });
    expect(received.slice(0, -1).filter((chunk) => chunk.usage)).toEqual([]);
  });

  test("tells cached and reasoning tokens of a whole reply", async () => {
    const usage = { input: 20, cached: 7, write_5m: 2, write_1h: 1, output: 9, reasoning: 4 };
    const reply = await openai.chat.completions.create({ model, messages: [user({ usage })] });
    expect(reply.usage).toMatchObject({
      prompt_tokens: 30,
      completion_tokens: 9,
      total_tokens: 39,
      prompt_tokens_details: { cached_tokens: 7 },
      completion_tokens_details: { reasoning_tokens: 4 },
    });
  });

  const reasons: [Directives["finish"], string][] = [
    ["stop", "stop"],
    ["length", "length"],
    ["filter", "content_filter"],
    ["stop_sequence", "stop"],
  ];
  test.each(reasons)("says why it stopped: %s", async (given, expected) => {
    const wish: Directives = { reply: "text", ...(given ? { finish: given } : {}) };
    const reply = await openai.chat.completions.create({ model, messages: [user(wish)] });
    // a refusal may be told as a filter or as OpenAI's own refusal
    const allowed = given === "filter" && translated ? ["content_filter", "stop"] : [expected];
    expect(allowed).toContain(reply.choices[0]?.finish_reason ?? "");
    const streamed = finish(await chunks({ model, messages: [user(wish)] }));
    expect(streamed).toEqual([reply.choices[0]?.finish_reason]);
  });

  const parallel: Directives = {
    tools: [
      { name: "weather", args: { city: 'Paris "]]" \n', days: [1, 2], big: "9007199254740993" } },
      { name: "time" },
    ],
    then: { reply: "It is sunny." },
  };

  async function callTools(stream: boolean): Promise<Chat["choices"][number]> {
    const params = { model, tools: [tool("weather"), tool("time")], messages: [user(parallel)] };
    const reply = stream
      ? await openai.chat.completions.stream(params).finalChatCompletion()
      : await openai.chat.completions.create(params);
    if (!reply.choices[0]) throw new Error("no choice");
    return reply.choices[0];
  }

  test.each([false, true])(
    "calls tools in parallel (stream: %p) and reads results",
    async (stream) => {
      const choice = await callTools(stream);
      expect(choice.finish_reason).toBe("tool_calls");
      const calls = (choice.message.tool_calls ?? []).filter((call) => call.type === "function");
      expect(calls.map((call) => call.function.name)).toEqual(["weather", "time"]);
      expect(calls.map((call) => JSON.parse(call.function.arguments))).toEqual([
        parallel.tools?.[0]?.args,
        {},
      ]);
      expect(new Set(calls.map((call) => call.id)).size).toBe(2);
      const answer = await openai.chat.completions.create({
        model,
        tools: [tool("weather"), tool("time")],
        messages: [
          user(parallel),
          { role: "assistant", content: choice.message.content, tool_calls: calls },
          { role: "tool", tool_call_id: calls[0]?.id ?? "", content: "22 degrees" },
          { role: "tool", tool_call_id: calls[1]?.id ?? "", content: "noon" },
        ],
      });
      expect(answer.choices[0]?.message.content).toBe("It is sunny.");
      const sent = JSON.stringify(gw.lastSeen.body);
      expect(sent).toContain("22 degrees");
      expect(sent).toContain("noon");
    },
  );

  const choices: [OpenAI.Chat.ChatCompletionToolChoiceOption, unknown][] = [
    ["auto", { type: "auto" }],
    ["none", { type: "none" }],
    ["required", { type: "any" }],
    [
      { type: "function", function: { name: "time" } },
      { type: "tool", name: "time" },
    ],
  ];
  test.each(choices)("says how tools may be chosen: %p", async (tool_choice, claudes) => {
    const tools = [tool("weather"), tool("time")];
    await openai.chat.completions.create({ model, tools, tool_choice, messages: [user({})] });
    expect(gw.lastSeen.body["tool_choice"]).toEqual(translated ? claudes : tool_choice);
  });

  test("forbids parallel calls", async () => {
    const tools = [tool("weather")];
    await openai.chat.completions.create({
      model,
      tools,
      parallel_tool_calls: false,
      messages: [user({})],
    });
    const { body } = gw.lastSeen;
    if (translated) expect(body["tool_choice"]).toMatchObject({ disable_parallel_tool_use: true });
    else expect(body["parallel_tool_calls"]).toBe(false);
  });

  test("shows images, by data and by address", async () => {
    await openai.chat.completions.create({
      model,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: ask({}) },
            {
              type: "image_url",
              image_url: { url: `data:image/png;base64,${PNG}`, detail: "low" },
            },
            { type: "image_url", image_url: { url: "https://example.com/a.png" } },
          ],
        },
      ],
    });
    const sent = JSON.stringify(gw.lastSeen.body);
    expect(sent).toContain(PNG);
    if (!translated) return;
    expect(sent).toContain('"media_type":"image/png"');
    expect(sent).toContain('{"type":"url","url":"https://example.com/a.png"}');
  });

  test("shows what the model thought", async () => {
    const wish: Directives = { thinking: "Let me see. 想", reply: "Yes." };
    const whole = await openai.chat.completions.create({ model, messages: [user(wish)] });
    expect(whole.choices[0]?.message).toMatchObject({
      content: "Yes.",
      reasoning_content: "Let me see. 想",
    });
    const received = await chunks({ model, messages: [user(wish)] });
    const thought = received
      .map((chunk) => chunk.choices[0]?.delta as { reasoning_content?: string } | undefined)
      .map((delta) => delta?.reasoning_content ?? "");
    expect(thought.join("")).toBe("Let me see. 想");
    expect(text(received)).toBe("Yes.");
  });

  test("sends what limits the reply", async () => {
    await openai.chat.completions.create({
      model,
      max_completion_tokens: 77,
      temperature: 0.5,
      stop: ["END", "STOP"],
      user: "somebody",
      messages: [user({})],
    });
    const { body } = gw.lastSeen;
    expect(body).toMatchObject({ temperature: 0.5 });
    expect(body[translated ? "max_tokens" : "max_completion_tokens"]).toBe(77);
    expect(body[translated ? "stop_sequences" : "stop"]).toEqual(["END", "STOP"]);
    if (translated) expect(body["metadata"]).toEqual({ user_id: "somebody" });
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
      const received = await chunks({ model, messages: [user(wish)] });
      expect({ spelling, text: text(received) }).toEqual({ spelling, text: "alpha beta gamma" });
    }
  });

  test("brings huge lines", async () => {
    const received = await chunks({ model, messages: [user({ huge_line: 3 })] });
    expect(text(received).length).toBe(3 * 1024 * 1024);
  });
});

describe("translation to Anthropic", () => {
  const model = "claude-sonnet-4-6";

  test("gives max_tokens where the client gave none", async () => {
    await openai.chat.completions.create({ model, messages: [user({})] });
    expect(gw.lastSeen.body["max_tokens"]).toBeNumber();
  });

  test("keeps to one user and one assistant in turn, results first", async () => {
    const call = (id: string, name: string): OpenAI.Chat.ChatCompletionMessageToolCall => ({
      id,
      type: "function",
      function: { name, arguments: '{"city":"x"}' },
    });
    await openai.chat.completions.create({
      model,
      tools: [tool("weather")],
      messages: [
        { role: "system", content: "a" },
        { role: "developer", content: "b" },
        { role: "user", content: "first" },
        { role: "user", content: "second" },
        {
          role: "assistant",
          content: "",
          tool_calls: [call("c1", "weather"), call("c2", "weather")],
        },
        { role: "tool", tool_call_id: "c2", content: "two" },
        { role: "tool", tool_call_id: "c1", content: "one" },
        user({}),
      ],
    });
    type Turn = { role: string; content: string | { type: string; tool_use_id?: string }[] };
    const turns = gw.lastSeen.body["messages"] as Turn[];
    expect(turns.map((turn) => turn.role)).toEqual(["user", "assistant", "user"]);
    const blocks = turns[2]?.content;
    const types = Array.isArray(blocks) ? blocks.map((block) => block.type) : [];
    expect(types).toEqual(["tool_result", "tool_result", "text"]);
  });

  test("maps ids that Anthropic does not take, call and result alike", async () => {
    const id = "call:with.dots/and more";
    await openai.chat.completions.create({
      model,
      tools: [tool("weather")],
      messages: [
        user({}),
        {
          role: "assistant",
          tool_calls: [{ id, type: "function", function: { name: "weather", arguments: "" } }],
        },
        { role: "tool", tool_call_id: id, content: "fine" },
      ],
    });
    expect(gw.lastSeen.refusal).toBeUndefined();
  });

  test("drops what Anthropic does not know", async () => {
    await openai.chat.completions.create({
      model,
      messages: [user({})],
      seed: 7,
      frequency_penalty: 0.5,
      presence_penalty: 0.5,
      logit_bias: { "50256": -100 },
      store: false,
    });
    expect(gw.lastSeen.refusal).toBeUndefined();
  });

  test("does not send sampling to models that refuse it", async () => {
    await openai.chat.completions.create({
      model: "claude-opus-5",
      temperature: 0.3,
      messages: [user({})],
    });
    expect(gw.lastSeen.body).not.toHaveProperty("temperature");
  });

  test("turns reasoning_effort into thinking", async () => {
    await openai.chat.completions.create({
      model: "claude-opus-5",
      reasoning_effort: "high",
      messages: [user({})],
    });
    const { thinking, output_config } = gw.lastSeen.body as Record<string, unknown>;
    expect(thinking ?? output_config).toBeTruthy();
  });

  test("sends Anthropic's own credentials and version, not the client's key", async () => {
    await openai.chat.completions.create({ model, messages: [user({})] });
    const { headers } = gw.lastSeen;
    expect(headers["anthropic-version"]).toBe("2023-06-01");
    expect(headers["x-api-key"]).toStartWith("sk-ant-fake-");
    expect(headers["authorization"]).toBeUndefined();
  });
});

describe("the same dialect on both sides", () => {
  test.each([
    ["whole", {}],
    ["streamed", { stream: true, stream_options: { include_usage: true } }],
    ["streamed, compressed", { stream: true, stream_options: { include_usage: true } }],
  ])("brings every byte: %s", async (name, more) => {
    const wish: Directives = {
      thinking: "hm",
      tools: [{ name: "f", args: { a: "ü" } }],
      reply: "text",
      comments: name !== "whole",
      extra: { x_unknown: { nested: [1, 2.5, "\u00e9"] } },
      ...(name.includes("compressed") ? { gzip: true } : {}),
    };
    const reply = await receive(
      await gw.post("/v1/chat/completions", question("openai", "gpt-4o", wish, more)),
    );
    expect(reply.text).toBe(gw.lastSeen.sent.toString());
    expect(reply.bytes.equals(gw.lastSeen.sent)).toBe(true);
  });

  test("sends the request as it came", async () => {
    const raw = `{ "x_vendor" : {"b":1.0, "a":[1e3, null]},
      "model":"gpt-4o", "messages":[{"role":"user","content":"caf\\u00e9 \\ud83d\\ude00"}],
      "seed": 18014398509481985 }`;
    await receive(await gw.post("/v1/chat/completions", raw));
    expect(gw.lastSeen.raw.toString()).toBe(raw);
  });

  test("changes nothing but the model's name when it is mapped", async () => {
    await gw.addOpenai("mapped", {
      models: "fake-alias",
      model_mapping: JSON.stringify({ "fake-alias": "fake-hop", "fake-hop": "fake-real" }),
    });
    await gw.setPrices({ ModelPrice: { "fake-alias": 0.001 } });
    const raw = `{"x_a":1, "model" : "fake-alias" ,
      "messages":[{"role":"user","content":"fake-alias"}], "x_b": [ ] }`;
    const reply = await receive(await gw.post("/v1/chat/completions", raw));
    expect(reply.status).toBe(200);
    expect(gw.lastSeen.raw.toString()).toBe(raw.replace('"fake-alias" ,', '"fake-real" ,'));
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log.model_name).toBe("fake-alias");
  });

  test("asks for usage in place, keeping other stream options", async () => {
    const raw = `{"model":"gpt-4o","stream":true,"stream_options":{"include_obfuscation":false},
      "messages":[{"role":"user","content":"hi"}],"x_z":0}`;
    await receive(await gw.post("/v1/chat/completions", raw));
    expect(gw.lastSeen.body).toEqual({
      ...(JSON.parse(raw) as object),
      stream_options: { include_obfuscation: false, include_usage: true },
    });
  });
});

describe("other endpoints", () => {
  test("legacy completions, whole and streamed", async () => {
    const prompt = ask({ reply: "once upon a time" });
    const whole = await openai.completions.create({ model: LEGACY_MODEL, prompt });
    expect(whole.choices[0]?.text).toBe("once upon a time");
    expect(whole.object).toBe("text_completion");
    const stream = await openai.completions.create({ model: LEGACY_MODEL, prompt, stream: true });
    const pieces = await Array.fromAsync(stream);
    expect(pieces.map((piece) => piece.choices[0]?.text ?? "").join("")).toBe("once upon a time");
  });

  test("embeddings of one text, of several, of tokens", async () => {
    const one = await openai.embeddings.create({ model: EMBEDDING_MODEL, input: ask({}) });
    expect(one.data.length).toBe(1);
    expect(one.usage.prompt_tokens).toBe(10);
    const several = await openai.embeddings.create({
      model: EMBEDDING_MODEL,
      input: [ask({}), "b"],
      encoding_format: "float",
    });
    expect(several.data.map((row) => row.index)).toEqual([0, 1]);
    const unsaid = { model: EMBEDDING_MODEL, input: "a", encoding_format: null };
    const reply = await receive(await gw.post("/v1/embeddings", unsaid));
    expect(reply.status).toBe(200);
    expect(gw.lastSeen.body).toEqual(unsaid);
    const tokens = await openai.embeddings.create({ model: EMBEDDING_MODEL, input: [[1, 2], [3]] });
    expect(tokens.data.length).toBe(2);
  });

  test("lists models, and one of them", async () => {
    const ids = (await openai.models.list()).data.map((model) => model.id);
    expect(ids).toContain("gpt-4o");
    expect(ids).toContain("claude-sonnet-4-6");
    expect(new Set(ids).size).toBe(ids.length);
    const one = await openai.models.retrieve("gpt-4o");
    expect(one).toMatchObject({ id: "gpt-4o", object: "model" });
  });

  test("every answer names its request", async () => {
    const reply = await openai.chat.completions
      .create({ model: "gpt-4o", messages: [user({})] })
      .withResponse();
    expect(reply.request_id).toBeTruthy();
    await gw.server.logOf(reply.request_id ?? "");
  });
});
