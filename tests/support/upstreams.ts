// One channel and one model of each upstream dialect, for suites that ask all of them.
import { beforeAll } from "bun:test";
import { type Gateway, gateway } from "./gateway";

export const UPSTREAMS = [
  { upstream: "openai", model: "fake-cu" },
  { upstream: "responses", model: "fake-rs" },
  { upstream: "claude", model: "claude-sonnet-4-6" },
  { upstream: "gemini", model: "gemini-2.5-flash" },
  { upstream: "cohere", model: "command-a-03-2025" },
  { upstream: "bedrock", model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0" },
];

/** A gateway before all of UPSTREAMS; a token of input costs 2, cached 0.2, of output 10. */
export function gatewayToAll(): Gateway {
  const gw = gateway();
  const each = (value: number): Record<string, number> =>
    Object.fromEntries(UPSTREAMS.map(({ model }) => [model, value]));
  beforeAll(async () => {
    await gw.setPrices({ ModelRatio: each(2), CompletionRatio: each(5), CacheRatio: each(0.1) });
    await gw.addOpenai("cu", { type: "custom", models: "fake-cu" });
    await gw.addOpenai("rs", { type: "OpenAI Responses", models: "fake-rs" });
    await gw.addGemini("ge", { models: "gemini-2.5-flash" });
    await gw.addCohere("co", { models: "command-a-03-2025" });
    await gw.addBedrock("aws", { models: "us.anthropic.claude-sonnet-4-5-20250929-v1:0" });
  });
  return gw;
}
