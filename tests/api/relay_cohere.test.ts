// Cohere's official package against every upstream dialect, and the others' packages over Cohere.
import type Anthropic from "@anthropic-ai/sdk";
import { beforeAll, describe, expect, test } from "bun:test";
import { type Cohere, CohereClient, type CohereClientV2, CohereError } from "cohere-ai";
import type OpenAI from "openai";
import { ask, type Directives } from "../support/fake";
import { gateway } from "../support/gateway";
import { explained, type Log } from "../support/management";
import { PNG } from "../support/png";

const gw = gateway();
const PLAIN = "command-a-03-2025";
const THINKS = "command-a-reasoning-08-2025";
const AWS = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const MODELS = [PLAIN, THINKS, AWS, "gemini-2.5-flash"];
let cohere: CohereClientV2;

beforeAll(async () => {
  const each = (value: number): Record<string, number> =>
    Object.fromEntries(MODELS.map((model) => [model, value]));
  await gw.setPrices({ ModelRatio: each(2), CompletionRatio: each(5), CacheRatio: each(0.1) });
  await gw.addCohere("co", { models: `${PLAIN},${THINKS}` });
  await gw.addGemini("ge", { models: "gemini-2.5-flash" });
  await gw.addBedrock("aws", { models: AWS });
  cohere = gw.cohere;
});

const user = (wish: Directives, text?: string): Cohere.ChatMessageV2 => ({
  role: "user",
  content: ask(wish, text),
});

const TOOLS: Cohere.ToolV2[] = ["weather", "time"].map((name) => ({
  type: "function",
  function: {
    name,
    description: `the ${name}`,
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
}));

const UPSTREAMS = [
  { upstream: "cohere", model: PLAIN, thinks: THINKS },
  { upstream: "openai", model: "gpt-4o", thinks: "fake-oa" },
  { upstream: "claude", model: "claude-sonnet-4-6", thinks: "claude-sonnet-4-6" },
  { upstream: "gemini", model: "gemini-2.5-flash", thinks: "gemini-2.5-flash" },
  { upstream: "bedrock", model: AWS, thinks: AWS },
];

const logOf = (headers: Headers): Promise<Log> =>
  gw.server.logOf(headers.get("x-request-id") ?? "");

type Event = Cohere.V2ChatStreamResponse;
const textOf = (reply: Cohere.V2ChatResponse): string =>
  (reply.message.content ?? []).map((item) => (item.type === "text" ? item.text : "")).join("");

const streamed = async (request: Cohere.V2ChatStreamRequest): Promise<Event[]> =>
  Array.fromAsync(await cohere.chatStream(request));

function textIn(events: Event[], member: "text" | "thinking" = "text"): string {
  return events
    .map((event) =>
      event.type === "content-delta" ? (event.delta?.message?.content?.[member] ?? "") : "",
    )
    .join("");
}

/** The calls of a stream, put together as its reader does. */
function callsIn(events: Event[]): Cohere.ToolCallV2[] {
  const calls: Cohere.ToolCallV2[] = [];
  for (const event of events) {
    if (event.type === "tool-call-start" && event.delta?.message?.toolCalls)
      calls[event.index ?? 0] = structuredClone(event.delta.message.toolCalls);
    if (event.type === "tool-call-delta") {
      const f = calls[event.index ?? 0]?.function;
      if (f) f.arguments += event.delta?.message?.toolCalls?.function?.arguments ?? "";
    }
  }
  return calls;
}

describe.each(UPSTREAMS)("a Cohere client over $upstream", ({ upstream, model, thinks }) => {
  const settings = { maxTokens: 4000 };

  test("chats", async () => {
    const reply = await cohere.chat({
      model,
      ...settings,
      temperature: 0.5,
      p: 0.9,
      stopSequences: ["END"],
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Who?" },
        { role: "assistant", content: "Me." },
        user({ reply: "Grüße, 世界 👋" }),
      ],
    });
    expect(textOf(reply)).toBe("Grüße, 世界 👋");
    expect(reply.finishReason).toBe("COMPLETE");
    expect(reply.message.role).toBe("assistant");
  });

  test("streams", async () => {
    const events = await streamed({
      model,
      ...settings,
      messages: [user({ reply: "one 二 three" })],
    });
    expect(textIn(events)).toBe("one 二 three");
    expect(events[0]?.type).toBe("message-start");
    const last = events.at(-1);
    expect(last).toMatchObject({
      type: "message-end",
      delta: {
        finishReason: "COMPLETE",
        usage: { billedUnits: { inputTokens: 10, outputTokens: 5 } },
      },
    });
  });

  test.each([false, true])("bills usage with its cache (stream: %p)", async (stream) => {
    const request = {
      model,
      ...settings,
      messages: [user({ usage: { input: 20, cached: 7, output: 9 } })],
    };
    let usage: Cohere.Usage | undefined;
    let headers: Headers;
    if (stream) {
      const { data, rawResponse } = await cohere.chatStream(request).withRawResponse();
      const last = (await Array.fromAsync(data)).at(-1);
      usage = last?.type === "message-end" ? last.delta?.usage : undefined;
      headers = rawResponse.headers as Headers;
    } else {
      const { data, rawResponse } = await cohere.chat(request).withRawResponse();
      usage = data.usage;
      headers = rawResponse.headers as Headers;
    }
    expect(usage).toMatchObject({
      billedUnits: { inputTokens: 27, outputTokens: 9 },
      cachedTokens: upstream === "cohere" ? 507 : 7, // Cohere counts its template, too
    });
    const log = await logOf(headers);
    expect(log).toMatchObject({
      quota: Math.round((20 + 7 * 0.1 + 9 * 5) * 2),
      prompt_tokens: 27,
      completion_tokens: 9,
      model_name: model,
      is_stream: stream,
    });
    expect(explained(log)).toMatchObject({
      usage_source: "upstream",
      request_conversion: upstream === "cohere" ? ["cohere"] : ["cohere", upstream],
    });
  });

  const parallel: Directives = {
    tools: [{ name: "weather", args: { city: 'Paris "]]" \n', days: [1, 2] } }, { name: "time" }],
    then: { reply: "It is sunny." },
  };

  test.each([false, true])("calls in parallel and reads results (stream: %p)", async (stream) => {
    const messages = [user(parallel)];
    const request = { model, ...settings, tools: TOOLS, messages };
    let calls: Cohere.ToolCallV2[];
    if (stream) {
      const events = await streamed(request);
      calls = callsIn(events);
      expect(events.at(-1)).toMatchObject({ delta: { finishReason: "TOOL_CALL" } });
    } else {
      const reply = await cohere.chat(request);
      calls = reply.message.toolCalls ?? [];
      expect(reply.finishReason).toBe("TOOL_CALL");
    }
    expect(calls.map((call) => call.function?.name)).toEqual(["weather", "time"]);
    const args = calls.map((call) => JSON.parse(call.function?.arguments || "{}") as unknown);
    expect(args).toEqual([{ city: 'Paris "]]" \n', days: [1, 2] }, {}]);
    const next = await cohere.chat({
      ...request,
      messages: [
        ...messages,
        {
          role: "assistant",
          toolPlan: "Looking.",
          toolCalls: calls.map((call) => ({
            ...call,
            function: { ...call.function, arguments: call.function?.arguments || "{}" },
          })),
        },
        {
          role: "tool",
          toolCallId: calls[0]?.id ?? "",
          content: [{ type: "document", document: { data: { fine: "yes" } } }],
        },
        { role: "tool", toolCallId: calls[1]?.id ?? "", content: "noon" },
      ],
    });
    expect(textOf(next)).toBe("It is sunny.");
  });

  test.each([false, true])("shows thinking (stream: %p)", async (stream) => {
    const request = {
      model: thinks,
      ...settings,
      thinking: { type: "enabled" as const, tokenBudget: 2000 },
      messages: [user({ thinking: "Let me think.", reply: "Done." })],
    };
    if (stream) {
      const events = await streamed(request);
      expect(textIn(events, "thinking")).toBe("Let me think.");
      expect(textIn(events)).toBe("Done.");
      return;
    }
    const reply = await cohere.chat(request);
    expect(reply.message.content).toEqual([
      { type: "thinking", thinking: "Let me think." },
      { type: "text", text: "Done." },
    ]);
  });

  test("shows pictures", async () => {
    const reply = await cohere.chat({
      model,
      ...settings,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: ask({ reply: "A cat." }) },
            { type: "image_url", imageUrl: { url: `data:image/png;base64,${PNG}` } },
          ],
        },
      ],
    });
    expect(textOf(reply)).toBe("A cat.");
    expect(gw.lastSeen.raw.toString()).toContain(PNG);
  });

  test("asks for JSON", async () => {
    const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
    const reply = await cohere.chat({
      model,
      ...settings,
      responseFormat: { type: "json_object", jsonSchema: schema },
      messages: [user({ reply: '{"a":"b"}' })],
    });
    expect(JSON.parse(textOf(reply))).toEqual({ a: "b" });
    expect(gw.lastSeen.raw.toString()).toMatch(/\\?"required\\?"/); // AWS has it as a text
  });

  test("gives documents", async () => {
    const reply = await cohere.chat({
      model,
      ...settings,
      documents: [{ id: "d1", data: { title: "Penguins", text: "Emperor penguins are tall." } }],
      messages: [user({ reply: "Tall ones." })],
    });
    expect(textOf(reply)).toBe("Tall ones.");
    const sent = gw.lastSeen.raw.toString();
    const told = "Emperor penguins are tall.";
    expect(sent).toContain(upstream === "bedrock" ? btoa(told) : told);
    expect(sent).toContain("Penguins");
    if (upstream === "cohere")
      expect(reply.message.citations?.[0]).toMatchObject({
        start: 0,
        end: 4,
        text: "Tall",
        sources: [{ type: "document", id: "d1" }],
      });
  });

  test("is told in Cohere's words what an upstream refuses", async () => {
    gw.allowRefusals();
    const failed = cohere.chat({
      model,
      ...settings,
      messages: [user({ status: 422, error: { message: "No such thing." } })],
    });
    const error = (await failed.catch((e: unknown) => e)) as CohereError;
    expect(error).toBeInstanceOf(CohereError);
    expect(error.statusCode).toBe(422);
    expect(error.body).toMatchObject({ message: "No such thing." });
  });

  test("is told when a stream breaks off", async () => {
    const events = await streamed({
      model,
      ...settings,
      messages: [user({ chunks: ["a", "b", "c"], cut: { after_events: 3, how: "fin" } })],
    });
    expect(events.at(-1)).toMatchObject({
      type: "message-end",
      delta: { finishReason: "ERROR", error: expect.any(String) as string },
    });
  });
});

describe("over Cohere", () => {
  const messages = (wish: Directives): OpenAI.ChatCompletionMessageParam[] => [
    { role: "user", content: ask(wish) },
  ];

  test("OpenAI's client chats, streams and is billed by billed units", async () => {
    const usage = { input: 30, cached: 0, output: 7 };
    const { data: reply, response } = await gw.openai.chat.completions
      .create({
        model: PLAIN,
        top_p: 1,
        presence_penalty: -1,
        messages: [{ role: "developer", content: "Brief." }, ...messages({ usage, reply: "Hi." })],
      })
      .withResponse();
    expect(reply.choices[0]?.message.content).toBe("Hi.");
    expect(reply.usage).toMatchObject({ prompt_tokens: 30, completion_tokens: 7 });
    expect(gw.lastSeen.body).toMatchObject({ p: 0.99, presence_penalty: 0 });
    expect(await logOf(response.headers)).toMatchObject({
      quota: (30 + 7 * 5) * 2,
      prompt_tokens: 30,
    });
    const stream = await gw.openai.chat.completions.create({
      model: PLAIN,
      stream: true,
      stream_options: { include_usage: true },
      messages: messages({ usage, chunks: ["H", "i."] }),
    });
    const chunks = await Array.fromAsync(stream);
    expect(chunks.map((c) => c.choices[0]?.delta.content ?? "").join("")).toBe("Hi.");
    expect(chunks.at(-1)?.usage).toMatchObject({ prompt_tokens: 30, completion_tokens: 7 });
  });

  test("a call's plan is reasoning, and calls without arguments have some", async () => {
    const stream = await gw.openai.chat.completions.create({
      model: PLAIN,
      stream: true,
      tools: [
        { type: "function", function: { name: "get-time", parameters: {} } },
        { type: "function", function: { name: "weather", parameters: { type: "object" } } },
      ],
      tool_choice: { type: "function", function: { name: "get-time" } },
      messages: messages({ reply: "I will look.", tools: [{ name: "get_time" }] }),
    });
    const choices = (await Array.fromAsync(stream)).flatMap((chunk) => chunk.choices);
    type Delta = { reasoning_content?: string } & (typeof choices)[0]["delta"];
    const deltas = choices.map((choice): Delta => choice.delta);
    expect(deltas.map((delta) => delta.reasoning_content ?? "").join("")).toBe("I will look.");
    const calls = deltas.flatMap((delta) => delta.tool_calls ?? []);
    expect(calls[0]?.function?.name).toBe("get-time");
    expect(calls.map((call) => call.function?.arguments ?? "").join("")).toBe("{}");
    expect(choices.at(-1)?.finish_reason).toBe("tool_calls");
    expect(gw.lastSeen.body).toMatchObject({
      tool_choice: "REQUIRED",
      tools: [{ function: { name: "get_time" } }],
    });
  });

  test("Anthropic's client thinks, calls and answers", async () => {
    const tools = TOOLS.map(({ function: f }) => ({
      name: f?.name ?? "",
      input_schema: f?.parameters as Anthropic.Tool.InputSchema,
    }));
    const request = {
      model: THINKS,
      max_tokens: 4000,
      thinking: { type: "enabled" as const, budget_tokens: 2000 },
      tools,
    };
    const question: Anthropic.MessageParam = {
      role: "user",
      content: ask({
        thinking: "hm",
        tools: [{ name: "weather", args: { city: "A" } }, { name: "time" }],
        then: { reply: "Sunny." },
      }),
    };
    const first = await gw.claude.messages
      .stream({ ...request, messages: [question] })
      .finalMessage();
    const calls = first.content.filter((block) => block.type === "tool_use");
    expect(calls.map((call) => [call.name, call.input])).toEqual([
      ["weather", { city: "A" }],
      ["time", {}],
    ]);
    expect(first.stop_reason).toBe("tool_use");
    const second = await gw.claude.messages.create({
      ...request,
      messages: [
        question,
        { role: "assistant", content: first.content },
        {
          role: "user",
          content: calls.map((call) => ({
            type: "tool_result" as const,
            tool_use_id: call.id,
            content: "fine",
          })),
        },
      ],
    });
    expect(second.content.find((block) => block.type === "text")?.text).toBe("Sunny.");
  });

  test.each([false, true])("Anthropic's documents are cited (stream: %p)", async (stream) => {
    const params: Anthropic.MessageCreateParamsNonStreaming = {
      model: PLAIN,
      max_tokens: 100,
      messages: [
        {
          role: "user",
          content: [
            {
              type: "document",
              source: { type: "text", media_type: "text/plain", data: "Grass is green." },
              title: "Grass",
              citations: { enabled: true },
            },
            { type: "text", text: ask({ reply: "Green it is." }) },
          ],
        },
      ],
    };
    const reply = stream
      ? await gw.claude.messages.stream(params).finalMessage()
      : await gw.claude.messages.create(params);
    expect(reply.content[0]).toMatchObject({
      type: "text",
      text: "Green it is.",
      citations: [
        {
          type: "char_location",
          cited_text: "Grass is green.",
          document_index: 0,
          document_title: "Grass",
          start_char_index: 0,
          end_char_index: 15,
        },
      ],
    });
  });

  test("a broken stream is an error to both", async () => {
    const broken = ask({ chunks: ["a", "b", "c"], cut: { after_events: 4, how: "fin" } });
    const failed = gw.claude.messages
      .stream({ model: PLAIN, max_tokens: 100, messages: [{ role: "user", content: broken }] })
      .finalMessage();
    await expect(failed).rejects.toThrow();
    const stream = await gw.openai.chat.completions.create({
      model: PLAIN,
      messages: [{ role: "user", content: broken }],
      stream: true,
    });
    await expect(Array.fromAsync(stream)).rejects.toThrow();
  });

  test("a failure said in a stream is an error", async () => {
    gw.allowRefusals();
    const stream = await gw.openai.chat.completions.create({
      model: PLAIN,
      messages: messages({ error_in_stream: { after: 3, message: "model is on fire" } }),
      stream: true,
    });
    await expect(Array.fromAsync(stream)).rejects.toThrow();
  });
});

describe("between equal dialects", () => {
  test("a stream passes byte for byte", async () => {
    const reply = await gw.post("/v2/chat", {
      model: PLAIN,
      stream: true,
      messages: [{ role: "user", content: ask({ reply: "same", extra: { new_member: [1] } }) }],
    });
    expect(reply.headers.get("content-type")).toStartWith("text/event-stream");
    expect(await reply.text()).toBe(gw.lastSeen.sent.toString());
  });

  test("members that we do not know reach the provider", async () => {
    const reply = await gw.post("/v2/chat", {
      model: PLAIN,
      safety_mode: "STRICT",
      priority: 5,
      messages: [{ role: "user", content: ask({ reply: "fine" }) }],
    });
    expect(reply.status).toBe(200);
    await reply.text();
    expect(gw.lastSeen.body).toMatchObject({ safety_mode: "STRICT", priority: 5 });
  });
});

describe("keys and models", () => {
  const older = (): CohereClient =>
    new CohereClient({ token: gw.token.key, environment: gw.server.url });

  test.each([
    ["a wrong key", "sk-wrong", PLAIN, 401],
    ["an unknown model", undefined, "nothing", 404],
  ])("%s is refused in Cohere's words", async (_, key, model, status) => {
    const body = { model, messages: [{ role: "user", content: "Hi" }] };
    const reply = await gw.post("/v2/chat", body, key === undefined ? {} : { key });
    expect(reply.status).toBe(status);
    expect(await reply.json()).toMatchObject({
      message: expect.any(String) as string,
      id: expect.any(String) as string,
    });
  });

  test("lists models in Cohere's form", async () => {
    const { models } = await older().models.list({ pageSize: 100 });
    const names = models.map((model) => model.name);
    expect(names).toContain(PLAIN);
    expect(names).toContain("gpt-4o");
    const one = await older().models.get("gpt-4o");
    expect(one).toMatchObject({ name: "gpt-4o", endpoints: ["chat"] });
  });

  test("a channel is tried", async () => {
    const { id } = await gw.addCohere("tried", { models: "command-r7b-12-2024" });
    const tried = await gw.server.admin.post("/api/channel/test", { id });
    expect(tried).toMatchObject({ ok: true, status: 200, model: "command-r7b-12-2024" });
    expect(gw.lastSeen.path).toEndWith("/v2/chat");
  });

  test("a channel's models are fetched", async () => {
    const names = await gw.server.admin.post<string[]>("/api/channel/fetch/models", {
      type: "cohere",
      key: "co-fake-0001",
      base_url: `${gw.fake.url}/proxy/co`,
    });
    expect(names).toContain("fake-model");
  });
});
