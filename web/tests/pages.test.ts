import { describe, expect, test } from "vitest";
import { entriesOf, numbersOf, readObject, textOf } from "../src/helpers/json.ts";
import { NO_PRICES, type PriceTexts, rowsOf, withRow } from "../src/helpers/prices.ts";
import { byModel, chartOf, roundUp, sumOf } from "../src/helpers/usage.ts";
import { keysOff, listOf } from "../src/models/channel.ts";

describe("usage", () => {
  const row = (at: number, model: string, quota: number, errors = 0) => ({
    at,
    model,
    requests: 1,
    errors,
    quota,
    prompt_tokens: 3,
    completion_tokens: 4,
    use_time_ms: 10,
  });
  const rows = [row(7200, "a", 5), row(10_800, "a", 5), row(7200, "b", 20, 2), row(7200, "c", 1)];

  test("sums, and models by what they cost", () => {
    expect(sumOf(rows)).toEqual({
      requests: 4,
      errors: 2,
      quota: 31,
      tokens: 28,
      milliseconds: 40,
    });
    expect(byModel(rows, "cost").map((one) => one.model)).toEqual(["b", "a", "c"]);
  });

  test("a column for each hour, the small ones together", () => {
    const span = { from: 7300, to: 14_500, step: 3600, zoneMinutes: 60 };
    const chart = chartOf(rows, "cost", span, 2);
    expect(chart.names).toEqual(["b", ""]);
    expect(chart.columns.map((column) => column.values)).toEqual([
      [20, 6],
      [0, 5],
      [0, 0],
    ]);
    expect(chart.most).toBe(26);
    expect([roundUp(0), roundUp(1.2), roundUp(26), roundUp(5)]).toEqual([1, 2, 50, 5]);
  });

  test("days begin where the reader is", () => {
    const day = 86_400;
    const span = { from: 10 * day, to: 12 * day, step: day, zoneMinutes: 120 };
    const chart = chartOf([row(11 * day - 7200, "a", 5)], "cost", span, 2);
    expect(chart.columns[1]).toMatchObject({ at: 11 * day - 7200, total: 5 });
  });
});

describe("JSON and prices", () => {
  test("objects as rows and back", () => {
    expect(readObject("[1]")).toBeUndefined();
    expect(readObject(" ")).toEqual({});
    expect(entriesOf('{"a":1,"b":"x"}')).toEqual([
      ["a", "1"],
      ["b", "x"],
    ]);
    expect(entriesOf('{"a":{}}')).toBeUndefined();
    expect(
      JSON.parse(
        textOf(
          [
            ["a", "0.5"],
            ["", "7"],
          ],
          true,
        ),
      ),
    ).toEqual({ a: 0.5 });
    expect(textOf([["", ""]], false)).toBe("");
    expect(numbersOf('{"a":1,"b":"x"}')).toEqual({ a: 1 });
  });

  test("prices in money are the ratios they come from", () => {
    const texts: PriceTexts = {
      ModelRatio: '{"m":1.25}',
      CompletionRatio: '{"m":4,"other":3}',
      CacheRatio: "{}",
      CreateCacheRatio: "{}",
      CreateCache1hRatio: '{"m":2}',
      ModelPrice: "{}",
    };
    const [m] = rowsOf(texts);
    expect(m).toMatchObject({
      model: "m",
      input: 2.5,
      output: 10,
      cached: undefined,
      written_1h: 5,
    });
    expect(withRow(texts, m!)).toEqual(texts);
    const dearer = withRow(texts, { ...m!, output: 15, cached: 0.25 });
    expect(JSON.parse(dearer.CompletionRatio)).toEqual({ m: 6, other: 3 });
    expect(JSON.parse(dearer.CacheRatio)).toEqual({ m: 0.1 });
    expect(withRow(texts, { model: "m", ...NO_PRICES, call: 1 })).toMatchObject({
      ModelRatio: "{}",
      CreateCache1hRatio: "{}",
      ModelPrice: '{"m":1}',
    });
  });

  test("a channel's lists and keys", () => {
    expect(listOf(" a, ,b")).toEqual(["a", "b"]);
    expect(keysOff('{"k":{"status":3,"reason":"401"},"l":{"status":1}}')).toHaveLength(1);
    expect(keysOff("nonsense")).toEqual([]);
  });
});
