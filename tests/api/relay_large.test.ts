// Large requests are read in outline (src/common/json_outline.h): what leaves must still be all of
// it, byte for byte where nothing is translated.
import { beforeAll, describe, expect, test } from "bun:test";
import { ask, type Directives } from "../support/fake";
import { gateway } from "../support/gateway";
import { failed, PATHS, question } from "../support/shapes";
import { receive } from "../support/sse";

const gw = gateway();
const TURN = '"Grüße", \\ 世界 👋\n\u0001 tfr1. {"model":"no"} '.repeat(200);

beforeAll(async () => {
  await gw.setPrices({ ModelRatio: { big: 1, "fake-cu": 1, "fake-oa": 1 } });
  await gw.addOpenai("mapped", { models: "big", model_mapping: '{"big":"gpt-4o"}' });
  await gw.addOpenai("cu", { type: "custom", models: "fake-cu" });
  await gw.addOpenai("re", { models: "fake-oa" });
});

interface Turn {
  role: string;
  content: string;
}

const turns = (wish: Directives): Turn[] => [
  ...Array.from({ length: 10 }, (_, i) => ({ role: i % 2 ? "assistant" : "user", content: TURN })),
  { role: "user", content: ask(wish) },
];

/** Odd white space, escapes of all kinds, and the model behind everything. */
const odd = (model: string, wish: Directives, more = ""): string =>
  `{ "max_tokens":50,\n "messages" : ${JSON.stringify(turns(wish), null, 1).replaceAll("ü", "\\u00fc")}${more} ,\t"model" : "${model}"  }`;

describe("between equal dialects", () => {
  test("every byte arrives", async () => {
    const body = odd("claude-sonnet-4-6", {}, ', "metadata":{"user_id":"u"}');
    expect((await receive(await gw.post("/v1/messages", body))).status).toBe(200);
    expect(gw.lastSeen.raw.toString()).toBe(body);
  });

  test("only the model's name is changed", async () => {
    const reply = await receive(await gw.post("/v1/chat/completions", odd("big", {})));
    expect(reply.status).toBe(200);
    expect(gw.lastSeen.raw.toString()).toBe(odd("gpt-4o", {}));
  });

  test("a stream's options keep what they say", async () => {
    const options = { include_obfuscation: false, include_usage: false };
    const body = { ...question("openai", "gpt-4o", {}), messages: turns({}), stream: true };
    const request = { ...body, stream_options: options };
    const reply = await receive(await gw.post("/v1/chat/completions", request));
    expect(reply.status).toBe(200);
    expect(gw.lastSeen.body).toEqual({
      ...request,
      stream_options: { ...options, include_usage: true },
    });
  });
});

describe("translated", () => {
  test.each([
    ["openai", "claude-sonnet-4-6"],
    ["claude", "gpt-4o"],
  ] as const)("all text arrives (from %s)", async (dialect, model) => {
    const request = { ...question(dialect, model, {}), messages: turns({}) };
    expect((await receive(await gw.post(PATHS[dialect], request))).status).toBe(200);
    const sent = JSON.stringify(gw.lastSeen.body);
    expect(sent.split(JSON.stringify(TURN).slice(1, -1)).length - 1).toBe(10);
  });

  test("another vendor's state among long texts is found", async () => {
    const carried = `tfr1.${Buffer.from(`{"v":"claude","d":"${"S".repeat(3000)}"}`).toString("base64url")}`;
    const thought = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: carried };
    const input = [...turns({}).slice(0, -1), thought, { role: "user", content: ask({}) }];
    const request = { model: "fake-oa", store: false, input };
    expect((await receive(await gw.post("/v1/responses", request))).status).toBe(200);
    const sent = JSON.stringify(gw.lastSeen.body);
    expect(sent).not.toContain(carried);
    expect(sent.split(JSON.stringify(TURN).slice(1, -1)).length - 1).toBe(10);
  });

  test("what follows a kept reply, and items that are named", async () => {
    const first = await gw.openai.responses.create({
      model: "fake-cu",
      input: ask({ reply: "Blue." }),
    });
    const named = { type: "item_reference", id: first.output[0]?.id };
    for (const request of [
      { model: "fake-cu", previous_response_id: first.id, input: turns({}) },
      { model: "fake-cu", input: [...turns({}).slice(0, -1), named, turns({}).at(-1)] },
    ]) {
      expect((await receive(await gw.post("/v1/responses", request))).status).toBe(200);
      const sent = JSON.stringify(gw.lastSeen.body);
      expect(sent).toContain("Blue.");
      expect(sent.split(JSON.stringify(TURN).slice(1, -1)).length - 1).toBe(10);
    }
  });
});

describe("what is wrong is found", () => {
  test.each([
    ["an escape", (body: string): string => body.replace("\\n", "\\x")],
    ["a control character", (body: string): string => body.replace("\\n", "\n")],
    ["half of a pair", (body: string): string => body.replace("\\n", "\\ud83d")],
    ["a missing bracket", (body: string): string => body.replace(/\](?=[^\]]*$)/, "")],
    [
      "a long model",
      (body: string): string => body.replace('"gpt-4o"', `"gpt-4o${"x".repeat(2000)}"`),
    ],
    [
      "a name said twice",
      (body: string): string => body.replace('"max_tokens"', '"model":"x","max_tokens"'),
    ],
    ["nothing behind a comma", (body: string): string => body.replace(/ {2}\}$/, ",}")],
  ])("%s", async (_, spoil) => {
    const good = odd("gpt-4o", {});
    const bad = spoil(good);
    expect(bad).not.toBe(good);
    failed("openai", await receive(await gw.post("/v1/chat/completions", bad)), 400);
  });

  test("bytes that are not UTF-8", async () => {
    const bytes = Buffer.from(odd("gpt-4o", {}));
    bytes[bytes.indexOf(0xe4, 40_000)] = 0xff;
    failed("openai", await receive(await gw.post("/v1/chat/completions", bytes)), 400);
  });
});
