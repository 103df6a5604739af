// The options that hold prices, as one table in USD per million tokens, and back.
import { numbersOf } from "./json.ts";
import { USD_PER_RATIO } from "./price.ts";

export const PRICE_OPTIONS = [
  "ModelRatio",
  "CompletionRatio",
  "CacheRatio",
  "CreateCacheRatio",
  "CreateCache1hRatio",
  "ModelPrice",
] as const;
export type PriceOption = (typeof PRICE_OPTIONS)[number];
export type PriceTexts = Record<PriceOption, string>;

export const PRICE_COLUMNS = [
  "input",
  "output",
  "cached",
  "written",
  "written_1h",
  "call",
] as const;
export type PriceColumn = (typeof PRICE_COLUMNS)[number];

/** undefined: not set. */
export type PriceRow = { model: string } & Record<PriceColumn, number | undefined>;

export const NO_PRICES = Object.fromEntries(
  PRICE_COLUMNS.map((column) => [column, undefined]),
) as Record<PriceColumn, undefined>;

// without noise such as 0.30000000000000004
const round = (value: number) => Number(value.toPrecision(12));

export function rowsOf(texts: PriceTexts): PriceRow[] {
  const maps = Object.fromEntries(
    PRICE_OPTIONS.map((option) => [option, numbersOf(texts[option])]),
  ) as Record<PriceOption, Record<string, number>>;
  const models = [...new Set(PRICE_OPTIONS.flatMap((option) => Object.keys(maps[option])))].sort();
  return models.map((model) => {
    const ratio = maps.ModelRatio[model];
    const input = ratio === undefined ? undefined : round(ratio * USD_PER_RATIO);
    const times = (factor: number | undefined) =>
      input === undefined || factor === undefined ? undefined : round(input * factor);
    return {
      model,
      input,
      output: times(maps.CompletionRatio[model]),
      cached: times(maps.CacheRatio[model]),
      written: times(maps.CreateCacheRatio[model]),
      written_1h: times(maps.CreateCache1hRatio[model]),
      call: maps.ModelPrice[model],
    };
  });
}

const FACTORS = {
  CompletionRatio: "output",
  CacheRatio: "cached",
  CreateCacheRatio: "written",
  CreateCache1hRatio: "written_1h",
} as const;

/** The texts with one row put in place of the model's; a row of nothing takes the model out. */
export function withRow(texts: PriceTexts, row: PriceRow): PriceTexts {
  const put = (option: PriceOption, value: number | undefined): string => {
    const map = numbersOf(texts[option]);
    const before = map[row.model];
    if (
      before === value ||
      (before !== undefined && value !== undefined && round(before) === value)
    )
      return texts[option];
    if (value === undefined) delete map[row.model];
    else map[row.model] = value;
    return JSON.stringify(map);
  };
  const next = { ...texts };
  next.ModelRatio = put(
    "ModelRatio",
    row.input === undefined ? undefined : round(row.input / USD_PER_RATIO),
  );
  for (const [option, column] of Object.entries(FACTORS) as [keyof typeof FACTORS, PriceColumn][]) {
    const usd = row[column];
    const factor = row.input && usd !== undefined ? round(usd / row.input) : undefined;
    // a factor of a price of nothing cannot be told from the price: it stays
    next[option] = row.input === 0 && usd !== undefined ? texts[option] : put(option, factor);
  }
  next.ModelPrice = put("ModelPrice", row.call);
  return next;
}
