// Vercel's AI SDK, with its package for each dialect, against every upstream dialect.
import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createCohere } from "@ai-sdk/cohere";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import {
  generateText,
  isStepCount,
  type LanguageModel,
  type LanguageModelUsage,
  type ModelMessage,
  Output,
  streamText,
  tool,
} from "ai";
import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { ask, type Directives } from "../support/fake";
import { explained } from "../support/management";
import { gatewayToAll, UPSTREAMS } from "../support/upstreams";

const gw = gatewayToAll();

interface Client {
  client: string;
  speaks: string;
  of: (model: string) => LanguageModel;
}

const at = (path: string): { apiKey: string; baseURL: string } => ({
  apiKey: gw.token.key,
  baseURL: gw.server.url + path,
});

const CLIENTS: Client[] = [
  { client: "chat", speaks: "openai", of: (model) => createOpenAI(at("/v1")).chat(model) },
  { client: "responses", speaks: "responses", of: (model) => createOpenAI(at("/v1"))(model) },
  { client: "anthropic", speaks: "claude", of: (model) => createAnthropic(at("/v1"))(model) },
  {
    client: "google",
    speaks: "gemini",
    of: (model) => createGoogleGenerativeAI(at("/v1beta"))(model),
  },
  { client: "cohere", speaks: "cohere", of: (model) => createCohere(at("/v2"))(model) },
  {
    client: "bedrock",
    speaks: "bedrock",
    of: (model) => createAmazonBedrock({ ...at(""), region: "us-east-1" })(model),
  },
];

const PAIRS = CLIENTS.flatMap((client) =>
  UPSTREAMS.map((upstream) => ({ ...client, ...upstream })),
);

describe.each(PAIRS)(
  "AI SDK, $client over $upstream",
  ({ client, speaks, of, upstream, model }) => {
    const wish = (
      directives: Directives,
    ): { model: LanguageModel; prompt: string } & typeof LIMITS => ({
      model: of(model),
      prompt: ask(directives),
      ...LIMITS,
    });

    test.each([false, true])("answers (stream: %p)", async (stream) => {
      const request = {
        ...wish({ reply: "Grüße, 世界 👋", usage: { input: 20, cached: 7, output: 9 } }),
        instructions: "Be brief.",
        temperature: 0.5,
      };
      const { text, finishReason, usage, response } = await answered(request, stream);
      expect(text).toBe("Grüße, 世界 👋");
      expect(finishReason).toBe("stop");
      const hidden = client === "cohere" && upstream === "cohere"; // its template is counted, too
      expect(usage.outputTokens).toBe(hidden ? 12 : 9);
      expect(usage.inputTokens).toBe(hidden ? 527 : 27);
      if (!stream) return;
      const log = await gw.server.logOf(requestId(response.headers));
      expect(log).toMatchObject({
        quota: Math.round((20 + 7 * 0.1 + 9 * 5) * 2),
        is_stream: stream,
      });
      expect(explained(log)).toMatchObject({
        request_conversion: speaks === upstream ? [speaks] : [speaks, upstream],
      });
    });

    const TOOLS = {
      weather: tool({
        description: "the weather",
        inputSchema: z.object({ city: z.string(), days: z.array(z.number()).optional() }),
        execute: ({ city }) => `sunny in ${city}`,
      }),
      time: tool({
        description: "the time",
        inputSchema: z.object({}),
        execute: () => ({ hour: 12 }),
      }),
    };

    test.each([false, true])("calls in parallel and reads results (stream: %p)", async (stream) => {
      const parallel: Directives = {
        tools: [{ name: "weather", args: { city: 'Paris "\n', days: [1, 2] } }, { name: "time" }],
        then: { reply: "It is sunny." },
      };
      const request = { ...wish(parallel), tools: TOOLS, stopWhen: isStepCount(3) };
      const { text, steps } = await answered(request, stream);
      expect(text).toBe("It is sunny.");
      expect(steps.map((step) => step.finishReason)).toEqual(["tool-calls", "stop"]);
      expect(steps[0]?.toolCalls).toMatchObject([
        { toolName: "weather", input: { city: 'Paris "\n', days: [1, 2] } },
        { toolName: "time", input: {} },
      ]);
      expect(JSON.stringify(gw.lastSeen.body)).toContain("sunny in Paris");
    });

    test("goes on with what was said", async () => {
      const first = await answered(wish({ reply: "My name is Fake." }), false);
      const next = await answered(
        {
          model: of(model),
          ...LIMITS,
          messages: [
            { role: "user", content: "Who are you?" },
            ...first.messages,
            { role: "user", content: ask({ reply: "Fake." }) },
          ],
        },
        true,
      );
      expect(next.text).toBe("Fake.");
      const named = client === "responses" && upstream === "responses"; // it is kept there
      const said = named ? '{"type":"item_reference","id":"msg_' : "My name is Fake.";
      expect(JSON.stringify(gw.lastSeen.body)).toContain(said);
    });

    test.each([false, true])(
      "answers in the form that is asked for (stream: %p)",
      async (stream) => {
        const found = { city: "Paris", days: [1, 2] };
        // Where this package knows no other way it forces a tool of its own.
        const byTool = client === "anthropic" && !model.includes("claude-");
        const request = {
          ...wish(
            byTool ? { tools: [{ name: "json", args: found }] } : { reply: JSON.stringify(found) },
          ),
          output: Output.object({
            schema: z.object({ city: z.string(), days: z.array(z.number()) }),
          }),
        };
        expect((await answered(request, stream)).output).toEqual(found);
      },
    );
  },
);

const LIMITS = { maxOutputTokens: 4000, maxRetries: 0 };

type Request = Parameters<typeof generateText>[0];

interface Answered {
  text: string;
  finishReason: string;
  usage: LanguageModelUsage;
  response: { headers?: Record<string, string> | undefined };
  steps: { finishReason: string; toolCalls: unknown[] }[];
  messages: ModelMessage[];
  output: unknown;
}

async function answered(request: Request, stream: boolean): Promise<Answered> {
  if (!stream) {
    const reply = await generateText(request);
    const { text, finishReason, usage, response, steps } = reply;
    const output = request.output && reply.output;
    return { text, finishReason, usage, response, steps, messages: response.messages, output };
  }
  const failures: unknown[] = [];
  const reply = streamText({ ...request, onError: ({ error }) => void failures.push(error) });
  const text = (await Array.fromAsync(reply.textStream)).join("");
  expect(failures).toEqual([]);
  return {
    text,
    finishReason: await reply.finishReason,
    usage: await reply.usage,
    response: await reply.response,
    steps: await reply.steps,
    messages: (await reply.response).messages,
    output: request.output && (await reply.output),
  };
}

function requestId(headers: Record<string, string> | undefined): string {
  return headers?.["x-request-id"] ?? "";
}
