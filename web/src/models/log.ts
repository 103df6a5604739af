// What a log row's `other` says; see docs and src/relay/settle.c.
export const LOG_TYPE = {
  topup: 1,
  consume: 2,
  manage: 3,
  system: 4,
  error: 5,
  refund: 6,
  login: 7,
} as const;

export interface LogOther {
  model_ratio?: number;
  completion_ratio?: number;
  group_ratio?: number;
  model_price?: number;
  cache_tokens?: number;
  cache_ratio?: number;
  cache_creation_tokens_5m?: number;
  cache_creation_ratio_5m?: number;
  cache_creation_tokens_1h?: number;
  cache_creation_ratio_1h?: number;
  reasoning_tokens?: number;
  uncollected_quota?: number;
  usage_source?: string;
  stream_end?: string;
  request_conversion?: string[];
  upstream_model_name?: string;
  error?: string;
  admin_info?: { use_channel?: number[]; detail?: string };
}

export function readOther(text: string): LogOther {
  try {
    const value: unknown = JSON.parse(text || "{}");
    return value && typeof value === "object" ? (value as LogOther) : {};
  } catch {
    return {};
  }
}
