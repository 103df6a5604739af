// What a model costs in money: ratios are multiples of 2 USD per million tokens.
import type { ModelPrice } from "../models/api.ts";
import { USD_PER_RATIO } from "./price.ts";

export const PRICE_PARTS = ["input", "output", "cached", "written", "written_1h"] as const;
export type PricePart = (typeof PRICE_PARTS)[number];
export type Prices = Record<PricePart, number>;

/** USD per million tokens. */
export function pricesOf(model: ModelPrice, groupRatio = 1): Prices {
  const input = model.model_ratio * USD_PER_RATIO * groupRatio;
  return {
    input,
    output: input * model.completion_ratio,
    cached: input * model.cache_ratio,
    written: input * model.create_cache_ratio,
    written_1h: input * model.create_cache_1h_ratio,
  };
}

export const TAGS = [
  "reasoning",
  "image",
  "video",
  "audio",
  "embedding",
  "rerank",
  "free",
] as const;
export type Tag = (typeof TAGS)[number];

const KINDS: [pattern: RegExp, tag: Tag][] = [
  [/embed|^bge-(?!rerank)|^voyage-/, "embedding"],
  [/rerank/, "rerank"],
  [/dall-e|image|imagen|cogview|flux|seedream|midjourney|stable-diffusion/, "image"],
  [/sora|veo|video|kling|seedance|hailuo|vidu|wan\d/, "video"],
  [/whisper|tts|audio|speech|realtime|transcribe|suno|voice/, "audio"],
  [/^o\d|^gpt-5|thinking|reason|-r1|^r1|qwq|qvq|magistral|^grok-[34]|gemini-[23]/, "reasoning"],
];

/** What a model is for, as its name tells, and whether it costs nothing. */
export function tagsOf(model: ModelPrice): Tag[] {
  const name = model.model.toLowerCase().split("/").at(-1)!;
  const kinds = KINDS.filter(([pattern]) => pattern.test(name)).map(([, tag]) => tag);
  const free = model.priced && !(model.per_call ? model.call_price : model.model_ratio);
  return free ? [...kinds, "free"] : kinds;
}

export interface Vendor {
  name: string;
  /** Of helpers/logos.ts. */
  logo: string;
}

const VENDORS: [pattern: RegExp, name: string, logo: string][] = [
  [
    /^(gpt|o[134]|chatgpt|text-embedding|dall-e|whisper|tts|codex|sora|davinci|omni)/,
    "OpenAI",
    "openai",
  ],
  [/^claude/, "Anthropic", "claude"],
  [/^gemma/, "Google", "gemma"],
  [/^(gemini|imagen|veo|learnlm)/, "Google", "gemini"],
  [/^deepseek/, "DeepSeek", "deepseek"],
  [/^(qwen|qwq|qvq|wan)/, "Qwen", "qwen"],
  [/^(glm|chatglm|cogview|cogvideo)/, "Zhipu", "zhipu"],
  [/^(moonshot|kimi)/, "Moonshot", "kimi"],
  [/^(doubao|seed)/, "Doubao", "doubao"],
  [/^ernie/, "Baidu", "wenxin"],
  [/^hunyuan/, "Tencent", "hunyuan"],
  [/^(minimax|abab)/, "MiniMax", "minimax"],
  [/^(mistral|mixtral|codestral|ministral|pixtral|magistral)/, "Mistral", "mistral"],
  [/^(llama|meta)/, "Meta", "meta"],
  [/^grok/, "xAI", "grok"],
  [/^(command|embed|rerank|c4ai)/, "Cohere", "cohere"],
  [/^(nova|titan)/, "Amazon", "nova"],
  [/^phi-/, "Microsoft", "microsoft"],
  [/^step-/, "StepFun", "stepfun"],
  [/^yi-/, "01.AI", "yi"],
  [/^baichuan/, "Baichuan", "baichuan"],
  [/^(spark|4\.0ultra)/, "iFlytek", "spark"],
  [/^(sonar|pplx)/, "Perplexity", "perplexity"],
  [/^jina/, "Jina", "jina"],
  [/^voyage/, "Voyage", "voyage"],
  [/^bge/, "BAAI", "baai"],
  [/^(nemotron|nvidia)/, "NVIDIA", "nvidia"],
  [/^mimo/, "Xiaomi", "xiaomimimo"],
  [/^longcat/, "Meituan", "longcat"],
  [/^flux/, "Black Forest Labs", "flux"],
];

const NOBODY: Vendor = { name: "", logo: "" };

/** What Bedrock writes before a model's name: where it may run, and who makes it. */
const BEDROCK =
  /^(?:(?:us|eu|apac|jp|au|ca|us-gov|global)\.)?(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|nvidia|openai|qwen|writer)\./;

/** Who makes it, as its name tells; no name when it does not. */
export function vendorOf(model: string): Vendor {
  const text = model.toLowerCase().split("/").at(-1)!.replace(BEDROCK, "");
  const found = VENDORS.find(([pattern]) => pattern.test(text));
  return found ? { name: found[1], logo: found[2] } : NOBODY;
}
