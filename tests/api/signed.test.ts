// State of a model's thinking that its provider wants back, and chat clients have no place for.
import { beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import { ask, callSignature, type Directives, signature } from "../support/fake";
import { state } from "../support/fake/responses";
import { gateway } from "../support/gateway";

const SECRETS = { CRYPTO_SECRET: "c".repeat(32), SESSION_SECRET: "s".repeat(32) };
const gw = gateway({ env: SECRETS });
const GEMINI = "gemini-3-flash-preview";

beforeAll(async () => {
  const models = [GEMINI, "gpt-5-rs"];
  await gw.setPrices({ ModelRatio: Object.fromEntries(models.map((model) => [model, 2])) });
  await gw.addGemini("ge", { models: GEMINI });
  await gw.addOpenai("rs", { type: "OpenAI Responses", models: "gpt-5-rs" });
});

const THOUGHT = "I should look at the clock.";
const tools: OpenAI.ChatCompletionTool[] = [
  { type: "function", function: { name: "time", parameters: { type: "object", properties: {} } } },
];

type Messages = OpenAI.ChatCompletionMessageParam[];
type Call = { id: string; name: string; args: string };

/** What most clients keep of a reply: the calls, and nothing they do not know. */
async function calls(
  client: OpenAI,
  model: string,
  messages: Messages,
  stream: boolean,
): Promise<Call[]> {
  const request = { model, messages, tools, reasoning_effort: "low" as const };
  const reply = stream
    ? await client.chat.completions.stream({ ...request, stream: true }).finalChatCompletion()
    : await client.chat.completions.create(request);
  return (reply.choices[0]?.message.tool_calls ?? []).map((call) => {
    if (call.type !== "function") throw new Error("no function");
    return { id: call.id, name: call.function.name, args: call.function.arguments };
  });
}

const turn = (made: Call[]): Messages => [
  {
    role: "assistant",
    content: null,
    tool_calls: made.map(({ id, name, args }) => ({
      id,
      type: "function",
      function: { name, arguments: args },
    })),
  },
  ...made.map(({ id }) => ({ role: "tool" as const, tool_call_id: id, content: "12:00" })),
];

const UPSTREAMS = [
  { upstream: "Anthropic", model: "claude-sonnet-4-6", wants: signature(THOUGHT) },
  { upstream: "Gemini", model: GEMINI, wants: callSignature("time") },
  { upstream: "Responses", model: "gpt-5-rs", wants: state(THOUGHT) },
];

describe.each(UPSTREAMS)("over $upstream", ({ model, wants }) => {
  const wish: Directives = {
    thinking: THOUGHT,
    tools: [{ name: "time", args: {} }],
    then: { reply: "Noon." },
  };
  const question: Messages = [{ role: "user", content: ask(wish) }];

  async function answer(client: OpenAI, messages: Messages): Promise<string> {
    const reply = await client.chat.completions.create({
      model,
      messages,
      tools,
      reasoning_effort: "low",
    });
    expect(reply.choices[0]?.message.content).toBe("Noon.");
    return JSON.stringify(gw.lastSeen.body);
  }

  test.each([false, true])("it goes back with the call's result (stream: %p)", async (stream) => {
    const made = await calls(gw.openai, model, question, stream);
    expect(made).toHaveLength(1);
    expect(await answer(gw.openai, [...question, ...turn(made)])).toContain(wants);
  });

  test("also after a restart", async () => {
    const made = await calls(gw.openai, model, question, false);
    await gw.server.stop();
    await gw.server.restart();
    expect(await answer(gw.openai, [...question, ...turn(made)])).toContain(wants);
  });

  test("to nobody else", async () => {
    const made = await calls(gw.openai, model, question, false);
    const other = await gw.server.createUser();
    const stranger = gw.openaiAs((await gw.newToken({}, other)).key);
    gw.allowRefusals(); // Anthropic's may mind
    await answer(stranger, [...question, ...turn(made)]).catch(() => "");
    expect(JSON.stringify(gw.lastSeen.body)).toContain("12:00");
    expect(JSON.stringify(gw.lastSeen.body)).not.toContain(wants);
  });

  test("what was thought before the user spoke again is left out", async () => {
    const made = await calls(gw.openai, model, question, false);
    const later: Messages = [
      ...question,
      ...turn(made),
      { role: "assistant", content: "Noon." },
      { role: "user", content: ask({ reply: "Noon." }) },
    ];
    expect(await answer(gw.openai, later)).not.toContain(wants);
  });
});

test("another provider does not see it", async () => {
  const wish = { thinking: THOUGHT, tools: [{ name: "time", args: {} }], then: { reply: "Noon." } };
  const question: Messages = [{ role: "user", content: ask(wish) }];
  const made = await calls(gw.openai, "claude-sonnet-4-6", question, false);
  await gw.openai.chat.completions.create({
    model: GEMINI,
    messages: [...question, ...turn(made)],
    tools,
  });
  expect(JSON.stringify(gw.lastSeen.body)).not.toContain(signature(THOUGHT));
});
