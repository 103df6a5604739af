// The fake's Responses API: the official SDK likes it, and it refuses what OpenAI refuses.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type {
  ResponseCreateParamsNonStreaming as Params,
  ResponseInputItem as Item,
} from "openai/resources/responses/responses";
import { caught } from "./caught";
import { ask, type Fake, OPENAI_KEY, startFake } from "./fake";

let fake: Fake;
let openai: OpenAI;

beforeAll(async () => {
  fake = await startFake();
  openai = new OpenAI({ baseURL: `${fake.url}/v1`, apiKey: OPENAI_KEY, maxRetries: 0 });
});
afterAll(() => fake.close());

const wish = { reply: "Bonjour", thinking: "hm", usage: { input: 7, cached: 3, output: 9 } };

describe("responses, read by the official SDK", () => {
  test("whole and streamed, they are the same", async () => {
    const params: Params = {
      model: "gpt-5",
      input: ask(wish),
      reasoning: { summary: "auto" },
      include: ["reasoning.encrypted_content"],
    };
    const whole = await openai.responses.create(params);
    const streamed = await openai.responses.stream({ ...params, stream: true }).finalResponse();
    for (const reply of [whole, streamed]) {
      expect(reply.output_text).toBe("Bonjour");
      expect(reply.output.map((item) => item.type)).toEqual(["reasoning", "message"]);
      expect(reply.usage).toMatchObject({ input_tokens: 10, output_tokens: 9, total_tokens: 19 });
    }
  });

  test("a failure inside the stream is thrown", async () => {
    const input = ask({ error_in_stream: { after: 3, message: "sorry" } });
    const stream = await openai.responses.create({ model: "gpt-4o", input, stream: true });
    expect(String(await caught(Array.fromAsync(stream)))).toContain("sorry");
  });
});

describe("its strictness", () => {
  const call = { type: "function_call", call_id: "c1", name: "f", arguments: "{}" };
  const output = { type: "function_call_output", call_id: "c1", output: "x" };
  const reasoning = { type: "reasoning", id: "rs_1", summary: [] };
  const bad: [string, Record<string, unknown>, string][] = [
    ["no input", { input: undefined }, "'input'"],
    ["a member of chat", { messages: [] }, "Unrecognized request argument supplied: messages"],
    ["too small a limit", { max_output_tokens: 5 }, "max_output_tokens"],
    ["a call without output", { input: [call] }, "No tool output found"],
    ["output without a call", { input: [output] }, "No tool call found"],
    ["reasoning that leads nowhere", { input: [reasoning] }, "required following item"],
    [
      "somebody else's state",
      { input: [{ ...reasoning, encrypted_content: "tfr1.x" }, call, output] },
      "could not be verified",
    ],
    [
      "input_text of an assistant",
      { input: [{ role: "assistant", content: [{ type: "input_text", text: "x" }] }] },
      "input_text",
    ],
    [
      "a tool in chat's form",
      { tools: [{ type: "function", function: { name: "f" } }] },
      "tools[0].function",
    ],
    [
      "a strict tool with an open schema",
      { tools: [{ type: "function", name: "f", parameters: { type: "object" } }] },
      "additionalProperties",
    ],
    [
      "state of a model that never reasons",
      { include: ["reasoning.encrypted_content"] },
      "Encrypted content is not supported",
    ],
  ];
  test.each(bad)("refuses %s", async (_, change, words) => {
    const params = { model: "gpt-4o", input: "hi", ...change } as unknown as Params;
    const error = (await caught(openai.responses.create(params))) as { status: number };
    expect(error.status).toBe(400);
    expect(String(error)).toContain(words);
  });

  test("takes a whole turn back", async () => {
    const input = [{ role: "user", content: "hi" }, reasoning, call, output] as Item[];
    const reply = await openai.responses.create({ model: "gpt-5", input });
    expect(reply.status).toBe("completed");
  });
});
