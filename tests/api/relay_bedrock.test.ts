// AWS's official package against every upstream dialect, and the others' packages over Bedrock.
import type Anthropic from "@anthropic-ai/sdk";
import {
  BedrockRuntimeClient,
  type ContentBlock,
  ConverseCommand,
  type ConverseCommandInput,
  ConverseStreamCommand,
  type ConverseStreamOutput,
  CountTokensCommand,
  type Message,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import {
  ask,
  AWS_ACCESS_KEY,
  AWS_API_KEY,
  AWS_REGION,
  AWS_SECRET,
  AWS_SESSION,
  type Directives,
  REDACTED,
  reasoningSignature,
} from "../support/fake";
import { gateway } from "../support/gateway";
import { explained } from "../support/management";
import { PNG } from "../support/png";

const gw = gateway();
const CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
const NOVA = "amazon.nova-pro-v1:0";
const GEMINI = "gemini-2.5-flash";
const MAPPED = "my-claude";
const KEYED = "keyed-model";

beforeAll(async () => {
  const all = [CLAUDE, ARN, NOVA, GEMINI, MAPPED, KEYED];
  const each = (value: number): Record<string, number> =>
    Object.fromEntries(all.map((model) => [model, value]));
  await gw.setPrices({
    ModelRatio: each(2),
    CompletionRatio: each(5),
    CacheRatio: each(0.1),
    CreateCacheRatio: each(1.25),
  });
  await gw.addBedrock("aws", {
    models: [CLAUDE, ARN, NOVA, MAPPED].join(","),
    model_mapping: JSON.stringify({ [MAPPED]: CLAUDE }),
  });
  await gw.addGemini("ge", { models: GEMINI });
});

const user = (wish: Directives, ...more: ContentBlock[]): Message => ({
  role: "user",
  content: [{ text: ask(wish) }, ...more],
});

const TOOLS = {
  tools: ["weather", "time"].map((name) => ({
    toolSpec: {
      name,
      description: `the ${name}`,
      inputSchema: { json: { type: "object", properties: { city: { type: "string" } } } },
    },
  })),
};

const UPSTREAMS = [
  { upstream: "bedrock", modelId: CLAUDE },
  { upstream: "openai", modelId: "gpt-4o" },
  { upstream: "claude", modelId: "claude-sonnet-4-6" },
  { upstream: "gemini", modelId: GEMINI },
];

/** What a stream says, put together as its reader would. */
interface Collected {
  events: ConverseStreamOutput[];
  text: string;
  thinking: string;
  content: ContentBlock[];
  stopReason: string | undefined;
  usage: Record<string, unknown> | undefined;
  requestId: string;
}

async function collect(input: ConverseCommandInput): Promise<Collected> {
  const reply = await gw.bedrock.send(new ConverseStreamCommand(input));
  const out: Collected = {
    events: [],
    text: "",
    thinking: "",
    content: [],
    stopReason: undefined,
    usage: undefined,
    requestId: reply.$metadata.requestId ?? "",
  };
  const calls = new Map<number, { toolUseId: string; name: string; input: string }>();
  const thought = new Map<number, { text: string; signature?: string; redacted?: Uint8Array }>();
  for await (const event of reply.stream ?? []) {
    out.events.push(event);
    const index = event.contentBlockDelta?.contentBlockIndex ?? 0;
    const delta = event.contentBlockDelta?.delta;
    const start = event.contentBlockStart;
    if (start?.start?.toolUse)
      calls.set(start.contentBlockIndex ?? 0, {
        toolUseId: start.start.toolUse.toolUseId ?? "",
        name: start.start.toolUse.name ?? "",
        input: "",
      });
    out.text += delta?.text ?? "";
    const call = calls.get(index);
    if (call && delta?.toolUse) call.input += delta.toolUse.input ?? "";
    if (delta?.reasoningContent) {
      const now = thought.get(index) ?? { text: "" };
      now.text += delta.reasoningContent.text ?? "";
      if (delta.reasoningContent.signature) now.signature = delta.reasoningContent.signature;
      if (delta.reasoningContent.redactedContent)
        now.redacted = delta.reasoningContent.redactedContent;
      thought.set(index, now);
    }
    out.stopReason ??= event.messageStop?.stopReason;
    if (event.metadata) out.usage = event.metadata.usage as unknown as Record<string, unknown>;
  }
  for (const { text, signature, redacted } of thought.values()) {
    out.thinking += text;
    out.content.push({
      reasoningContent: redacted
        ? { redactedContent: redacted }
        : { reasoningText: { text, ...(signature === undefined ? {} : { signature }) } },
    });
  }
  if (out.text !== "") out.content.push({ text: out.text });
  for (const { toolUseId, name, input } of calls.values())
    out.content.push({ toolUse: { toolUseId, name, input: JSON.parse(input || "{}") } });
  return out;
}

/** The same, whichever way it is answered. */
async function converse(
  input: ConverseCommandInput,
  stream: boolean,
): Promise<Pick<Collected, "content" | "stopReason" | "usage" | "requestId">> {
  if (stream) return collect(input);
  const reply = await gw.bedrock.send(new ConverseCommand(input));
  return {
    content: reply.output?.message?.content ?? [],
    stopReason: reply.stopReason,
    usage: reply.usage as unknown as Record<string, unknown>,
    requestId: reply.$metadata.requestId ?? "",
  };
}

function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = { authorization: `Bearer ${gw.token.key}` },
): Promise<Response> {
  return fetch(gw.server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

const pathOf = (model: string, stream = false): string =>
  `/model/${encodeURIComponent(model)}/converse${stream ? "-stream" : ""}`;

describe.each(UPSTREAMS)("an AWS client over $upstream", ({ upstream, modelId }) => {
  const inferenceConfig = { maxTokens: 4000 };

  test("chats", async () => {
    const reply = await gw.bedrock.send(
      new ConverseCommand({
        modelId,
        system: [{ text: "Be brief." }],
        inferenceConfig: { ...inferenceConfig, temperature: 0.5, stopSequences: ["END"] },
        messages: [
          { role: "user", content: [{ text: "Who?" }] },
          { role: "assistant", content: [{ text: "Me." }] },
          user({ reply: "Grüße, 世界 👋" }),
        ],
      }),
    );
    expect(reply.output?.message).toEqual({
      role: "assistant",
      content: [{ text: "Grüße, 世界 👋" }],
    });
    expect(reply.stopReason).toBe("end_turn");
    expect(reply.metrics?.latencyMs).toBeGreaterThanOrEqual(0);
  });

  test("streams", async () => {
    const { events, text, stopReason, usage } = await collect({
      modelId,
      inferenceConfig,
      messages: [user({ reply: "one 二 three" })],
    });
    expect(text).toBe("one 二 three");
    expect(stopReason).toBe("end_turn");
    expect(usage).toMatchObject({ inputTokens: 10, outputTokens: 5, totalTokens: 15 });
    const kinds = events.map((event) => Object.keys(event)[0]);
    expect(kinds[0]).toBe("messageStart");
    expect(kinds.slice(-3)).toEqual(["contentBlockStop", "messageStop", "metadata"]);
  });

  test.each([false, true])("bills usage with its cache (stream: %p)", async (stream) => {
    const writes = upstream === "bedrock" || upstream === "claude";
    const usage = { input: 20, cached: 7, output: 9, ...(writes ? { write_5m: 4 } : {}) };
    const written = writes ? 4 : 0;
    const reply = await converse({ modelId, inferenceConfig, messages: [user({ usage })] }, stream);
    expect(reply.usage).toMatchObject({
      inputTokens: 20,
      cacheReadInputTokens: 7,
      cacheWriteInputTokens: written,
      outputTokens: 9,
      totalTokens: 36 + written,
    });
    const log = await gw.server.logOf(reply.requestId);
    expect(log).toMatchObject({
      quota: Math.round((20 + 7 * 0.1 + written * 1.25 + 9 * 5) * 2),
      prompt_tokens: 27 + written,
      completion_tokens: 9,
      model_name: modelId,
      is_stream: stream,
    });
    expect(explained(log)).toMatchObject({
      usage_source: "upstream",
      request_conversion: upstream === "bedrock" ? ["bedrock"] : ["bedrock", upstream],
    });
  });

  const parallel: Directives = {
    reply: "Looking.",
    tools: [{ name: "weather", args: { city: 'Paris "]]" \n', days: [1, 2] } }, { name: "time" }],
    then: { reply: "It is sunny." },
  };

  test.each([false, true])("calls in parallel and reads results (stream: %p)", async (stream) => {
    const input = { modelId, inferenceConfig, toolConfig: TOOLS };
    const messages = [user(parallel)];
    const reply = await converse({ ...input, messages }, stream);
    expect(reply.stopReason).toBe("tool_use");
    const calls = reply.content.flatMap((block) => (block.toolUse ? [block.toolUse] : []));
    expect(calls.map((call) => call.name)).toEqual(["weather", "time"]);
    expect(calls[0]?.input).toEqual({ city: 'Paris "]]" \n', days: [1, 2] });
    const results = calls.map((call, i) => ({
      toolResult: {
        toolUseId: call.toolUseId,
        content: i === 0 ? [{ json: { sky: "blue" } }] : [{ text: "noon" }],
      },
    }));
    const next = await converse(
      {
        ...input,
        messages: [
          ...messages,
          { role: "assistant", content: reply.content },
          { role: "user", content: results },
        ],
      },
      stream,
    );
    expect(next.content).toEqual([{ text: "It is sunny." }]);
    expect(gw.lastSeen.raw.toString()).toContain("blue");
  });

  test("shows pictures and documents", async () => {
    const reply = await converse(
      {
        modelId,
        inferenceConfig,
        messages: [
          user(
            { reply: "A cat." },
            { image: { format: "png", source: { bytes: Buffer.from(PNG, "base64") } } },
            {
              document: {
                format: "pdf",
                name: "report",
                source: { bytes: Buffer.from("%PDF-1.4\n") },
              },
            },
          ),
        ],
      },
      false,
    );
    expect(reply.content).toEqual([{ text: "A cat." }]);
    expect(gw.lastSeen.raw.toString()).toContain(PNG);
    expect(gw.lastSeen.raw.toString()).toContain(Buffer.from("%PDF-1.4\n").toString("base64"));
  });

  test("asks for JSON", async () => {
    const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
    const reply = await converse(
      {
        modelId,
        inferenceConfig,
        messages: [user({ reply: '{"a":"b"}' })],
        outputConfig: {
          textFormat: {
            type: "json_schema",
            structure: { jsonSchema: { name: "answer", schema: JSON.stringify(schema) } },
          },
        },
      },
      true,
    );
    expect(reply.content).toEqual([{ text: '{"a":"b"}' }]);
    expect(gw.lastSeen.raw.toString()).toContain("required");
  });

  test("counts tokens", async () => {
    const messages: Message[] = [{ role: "user", content: [{ text: "How many are these?" }] }];
    const { inputTokens } = await gw.bedrock.send(
      new CountTokensCommand({ modelId, input: { converse: { messages } } }),
    );
    if (upstream === "bedrock") expect(inputTokens).toBe(42);
    else expect(inputTokens).toBeGreaterThan(4);
  });

  test("is told in AWS's words what an upstream refuses", async () => {
    gw.allowRefusals();
    const wish = { status: 429, error: { message: "Slow down." }, retry_after: "9" };
    const failed = converse({ modelId, inferenceConfig, messages: [user(wish)] }, false);
    const error = (await failed.catch((e: unknown) => e)) as Error & {
      $metadata: { httpStatusCode: number };
    };
    expect(error.name).toBe("ThrottlingException");
    expect(error.message).not.toBe("");
    expect(error.$metadata.httpStatusCode).toBe(429);
  });

  test("is told when a stream breaks off", async () => {
    const failed = collect({
      modelId,
      inferenceConfig,
      messages: [user({ chunks: ["a", "b", "c"], cut: { after_events: 3, how: "fin" } })],
    });
    const error = (await failed.catch((e: unknown) => e)) as Error;
    expect(error.name).toBe("ModelStreamErrorException");
  });

  test("is told of a failure inside a stream", async () => {
    const failed = collect({
      modelId,
      inferenceConfig,
      messages: [
        user({ chunks: ["a", "b", "c"], error_in_stream: { after: 3, message: "Busy." } }),
      ],
    });
    const error = (await failed.catch((e: unknown) => e)) as Error;
    expect(error.name).toEndWith("Exception");
    expect(error.message).not.toBe("");
  });
});

describe("the same dialect", () => {
  test("passes requests and replies byte for byte", async () => {
    const body = `{ "messages" : [{"role":"user","content":[{"text":${JSON.stringify(
      ask({ reply: "one two", thinking: "hm", extra: { x_new: { deep: [1] } } }),
    )}}]}], "inferenceConfig":{"maxTokens":50}, "requestMetadata" : {"a":"b"} }`;
    const reply = await post(pathOf(CLAUDE), body);
    expect(await reply.text()).toBe(gw.lastSeen.sent.toString());
    expect(gw.lastSeen.raw.toString()).toBe(body);
    expect(gw.lastSeen.path).toEndWith(pathOf(CLAUDE));
    const stream = await post(pathOf(CLAUDE, true), body);
    expect(stream.headers.get("content-type")).toBe("application/vnd.amazon.eventstream");
    expect(Buffer.from(await stream.arrayBuffer()).equals(gw.lastSeen.sent)).toBe(true);
    expect(gw.lastSeen.raw.toString()).toBe(body);
    expect(gw.lastSeen.headers["accept"]).toBe("application/vnd.amazon.eventstream");
  });

  test("maps the model in the address alone", async () => {
    const input = { modelId: MAPPED, messages: [user({ reply: "Hi." })] };
    const reply = await converse(input, true);
    expect(reply.content).toEqual([{ text: "Hi." }]);
    expect(gw.lastSeen.path).toEndWith(pathOf(CLAUDE, true));
    expect((await gw.server.logOf(reply.requestId)).model_name).toBe(MAPPED);
  });

  test("counts what was relayed where no usage came", async () => {
    const reply = await collect({
      modelId: CLAUDE,
      messages: [user({ chunks: ["one two ", "three four"], no_usage: true })],
    });
    expect(reply.text).toBe("one two three four");
    const log = await gw.server.logOf(reply.requestId);
    expect(explained(log)).toMatchObject({ usage_source: "counted" });
    expect(log.completion_tokens).toBe(4);
  });

  test("hides nothing of an exception but what is the gateway's", async () => {
    const wish: Directives = {
      chunks: ["a", "b", "c"],
      error_in_stream: { after: 3, type: "throttlingException", message: "Too many tokens." },
    };
    const failed = collect({ modelId: CLAUDE, messages: [user(wish)] });
    const error = (await failed.catch((e: unknown) => e)) as Error;
    expect(error.name).toBe("ThrottlingException");
    expect(error.message).toBe("Too many tokens.");
  });

  test("takes an ARN for a model", async () => {
    const reply = await converse({ modelId: ARN, messages: [user({ reply: "Hi." })] }, true);
    expect(reply.content).toEqual([{ text: "Hi." }]);
    expect(gw.lastSeen.path).toContain("%2Fabc/converse-stream");
  });
});

describe("credentials of channels", () => {
  const keys = {
    signed: `${AWS_ACCESS_KEY}|${AWS_SECRET}|${AWS_REGION}`,
    session: `${AWS_ACCESS_KEY}|${AWS_SECRET}|${AWS_REGION}|${AWS_SESSION}`,
    api: `${AWS_API_KEY}|${AWS_REGION}`,
  };

  test.each(Object.entries(keys))("%s: chats, streams, lists models", async (name, key) => {
    const channel = await gw.addBedrock(`key-${name}`, { models: KEYED, key });
    for (const stream of [false, true]) {
      const input = { modelId: KEYED, messages: [user({ reply: "Hi." })] };
      expect((await converse(input, stream)).content).toEqual([{ text: "Hi." }]);
    }
    const { headers } = gw.lastSeen;
    expect(headers["authorization"]).toStartWith(name === "api" ? "Bearer " : "AWS4-HMAC-SHA256 ");
    for (const stream of [false, true]) {
      const tested = await gw.server.admin.post("/api/channel/test", { id: channel.id, stream });
      expect(tested).toMatchObject({ ok: true, status: 200 });
    }
    const listed = await gw.server.admin.post<string[]>("/api/channel/fetch/models", {
      type: "aws",
      base_url: gw.fake.url,
      key,
    });
    expect(listed.toSorted()).toEqual(gw.fake.models.toSorted());
    await gw.server.admin.delete(`/api/channel/${channel.id}`);
  });

  test("a wrong secret is the channel's fault, and another is asked", async () => {
    gw.allowRefusals();
    const key = `${AWS_ACCESS_KEY}|wrong|${AWS_REGION}`;
    const bad = await gw.addBedrock("bad", { models: KEYED, key, priority: 10 });
    const good = await gw.addBedrock("good", { models: KEYED, key: keys.signed });
    const input = { modelId: KEYED, messages: [user({ reply: "Hi." })] };
    expect((await converse(input, false)).content).toEqual([{ text: "Hi." }]);
    expect(gw.fake.requests.at(-2)?.refusal).toContain("signature we calculated does not match");
    for (const { id } of [bad, good]) await gw.server.admin.delete(`/api/channel/${id}`);
  });
});

describe("callers", () => {
  const messages = [{ role: "user", content: [{ text: "Hi" }] }];

  test("who sign are told how to go on", async () => {
    const client = new BedrockRuntimeClient({
      region: AWS_REGION,
      endpoint: gw.server.url,
      credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
      authSchemePreference: ["sigv4"],
      requestHandler: new NodeHttpHandler(),
      maxAttempts: 1,
    });
    const failed = client.send(
      new ConverseCommand({ modelId: CLAUDE, messages: [user({ reply: "Hi." })] }),
    );
    const error = (await failed.catch((e: unknown) => e)) as Error & {
      $metadata: { httpStatusCode: number };
    };
    expect(error.name).toBe("AccessDeniedException");
    expect(error.message).toContain("AWS_BEARER_TOKEN_BEDROCK");
    expect(error.$metadata.httpStatusCode).toBe(403);
  });

  test.each([
    ["no key", {}, 403, "UnrecognizedClientException"],
    ["a wrong key", { authorization: "Bearer sk-wrong" }, 403, "UnrecognizedClientException"],
  ])("with %s", async (_, headers, status, type) => {
    const reply = await post(pathOf(CLAUDE), { messages }, headers as Record<string, string>);
    expect(reply.status).toBe(status);
    expect(reply.headers.get("x-amzn-errortype")).toBe(type);
    expect(await reply.json()).toMatchObject({ __type: type, message: expect.any(String) });
  });

  test("without money", async () => {
    const poor = await gw.newToken({ unlimited_quota: false, remain_quota: 0 });
    const reply = await post(pathOf(CLAUDE), { messages }, { authorization: `Bearer ${poor.key}` });
    expect(reply.status).toBe(400);
    expect(await reply.json()).toMatchObject({ __type: "ServiceQuotaExceededException" });
  });

  test.each([
    ["an unknown model", pathOf("nobody.model-v1:0"), { messages }, 404, "ResourceNotFound"],
    ["a body that is no JSON", pathOf(CLAUDE), "{", 400, "Validation"],
    ["no messages", pathOf("gpt-4o"), {}, 400, "Validation"],
    [
      "a wrong maxTokens",
      pathOf(CLAUDE),
      { messages, inferenceConfig: { maxTokens: "x" } },
      400,
      "Validation",
    ],
    ["a path that is none", "/model/x/invoke", { messages }, 404, "ResourceNotFound"],
  ])("with %s", async (_, path, body, status, type) => {
    const reply = await post(path as string, body);
    expect(reply.status).toBe(status as number);
    expect(await reply.json()).toMatchObject({ __type: `${type as string}Exception` });
  });

  test("may write the model's id with and without escapes", async () => {
    for (const path of [`/model/${CLAUDE}/converse`, `${pathOf(CLAUDE)}/`]) {
      const reply = await post(path, { messages: [user({ reply: "Hi." })] });
      expect(reply.status).toBe(200);
      await reply.text();
    }
  });
});

describe("other clients over Bedrock", () => {
  const text = { reply: "one two", usage: { input: 20, cached: 5, output: 9 } };

  test.each([false, true])("OpenAI's reads text and usage (stream: %p)", async (stream) => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: "system", content: "S" },
      { role: "user", content: ask(text) },
    ];
    const usage = {
      prompt_tokens: 25,
      completion_tokens: 9,
      prompt_tokens_details: { cached_tokens: 5 },
    };
    let id: string | null;
    if (!stream) {
      const { data: reply, response } = await gw.openai.chat.completions
        .create({ model: CLAUDE, messages })
        .withResponse();
      id = response.headers.get("x-request-id");
      expect(reply.choices[0]).toMatchObject({
        finish_reason: "stop",
        message: { content: "one two" },
      });
      expect(reply.usage).toMatchObject(usage);
      expect(reply.id).toStartWith("chatcmpl-");
    } else {
      const { data, response } = await gw.openai.chat.completions
        .create({ model: CLAUDE, messages, stream: true, stream_options: { include_usage: true } })
        .withResponse();
      id = response.headers.get("x-request-id");
      const chunks = await Array.fromAsync(data);
      expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("one two");
      expect(chunks.at(-1)?.usage).toMatchObject(usage);
    }
    const log = await gw.server.logOf(id ?? "");
    expect(log.quota).toBe(Math.round((20 + 5 * 0.1 + 9 * 5) * 2));
    expect(explained(log)).toMatchObject({ request_conversion: ["openai", "bedrock"] });
  });

  test("OpenAI's calls tools of a Nova, forced to", async () => {
    const tools: OpenAI.ChatCompletionTool[] = [
      {
        type: "function",
        function: { name: "w.x", parameters: { type: "object", properties: {} } },
      },
    ];
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      {
        role: "user",
        content: ask({ tools: [{ name: "w_x", args: { n: 1 } }], then: { reply: "Done." } }),
      },
    ];
    const params = { model: NOVA, tools, tool_choice: "required" as const, top_p: 0.5 };
    const first = await gw.openai.chat.completions.create({ ...params, messages });
    const message = first.choices[0]?.message;
    const call = message?.tool_calls?.[0];
    expect(call).toMatchObject({ function: { name: "w.x", arguments: '{"n":1}' } });
    const next = await gw.openai.chat.completions.create({
      ...params,
      messages: [
        ...messages,
        message as OpenAI.ChatCompletionMessageParam,
        { role: "tool", tool_call_id: call?.id ?? "", content: "ok" },
        { role: "user", content: "and?" },
      ],
    });
    expect(next.choices[0]?.message.content).toBe("Done.");
  });

  test("what cannot be told is named", async () => {
    const { response } = await gw.openai.chat.completions
      .create({
        model: CLAUDE,
        seed: 1,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: ask({ reply: "Hi." }) },
              { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
            ],
          },
        ],
      })
      .withResponse();
    expect(response.headers.get("x-token-factory-dropped")).toBe("a sound,seed");
  });

  test("OpenAI's responses are streamed", async () => {
    const stream = await gw.openai.responses.create({
      model: CLAUDE,
      input: ask(text),
      stream: true,
      store: false,
    });
    const events = await Array.fromAsync(stream);
    const deltas = events.map((event) =>
      event.type === "response.output_text.delta" ? event.delta : "",
    );
    expect(deltas.join("")).toBe("one two");
    expect(events.at(-1)?.type).toBe("response.completed");
  });

  test.each([false, true])("Anthropic's reads text and usage (stream: %p)", async (stream) => {
    const params = {
      model: CLAUDE,
      max_tokens: 4000,
      messages: [{ role: "user" as const, content: ask(text) }],
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

  test("Anthropic's brings thinking back, shown and hidden", async () => {
    const wish: Directives = {
      thinking: "Let me see.",
      tools: [{ name: "weather", args: { city: "A" } }],
      then: { reply: "Sunny." },
    };
    const messages: Anthropic.MessageParam[] = [{ role: "user", content: ask(wish) }];
    const params = {
      model: CLAUDE,
      max_tokens: 4000,
      thinking: { type: "enabled" as const, budget_tokens: 2048 },
      tools: [{ name: "weather", input_schema: { type: "object" as const } }],
    };
    const first = await gw.claude.messages.stream({ ...params, messages }).finalMessage();
    expect(first.content.map((block) => block.type)).toEqual([
      "thinking",
      "redacted_thinking",
      "tool_use",
    ]);
    const call = first.content[2] as Anthropic.ToolUseBlock;
    const next = await gw.claude.messages.create({
      ...params,
      messages: [
        ...messages,
        { role: "assistant", content: first.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "fine" }] },
      ],
    });
    expect(next.content).toMatchObject([{ type: "text", text: "Sunny." }]);
    const sent = gw.lastSeen.raw.toString();
    expect(sent).toContain(reasoningSignature("Let me see."));
    expect(sent).toContain(REDACTED);
    expect(sent).not.toContain("tfr1.");
  });

  test("a broken stream is an error to both", async () => {
    const broken = ask({ chunks: ["a", "b", "c"], cut: { after_events: 2, how: "fin" } });
    const failed = gw.claude.messages
      .stream({ model: CLAUDE, max_tokens: 100, messages: [{ role: "user", content: broken }] })
      .finalMessage();
    await expect(failed).rejects.toThrow();
    const stream = await gw.openai.chat.completions.create({
      model: CLAUDE,
      messages: [{ role: "user", content: broken }],
      stream: true,
    });
    await expect(Array.fromAsync(stream)).rejects.toThrow();
  });
});

describe("thinking of others", () => {
  test("comes back to Anthropic through AWS's client", async () => {
    const wish: Directives = {
      thinking: "Let me see.",
      tools: [{ name: "weather", args: { city: "A" } }],
      then: { reply: "Sunny." },
    };
    const input: ConverseCommandInput = {
      modelId: "claude-sonnet-4-6",
      inferenceConfig: { maxTokens: 4000 },
      toolConfig: TOOLS,
      additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 2048 } },
      messages: [user(wish)],
    };
    const first = await collect(input);
    expect(first.thinking).toBe("Let me see.");
    const call = first.content.find((block) => block.toolUse)?.toolUse;
    const next = await converse(
      {
        ...input,
        messages: [
          ...(input.messages ?? []),
          { role: "assistant", content: first.content },
          {
            role: "user",
            content: [{ toolResult: { toolUseId: call?.toolUseId, content: [{ text: "fine" }] } }],
          },
        ],
      },
      false,
    );
    expect(next.content.at(-1)).toEqual({ text: "Sunny." });
    expect(gw.lastSeen.raw.toString()).toContain('"type":"thinking"');
    expect(gw.lastSeen.raw.toString()).not.toContain("tfr1.");
  });

  test("never reaches Bedrock", async () => {
    const wrapped = `tfr1.${Buffer.from('{"v":"gemini","d":"x"}').toString("base64url")}`;
    const reply = await converse(
      {
        modelId: CLAUDE,
        messages: [
          { role: "user", content: [{ text: "Hi" }] },
          {
            role: "assistant",
            content: [
              { reasoningContent: { reasoningText: { text: "hm", signature: wrapped } } },
              { text: "Yes?" },
            ],
          },
          user({ reply: "Hi." }),
        ],
      },
      true,
    );
    expect(reply.content).toEqual([{ text: "Hi." }]);
    expect(gw.lastSeen.raw.toString()).not.toContain("reasoningContent");
  });
});
