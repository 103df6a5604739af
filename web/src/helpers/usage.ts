// What was used, prepared for the dashboard: sums, and a column for each hour or day.
import type { Usage } from "../models/api.ts";

export type Measure = "cost" | "requests" | "tokens";

export const measureOf = (row: Usage, measure: Measure): number =>
  measure === "cost"
    ? row.quota
    : measure === "requests"
      ? row.requests
      : row.prompt_tokens + row.completion_tokens;

export interface Sums {
  requests: number;
  errors: number;
  quota: number;
  tokens: number;
  milliseconds: number;
}

export const sumOf = (rows: Usage[]): Sums =>
  rows.reduce(
    (sum, row) => ({
      requests: sum.requests + row.requests,
      errors: sum.errors + row.errors,
      quota: sum.quota + row.quota,
      tokens: sum.tokens + row.prompt_tokens + row.completion_tokens,
      milliseconds: sum.milliseconds + row.use_time_ms,
    }),
    { requests: 0, errors: 0, quota: 0, tokens: 0, milliseconds: 0 },
  );

export interface ModelSum extends Sums {
  model: string;
}

/** Most used first. */
export function byModel(rows: Usage[], measure: Measure): ModelSum[] {
  const models = new Map<string, Usage[]>();
  for (const row of rows) models.set(row.model, [...(models.get(row.model) ?? []), row]);
  const size = (model: string) =>
    models.get(model)!.reduce((sum, row) => sum + measureOf(row, measure), 0);
  return [...models.keys()]
    .sort((a, b) => size(b) - size(a) || a.localeCompare(b))
    .map((model) => ({ model, ...sumOf(models.get(model)!) }));
}

export interface Column {
  at: number;
  /** One for each name of the chart. */
  values: number[];
  total: number;
}

export interface Chart {
  /** Models; "" stands for all the others. */
  names: string[];
  columns: Column[];
  most: number;
}

export interface Span {
  from: number;
  to: number;
  step: number;
  zoneMinutes: number;
}

export function chartOf(rows: Usage[], measure: Measure, span: Span, named: number): Chart {
  const order = byModel(rows, measure)
    .filter((one) => rows.some((row) => row.model === one.model && measureOf(row, measure) > 0))
    .map((one) => one.model);
  const names = order.length > named ? [...order.slice(0, named - 1), ""] : order;
  const zone = span.step > 3600 ? span.zoneMinutes * 60 : 0;
  const begin = span.from - ((span.from + zone) % span.step);
  const columns: Column[] = [];
  for (let at = begin; at < span.to; at += span.step)
    columns.push({ at, values: names.map(() => 0), total: 0 });
  for (const row of rows) {
    const column = columns[Math.round((row.at - begin) / span.step)];
    const value = measureOf(row, measure);
    if (!column || value <= 0) continue;
    const place = names.indexOf(row.model);
    column.values[place < 0 ? names.length - 1 : place]! += value;
    column.total += value;
  }
  return { names, columns, most: Math.max(0, ...columns.map((column) => column.total)) };
}

/** A round number not below it: 1, 2 or 5 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value;
}
