// The fake proves itself: the official SDKs like it, and it refuses what the providers refuse.
import Anthropic from "@anthropic-ai/sdk";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { caught } from "./caught";
import {
  ask,
  CLAUDE_KEY,
  type Directives,
  EXTRA_BETA,
  type Fake,
  modelAsking,
  OPENAI_KEY,
  signature,
  startFake,
} from "./fake";
import { PNG } from "./png";
import { RawConnection } from "./raw";
import { parseSse, receive, type Received } from "./sse";

let fake: Fake;
let openai: OpenAI;
let claude: Anthropic;

beforeAll(async () => {
  fake = await startFake();
  openai = new OpenAI({ baseURL: `${fake.url}/v1`, apiKey: OPENAI_KEY, maxRetries: 0 });
  claude = new Anthropic({ baseURL: fake.url, apiKey: CLAUDE_KEY, maxRetries: 0 });
});
afterAll(() => fake.close());

const user = (wish: Directives, text?: string): { role: "user"; content: string } => ({
  role: "user",
  content: ask(wish, text),
});

const WEATHER = { city: "Paris", text: "]] and [[fake: are harmless" };

describe("OpenAI's dialect, read by the official SDK", () => {
  test("a whole reply with usage", async () => {
    const reply = await openai.chat.completions.create({
      model: "gpt-4o",
      messages: [
        user({ reply: "Bonjour", usage: { input: 7, cached: 3, output: 9, reasoning: 2 } }),
      ],
    });
    expect(reply.choices[0]?.message.content).toBe("Bonjour");
    expect(reply.choices[0]?.finish_reason).toBe("stop");
    expect(reply.usage).toMatchObject({
      prompt_tokens: 10,
      completion_tokens: 9,
      total_tokens: 19,
    });
    expect(reply.usage?.prompt_tokens_details?.cached_tokens).toBe(3);
    expect(reply.usage?.completion_tokens_details?.reasoning_tokens).toBe(2);
    expect(fake.requests.at(-1)?.id).toBe(reply.id);
  });

  test("a stream with usage when asked, and none when not", async () => {
    for (const asked of [true, false]) {
      const stream = await openai.chat.completions.create({
        model: "gpt-4o",
        stream: true,
        messages: [user({ reply: "one two three" })],
        ...(asked ? { stream_options: { include_usage: true } } : {}),
      });
      let text = "";
      const usages: unknown[] = [];
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? "";
        if (chunk.usage) usages.push(chunk.usage);
      }
      expect(text).toBe("one two three");
      expect(usages.length).toBe(asked ? 1 : 0);
    }
  });

  test("parallel tools, and another wish once they are answered", async () => {
    const wish: Directives = {
      tools: [{ name: "weather", args: WEATHER }, { name: "time" }],
      then: { reply: "Sunny" },
    };
    const tools = ["weather", "time"].map((name) => ({
      type: "function" as const,
      function: { name, parameters: { type: "object", properties: {} } },
    }));
    const stream = openai.chat.completions.stream({
      model: "gpt-4o",
      tools,
      messages: [user(wish)],
    });
    const first = (await stream.finalChatCompletion()).choices[0];
    expect(first?.finish_reason).toBe("tool_calls");
    const calls = first?.message.tool_calls ?? [];
    expect(calls.map((call) => call.type === "function" && call.function.name)).toEqual([
      "weather",
      "time",
    ]);
    expect(calls[0]?.type === "function" && JSON.parse(calls[0].function.arguments)).toEqual(
      WEATHER,
    );
    const second = await openai.chat.completions.create({
      model: "gpt-4o",
      tools,
      messages: [
        user(wish),
        { role: "assistant", tool_calls: calls },
        ...calls.map((call) => ({ role: "tool" as const, tool_call_id: call.id, content: "fine" })),
      ],
    });
    expect(second.choices[0]?.message.content).toBe("Sunny");
  });

  test("images, completions, embeddings, models", async () => {
    const seen = await openai.chat.completions.create({
      model: "gpt-4o",
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "what" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
          ],
        },
      ],
    });
    expect(seen.choices[0]?.message.content).toBeTruthy();
    const legacy = await openai.completions.create({
      model: "gpt-3.5-turbo-instruct",
      prompt: ask({ reply: "ok" }),
    });
    expect(legacy.choices[0]?.text).toBe("ok");
    const vectors = await openai.embeddings.create({
      model: "text-embedding-3-small",
      input: ["a", "b"],
      dimensions: 4,
    });
    expect(vectors.data.map((row) => row.embedding)).toEqual([
      [0.0625, 0.125, 0.1875, 0.25],
      [0.0625, 0.125, 0.1875, 0.25],
    ]);
    const ids = (await openai.models.list()).data.map((model) => model.id);
    expect(ids).toContain("gpt-4o");
  });

  test("errors are the SDK's own classes", async () => {
    const failing = (wish: Directives): Promise<unknown> =>
      openai.chat.completions.create({ model: "gpt-4o", messages: [user(wish)] });
    expect(await caught(failing({ status: 429, retry_after: "3" }))).toBeInstanceOf(
      OpenAI.RateLimitError,
    );
    expect(await caught(failing({ status: 500 }))).toBeInstanceOf(OpenAI.InternalServerError);
    const error = await failing({ status: 404, error: { code: "model_not_found" } }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ status: 404, code: "model_not_found" });
    const stream = await openai.chat.completions.create({
      model: "gpt-4o",
      stream: true,
      messages: [user({ error_in_stream: { after: 2 } })],
    });
    expect(await caught(Array.fromAsync(stream))).toMatchObject({
      message: expect.stringContaining("the fake was asked to fail"),
    });
  });
});

describe("Anthropic's dialect, read by the official SDK", () => {
  test("a whole reply with thinking and usage", async () => {
    const reply = await claude.messages.create({
      model: "claude-sonnet-4-6",
      max_tokens: 2048,
      thinking: { type: "enabled", budget_tokens: 1024 },
      messages: [
        user({
          reply: "Salut",
          thinking: "hm",
          usage: { input: 7, cached: 3, write_5m: 4, write_1h: 5, output: 9 },
        }),
      ],
    });
    expect(reply.content).toEqual([
      { type: "thinking", thinking: "hm", signature: signature("hm") },
      { type: "text", text: "Salut" },
    ] as typeof reply.content);
    expect(reply.usage).toMatchObject({
      input_tokens: 7,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 9,
      output_tokens: 9,
      cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 5 },
    });
  });

  test("a stream with thinking, text and parallel tools", async () => {
    const message = await claude.messages
      .stream({
        model: "claude-sonnet-4-6",
        max_tokens: 2048,
        thinking: { type: "enabled", budget_tokens: 1024 },
        tools: ["weather", "time"].map((name) => ({
          name,
          input_schema: { type: "object" as const },
        })),
        messages: [
          user({
            thinking: "let me see",
            reply: "Looking",
            tools: [{ name: "weather", args: WEATHER }, { name: "time" }],
          }),
        ],
      })
      .finalMessage();
    expect(message.content.map((block) => block.type)).toEqual([
      "thinking",
      "text",
      "tool_use",
      "tool_use",
    ]);
    expect(message.content[2]).toMatchObject({ name: "weather", input: WEATHER });
    expect(message.content[3]).toMatchObject({ name: "time", input: {} });
    expect(message.stop_reason).toBe("tool_use");
    expect(message.usage.output_tokens).toBe(5);
  });

  test("errors are the SDK's own classes", async () => {
    const failing = (wish: Directives): Promise<unknown> =>
      claude.messages.create({ model: "claude-sonnet-4-6", max_tokens: 9, messages: [user(wish)] });
    expect(
      await caught(failing({ status: 529, error: { type: "overloaded_error" } })),
    ).toMatchObject({ status: 529 });
    expect(
      await caught(failing({ status: 401, error: { type: "authentication_error" } })),
    ).toBeInstanceOf(Anthropic.AuthenticationError);
    const stream = claude.messages.stream({
      model: "claude-sonnet-4-6",
      max_tokens: 9,
      messages: [user({ error_in_stream: { after: 3, message: "Overloaded" } })],
    });
    expect(await caught(stream.finalMessage())).toMatchObject({
      message: expect.stringContaining("Overloaded"),
    });
  });

  test("models", async () => {
    const ids = (await claude.models.list()).data.map((model) => model.id);
    expect(ids).toContain("claude-sonnet-4-6");
  });
});

type Body = Record<string, unknown>;

function post(path: string, headers: Record<string, string>, body: unknown): Promise<Response> {
  return fetch(fake.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

const bearer = { authorization: `Bearer ${OPENAI_KEY}` };
const claudeHeaders = { "x-api-key": CLAUDE_KEY, "anthropic-version": "2023-06-01" };
const hi = [{ role: "user", content: "hi" }];
const call = (id: string): Body => ({
  id,
  type: "function",
  function: { name: "f", arguments: "{}" },
});
const use = (id: string): Body => ({ type: "tool_use", id, name: "f", input: {} });
const result = (id: string): Body => ({ type: "tool_result", tool_use_id: id, content: "ok" });
const openaiTool = { type: "function", function: { name: "f" } };
const claudeTool = { name: "f", input_schema: { type: "object" } };
const thinking = { type: "enabled", budget_tokens: 1024 };

describe("OpenAI's strictness", () => {
  const bad: [string, Body, string][] = [
    ["no model", { model: undefined }, "model parameter"],
    ["no messages", { messages: undefined }, "messages"],
    ["empty messages", { messages: [] }, "empty array"],
    [
      "unknown member",
      { max_output_tokens: 5 },
      "Unrecognized request argument supplied: max_output_tokens",
    ],
    ["wrong type", { temperature: "hot" }, "temperature"],
    ["temperature out of range", { temperature: 2.5 }, "temperature"],
    ["unknown role", { messages: [{ role: "robot", content: "hi" }] }, "robot"],
    [
      "foreign message member",
      { messages: [{ role: "user", content: "hi", cache_control: {} }] },
      "cache_control",
    ],
    [
      "foreign part",
      { messages: [{ role: "user", content: [{ type: "image", source: {} }] }] },
      "Supported values",
    ],
    [
      "assistant with null content",
      { messages: [...hi, { role: "assistant", content: null }] },
      "content",
    ],
    [
      "stream_options without stream",
      { stream_options: { include_usage: true } },
      "stream_options",
    ],
    ["five stops", { stop: ["a", "b", "c", "d", "e"] }, "stop"],
    [
      "max_tokens for a reasoning model",
      { model: "gpt-5", max_tokens: 5 },
      "max_completion_tokens",
    ],
    ["temperature for a reasoning model", { model: "o3", temperature: 0.5 }, "temperature"],
    ["effort for a plain model", { reasoning_effort: "low" }, "reasoning_effort"],
    ["foreign tool member", { tools: [{ ...openaiTool, input_schema: {} }] }, "input_schema"],
    ["tool without type", { tools: [{ function: { name: "f" } }] }, "type"],
    ["empty tools", { tools: [] }, "too short"],
    ["tool_choice without tools", { tool_choice: "auto" }, "tool_choice"],
    ["parallel_tool_calls without tools", { parallel_tool_calls: false }, "parallel_tool_calls"],
    ["foreign tool_choice", { tools: [openaiTool], tool_choice: { type: "any" } }, "tool_choice"],
    [
      "result without call",
      { messages: [...hi, { role: "tool", tool_call_id: "a", content: "x" }] },
      "must be a response",
    ],
    [
      "call without result",
      {
        messages: [
          ...hi,
          { role: "assistant", tool_calls: [call("a"), call("b")] },
          { role: "tool", tool_call_id: "a", content: "x" },
        ],
      },
      "b",
    ],
    [
      "user between call and result",
      {
        messages: [
          ...hi,
          { role: "assistant", tool_calls: [call("a")] },
          ...hi,
          { role: "tool", tool_call_id: "a", content: "x" },
        ],
      },
      "tool_call_id",
    ],
    [
      "long call id",
      {
        messages: [
          ...hi,
          { role: "assistant", tool_calls: [call("a".repeat(41))] },
          { role: "tool", tool_call_id: "a".repeat(41), content: "x" },
        ],
      },
      "maximum length 40",
    ],
    [
      "mislabelled image",
      {
        messages: [
          {
            role: "user",
            content: [{ type: "image_url", image_url: { url: `data:image/jpeg;base64,${PNG}` } }],
          },
        ],
      },
      "image/png",
    ],
  ];
  test.each(bad)("refuses %s", async (_name, change, part) => {
    const response = await post("/v1/chat/completions", bearer, {
      model: "gpt-4o",
      messages: hi,
      ...change,
    });
    const body = (await response.json()) as { error: { message: string; type: string } };
    expect(response.status).toBe(400);
    expect(body.error.type).toBe("invalid_request_error");
    expect(body.error.message).toContain(part);
    expect(fake.refusals().length).toBe(1);
  });

  const headers: [string, Record<string, string>, number][] = [
    ["no key", {}, 401],
    ["wrong key", { authorization: "Bearer sk-tf-user-key" }, 401],
    ["key without Bearer", { authorization: OPENAI_KEY }, 401],
    ["two credentials", { ...bearer, "x-api-key": CLAUDE_KEY }, 400],
    ["other content type", { ...bearer, "content-type": "text/plain" }, 400],
    ["forwarded address", { ...bearer, "x-forwarded-for": "1.2.3.4" }, 400],
    ["cookie", { ...bearer, cookie: "tf_session=1" }, 400],
    ["hop-by-hop", { ...bearer, te: "trailers" }, 400],
    ["another host", { ...bearer, host: "gateway.example" }, 400],
  ];
  test.each(headers)("refuses %s", async (_name, sent, status) => {
    expect(
      (await post("/v1/chat/completions", sent, { model: "gpt-4o", messages: hi })).status,
    ).toBe(status);
    expect(fake.refusals().length).toBe(1);
  });

  test("refuses a forbidden secret anywhere", async () => {
    fake.forbid("sk-client-secret");
    expect(
      (
        await post("/v1/chat/completions?key=sk-client-secret", bearer, {
          model: "gpt-4o",
          messages: hi,
        })
      ).status,
    ).toBe(400);
    fake.refusals();
  });

  test("takes vendors' extensions as they are", async () => {
    await post("/v1/chat/completions", bearer, {
      model: "gpt-4o",
      messages: hi,
      x_vendor: { deep: [1] },
    });
    expect(fake.refusals()).toEqual([]);
    expect(fake.requests.at(-1)?.body["x_vendor"]).toEqual({ deep: [1] });
  });
});

describe("Anthropic's strictness", () => {
  const bad: [string, Body, string][] = [
    ["no max_tokens", { max_tokens: undefined }, "max_tokens: Field required"],
    [
      "unknown member",
      { frequency_penalty: 0 },
      "frequency_penalty: Extra inputs are not permitted",
    ],
    ["temperature over 1", { temperature: 1.5 }, "temperature"],
    [
      "temperature and top_p",
      { model: "claude-sonnet-4-5", temperature: 0.5, top_p: 0.5 },
      "cannot both",
    ],
    ["temperature for a newer model", { model: "claude-opus-5", temperature: 0.5 }, "temperature"],
    ["too many tokens", { max_tokens: 200_000 }, "maximum allowed"],
    [
      "empty text",
      { messages: [{ role: "user", content: [{ type: "text", text: "" }] }] },
      "non-empty",
    ],
    ["blank text", { messages: [{ role: "user", content: "  " }] }, "non-whitespace"],
    ["empty message", { messages: [{ role: "user", content: "" }] }, "non-empty content"],
    ["system role", { messages: [{ role: "system", content: "x" }, ...hi] }, "system"],
    [
      "assistant first",
      { messages: [{ role: "assistant", content: "x" }, ...hi] },
      "first message",
    ],
    [
      "foreign block",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
      "image_url",
    ],
    [
      "foreign block member",
      { messages: [{ role: "user", content: [{ type: "text", text: "x", index: 0 }] }] },
      "Extra inputs",
    ],
    [
      "data URL as image url",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "image", source: { type: "url", url: `data:image/png;base64,${PNG}` } },
            ],
          },
        ],
      },
      "HTTPS",
    ],
    [
      "mislabelled image",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "image", source: { type: "base64", media_type: "image/jpeg", data: PNG } },
            ],
          },
        ],
      },
      "image/png",
    ],
    [
      "call without result",
      {
        messages: [
          ...hi,
          { role: "assistant", content: [use("a"), use("b")] },
          { role: "user", content: [result("a")] },
        ],
      },
      "b",
    ],
    [
      "result without call",
      {
        messages: [
          ...hi,
          { role: "assistant", content: "x" },
          { role: "user", content: [result("a")] },
        ],
      },
      "unexpected",
    ],
    [
      "text before result",
      {
        messages: [
          ...hi,
          { role: "assistant", content: [use("a")] },
          { role: "user", content: [{ type: "text", text: "x" }, result("a")] },
        ],
      },
      "before any other",
    ],
    [
      "bad call id",
      {
        messages: [
          ...hi,
          { role: "assistant", content: [use("a.b")] },
          { role: "user", content: [result("a.b")] },
        ],
      },
      "pattern",
    ],
    [
      "input as text",
      {
        messages: [
          ...hi,
          { role: "assistant", content: [{ ...use("a"), input: "{}" }] },
          { role: "user", content: [result("a")] },
        ],
      },
      "dictionary",
    ],
    [
      "small budget",
      { max_tokens: 2048, thinking: { type: "enabled", budget_tokens: 1023 } },
      "1024",
    ],
    ["budget over max_tokens", { max_tokens: 1024, thinking }, "greater than"],
    ["thinking with temperature", { max_tokens: 2048, thinking, temperature: 0.5 }, "temperature"],
    [
      "thinking with forced tool",
      { max_tokens: 2048, thinking, tools: [claudeTool], tool_choice: { type: "any" } },
      "forces tool use",
    ],
    [
      "budget for a newer model",
      { model: "claude-opus-5", max_tokens: 2048, thinking },
      "adaptive",
    ],
    [
      "forged thinking",
      {
        messages: [
          ...hi,
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "x", signature: "y" },
              { type: "text", text: "z" },
            ],
          },
          ...hi,
        ],
      },
      "signature",
    ],
    [
      "tool loop without its thinking",
      {
        max_tokens: 2048,
        thinking,
        tools: [claudeTool],
        messages: [
          ...hi,
          { role: "assistant", content: [use("a")] },
          { role: "user", content: [result("a")] },
        ],
      },
      "Expected `thinking`",
    ],
    ["foreign tool", { tools: [{ type: "function", function: { name: "f" } }] }, "name"],
    [
      "schema that is no object",
      { tools: [{ name: "f", input_schema: { type: "string" } }] },
      "object",
    ],
    ["tool_choice without tools", { tool_choice: { type: "auto" } }, "tools"],
    ["foreign tool_choice", { tools: [claudeTool], tool_choice: { type: "function" } }, "tag"],
    ["blank stop", { stop_sequences: [" "] }, "stop_sequences"],
    [
      "five cache marks",
      {
        messages: [
          {
            role: "user",
            content: [1, 2, 3, 4, 5].map((n) => ({
              type: "text",
              text: `${n}`,
              cache_control: { type: "ephemeral" },
            })),
          },
        ],
      },
      "maximum of 4",
    ],
    [
      "trailing blank in prefill",
      { messages: [...hi, { role: "assistant", content: "x " }] },
      "trailing whitespace",
    ],
  ];
  test.each(bad)("refuses %s", async (_name, change, part) => {
    const response = await post("/v1/messages", claudeHeaders, {
      model: "claude-sonnet-4-6",
      max_tokens: 100,
      messages: hi,
      ...change,
    });
    const body = (await response.json()) as {
      type: string;
      error: { message: string; type: string };
      request_id: string;
    };
    expect(response.status).toBe(400);
    expect(body).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
    expect(body.request_id).toBeTruthy();
    expect(body.error.message).toContain(part);
    expect(fake.refusals().length).toBe(1);
  });

  test("wants a version, and takes either kind of key but not both", async () => {
    const body = { model: "claude-sonnet-4-6", max_tokens: 9, messages: hi };
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await post("/v1/messages", headers, body)).status;
    expect(await status({ "x-api-key": CLAUDE_KEY })).toBe(400);
    expect(await status({ ...claudeHeaders, authorization: `Bearer ${CLAUDE_KEY}` })).toBe(400);
    expect(
      await status({ authorization: `Bearer ${CLAUDE_KEY}`, "anthropic-version": "2026-10-21" }),
    ).toBe(200);
    expect(await status(claudeHeaders)).toBe(200);
    expect(fake.refusals().length).toBe(2);
  });

  test("takes unknown members under the made-up beta", async () => {
    const body = { model: "claude-sonnet-4-6", max_tokens: 9, messages: hi, x_new: 1 };
    expect(
      (await post("/v1/messages", { ...claudeHeaders, "anthropic-beta": EXTRA_BETA }, body)).status,
    ).toBe(200);
    expect((await post("/v1/messages", claudeHeaders, body)).status).toBe(400);
    fake.refusals();
  });
});

describe("misbehaviour", () => {
  const stream = async (wish: Directives): Promise<Received> =>
    receive(
      await post("/v1/chat/completions", bearer, {
        model: "gpt-4o",
        stream: true,
        messages: [user(wish)],
      }),
    );
  const whole = async (wish: Directives): Promise<Received> =>
    receive(
      await post("/v1/chat/completions", bearer, { model: "gpt-4o", messages: [user(wish)] }),
    );
  const datas = (reply: Received): string[] => parseSse(reply.text).map((event) => event.data);

  test("what was sent is remembered byte for byte", async () => {
    for (const wish of [
      {},
      { dribble: true },
      { gzip: true },
      { crlf: true, comments: true },
    ] satisfies Directives[]) {
      const reply = await stream(wish);
      expect(reply.bytes.equals(fake.requests.at(-1)?.sent ?? Buffer.alloc(0))).toBe(true);
      expect(datas(reply).at(-1)).toBe("[DONE]");
    }
  });

  test("compression is real, and only when accepted unless forced", async () => {
    const raw = async (wish: Directives): Promise<Response> =>
      fetch(`${fake.url}/v1/chat/completions`, {
        method: "POST",
        decompress: false,
        body: JSON.stringify({ model: "gpt-4o", messages: [user(wish)] }),
        headers: { ...bearer, "content-type": "application/json", "accept-encoding": "identity" },
      } as RequestInit);
    expect((await raw({ gzip: true })).headers.get("content-encoding")).toBeNull();
    expect((await raw({ gzip: "force" })).headers.get("content-encoding")).toBe("gzip");
  });

  test("cuts, by bytes and by events", async () => {
    const short = await stream({ cut: { after_bytes: 50, how: "fin" } });
    expect([short.broken, fake.requests.at(-1)?.sent.length]).toEqual([true, 50]);
    const reset = await stream({ cut: { after_events: 2, how: "rst" } });
    expect(reset.broken).toBe(true);
    expect(fake.requests.at(-1)?.outcome).toBe("cut");
    const lying = await whole({ truncate: 10 });
    expect(lying.broken).toBe(true);
    expect(
      await caught(
        post("/v1/chat/completions", bearer, {
          model: "gpt-4o",
          messages: [user({ cut: { after_bytes: 0 } })],
        }),
      ),
    ).toBeInstanceOf(Error);
  });

  test("ends without its terminal event", async () => {
    const reply = await stream({ no_end: true });
    expect(reply.broken).toBe(false);
    expect(datas(reply)).not.toContain("[DONE]");
  });

  test("says the same in other words", async () => {
    const plain = datas(await stream({ reply: "same" }))
      .slice(0, -1)
      .map((data) => JSON.parse(data) as { choices: unknown });
    for (const wish of [
      { multiline: true },
      { no_space: true },
      { crlf: true },
      { comments: true },
      { http10: true },
      { interim: 103 },
    ] satisfies Directives[]) {
      const other = datas(await stream({ reply: "same", ...wish }))
        .slice(0, -1)
        .map((data) => JSON.parse(data) as { choices: unknown });
      expect(other.map((event) => event.choices)).toEqual(plain.map((event) => event.choices));
    }
  });

  test("garbage, redirects, error bodies, extra headers", async () => {
    expect(await caught(whole({ garbage: "http" }))).toBeInstanceOf(Error);
    expect((await whole({ garbage: "body" })).text).toContain("html");
    expect((await whole({ status: 503, error: "no envelope" })).text).toBe("no envelope");
    const limited = await whole({
      status: 429,
      retry_after: "7",
      headers: { "x-ratelimit-limit-requests": "60" },
    });
    expect([
      limited.status,
      limited.headers.get("retry-after"),
      limited.headers.get("x-ratelimit-limit-requests"),
    ]).toEqual([429, "7", "60"]);
  });

  test("huge lines, missing and misplaced usage, unknown members", async () => {
    expect((await stream({ huge_line: 2 })).bytes.length).toBeGreaterThan(2 * 1024 * 1024);
    expect((await whole({ no_usage: true })).text).not.toContain("usage");
    expect(datas(await stream({ usage_in_last_chunk: true })).at(-2)).toContain(
      '"finish_reason":"stop"',
    );
    expect((await whole({ extra: { x_vendor: 1 } })).text).toContain('"x_vendor":1');
  });

  test("holds until released", async () => {
    const waiting = stream({ hold: { after_events: 2, name: "gate" } });
    fake.release("gate");
    expect(datas(await waiting).at(-1)).toBe("[DONE]");
  });

  test("treats routes and keys differently", async () => {
    const at = (route: string, wish: Directives): Promise<Response> =>
      post(`/proxy/${route}/v1/chat/completions`, bearer, {
        model: "gpt-4o",
        messages: [user(wish)],
      });
    const wish: Directives = { at: { a: { status: 503 } }, reply: "fine" };
    expect([(await at("a", wish)).status, (await at("b", wish)).status]).toEqual([503, 200]);
    fake.behave("b", { status: 401 });
    fake.behave(OPENAI_KEY, { retry_after: "9" });
    const response = await at("b", {});
    expect([response.status, response.headers.get("retry-after")]).toEqual([401, "9"]);
    fake.behave("b", undefined);
    fake.behave(OPENAI_KEY, undefined);
  });

  test("takes wishes from the model's name", async () => {
    const response = await post("/v1/chat/completions", bearer, {
      model: modelAsking({ status: 418 }),
      messages: hi,
    });
    expect(response.status).toBe(418);
  });

  test("closes idle connections silently, and keeps them otherwise", async () => {
    const body = (wish: Directives): string => {
      const json = JSON.stringify({ model: "gpt-4o", messages: [user(wish)] });
      return [
        "POST /v1/chat/completions HTTP/1.1",
        `host: 127.0.0.1:${fake.port}`,
        `authorization: Bearer ${OPENAI_KEY}`,
        "content-type: application/json",
        `content-length: ${json.length}`,
        "",
        json,
      ].join("\r\n");
    };
    const connection = await RawConnection.open(fake.port);
    for (const wish of [{}, {}, { close: "silent" }] satisfies Directives[]) {
      connection.send(body(wish));
      const reply = await connection.reply();
      expect([reply?.status, reply?.headers["connection"]]).toEqual([200, undefined]);
    }
    expect(await connection.closed()).toBe(true);
  });

  test("notices smuggling", async () => {
    const connection = await RawConnection.open(fake.port);
    connection.send(
      "POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n" +
        "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    expect((await connection.reply())?.status).toBe(400);
    expect(fake.refusals()[0]?.refusal).toContain("both");
  });

  test("tells its numbers over the control paths", async () => {
    const get = async (path: string): Promise<unknown> => (await fetch(fake.url + path)).json();
    expect(await get("/__fake/stats")).toMatchObject({ refused: fake.stats.refused });
    expect(await get("/__fake/requests")).toBeArrayOfSize(fake.requests.length);
    await fetch(`${fake.url}/__fake/behave/c`, {
      method: "POST",
      body: JSON.stringify({ status: 402 }),
    });
    expect(
      (await post("/proxy/c/v1/chat/completions", bearer, { model: "gpt-4o", messages: hi }))
        .status,
    ).toBe(402);
  });
});
