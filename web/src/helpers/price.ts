// How an amount came about: the lines of the sum, as the program worked it out (docs/billing.md).
import type { Log } from "../models/api.ts";
import type { LogOther } from "../models/log.ts";
import { QUOTA_PER_USD } from "./format.ts";

/** A ratio of 1 is 2 USD per million tokens. */
export const USD_PER_RATIO = 2;

export type PriceKind = "input" | "cached" | "written_5m" | "written_1h" | "output";

export interface PriceLine {
  kind: PriceKind;
  tokens: number;
  /** What this kind costs compared to plain input. */
  ratio: number;
  usdPerMillion: number;
  usd: number;
}

export interface Explanation {
  perCall?: { usd: number };
  lines: PriceLine[];
  groupRatio: number;
  /** What the lines give, before rounding to whole units of quota. */
  usd: number;
}

export function explain(log: Log, other: LogOther): Explanation | undefined {
  const groupRatio = other.group_ratio ?? 1;
  if (other.model_price !== undefined)
    return {
      perCall: { usd: other.model_price },
      lines: [],
      groupRatio,
      usd: other.model_price * groupRatio,
    };
  if (other.model_ratio === undefined) return undefined;
  const cached = other.cache_tokens ?? 0;
  const short = other.cache_creation_tokens_5m ?? 0;
  const long = other.cache_creation_tokens_1h ?? 0;
  const perMillion = other.model_ratio * USD_PER_RATIO;
  const line = (kind: PriceKind, tokens: number, ratio: number): PriceLine => ({
    kind,
    tokens,
    ratio,
    usdPerMillion: perMillion * ratio,
    usd: (tokens * perMillion * ratio) / 1e6,
  });
  const lines = [
    line("input", log.prompt_tokens - cached - short - long, 1),
    line("cached", cached, other.cache_ratio ?? 1),
    line("written_5m", short, other.cache_creation_ratio_5m ?? 1.25),
    line("written_1h", long, other.cache_creation_ratio_1h ?? 2),
    line("output", log.completion_tokens, other.completion_ratio ?? 1),
  ].filter((one) => one.tokens > 0 || one.kind === "input" || one.kind === "output");
  const usd = lines.reduce((sum, one) => sum + one.usd, 0) * groupRatio;
  return { lines, groupRatio, usd };
}

/** Is the sum what was charged, but for the rounding to whole units? */
export const agrees = (explanation: Explanation, quota: number): boolean =>
  Math.abs(explanation.usd * QUOTA_PER_USD - quota) <= 1;
