// What was lost, what was billed twice: the clients' view and the upstream's against the rows.
import type { Row } from "../support/audit";
import { type Outcome, SERIAL_BASE } from "../support/load";

export interface Verdict {
  lost: string[];
  double: string[];
}

/** `served` are the serials that the upstream was asked for. */
export function verdict(outcomes: Outcome[], served: Set<number>, rows: Row[]): Verdict {
  const byRequest = new Map<string, Row[]>();
  for (const row of rows)
    byRequest.set(row.request_id, [...(byRequest.get(row.request_id) ?? []), row]);
  const lost = outcomes
    .filter((one) => one.full)
    .map((one) => lostHow(one, byRequest.get(one.requestId)))
    .filter((why) => why !== undefined);
  const twice = [...byRequest].filter(([, all]) => all.length > 1);
  return {
    lost,
    double: [
      ...twice.map(([id, all]) => `${id}: ${all.length} rows`),
      ...phantoms(outcomes, served, rows),
      ...sharedSerials(rows),
    ],
  };
}

function lostHow(one: Outcome, rows: Row[] | undefined): string | undefined {
  const [row] = rows ?? [];
  if (!row) return `${one.requestId} (${one.caller.name}): received in full, no row`;
  const unasked = one.caller.cut && explained(row)["uncollected_error"] !== undefined;
  const rest = one.caller.poor || unasked ? uncollectedOf(row) : 0;
  if (row.quota + rest === one.quota) return undefined;
  return `${one.requestId} (${one.caller.name}): quota ${row.quota}, not ${one.quota}`;
}

/** What callers used and could have paid, but for a database that was away. */
export function uncollected(outcomes: Outcome[], rows: Row[]): number {
  const cut = outcomes.filter(({ caller }) => caller.cut && !caller.poor);
  const theirs = new Set(cut.map((one) => one.requestId));
  return rows
    .filter((row) => theirs.has(row.request_id))
    .reduce((sum, row) => sum + uncollectedOf(row), 0);
}

function uncollectedOf(row: Row): number {
  return Number(explained(row)["uncollected_quota"] ?? 0);
}

/** Rows of requests that never reached the upstream: somebody paid for nothing. */
function phantoms(outcomes: Outcome[], served: Set<number>, rows: Row[]): string[] {
  const serials = new Map(outcomes.map((one) => [one.requestId, one.serial]));
  return rows
    .filter((row) => {
      const serial = serials.get(row.request_id) ?? reported(row);
      return serial !== undefined && !served.has(serial);
    })
    .map((row) => `${row.request_id}: billed, but the upstream was never asked`);
}

/** One request under two ids. */
function sharedSerials(rows: Row[]): string[] {
  const seen = new Map<number, string>();
  const out: string[] = [];
  for (const row of rows) {
    const serial = reported(row);
    if (serial === undefined) continue;
    const other = seen.get(serial);
    if (other !== undefined && other !== row.request_id)
      out.push(`${row.request_id} and ${other} bill the same reply (serial ${serial})`);
    seen.set(serial, row.request_id);
  }
  return out;
}

/** The serial is the input that the upstream reported, where it did. */
function reported(row: Row): number | undefined {
  return explained(row)["usage_source"] === "upstream"
    ? row.prompt_tokens - SERIAL_BASE
    : undefined;
}

function explained(row: Row): Record<string, unknown> {
  return JSON.parse(row.other || "{}") as Record<string, unknown>;
}
