// Conversations in four protocols: what is sent, what is read, and what goes back with the next turn.
import { describe, expect, test } from "vitest";
import {
  type Answer,
  curlOf,
  DIALECTS,
  type DialectName,
  Refusal,
  requestOf,
  toolsOf,
  type Turn,
  USUAL,
  type Wishes,
} from "../src/helpers/chat/index.ts";
import { eventsOf, TooMuch, wholeOf } from "../src/helpers/chat/stream.ts";

const NAMES = Object.keys(DIALECTS) as DialectName[];
const HELLO: Turn = { role: "user", text: "it's", images: [] };
const PICTURE: Turn = {
  role: "user",
  text: "What?",
  images: [{ name: "a.png", type: "image/png", data: "QUJD" }],
};
const wish = (change: Partial<Wishes>): Wishes => ({ ...USUAL, model: "m", ...change });

function read(dialect: DialectName, events: unknown[]): Answer {
  const reader = DIALECTS[dialect].reader();
  for (const event of events) reader.take(event);
  return reader.answer();
}

const streamOf = (pieces: Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(control) {
      for (const piece of pieces) control.enqueue(piece);
      control.close();
    },
  });
const all = async (found: AsyncGenerator<string>) => {
  const list: string[] = [];
  for await (const one of found) list.push(one);
  return list;
};

describe("bytes", () => {
  test("events, however they were cut", async () => {
    const bytes = new TextEncoder().encode(
      'data: {"a":"é"}\r\n\r\n: note\n\nevent: x\ndata:x\ndata: y\n\ndata: [DONE]',
    );
    for (const size of [1, 2, 7, 1000]) {
      const pieces: Uint8Array[] = [];
      for (let i = 0; i < bytes.length; i += size) pieces.push(bytes.slice(i, i + size));
      expect(await all(eventsOf(streamOf(pieces)))).toEqual(['{"a":"é"}', "x\ny", "[DONE]"]);
    }
  });

  test("nothing grows without bounds, and the rest is not waited for", async () => {
    let cancelled = false;
    const endless = (text: string) =>
      new ReadableStream<Uint8Array>({
        pull: (control) => control.enqueue(new TextEncoder().encode(text)),
        cancel: () => void (cancelled = true),
      });
    await expect(all(eventsOf(endless("data: x"), { event: 1000 }))).rejects.toThrow(TooMuch);
    expect(cancelled).toBe(true);
    cancelled = false;
    await expect(all(eventsOf(endless("data: x\n\n"), { stream: 1000 }))).rejects.toThrow(TooMuch);
    expect(cancelled).toBe(true);
    await expect(wholeOf(new Response(endless("x")), 1000)).rejects.toThrow(TooMuch);
    expect(await wholeOf(new Response("{}"))).toBe("{}");
  });
});

describe("what is sent", () => {
  test("only what was wished for", () => {
    const bodies = Object.fromEntries(
      NAMES.map((dialect) => [dialect, requestOf(wish({ dialect }), [HELLO]).body]),
    );
    expect(bodies).toEqual({
      chat: {
        model: "m",
        messages: [{ role: "user", content: "it's" }],
        stream: true,
        stream_options: { include_usage: true },
      },
      responses: {
        model: "m",
        input: [{ role: "user", content: [{ type: "input_text", text: "it's" }] }],
        stream: true,
        store: false,
      },
      messages: {
        model: "m",
        max_tokens: 4096,
        messages: [{ role: "user", content: "it's" }],
        stream: true,
      },
      gemini: { contents: [{ role: "user", parts: [{ text: "it's" }] }] },
    });
  });

  test("every knob where the protocol has it, and members of one's own", () => {
    const all = { temperature: 0, top_p: 0.5, top_k: 7, max_tokens: 9000, system: " s " };
    const body = (dialect: DialectName, more: Partial<Wishes> = {}) =>
      requestOf(wish({ dialect, ...all, ...more }), []).body;
    expect(body("chat", { effort: "low", extra: '{"seed":7,"stream":false}' })).toMatchObject({
      messages: [{ role: "system", content: "s" }],
      temperature: 0,
      max_tokens: 9000,
      reasoning_effort: "low",
      seed: 7,
      stream: false,
    });
    expect(body("chat")).not.toHaveProperty("top_k");
    expect(body("responses", { effort: "low" })).toMatchObject({
      instructions: "s",
      max_output_tokens: 9000,
      reasoning: { effort: "low", summary: "auto" },
      include: ["reasoning.encrypted_content"],
    });
    expect(body("messages", { budget: 2048 })).toMatchObject({
      system: "s",
      top_k: 7,
      thinking: { type: "enabled", budget_tokens: 2048 },
    });
    expect(body("messages", { effort: "high" })).toMatchObject({
      thinking: { type: "adaptive" },
      output_config: { effort: "high" },
    });
    expect(body("gemini", { budget: 2048 })).toMatchObject({
      systemInstruction: { parts: [{ text: "s" }] },
      generationConfig: {
        temperature: 0,
        topP: 0.5,
        topK: 7,
        maxOutputTokens: 9000,
        thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 },
      },
    });
    for (const extra of ["[]", "7", "{"]) expect(() => body("chat", { extra })).toThrow();
  });

  test("pictures", () => {
    const sent = (dialect: DialectName) =>
      JSON.stringify(requestOf(wish({ dialect }), [PICTURE]).body);
    expect(sent("chat")).toContain('"image_url":{"url":"data:image/png;base64,QUJD"}');
    expect(sent("responses")).toContain('"image_url":"data:image/png;base64,QUJD"');
    expect(sent("messages")).toContain('{"type":"base64","media_type":"image/png","data":"QUJD"}');
    expect(sent("gemini")).toContain('{"inlineData":{"mimeType":"image/png","data":"QUJD"}}');
    for (const dialect of NAMES) expect(sent(dialect)).toContain("What?");
  });

  test("tools, in whichever form they were written", () => {
    const weather = { name: "weather", description: "d", parameters: { type: "object" } };
    const forms = [
      [weather],
      [{ type: "function", function: weather }],
      [{ type: "function", ...weather }],
      [{ name: "weather", description: "d", input_schema: { type: "object" } }],
      { tools: [weather] },
      [{ functionDeclarations: [weather] }],
      weather,
    ];
    for (const form of forms)
      expect(toolsOf(JSON.stringify(form))).toEqual({ tools: [weather], foreign: [] });
    expect(toolsOf(" ")).toEqual({ tools: [], foreign: [] });
    expect(() => toolsOf("[")).toThrow();
    const tools = JSON.stringify([weather, { type: "web_search" }]);
    const sent = (dialect: DialectName) =>
      requestOf(wish({ dialect, tools }), [HELLO]).body["tools"];
    const search = { type: "web_search" };
    expect(sent("chat")).toEqual([{ type: "function", function: weather }, search]);
    expect(sent("responses")).toEqual([{ type: "function", ...weather }, search]);
    expect(sent("messages")).toEqual([
      { name: "weather", description: "d", input_schema: { type: "object" } },
      search,
    ]);
    expect(sent("gemini")).toEqual([{ functionDeclarations: [weather] }, search]);
  });

  test("paths and curl", () => {
    const request = (dialect: DialectName, stream = true) =>
      requestOf(wish({ dialect, stream, model: "a/b c" }), [HELLO]);
    expect(request("gemini").path).toBe("/v1beta/models/a/b%20c:streamGenerateContent?alt=sse");
    expect(request("gemini", false).path).toBe("/v1beta/models/a/b%20c:generateContent");
    const curl = curlOf("http://h", request("messages"));
    expect(curl).toContain("curl 'http://h/v1/messages'");
    expect(curl).toContain('-H "x-api-key: $TOKEN_FACTORY_KEY"');
    expect(curl).toContain(`it'\\''s`);
  });
});

/** The same answer as each protocol streams it: thinking, text, one call, usage. */
const STREAMS: Record<DialectName, unknown[]> = {
  chat: [
    { choices: [{ delta: { role: "assistant", content: "" } }] },
    { choices: [{ delta: { reasoning_content: "h" } }] },
    { choices: [{ delta: { reasoning_content: "m" } }] },
    { choices: [{ delta: { content: "Hel" } }] },
    { choices: [{ delta: { content: "lo" } }] },
    {
      choices: [
        {
          delta: {
            tool_calls: [
              {
                index: 0,
                id: "c1",
                type: "function",
                function: { name: "f", arguments: "" },
                extra_content: { google: { thought_signature: "sig" } },
              },
            ],
          },
        },
      ],
    },
    { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] } }] },
    { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: ":1}" } }] } }] },
    { choices: [{ delta: {}, finish_reason: "tool_calls" }] },
    {
      choices: [],
      usage: {
        prompt_tokens: 10,
        completion_tokens: 5,
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 2 },
      },
    },
  ],
  responses: [
    { type: "response.created", response: { status: "in_progress", output: [] } },
    {
      type: "response.output_item.added",
      output_index: 0,
      item: { type: "reasoning", summary: [] },
    },
    { type: "response.reasoning_summary_text.delta", output_index: 0, delta: "h" },
    { type: "response.reasoning_summary_text.delta", output_index: 0, delta: "m" },
    {
      type: "response.output_item.done",
      output_index: 0,
      item: {
        type: "reasoning",
        id: "r",
        summary: [{ type: "summary_text", text: "hm" }],
        encrypted_content: "sealed",
      },
    },
    { type: "response.output_item.added", output_index: 1, item: { type: "message", content: [] } },
    { type: "response.output_text.delta", output_index: 1, delta: "Hel" },
    { type: "response.output_text.delta", output_index: 1, delta: "lo" },
    {
      type: "response.output_item.added",
      output_index: 2,
      item: { type: "function_call", call_id: "c1", name: "f", arguments: "" },
    },
    { type: "response.function_call_arguments.delta", output_index: 2, delta: '{"a"' },
    { type: "response.function_call_arguments.delta", output_index: 2, delta: ":1}" },
    {
      type: "response.completed",
      response: {
        status: "completed",
        output: [
          {
            type: "reasoning",
            id: "r",
            summary: [{ type: "summary_text", text: "hm" }],
            encrypted_content: "sealed",
          },
          {
            type: "message",
            role: "assistant",
            content: [{ type: "output_text", text: "Hello" }],
          },
          { type: "function_call", call_id: "c1", name: "f", arguments: '{"a":1}' },
        ],
        usage: {
          input_tokens: 10,
          output_tokens: 5,
          input_tokens_details: { cached_tokens: 4 },
          output_tokens_details: { reasoning_tokens: 2 },
        },
      },
    },
  ],
  messages: [
    { type: "message_start", message: { usage: { input_tokens: 6, cache_read_input_tokens: 4 } } },
    { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "h" } },
    { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "m" } },
    { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "sig" } },
    { type: "content_block_stop", index: 0 },
    { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Hel" } },
    { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "lo" } },
    {
      type: "content_block_start",
      index: 2,
      content_block: { type: "tool_use", id: "c1", name: "f", input: {} },
    },
    { type: "ping" },
    {
      type: "content_block_delta",
      index: 2,
      delta: { type: "input_json_delta", partial_json: '{"a"' },
    },
    {
      type: "content_block_delta",
      index: 2,
      delta: { type: "input_json_delta", partial_json: ":1}" },
    },
    {
      type: "message_delta",
      delta: { stop_reason: "tool_use" },
      usage: { output_tokens: 5, output_tokens_details: { thinking_tokens: 2 } },
    },
    { type: "message_stop" },
  ],
  gemini: [
    { candidates: [{ content: { parts: [{ text: "h", thought: true }] } }] },
    { candidates: [{ content: { parts: [{ text: "m", thought: true }] } }] },
    { candidates: [{ content: { parts: [{ text: "Hel" }] } }] },
    { candidates: [{ content: { parts: [{ text: "lo" }] } }] },
    {
      candidates: [
        {
          content: {
            parts: [
              { functionCall: { id: "c1", name: "f", args: { a: 1 } }, thoughtSignature: "sig" },
            ],
          },
          finishReason: "STOP",
        },
      ],
      usageMetadata: {
        promptTokenCount: 10,
        candidatesTokenCount: 3,
        thoughtsTokenCount: 2,
        cachedContentTokenCount: 4,
      },
    },
  ],
};

describe("what is read", () => {
  test.each(NAMES)("%s: text, thinking, calls and usage add up", (dialect) => {
    const { native, finish, ...answer } = read(dialect, STREAMS[dialect]);
    expect(answer).toEqual({
      text: "Hello",
      thinking: "hm",
      tools: [{ id: "c1", name: "f", arguments: '{"a":1}' }],
      usage: { input: 10, output: 5, cached: 4, thinking: 2 },
    });
    expect(finish).toMatch(/tool|completed|STOP/);
    expect(native).toBeTruthy();
  });

  test("whole answers", () => {
    const chat = { choices: [{ message: { content: "Hi" }, finish_reason: "stop" }] };
    expect(read("chat", [chat])).toMatchObject({ text: "Hi", finish: "stop" });
    const response = {
      object: "response",
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [{ type: "message", content: [{ type: "output_text", text: "Hi" }] }],
    };
    expect(read("responses", [response])).toMatchObject({
      text: "Hi",
      finish: "max_output_tokens",
    });
    const message = {
      type: "message",
      content: [
        { type: "text", text: "Hi" },
        { type: "tool_use", id: "t", name: "f", input: { b: 2 } },
      ],
      stop_reason: "tool_use",
      usage: { input_tokens: 1, output_tokens: 2 },
    };
    expect(read("messages", [message])).toMatchObject({
      text: "Hi",
      tools: [{ id: "t", name: "f", arguments: '{"b":2}' }],
      native: message.content,
    });
  });

  test("failures in the midst of it are told", () => {
    const failures: Record<DialectName, unknown> = {
      chat: { error: { message: "no more" } },
      responses: {
        type: "response.failed",
        response: { status: "failed", error: { message: "no more" } },
      },
      messages: { type: "error", error: { message: "no more" } },
      gemini: { error: { message: "no more" } },
    };
    for (const dialect of NAMES)
      expect(() => read(dialect, [failures[dialect]])).toThrow(new Refusal("no more"));
    expect(() => read("responses", [{ type: "error", message: "no more" }])).toThrow("no more");
  });

  test("nonsense is nothing", () => {
    const nonsense = [
      null,
      7,
      "x",
      [],
      { choices: 7, candidates: [7], type: "content_block_delta", index: 1e9, delta: 7 },
      { choices: [{ delta: { tool_calls: [null, { index: -1 }, { index: 1e12 }] } }] },
      { type: "response.output_item.done", output_index: "x", item: 7 },
      { type: "content_block_start", index: 1e9, content_block: null },
    ];
    for (const dialect of NAMES)
      expect(read(dialect, nonsense)).toMatchObject({ text: "", thinking: "" });
    read("chat", [JSON.parse('{"choices":[{"delta":{"__proto__":{"polluted":"yes"}}}]}')]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("the next turn", () => {
  const conversation = (from: DialectName): Turn[] => {
    const answer = read(from, STREAMS[from]);
    return [
      HELLO,
      { role: "assistant", dialect: from, answer },
      { role: "tool", results: [{ call: answer.tools[0]!, output: "sunny" }] },
    ];
  };
  const sent = (dialect: DialectName, from: DialectName) =>
    requestOf(wish({ dialect }), conversation(from)).body;

  test("the protocol's own state goes back as it came", () => {
    expect(sent("chat", "chat")["messages"]).toEqual([
      { role: "user", content: "it's" },
      {
        role: "assistant",
        content: "Hello",
        reasoning_content: "hm",
        tool_calls: [
          {
            id: "c1",
            type: "function",
            function: { name: "f", arguments: '{"a":1}' },
            extra_content: { google: { thought_signature: "sig" } },
          },
        ],
      },
      { role: "tool", tool_call_id: "c1", content: "sunny" },
    ]);
    expect((sent("responses", "responses")["input"] as unknown[]).slice(1)).toEqual([
      expect.objectContaining({ type: "reasoning", encrypted_content: "sealed" }),
      expect.objectContaining({ type: "message" }),
      { type: "function_call", call_id: "c1", name: "f", arguments: '{"a":1}' },
      { type: "function_call_output", call_id: "c1", output: "sunny" },
    ]);
    expect((sent("messages", "messages")["messages"] as unknown[]).slice(1)).toEqual([
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm", signature: "sig" },
          { type: "text", text: "Hello" },
          { type: "tool_use", id: "c1", name: "f", input: { a: 1 } },
        ],
      },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "c1", content: "sunny" }],
      },
    ]);
    expect((sent("gemini", "gemini")["contents"] as unknown[]).slice(1)).toEqual([
      {
        role: "model",
        parts: [
          { text: "hm", thought: true },
          { text: "Hello" },
          { functionCall: { id: "c1", name: "f", args: { a: 1 } }, thoughtSignature: "sig" },
        ],
      },
      {
        role: "user",
        parts: [{ functionResponse: { id: "c1", name: "f", response: { result: "sunny" } } }],
      },
    ]);
  });

  test("another protocol gets text and calls, and nothing sealed", () => {
    for (const from of NAMES)
      for (const dialect of NAMES) {
        const text = JSON.stringify(sent(dialect, from));
        expect(text).toContain("Hello");
        expect(text).toContain("sunny");
        if (dialect !== from) expect(text).not.toMatch(/sig|sealed|"hm"/);
      }
  });

  test("reasoning that was not sealed is left out; calls without ids get none", () => {
    const answer = read("responses", [
      { object: "response", output: [{ type: "reasoning", id: "r", summary: [] }] },
    ]);
    const turn: Turn = { role: "assistant", dialect: "responses", answer };
    expect(requestOf(wish({ dialect: "responses" }), [turn]).body["input"]).toEqual([]);
    const part = { functionCall: { name: "f" } };
    const bare = read("gemini", [{ candidates: [{ content: { parts: [part] } }] }]);
    const result = { call: bare.tools[0]!, output: '{"x":1}' };
    const { contents } = requestOf(wish({ dialect: "gemini" }), [
      { role: "tool", results: [result] },
    ]).body as { contents: unknown[] };
    expect(contents[0]).toEqual({
      role: "user",
      parts: [{ functionResponse: { name: "f", response: { x: 1 } } }],
    });
  });
});
