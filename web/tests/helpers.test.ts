// Formats, sums, files and rules.
import { describe, expect, test } from "vitest";
import { toCsv } from "../src/helpers/csv.ts";
import * as format from "../src/helpers/format.ts";
import {
  limitsFit,
  readLimitRows,
  readLimits,
  writeLimitRows,
  writeLimits,
} from "../src/helpers/limits.ts";
import { logoOf } from "../src/helpers/logos.ts";
import { pricesOf, tagsOf, vendorOf } from "../src/helpers/models.ts";
import { agrees, explain } from "../src/helpers/price.ts";
import { isAddressBlock, passwordStrength } from "../src/helpers/rules.ts";
import { snippet, SNIPPETS } from "../src/helpers/snippets.ts";
import type { Log, ModelPrice } from "../src/models/api.ts";
import { readOther } from "../src/models/log.ts";
import { safeNext } from "../src/pages/auth/LoginPage.tsx";
import { pathOf } from "../src/services/api.ts";

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");
const log = (row: Partial<Log>) => row as Log;

describe("rate limits", () => {
  const say = ((key: string) => key) as never;
  const rule = (rows: boolean, text: string) => limitsFit(rows)(text, say, {});

  test("numbers in, numbers out; nothing and 0 are no limit", () => {
    expect(readLimits('{"rpm":60,"tpm":0}')).toEqual({ rpm: "60", tpm: "0" });
    expect(JSON.parse(writeLimits({ rpm: "60", tpm: "0", rpd: " ", concurrency: "" }))).toEqual({
      rpm: 60,
    });
    const rows = readLimitRows('{"vip":{"rpm":60},"*":{"concurrency":2}}')!;
    expect(rows.map(({ name }) => name)).toEqual(["vip", "*"]);
    const more = [...rows, { name: "", limits: { rpm: "5" } }];
    expect(JSON.parse(writeLimitRows(more))).toEqual({ vip: { rpm: 60 }, "*": { concurrency: 2 } });
  });
  test("what is something else is left as it is", () => {
    for (const text of ["[]", "{", '{"rps":1}', '{"rpm":[1]}', '{"rpm":null}'])
      expect(readLimits(text)).toBeUndefined();
    for (const text of ["[]", '{"vip":5}', '{"vip":{"rps":1}}', '{"vip":[]}'])
      expect(readLimitRows(text)).toBeUndefined();
  });
  test("whole numbers up to a billion", () => {
    for (const text of ["12x", "-1", "1.5", "1000000001"]) {
      expect(rule(false, writeLimits({ tpm: text }))).toBe("limit.whole");
      expect(rule(true, writeLimitRows([{ name: "a", limits: { rpm: text } }]))).toBe(
        "limit.whole",
      );
    }
    expect(rule(false, writeLimits({ tpm: "1000000000" }))).toBeUndefined();
    expect(rule(true, "{}")).toBeUndefined();
  });
});

describe("money", () => {
  test("500000 units are a dollar; small amounts keep what matters", () => {
    expect(format.formatQuota("en-US", 500_000)).toBe("$1.00");
    expect(format.formatQuota("en-US", 70)).toBe("$0.00014");
    expect(format.formatQuota("en-US", 1)).toBe("$0.000002");
    expect(format.formatQuota("en-US", 0)).toBe("$0.00");
    expect(format.formatQuota("en-US", -500_000 * 1234)).toBe("-$1,234.00");
  });
  test("columns line up when digits are given", () => {
    expect(format.formatQuota("en-US", 50, 6)).toBe("$0.000100");
  });
  test("as each language writes it", () => {
    expect(plain(format.formatQuota("fr-FR", 617_250_000))).toBe("1 234,50 $");
    expect(plain(format.formatQuota("ru-RU", 617_250_000))).toBe("1 234,50 $");
    expect(plain(format.formatQuota("vi-VN", 617_250_000))).toBe("1.234,50 $");
    expect(format.formatQuota("zh-CN", 617_250_000)).toBe("$1,234.50");
  });
  test("dollars to units and back", () => {
    expect(format.usdToQuota(0.1 + 0.2)).toBe(150_000);
    expect(format.quotaToUsd(150_000)).toBe(0.3);
  });
});

describe("time", () => {
  const now = Date.UTC(2026, 0, 10, 12);
  const at = (seconds: number) => now / 1000 + seconds;
  test("in words", () => {
    expect(format.formatRelative("en-US", at(-130), now)).toBe("2 minutes ago");
    expect(format.formatRelative("en-US", at(-5), now)).toBe("now");
    expect(format.formatRelative("en-US", at(3 * 86_400), now)).toBe("in 3 days");
    expect(format.formatRelative("zh-CN", at(-3600), now)).toBe("1小时前");
  });
  test("lengths", () => {
    expect(format.formatDuration("en-US", 850)).toBe("850 ms");
    expect(format.formatDuration("en-US", 1432)).toBe("1.43 s");
    expect(format.formatDuration("fr-FR", 12_345)).toBe("12,3 s");
    expect(format.formatDuration("en-US", 123_000)).toBe("2 min 3 s");
  });
});

describe("the sum of a log row", () => {
  test("tokens at their prices, times the group's factor", () => {
    const other = readOther(
      JSON.stringify({
        model_ratio: 2,
        completion_ratio: 5,
        group_ratio: 1.5,
        cache_tokens: 600,
        cache_ratio: 0.1,
        cache_creation_tokens_5m: 100,
        cache_creation_ratio_5m: 1.25,
      }),
    );
    // (300 + 600 x 0.1 + 100 x 1.25 + 200 x 5) x 2 x 1.5
    const row = log({ prompt_tokens: 1000, completion_tokens: 200, quota: 4455 });
    const sum = explain(row, other)!;
    expect(sum.lines.map((line) => [line.kind, line.tokens])).toEqual([
      ["input", 300],
      ["cached", 600],
      ["written_5m", 100],
      ["output", 200],
    ]);
    expect(agrees(sum, row.quota)).toBe(true);
    expect(agrees(sum, 4400)).toBe(false);
  });
  test("per call, and nothing to explain", () => {
    const sum = explain(log({ quota: 10_000 }), { model_price: 0.01, group_ratio: 2 })!;
    expect(sum.perCall).toEqual({ usd: 0.01 });
    expect(agrees(sum, 10_000)).toBe(true);
    expect(explain(log({}), {})).toBeUndefined();
    expect(readOther("not json")).toEqual({});
  });
});

test("a model's price and maker", () => {
  const model = {
    model: "openai/o3-mini",
    priced: true,
    model_ratio: 1.25,
    completion_ratio: 4,
    cache_ratio: 0.5,
    create_cache_ratio: 1.25,
    create_cache_1h_ratio: 2,
  } as ModelPrice;
  const prices = { input: 2.5, output: 10, cached: 1.25, written: 3.125, written_1h: 5 };
  expect(pricesOf(model)).toEqual(prices);
  expect(pricesOf(model, 2).written_1h).toBe(10);
  expect(tagsOf(model)).toEqual(["reasoning"]);
  expect(tagsOf({ ...model, model: "bge-reranker-v2", model_ratio: 0 })).toEqual([
    "rerank",
    "free",
  ]);
  expect(vendorOf("openai/gpt-4o").name).toBe("OpenAI");
  expect(vendorOf("claude-opus-5").name).toBe("Anthropic");
  expect(vendorOf("us.anthropic.claude-sonnet-4-5-20250929-v1:0").name).toBe("Anthropic");
  expect(vendorOf("amazon.nova-pro-v1:0").name).toBe("Amazon");
  expect(vendorOf("openai.gpt-oss-120b-1:0").name).toBe("OpenAI");
  expect(vendorOf("my-model").name).toBe("");
});

test("signs: of the maker, by the provider's name, or none", () => {
  for (const model of ["gpt-4o", "claude-opus-5", "gemini-3-pro", "kimi-k3", "glm-5", "qwen3-max"])
    expect(logoOf(vendorOf(model).logo)?.url).toMatch(/\.svg/);
  expect(logoOf("siliconflow")).toEqual(logoOf("siliconcloud"));
  expect(logoOf("openai")?.plain).toBe(true);
  expect(logoOf("gemini")?.plain).toBe(false);
  expect(logoOf("custom")).toBeUndefined();
  expect(logoOf("")).toBeUndefined();
});

test("files that no spreadsheet runs as a formula", () => {
  expect(
    toCsv([
      ["a,b", 'say "x"'],
      ["=1+1", -5],
      [undefined, true],
    ]),
  ).toBe('"a,b","say ""x"""\r\n\'=1+1,-5\r\n,true\r\n');
});

describe("rules", () => {
  test("addresses and blocks", () => {
    for (const good of ["10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"])
      expect(isAddressBlock(good)).toBe(true);
    for (const bad of ["", "10.0.0", "256.1.1.1", "10.0.0.0/33", "10.0.0.0/8/8", "host", "::/129"])
      expect(isAddressBlock(bad)).toBe(false);
  });
  test("passwords", () => {
    expect(passwordStrength("")).toBe(0);
    expect(passwordStrength("short")).toBe(1);
    expect(passwordStrength("aaaaaaaaaaaaaaaa")).toBe(1);
    expect(passwordStrength("correct horse battery staple")).toBe(4);
  });
  test("after logging in nobody is led elsewhere", () => {
    expect(safeNext("/token?p=2")).toBe("/token?p=2");
    for (const bad of [null, "", "//evil.example", "/\\evil.example", "https://evil.example"])
      expect(safeNext(bad)).toBe("/");
  });
});

test("paths of the API", () => {
  const query = { p: 2, name: "a b&c", group: "", status: undefined };
  expect(pathOf("GET /api/token", { query })).toBe("/api/token?p=2&name=a+b%26c");
  expect(pathOf("GET /api/token/{id}", { params: { id: 7 } })).toBe("/api/token/7");
  expect(pathOf("GET /api/logs", { query: { cursor: "" } })).toBe("/api/logs?cursor=");
});

test("snippets hold address, key and model, quoted", () => {
  const given = { base: "https://x.example", key: "sk-1", model: "it's", hello: 'say "hi"' };
  for (const kind of SNIPPETS) {
    const text = snippet(kind, given);
    expect(text).toContain("https://x.example");
    expect(text).toContain("sk-1");
  }
  expect(snippet("curl", given)).toContain(`it'\\''s`);
  expect(snippet("codex", given)).toContain('wire_api = "responses"'); // it speaks nothing else
  expect(snippet("python", given)).toContain('"say \\"hi\\""');
});
