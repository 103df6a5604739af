// OpenAI's Responses API: its official client against every upstream dialect, and every client
// against an upstream that speaks nothing else.
import type Anthropic from "@anthropic-ai/sdk";
import { beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import { makeParseableTextFormat } from "openai/lib/parser";
import type {
  Response as Reply,
  ResponseCreateParamsNonStreaming as Params,
  ResponseInputItem as Item,
  ResponseStreamEvent as Event,
} from "openai/resources/responses/responses";
import { ask, type Directives } from "../support/fake";
import { state } from "../support/fake/responses";
import { gateway } from "../support/gateway";
import { explained } from "../support/management";
import { PNG } from "../support/png";
import { parseSse, receive } from "../support/sse";

const gw = gateway();
let client: OpenAI;
let claude: Anthropic;

const RATIOS = { "fake-cu": 2, "fake-rs": 2, "gpt-5-rs": 2 };

beforeAll(async () => {
  client = gw.openai;
  claude = gw.claude;
  await gw.setPrices({
    ModelRatio: RATIOS,
    CompletionRatio: { "fake-cu": 5, "fake-rs": 5 },
    CacheRatio: { "fake-cu": 0.1, "fake-rs": 0.1 },
    CreateCacheRatio: { "fake-cu": 1.25, "fake-rs": 1.25 },
  });
  await gw.addOpenai("cu", { type: "custom", models: "fake-cu" });
  await gw.addOpenai("rs", { type: "OpenAI Responses", models: "fake-rs,gpt-5-rs" });
});

const user = (wish: Directives): Item => ({ role: "user", content: ask(wish) });

const tool = (name: string): OpenAI.Responses.FunctionTool => ({
  type: "function",
  name,
  description: `the ${name}`,
  parameters: { type: "object", properties: { city: { type: "string" } } },
  strict: false,
});

async function events(params: Params): Promise<Event[]> {
  return Array.fromAsync(await client.responses.create({ ...params, stream: true }));
}

/** As it was sent: the stream helper adds members of its own. */
async function bare(params: Params, stream: boolean): Promise<Reply> {
  if (!stream) return client.responses.create(params);
  const last = (await events(params)).at(-1);
  if (last?.type !== "response.completed") throw new Error("not completed");
  return last.response;
}

async function replied(params: Params, stream: boolean): Promise<Reply> {
  if (!stream) return client.responses.create(params);
  return client.responses.stream({ ...params, stream: true }).finalResponse();
}

const UPSTREAMS = [
  { upstream: "OpenAI's own path", model: "fake-oa", speaks: "responses", path: "/v1/responses" },
  { upstream: "chat", model: "fake-cu", speaks: "openai", path: "/v1/chat/completions" },
  { upstream: "Anthropic", model: "claude-sonnet-4-6", speaks: "claude", path: "/v1/messages" },
];

/** Of what Codex says. */
const LOST: Record<string, string> = {
  openai: "tools,verbosity,prompt_cache_key",
  claude: "tools,verbosity",
};

describe.each(UPSTREAMS)("a Responses client over $upstream", ({ model, speaks, path }) => {
  const native = speaks === "responses";
  const base: { model: string; store: boolean } = { model, store: false };

  test.each([false, true])("answers (stream: %p)", async (stream) => {
    const input: Item[] = [
      { role: "developer", content: "Be brief." },
      { role: "user", content: "Who?" },
      { role: "assistant", content: "Me." },
      user({ reply: "Grüße, 世界 👋" }),
    ];
    const reply = await replied({ ...base, instructions: "I.", input }, stream);
    expect(reply).toMatchObject({ object: "response", status: "completed", model, error: null });
    expect(reply.output_text).toBe("Grüße, 世界 👋");
    expect(reply.id).toStartWith("resp_");
    expect(reply.output[0]?.id).toStartWith("msg_");
    expect(gw.lastSeen.path).toEndWith(path);
    for (const said of ["I.", "Be brief.", "Who?", "Me."])
      expect(JSON.stringify(gw.lastSeen.body)).toContain(said);
  });

  test("streams in the right order, every event numbered", async () => {
    const wish = { reply: "one 二 three", tools: [{ name: "time", args: { city: "X" } }] };
    const received = await events({ ...base, tools: [tool("time")], input: [user(wish)] });
    expect(received.map((event) => event.sequence_number)).toEqual(received.map((_, i) => i));
    const order = received.map((event) => event.type);
    expect(order.filter((type, i) => type !== order[i - 1])).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.function_call_arguments.delta",
      "response.function_call_arguments.done",
      "response.output_item.done",
      "response.completed",
    ]);
    const last = received.at(-1);
    if (last?.type !== "response.completed") throw new Error("not completed");
    const done = received.flatMap((event) =>
      event.type === "response.output_item.done" ? [event.item] : [],
    );
    expect(last.response.output).toEqual(done);
    expect(done.map((item) => item.type)).toEqual(["message", "function_call"]);
  });

  test.each([false, true])("tells usage, and bills it (stream: %p)", async (stream) => {
    const usage = { input: 20, cached: 7, write_5m: 3, output: 9 };
    const request = { ...base, input: [user({ usage })], stream };
    const reply = await receive(await gw.post("/v1/responses", request));
    const frames = parseSse(reply.text);
    const body = stream
      ? (JSON.parse(frames.at(-1)?.data ?? "{}") as { response: Reply }).response
      : (JSON.parse(reply.text) as Reply);
    expect(body.usage).toMatchObject({
      input_tokens: 30,
      input_tokens_details: { cached_tokens: 7 },
      output_tokens: 9,
      total_tokens: 39,
    });
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log).toMatchObject({
      prompt_tokens: 30,
      completion_tokens: 9,
      quota: Math.round((20 + 7 * 0.1 + 3 * 1.25 + 9 * 5) * 2),
      is_stream: stream,
    });
    expect(explained(log)).toMatchObject({
      usage_source: "upstream",
      request_conversion: native ? ["responses"] : ["responses", speaks],
    });
  });

  const ends: [Directives["finish"], string | undefined][] = [
    ["stop", undefined],
    ["length", "max_output_tokens"],
    ["filter", "content_filter"],
  ];
  test.each(ends)("says why it is incomplete: %s", async (finish, reason) => {
    const params: Params = { ...base, input: [user({ reply: "text", finish: finish ?? "stop" })] };
    for (const stream of [false, true]) {
      const reply = await replied(params, stream);
      expect(reply.status).toBe(reason ? "incomplete" : "completed");
      expect(reply.incomplete_details?.reason as string | undefined).toBe(reason);
    }
  });

  const parallel: Directives = {
    reply: "Looking.",
    tools: [{ name: "weather", args: { city: 'Paris "]]" \n', days: [1, 2] } }, { name: "time" }],
    then: { reply: "It is sunny." },
  };

  test.each([false, true])("calls tools and reads results (stream: %p)", async (stream) => {
    const params = { ...base, tools: [tool("weather"), tool("time")], input: [user(parallel)] };
    const reply = await bare(params, stream);
    const calls = reply.output.filter((item) => item.type === "function_call");
    expect(calls.map((call) => JSON.parse(call.arguments) as unknown)).toEqual([
      parallel.tools?.[0]?.args,
      {},
    ]);
    const results: Item[] = calls.map((call, i) => ({
      type: "function_call_output",
      call_id: call.call_id,
      output: i
        ? [
            { type: "input_text", text: "no clock" },
            { type: "input_image", detail: "auto", image_url: `data:image/png;base64,${PNG}` },
          ]
        : "22 degrees",
    }));
    const input = [user(parallel), ...(reply.output as Item[]), ...results];
    const answer = await client.responses.create({ ...params, input });
    expect(answer.output_text).toBe("It is sunny.");
    for (const part of ["22 degrees", "no clock", PNG])
      expect(JSON.stringify(gw.lastSeen.body)).toContain(part);
  });

  test.each([false, true])("calls custom tools with their text (stream: %p)", async (stream) => {
    const text = '*** Begin\n+ "ü" \\ 👋\n';
    const args = native ? text : { input: text };
    const params: Params = {
      ...base,
      tools: [{ type: "custom", name: "apply_patch", description: "Edits." }],
      input: [user({ tools: [{ name: "apply_patch", args }] })],
    };
    const reply = await replied(params, stream);
    expect(reply.output).toMatchObject([
      { type: "custom_tool_call", name: "apply_patch", input: text },
    ]);
  });

  test.each([false, true])("keeps reasoning for the next turn (stream: %p)", async (stream) => {
    const wish: Directives = {
      thinking: "Let me see. 想",
      tools: [{ name: "time" }],
      then: { reply: "Noon." },
    };
    const params: Params = {
      ...base,
      include: ["reasoning.encrypted_content"],
      reasoning: { effort: "high", summary: "auto" },
      tools: [tool("time")],
      input: [user(wish)],
    };
    const reply = await bare(params, stream);
    const [thought, call] = reply.output;
    if (thought?.type !== "reasoning" || call?.type !== "function_call")
      throw new Error(JSON.stringify(reply.output));
    expect(thought.summary).toMatchObject([{ type: "summary_text", text: "Let me see. 想" }]);
    expect(thought.encrypted_content).toStartWith(native ? "gAAAA" : "tfr1.");
    const result = { type: "function_call_output", call_id: call.call_id, output: "12" } as const;
    const input = [user(wish), ...(reply.output as Item[]), result];
    const answer = await client.responses.create({ ...params, input });
    expect(answer.output_text).toBe("Noon.");
    const sent = JSON.stringify(gw.lastSeen.body);
    if (speaks === "claude") expect(sent).toContain('"signature"');
    if (native) expect(sent).toContain(state("Let me see. 想"));
    expect(sent).not.toContain("tfr1.");
  });

  test("parses structured output", async () => {
    const schema = {
      type: "object",
      properties: { n: { type: "integer" } },
      required: ["n"],
      additionalProperties: false,
    };
    const format = makeParseableTextFormat(
      { type: "json_schema", name: "answer", schema, strict: true },
      (content) => JSON.parse(content) as { n: number },
    );
    const reply = await client.responses.parse({
      ...base,
      text: { format },
      input: [user({ reply: '{"n":7}' })],
    });
    expect(reply.output_parsed).toEqual({ n: 7 });
  });

  test("shows images, by data and by address", async () => {
    await client.responses.create({
      ...base,
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: ask({}) },
            { type: "input_image", detail: "auto", image_url: `data:image/png;base64,${PNG}` },
            { type: "input_image", detail: "auto", image_url: "https://example.com/a.png" },
          ],
        },
      ],
    });
    const sent = JSON.stringify(gw.lastSeen.body);
    expect(sent).toContain(PNG);
    expect(sent).toContain("https://example.com/a.png");
  });

  test("a broken stream ends in response.failed, never completed", async () => {
    const wish: Directives = { chunks: ["a", "b", "c"], cut: { after_events: 5 } };
    const reply = await receive(
      await gw.post("/v1/responses", { ...base, stream: true, input: [user(wish)] }),
    );
    const frames = parseSse(reply.text);
    expect(frames.slice(-2).map((frame) => frame.event)).toEqual(["error", "response.failed"]);
    expect(frames.map((frame) => frame.event)).not.toContain("response.completed");
    const last = JSON.parse(frames.at(-1)?.data ?? "{}") as { response: Reply };
    expect(last.response).toMatchObject({ status: "failed", object: "response" });
    expect(last.response.error?.message).toBeTruthy();
  });

  test("an error inside the stream is told with its code", async () => {
    const error_in_stream = { after: 4, code: "rate_limit_exceeded", message: "try again in 1.2s" };
    const type = speaks === "claude" ? { type: "rate_limit_error" } : {};
    const wish = { chunks: ["a", "b", "c"], error_in_stream: { ...error_in_stream, ...type } };
    const reply = await receive(
      await gw.post("/v1/responses", { ...base, stream: true, input: [user(wish)] }),
    );
    const last = parseSse(reply.text).at(-1);
    expect(last?.event).toBe("response.failed");
    const { response } = JSON.parse(last?.data ?? "{}") as { response: Reply };
    expect(response.error?.code as string).toBe("rate_limit_exceeded");
  });

  test("an upstream's refusal keeps its status and words", async () => {
    gw.allowRefusals();
    const wish = {
      status: 400,
      error: { message: "no such thing", type: "invalid_request_error" },
    };
    const failing = client.responses.create({ ...base, input: [user(wish)] });
    const error = await failing.then(
      () => undefined,
      (e: unknown) => e as { status: number; message: string },
    );
    expect(error?.status).toBe(400);
    expect(error?.message).toContain("no such thing");
  });

  test("survives every spelling of the same stream", async () => {
    const spellings: Directives[] = [
      { dribble: true },
      { crlf: true },
      { comments: true },
      { no_space: true },
      { gzip: true },
    ];
    for (const spelling of spellings) {
      const wish = { reply: "alpha beta gamma", ...spelling };
      const reply = await replied({ ...base, input: [user(wish)] }, true);
      expect({ spelling, text: reply.output_text }).toEqual({ spelling, text: "alpha beta gamma" });
    }
  });

  test("what Codex sends works", async () => {
    const request = {
      model,
      instructions: "You are Codex.",
      input: [
        {
          type: "message",
          role: "developer",
          content: [{ type: "input_text", text: "<permissions>" }],
        },
        { type: "message", role: "user", content: [{ type: "input_text", text: ask({}) }] },
      ],
      tools: [
        tool("exec_command"),
        { type: "custom", name: "apply_patch", format: { type: "text" } },
        { type: "namespace", name: "mcp__fs", description: "files", tools: [tool("read")] },
        { type: "web_search", external_web_access: true },
      ],
      tool_choice: "auto",
      parallel_tool_calls: true,
      reasoning: { effort: "medium", summary: "auto" },
      store: false,
      stream: true,
      include: ["reasoning.encrypted_content"],
      prompt_cache_key: "019a",
      text: { verbosity: "low" },
    };
    const headers = {
      originator: "codex_exec",
      session_id: "019a",
      "x-codex-turn-metadata": JSON.stringify({ pad: "m".repeat(1000) }),
    };
    const reply = await receive(await gw.post("/v1/responses", request, { headers }));
    expect(reply.status).toBe(200);
    expect(parseSse(reply.text).at(-1)?.event).toBe("response.completed");
    expect(reply.headers.get("x-token-factory-dropped")).toBe(LOST[speaks] ?? null);
  });
});

describe("natively", () => {
  test.each([false, true])(
    "the reply is byte for byte the upstream's (stream: %p)",
    async (stream) => {
      const before = await client.responses.create({ model: "fake-oa", input: ask({}) });
      const request = {
        model: "fake-oa",
        stream,
        previous_response_id: before.id,
        x_new: { deep: [1.0, "ü"] },
        input: [user({ thinking: "hm", extra: { x_unknown: { a: 1 } } })],
      };
      const reply = await receive(await gw.post("/v1/responses", request));
      expect(reply.status).toBe(200);
      expect(reply.bytes.equals(gw.lastSeen.sent)).toBe(true);
      expect(gw.lastSeen.body).toEqual(request as unknown as Record<string, unknown>);
    },
  );

  test("state of another vendor's thinking does not reach it", async () => {
    const carried = `tfr1.${Buffer.from('{"v":"claude","d":"SIG"}').toString("base64url")}`;
    const input: Item[] = [
      { role: "user", content: "hi" },
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: carried },
      { role: "assistant", content: "hello" },
      user({ reply: "fine" }),
    ];
    const reply = await client.responses.create({ model: "fake-oa", store: false, input });
    expect(reply.output_text).toBe("fine");
    expect(JSON.stringify(gw.lastSeen.body)).not.toContain("tfr1.");
  });
});

describe("what cannot be", () => {
  test("state that only OpenAI keeps is refused by name", async () => {
    const request = { model: "claude-sonnet-4-6", conversation: "conv_1", input: "hi" };
    const reply = await receive(await gw.post("/v1/responses", request));
    expect(reply.status).toBe(400);
    expect(reply.text).toContain("conversation");
    expect(reply.text).toContain("state_unsupported");
  });

  test("a WebSocket is answered at once", async () => {
    const reply = await fetch(`${gw.server.url}/v1/responses`, {
      headers: { authorization: `Bearer ${gw.token.key}`, upgrade: "websocket" },
    });
    expect(reply.status).toBe(426);
  });
});

describe("an OpenAI chat client over Responses", () => {
  const base = { model: "fake-rs" };

  test.each([false, true])("chats (stream: %p)", async (stream) => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: "system", content: "Be brief." },
      { role: "user", content: ask({ reply: "Grüße, 世界 👋" }) },
    ];
    const reply = stream
      ? await client.chat.completions.stream({ ...base, messages }).finalChatCompletion()
      : await client.chat.completions.create({ ...base, messages });
    expect(reply.choices[0]).toMatchObject({
      message: { content: "Grüße, 世界 👋" },
      finish_reason: "stop",
    });
    expect(gw.lastSeen.path).toEndWith("/v1/responses");
    expect(gw.lastSeen.body["store"]).toBe(false);
  });

  test.each([false, true])("calls tools and reads results (stream: %p)", async (stream) => {
    const wish: Directives = {
      reply: "Looking.",
      tools: [{ name: "weather", args: { city: "Paris" } }, { name: "time" }],
      then: { reply: "It is sunny." },
    };
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: ask(wish) }];
    const tools: OpenAI.ChatCompletionTool[] = ["weather", "time"].map((name) => ({
      type: "function",
      function: { name, parameters: { type: "object", properties: {} } },
    }));
    const params = { ...base, tools, messages };
    const reply = stream
      ? await client.chat.completions.stream(params).finalChatCompletion()
      : await client.chat.completions.create(params);
    const message = reply.choices[0]?.message;
    expect(reply.choices[0]?.finish_reason).toBe("tool_calls");
    expect(message?.tool_calls).toHaveLength(2);
    if (!message) throw new Error("no message");
    const results = (message.tool_calls ?? []).map((call) => ({
      role: "tool" as const,
      tool_call_id: call.id,
      content: "22",
    }));
    const answer = await client.chat.completions.create({
      ...params,
      messages: [...messages, message, ...results],
    });
    expect(answer.choices[0]?.message.content).toBe("It is sunny.");
  });

  test("is billed", async () => {
    const usage = { input: 100, cached: 50, output: 20, reasoning: 5 };
    const request = { ...base, messages: [{ role: "user", content: ask({ usage }) }] };
    const reply = await receive(await gw.post("/v1/chat/completions", request));
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log).toMatchObject({ prompt_tokens: 150, completion_tokens: 20, quota: 410 });
    expect(explained(log)).toMatchObject({ request_conversion: ["openai", "responses"] });
  });
});

describe("an Anthropic client over Responses", () => {
  const base = { model: "gpt-5-rs", max_tokens: 4000 };

  test.each([false, true])(
    "thinks, calls, and is understood again (stream: %p)",
    async (stream) => {
      const wish: Directives = {
        thinking: "Let me see. 想",
        tools: [{ name: "time" }],
        then: { reply: "Noon." },
      };
      const params: Anthropic.MessageCreateParamsNonStreaming = {
        ...base,
        thinking: { type: "enabled", budget_tokens: 2048 },
        tools: [{ name: "time", input_schema: { type: "object", properties: {} } }],
        messages: [{ role: "user", content: ask(wish) }],
      };
      const reply = stream
        ? await claude.messages.stream(params).finalMessage()
        : await claude.messages.create(params);
      const [thought, call] = reply.content;
      expect(reply.stop_reason).toBe("tool_use");
      expect(thought).toMatchObject({ type: "thinking", thinking: "Let me see. 想" });
      if (call?.type !== "tool_use") throw new Error("no call");
      const answer = await claude.messages.create({
        ...params,
        messages: [
          ...params.messages,
          { role: "assistant", content: reply.content },
          { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "12" }] },
        ],
      });
      expect(answer.content.at(-1)).toMatchObject({ type: "text", text: "Noon." });
      const sent = JSON.stringify(gw.lastSeen.body);
      expect(sent).toContain(state("Let me see. 想"));
      expect(sent).not.toContain("tfr1.");
    },
  );

  test("a cut stream is an error event", async () => {
    const wish: Directives = { chunks: ["a", "b", "c"], cut: { after_events: 5 } };
    const request = { ...base, stream: true, messages: [{ role: "user", content: ask(wish) }] };
    const reply = await receive(await gw.post("/v1/messages", request));
    expect(parseSse(reply.text).at(-1)?.event).toBe("error");
  });
});
