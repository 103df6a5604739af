// What a model costs in money: ratios are multiples of 2 USD per million tokens.
import type { ModelPrice } from "../models/api.ts";
import { USD_PER_RATIO } from "./price.ts";

export interface Prices {
  input: number;
  output: number;
  cached: number;
}

/** USD per million tokens. */
export function pricesOf(model: ModelPrice, groupRatio = 1): Prices {
  const input = model.model_ratio * USD_PER_RATIO * groupRatio;
  return {
    input,
    output: input * model.completion_ratio,
    cached: input * model.cache_ratio,
  };
}

const VENDORS: [RegExp, string][] = [
  [/^(gpt|o[134]|chatgpt|text-embedding|dall-e|whisper|tts|codex|sora|davinci|omni)/, "OpenAI"],
  [/^claude/, "Anthropic"],
  [/^(gemini|gemma|imagen|veo|learnlm)/, "Google"],
  [/^deepseek/, "DeepSeek"],
  [/^(qwen|qwq|qvq|wan)/, "Qwen"],
  [/^(glm|chatglm|cogview|cogvideo)/, "Zhipu"],
  [/^(moonshot|kimi)/, "Moonshot"],
  [/^(doubao|seed)/, "Doubao"],
  [/^(ernie)/, "Baidu"],
  [/^(hunyuan)/, "Tencent"],
  [/^(minimax|abab)/, "MiniMax"],
  [/^(mistral|mixtral|codestral|ministral|pixtral|magistral)/, "Mistral"],
  [/^(llama|meta)/, "Meta"],
  [/^grok/, "xAI"],
  [/^(command|embed|rerank|c4ai)/, "Cohere"],
];

/** Who makes it, as its name tells; "" when it does not. */
export function vendorOf(model: string): string {
  const name = model.toLowerCase().split("/").at(-1)!;
  return VENDORS.find(([pattern]) => pattern.test(name))?.[1] ?? "";
}
