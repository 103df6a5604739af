// Rate limits: four numbers, of which 0 or none is no limit, and the JSON in which options have them (docs/limits.md).
import { readObject } from "./json.ts";
import type { Rule } from "./rules.ts";

export const LIMITS = ["rpm", "tpm", "rpd", "concurrency"] as const;
export type LimitName = (typeof LIMITS)[number];
export type Limits = Record<LimitName, number>;
export const LIMIT_MOST = 1_000_000_000;

/** As they are being written. */
export type LimitTexts = Partial<Record<LimitName, string>>;
export interface LimitRow {
  name: string;
  limits: LimitTexts;
}

const isName = (name: string): name is LimitName => LIMITS.includes(name as LimitName);

export const limitFits = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= LIMIT_MOST;

function textsOf(value: unknown): LimitTexts | undefined {
  const object = typeof value === "object" ? readObject(JSON.stringify(value)) : undefined;
  const entries = object && Object.entries(object);
  return entries?.every(([name, one]) => isName(name) && ["number", "string"].includes(typeof one))
    ? Object.fromEntries(entries.map(([name, one]) => [name, String(one)]))
    : undefined;
}

/** Limits in a JSON text; undefined: it says something else. */
export const readLimits = (text: string): LimitTexts | undefined => textsOf(readObject(text));

export function readLimitRows(text: string): LimitRow[] | undefined {
  const rows = Object.entries(readObject(text) ?? { "": 0 }).map(([name, value]) => ({
    name,
    limits: textsOf(value),
  }));
  return rows.every((row): row is LimitRow => row.limits !== undefined) ? rows : undefined;
}

/** What is no number stays as it was written, for the rule to find. */
const valuesOf = (texts: LimitTexts) =>
  Object.fromEntries(
    LIMITS.map((name) => [name, texts[name]?.trim() ?? ""])
      .filter(([, text]) => text && !/^0+$/.test(text))
      .map(([name, text]) => [name, /^\d+$/.test(text!) ? Number(text) : text]),
  ) as Record<string, unknown>;

const write = (value: object) => JSON.stringify(value, null, 2);
export const writeLimits = (texts: LimitTexts): string => write(valuesOf(texts));
/** Rows without a name are still being written. */
export const writeLimitRows = (rows: LimitRow[]): string =>
  write(
    Object.fromEntries(
      rows
        .filter(({ name }) => name.trim())
        .map(({ name, limits }) => [name.trim(), valuesOf(limits)]),
    ),
  );

/** Each number within its bounds; texts that say something else are the program's to judge. */
export const limitsFit =
  (rows: boolean): Rule<string> =>
  (text, t) => {
    const all = rows ? readLimitRows(text)?.map((row) => row.limits) : [readLimits(text) ?? {}];
    return (all ?? []).some((texts) =>
      Object.values(valuesOf(texts)).some((one) => !limitFits(one)),
    )
      ? t("limit.whole", { max: LIMIT_MOST })
      : undefined;
  };
