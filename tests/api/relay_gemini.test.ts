// Google's official package against every upstream dialect, and the others' packages over Gemini.
import { ApiError, type Content, type GoogleGenAI, type Part } from "@google/genai";
import type Anthropic from "@anthropic-ai/sdk";
import type OpenAI from "openai";
import { beforeAll, describe, expect, test } from "bun:test";
import { ask, callSignature, type Directives } from "../support/fake";
import { gateway } from "../support/gateway";
import { explained, type Log } from "../support/management";
import { PNG } from "../support/png";

const gw = gateway();
const MODELS = ["gemini-2.5-flash", "gemini-3-pro-preview"];
const COHERE = "command-a-03-2025";
const MAPPED = "my-model";
let google: GoogleGenAI;

beforeAll(async () => {
  const each = (value: number): Record<string, number> =>
    Object.fromEntries([...MODELS, MAPPED, COHERE].map((model) => [model, value]));
  await gw.setPrices({ ModelRatio: each(2), CompletionRatio: each(5), CacheRatio: each(0.1) });
  await gw.addGemini("ge", { models: MODELS.join(",") });
  await gw.addCohere("co", { models: COHERE });
  google = gw.google;
});

const user = (wish: Directives, text?: string): Content => ({
  role: "user",
  parts: [{ text: ask(wish, text) }],
});

const DECLARATIONS = ["weather", "time"].map((name) => ({
  name,
  description: `the ${name}`,
  parametersJsonSchema: { type: "object", properties: { city: { type: "string" } } },
}));

const UPSTREAMS = [
  { upstream: "gemini", model: "gemini-2.5-flash" },
  { upstream: "openai", model: "gpt-4o" },
  { upstream: "claude", model: "claude-sonnet-4-6" },
  { upstream: "cohere", model: COHERE },
];

async function lastLog(): Promise<Log> {
  const { logs } = { logs: await gw.server.admin.get<{ items: Log[] }>("/api/logs?page_size=1") };
  return logs.items[0] as Log;
}

async function send(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(gw.server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

describe.each(UPSTREAMS)("a Google client over $upstream", ({ upstream, model }) => {
  const config = { maxOutputTokens: 4000 };

  test("chats", async () => {
    const reply = await google.models.generateContent({
      model,
      config: {
        ...config,
        systemInstruction: "Be brief.",
        temperature: 0.5,
        stopSequences: ["END"],
      },
      contents: [
        { role: "user", parts: [{ text: "Who?" }] },
        { role: "model", parts: [{ text: "Me." }] },
        user({ reply: "Grüße, 世界 👋" }),
      ],
    });
    expect(reply.text).toBe("Grüße, 世界 👋");
    expect(reply.modelVersion).toBe(model);
    expect(reply.candidates?.[0]?.finishReason as string).toBe("STOP");
  });

  test("streams", async () => {
    const stream = await google.models.generateContentStream({
      model,
      config,
      contents: [user({ reply: "one 二 three" })],
    });
    const chunks = await Array.fromAsync(stream);
    expect(chunks.map((chunk) => chunk.text ?? "").join("")).toBe("one 二 three");
    const last = chunks.at(-1);
    expect(last?.candidates?.[0]?.finishReason as string).toBe("STOP");
    expect(last?.usageMetadata).toMatchObject({ promptTokenCount: 10, candidatesTokenCount: 5 });
    expect(chunks.slice(0, -1).some((chunk) => chunk.candidates?.[0]?.finishReason)).toBe(false);
  });

  test("streams a JSON array to who did not ask for events", async () => {
    const reply = await send(
      `/v1beta/models/${model}:streamGenerateContent`,
      { contents: [user({ reply: "one two" })], generationConfig: config },
      { "x-goog-api-key": gw.token.key },
    );
    expect(reply.headers.get("content-type")).toStartWith("application/json");
    const chunks = (await reply.json()) as { candidates: { content: { parts: Part[] } }[] }[];
    const texts = chunks.map((chunk) => chunk.candidates[0]?.content.parts[0]?.text ?? "");
    expect(texts.join("")).toBe("one two");
  });

  test.each([false, true])("bills usage with its cache (stream: %p)", async (stream) => {
    const usage = { input: 20, cached: 7, output: 9 };
    const params = { model, config, contents: [user({ usage })] };
    const reply = stream
      ? (await Array.fromAsync(await google.models.generateContentStream(params))).at(-1)
      : await google.models.generateContent(params);
    expect(reply?.usageMetadata).toMatchObject({
      promptTokenCount: 27,
      cachedContentTokenCount: 7,
      candidatesTokenCount: 9,
      totalTokenCount: 36,
    });
    const id = new Headers(reply?.sdkHttpResponse?.headers ?? {}).get("x-request-id");
    const log = id === null ? await lastLog() : await gw.server.logOf(id);
    expect(log).toMatchObject({
      quota: Math.round((20 + 7 * 0.1 + 9 * 5) * 2),
      prompt_tokens: 27,
      completion_tokens: 9,
      model_name: model,
      is_stream: stream,
    });
    expect(explained(log)).toMatchObject({
      usage_source: "upstream",
      request_conversion: upstream === "gemini" ? ["gemini"] : ["gemini", upstream],
    });
  });

  const parallel: Directives = {
    reply: "Looking.",
    tools: [{ name: "weather", args: { city: 'Paris "]]" \n', days: [1, 2] } }, { name: "time" }],
    then: { reply: "It is sunny." },
  };

  test.each([false, true])("calls in parallel and reads results (stream: %p)", async (stream) => {
    const contents = [user(parallel)];
    const params = {
      model,
      config: { ...config, tools: [{ functionDeclarations: DECLARATIONS }] },
    };
    const chunks = stream
      ? await Array.fromAsync(await google.models.generateContentStream({ ...params, contents }))
      : [await google.models.generateContent({ ...params, contents })];
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
    const calls = parts.filter((part) => part.functionCall);
    expect(calls.map((part) => part.functionCall?.name)).toEqual(["weather", "time"]);
    expect(calls[0]?.functionCall?.args).toEqual({ city: 'Paris "]]" \n', days: [1, 2] });
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason as string).toBe("STOP");
    const results = calls.map((part) => ({
      functionResponse: {
        ...(part.functionCall?.id === undefined ? {} : { id: part.functionCall.id }),
        name: part.functionCall?.name ?? "",
        response: { output: "fine" },
      },
    }));
    const next = await google.models.generateContent({
      ...params,
      contents: [...contents, { role: "model", parts }, { role: "user", parts: results }],
    });
    expect(next.text).toBe("It is sunny.");
  });

  test("shows pictures", async () => {
    const reply = await google.models.generateContent({
      model,
      config,
      contents: [
        {
          role: "user",
          parts: [
            { text: ask({ reply: "A cat." }) },
            { inlineData: { mimeType: "image/png", data: PNG } },
          ],
        },
      ],
    });
    expect(reply.text).toBe("A cat.");
    expect(gw.lastSeen.raw.toString()).toContain(PNG);
  });

  test("asks for JSON", async () => {
    const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
    const reply = await google.models.generateContent({
      model,
      config: { ...config, responseMimeType: "application/json", responseJsonSchema: schema },
      contents: [user({ reply: '{"a":"b"}' })],
    });
    expect(JSON.parse(reply.text ?? "")).toEqual({ a: "b" });
    expect(gw.lastSeen.raw.toString()).toContain('"required"');
  });

  test("counts tokens", async () => {
    const { totalTokens } = await google.models.countTokens({
      model,
      contents: [{ role: "user", parts: [{ text: "How many tokens are these?" }] }],
    });
    if (upstream === "gemini") expect(totalTokens).toBe(42);
    else expect(totalTokens).toBeGreaterThan(5);
  });

  test("is told in Google's words what an upstream refuses", async () => {
    gw.allowRefusals();
    const failed = google.models.generateContent({
      model,
      config,
      contents: [user({ status: 429, error: { message: "Slow down." }, retry_after: "9" })],
    });
    const error = (await failed.catch((e: unknown) => e)) as ApiError;
    expect(error).toBeInstanceOf(ApiError);
    expect(error.status).toBe(429);
    const { error: said } = JSON.parse(error.message) as {
      error: { code: number; status: string; details: Record<string, string>[] };
    };
    expect(said).toMatchObject({ code: 429, status: "RESOURCE_EXHAUSTED" });
    expect(said.details.some((detail) => detail["retryDelay"] === "9s")).toBe(true);
  });

  test("is told when a stream breaks off", async () => {
    const reply = await send(
      `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
      {
        contents: [user({ chunks: ["a", "b", "c"], cut: { after_events: 3, how: "fin" } })],
        generationConfig: config,
      },
      { "x-goog-api-key": gw.token.key },
    );
    const text = await reply.text();
    expect(text).toContain('"error":{"code":502');
    expect(text).not.toContain("finishReason");
  });
});

describe("signatures", () => {
  const model = "gemini-3-pro-preview";
  const wish: Directives = {
    thinking: "hm",
    tools: [{ name: "weather", args: { city: "A" } }, { name: "time" }],
    then: { reply: "Sunny." },
  };

  test("of Gemini come back through Anthropic's client", async () => {
    const tools = DECLARATIONS.map(({ name, parametersJsonSchema }) => ({
      name,
      input_schema: parametersJsonSchema as Anthropic.Tool.InputSchema,
    }));
    const messages: Anthropic.MessageParam[] = [{ role: "user", content: ask(wish) }];
    const params = { model, max_tokens: 4000, tools };
    const first = await gw.claude.messages.stream({ ...params, messages }).finalMessage();
    expect(first.content.map((block) => block.type)).toEqual(["thinking", "tool_use", "tool_use"]);
    expect(first.stop_reason).toBe("tool_use");
    const results = first.content.flatMap((block) =>
      block.type === "tool_use"
        ? [{ type: "tool_result" as const, tool_use_id: block.id, content: "fine" }]
        : [],
    );
    const next = await gw.claude.messages.create({
      ...params,
      messages: [
        ...messages,
        { role: "assistant", content: first.content },
        { role: "user", content: results },
      ],
    });
    expect(next.content).toMatchObject([{ type: "text", text: "Sunny." }]);
    expect(gw.lastSeen.raw.toString()).toContain(callSignature("weather"));
  });

  test("of Gemini come back through OpenAI's client", async () => {
    const tools = DECLARATIONS.map(({ name, parametersJsonSchema }) => ({
      type: "function" as const,
      function: { name, parameters: parametersJsonSchema },
    }));
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: ask(wish) }];
    const first = await gw.openai.chat.completions.create({ model, tools, messages });
    const message = first.choices[0]?.message;
    expect(first.choices[0]?.finish_reason).toBe("tool_calls");
    expect(message?.tool_calls).toHaveLength(2);
    const next = await gw.openai.chat.completions.create({
      model,
      tools,
      messages: [
        ...messages,
        message as OpenAI.ChatCompletionMessageParam,
        ...(message?.tool_calls ?? []).map((call) => ({
          role: "tool" as const,
          tool_call_id: call.id,
          content: "fine",
        })),
      ],
    });
    expect(next.choices[0]?.message.content).toBe("Sunny.");
    expect(gw.lastSeen.raw.toString()).toContain(callSignature("weather"));
  });

  test("of Anthropic come back through Google's client", async () => {
    const contents = [user(wish)];
    const params = {
      model: "claude-sonnet-4-6",
      config: {
        maxOutputTokens: 8000,
        thinkingConfig: { thinkingBudget: 2048, includeThoughts: true },
        tools: [{ functionDeclarations: DECLARATIONS }],
      },
    };
    const first = await google.models.generateContent({ ...params, contents });
    const parts = first.candidates?.[0]?.content?.parts ?? [];
    expect(parts[0]).toMatchObject({ text: "hm", thought: true });
    const results = parts.flatMap((part) =>
      part.functionCall
        ? [{ functionResponse: { name: part.functionCall.name ?? "", response: { output: "1" } } }]
        : [],
    );
    const next = await google.models.generateContent({
      ...params,
      contents: [...contents, { role: "model", parts }, { role: "user", parts: results }],
    });
    expect(next.text).toBe("Sunny.");
    expect(gw.lastSeen.raw.toString()).toContain('"type":"thinking"');
  });
});

describe("other clients over Gemini", () => {
  const model = "gemini-2.5-flash";

  test.each([false, true])("OpenAI's reads text and usage (stream: %p)", async (stream) => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: "system", content: "S" },
      {
        role: "user",
        content: ask({ reply: "one two", usage: { input: 20, output: 9, reasoning: 4 } }),
      },
    ];
    if (!stream) {
      const reply = await gw.openai.chat.completions.create({
        model,
        messages,
        reasoning_effort: "low",
      });
      expect(reply.choices[0]).toMatchObject({
        finish_reason: "stop",
        message: { content: "one two" },
      });
      expect(reply.usage).toMatchObject({ prompt_tokens: 20, completion_tokens: 9 });
      return;
    }
    const chunks = await Array.fromAsync(
      await gw.openai.chat.completions.create({
        model,
        messages,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("one two");
    expect(chunks.at(-1)?.usage).toMatchObject({ prompt_tokens: 20, completion_tokens: 9 });
  });

  test.each([false, true])("Anthropic's reads text and usage (stream: %p)", async (stream) => {
    const params = {
      model,
      max_tokens: 4000,
      messages: [
        {
          role: "user" as const,
          content: ask({ reply: "one two", usage: { input: 20, cached: 5, output: 9 } }),
        },
      ],
    };
    const reply = stream
      ? await gw.claude.messages.stream(params).finalMessage()
      : await gw.claude.messages.create(params);
    expect(reply.content).toMatchObject([{ type: "text", text: "one two" }]);
    expect(reply.usage).toMatchObject({
      input_tokens: 20,
      cache_read_input_tokens: 5,
      output_tokens: 9,
    });
  });

  test("Anthropic's counts tokens", async () => {
    const messages = [{ role: "user" as const, content: "How many tokens are these?" }];
    const counted = await gw.claude.messages.countTokens({ model, messages });
    expect(counted.input_tokens).toBeGreaterThan(5);
  });

  test("a broken stream is an error to both", async () => {
    const broken = ask({ chunks: ["a", "b", "c"], cut: { after_events: 2, how: "fin" } });
    const failed = gw.claude.messages
      .stream({ model, max_tokens: 100, messages: [{ role: "user", content: broken }] })
      .finalMessage();
    await expect(failed).rejects.toThrow();
    const stream = await gw.openai.chat.completions.create({
      model,
      messages: [{ role: "user", content: broken }],
      stream: true,
    });
    await expect(Array.fromAsync(stream)).rejects.toThrow();
  });
});

describe("keys, models and paths", () => {
  const path = "/v1beta/models/gemini-2.5-flash:generateContent";
  const body = { contents: [user({ reply: "Hi." })] };

  test("takes the key from wherever Google's clients put it", async () => {
    const key = gw.token.key;
    const ways: [string, Record<string, string>][] = [
      ["", { "x-goog-api-key": key }],
      ["", { authorization: `Bearer ${key}` }],
      [`?key=${key}`, {}],
    ];
    for (const [query, headers] of ways) {
      const reply = await send(path + query, body, headers);
      expect(reply.status).toBe(200);
      await reply.text();
    }
  });

  test.each([
    ["no key", path, {}, 401, "UNAUTHENTICATED"],
    ["a wrong key", path, { "x-goog-api-key": "sk-wrong" }, 400, "INVALID_ARGUMENT"],
    ["an unknown model", "/v1beta/models/nothing:generateContent", undefined, 404, "NOT_FOUND"],
    [
      "an unknown action",
      "/v1beta/models/gemini-2.5-flash:dance",
      undefined,
      405,
      "INVALID_ARGUMENT",
    ],
    ["an unknown path", "/v1beta/nothing", undefined, 404, "NOT_FOUND"],
  ])("%s is refused in Google's words", async (_, at, headers, status, word) => {
    const reply = await send(at, body, headers ?? { "x-goog-api-key": gw.token.key });
    expect(reply.status).toBe(status);
    expect(await reply.json()).toMatchObject({ error: { code: status, status: word } });
  });

  test("lists models in Google's form", async () => {
    const names: string[] = [];
    for await (const model of await google.models.list()) names.push(model.name ?? "");
    expect(names).toContain("models/gemini-2.5-flash");
    expect(names).toContain("models/gpt-4o");
    const one = await google.models.get({ model: "gpt-4o" });
    expect(one.name).toBe("models/gpt-4o");
    const paged: string[] = [];
    const pager = await google.models.list({ config: { pageSize: 2 } });
    expect(pager.pageLength).toBe(2);
    for await (const model of pager) paged.push(model.name ?? "");
    expect(paged).toEqual(names);
    const wrong = await fetch(`${gw.server.url}/v1beta/models?pageToken=nobody`, {
      headers: { "x-goog-api-key": gw.token.key },
    });
    expect(wrong.status).toBe(400);
  });

  test("maps the model in the address", async () => {
    await gw.addGemini("mapped", {
      models: MAPPED,
      model_mapping: JSON.stringify({ [MAPPED]: "gemini-2.5-flash" }),
    });
    const reply = await google.models.generateContent({ model: MAPPED, contents: "Hi" });
    expect(reply.text).toBe("Hello from the fake upstream.");
    expect(gw.lastSeen.path).toEndWith("/v1beta/models/gemini-2.5-flash:generateContent");
    expect(gw.lastSeen.body).not.toHaveProperty("model");
  });

  test("passes what it does not know, byte for byte", async () => {
    const raw = '{"contents":[{"role":"user","parts":[{"text":"Hi"}]}] ,\n "safetySettings" : [] }';
    const reply = await fetch(gw.server.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-goog-api-key": gw.token.key },
      body: raw,
    });
    const received = Buffer.from(await reply.arrayBuffer());
    expect(gw.lastSeen.raw.toString()).toBe(raw);
    expect(received.equals(gw.lastSeen.sent)).toBe(true);
  });
});
