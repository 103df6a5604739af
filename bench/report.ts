// Turns what was measured into a table and into results.json.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { type Row, TARGETS } from "./rows.ts";

export interface Sample {
  subject: string;
  /** Requests per second; paced rows: events per second. */
  rps: number;
  /** Microseconds of CPU per request; paced rows: per event. */
  cpu: number;
  /** The same of the busiest thread alone. */
  busiest: number;
  failed: number;
  failure: string;
  foreign: number;
  /** The subject came to rest afterwards, so that nothing it put off is missing. */
  settled: boolean;
  /** Bytes per reply. */
  bytes: number;
  lag: { p50: number; p99: number };
}

export type Latency = Record<string, { p50: number; p99: number }>;

export interface Instrument {
  rps: number;
  lag: number;
  failed: number;
}

export interface Memory {
  subject: string;
  /** KiB: after the start, before the streams, with them, after them. */
  idle: number;
  before: number;
  open: number;
  after: number;
  streams: number;
  failure: string;
}

export interface Measured {
  rows: Row[];
  samples: Map<string, Sample[][]>;
  delays: Map<string, Latency[]>;
  instruments: Map<string, Instrument>;
  memories: Memory[];
  relayed: number;
  counted: number;
  settings: Record<string, unknown>;
  seconds: number;
}

const REFERENCE = "nginx";
const CLEAN_LEAST = 3;

interface Spread {
  median: number;
  q1: number;
  q3: number;
  n: number;
}

function spread(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number) => {
    const place = q * (sorted.length - 1);
    const low = sorted[Math.floor(place)] ?? NaN;
    const high = sorted[Math.ceil(place)] ?? NaN;
    return low + (high - low) * (place - Math.floor(place));
  };
  return { median: at(0.5), q1: at(0.25), q3: at(0.75), n: sorted.length };
}

const round = (value: number, digits = 2) => Number(value.toFixed(digits));
const roundSpread = (s: Spread) => ({
  median: round(s.median, 3),
  ...{ q1: round(s.q1, 3), q3: round(s.q3, 3), n: s.n },
});

// --- one subject in one row -------------------------------------------------------------------

interface Result {
  row: string;
  subject: string;
  unit: "request" | "event";
  rps: Spread;
  cpu: Spread;
  busiest: Spread;
  ratio?: Spread;
  target?: number;
  added?: { p50: Spread; p99: Spread };
  lag?: { p50: Spread; p99: Spread };
  direct: number;
  failedRuns: number;
  noisyRuns: number;
  marks: string[];
}

interface Pair {
  own: Sample;
  reference: Sample | undefined;
}

function pairs(rounds: Sample[][], subject: string): Pair[] {
  return rounds.flatMap((samples) => {
    const own = samples.find((sample) => sample.subject === subject);
    if (!own) return [];
    return [{ own, reference: samples.find((sample) => sample.subject === REFERENCE) }];
  });
}

const isNoisy = (pair: Pair, limit: number) =>
  pair.own.foreign > limit || (pair.reference?.foreign ?? 0) > limit;

function addedLatency(latencies: Latency[], subject: string) {
  const both = latencies.filter((latency) => latency[subject] && latency["direct"]);
  if (both.length === 0) return undefined;
  const added = (which: "p50" | "p99") =>
    spread(both.map((latency) => latency[subject]![which] - latency["direct"]![which]));
  return { p50: added("p50"), p99: added("p99") };
}

function marksOf(row: Row, instrument: Instrument, used: Pair[], rps: number): string[] {
  const marks: string[] = [];
  if (instrument.failed > 0) marks.push("the instruments fail by themselves");
  if (!row.paced && instrument.rps < 2 * rps)
    marks.push(
      `instruments reach only ${(instrument.rps / rps).toFixed(1)}x: req/s is a lower bound`,
    );
  if (row.paced && instrument.lag > 20_000) marks.push("instruments late at twice the streams");
  if (row.paced && used.some((pair) => pair.own.lag.p99 > 20_000))
    marks.push("events came a gap late and in batches: CPU per event looks smaller than it is");
  if (used.some((pair) => !pair.own.settled)) marks.push("did not come to rest: CPU is missing");
  const bytes = used[0]?.reference?.bytes;
  if (
    bytes &&
    !row.translates &&
    used.some((pair) => Math.round(pair.own.bytes) !== Math.round(bytes))
  )
    marks.push("replies are not as long as nginx's");
  return marks;
}

function judge(measured: Measured, row: Row, subject: string): Result {
  const limit = Number(measured.settings["foreignLimit"]);
  const all = pairs(measured.samples.get(row.name)!, subject);
  const good = all.filter(({ own, reference }) => own.failed === 0 && !reference?.failed);
  const clean = good.filter((pair) => !isNoisy(pair, limit));
  const used = clean.length >= CLEAN_LEAST ? clean : good;
  const instrument = measured.instruments.get(row.name)!;
  const rps = spread(used.map(({ own }) => own.rps));
  const marks = marksOf(row, instrument, used, rps.median);
  if (used !== clean && good.length > 0) marks.push("noisy: too few rounds without foreign load");
  if (all.length > good.length)
    marks.push(`failed: ${all.find(({ own }) => own.failed)?.own.failure ?? "nginx"}`);
  const compared = used.filter((pair) => pair.reference && subject !== REFERENCE);
  const added = addedLatency(measured.delays.get(row.name)!, subject);
  const lag = (which: "p50" | "p99") => spread(used.map(({ own }) => own.lag[which]));
  return {
    ...{ row: row.name, subject, unit: row.paced ? "event" : "request", rps, marks },
    cpu: spread(used.map(({ own }) => own.cpu)),
    busiest: spread(used.map(({ own }) => own.busiest)),
    ...(compared.length
      ? { ratio: spread(compared.map(({ own, reference }) => own.cpu / reference!.cpu)) }
      : {}),
    ...(subject === "gateway" && row.target ? { target: row.target } : {}),
    ...(added ? { added } : {}),
    ...(row.paced ? { lag: { p50: lag("p50"), p99: lag("p99") } } : {}),
    direct: instrument.rps,
    failedRuns: all.length - good.length,
    noisyRuns: good.length - clean.length,
  };
}

// --- the table --------------------------------------------------------------------------------

const figure = (value: number, digits = 0) =>
  Number.isFinite(value) ? value.toFixed(digits) : "-";
const ranged = (s: Spread, digits: number) =>
  Number.isFinite(s.median)
    ? `${figure(s.median, digits)} [${figure(s.q1, digits)}-${figure(s.q3, digits)}]`
    : "-";

const HEAD = [
  ...["row", "subject", "req/s", "CPU us/req", "busiest thread", "ratio to nginx", "target"],
  ...["added p50/p99 us", "runs (noisy, failed)"],
];

function tableRow(result: Result, seen: number): string[] {
  const delay = result.added ?? result.lag;
  const times = delay ? `${figure(delay.p50.median)} / ${figure(delay.p99.median)}` : "-";
  const verdict =
    result.target && result.ratio
      ? `<= ${result.target} ${result.ratio.median <= result.target ? "met" : "MISSED"}`
      : "";
  return [
    ...[result.row, result.subject, figure(result.rps.median), ranged(result.cpu, 1)],
    ...[figure(result.busiest.median, 1), result.ratio ? ranged(result.ratio, 2) : ""],
    ...[verdict, result.lag ? `${times} lag` : times],
    `${seen} (${result.noisyRuns}, ${result.failedRuns})${result.marks.length ? " *" : ""}`,
  ];
}

function printTable(lines: string[][]): void {
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  for (const line of lines) {
    console.log(
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    );
  }
}

function memoryLine(memory: Memory): string[] {
  const perStream = (memory.open - memory.before) / memory.streams;
  const judged = memory.subject === "gateway";
  const verdict = (value: number, limit: number) =>
    judged ? ` (<= ${limit} ${value <= limit ? "met" : "MISSED"})` : "";
  const idle = memory.idle / 1024;
  return [
    memory.subject,
    `${idle.toFixed(1)} MiB${verdict(idle, TARGETS.idleMiB)}`,
    `${perStream.toFixed(1)} KiB${verdict(perStream, TARGETS.streamKiB)}`,
    `${memory.streams}`,
    `${(memory.after / 1024).toFixed(1)} MiB`,
    memory.failure,
  ];
}

const machine = () => ({
  cores: cpus().length,
  model: cpus()[0]?.model ?? "",
  kernel: readFileSync("/proc/version", "utf8").split(" ")[2],
});

export async function report(measured: Measured): Promise<void> {
  const results = measured.rows.flatMap((row) => {
    const names = new Set(
      measured.samples
        .get(row.name)!
        .flat()
        .map((sample) => sample.subject),
    );
    return [...names].sort().map((name) => judge(measured, row, name));
  });
  console.log();
  const seen = (result: Result) => measured.samples.get(result.row)!.length;
  printTable([HEAD, ...results.map((result) => tableRow(result, seen(result)))]);
  console.log("\npaced rows count events instead of requests; ratio: median [quartiles] by round");
  for (const result of results)
    for (const mark of result.marks) console.log(`* ${result.row} ${result.subject}: ${mark}`);
  if (measured.memories.length) {
    console.log();
    const head = ["memory", "idle", "per open stream", "streams", "afterwards", ""];
    printTable([head, ...measured.memories.map(memoryLine)]);
  }
  for (const line of besideLines(measured.rows, results)) console.log(line);
  console.log(`\ninstruments alone, per second: ${instrumentText(measured)}`);
  console.log(
    `books: ${measured.relayed} replies received in full, ${measured.counted} relays booked` +
      `${measured.relayed === measured.counted ? "" : " (THEY DIFFER)"}; ${measured.seconds} s`,
  );
  const folder = measured.settings["quick"] ? resolve("build/bench") : import.meta.dir;
  writeFileSync(join(folder, "results.json"), json(measured, results));
}

// A translated row's CPU beside the untranslated one's, both of the gateway.
function besideLines(rows: Row[], results: Result[]): string[] {
  const cpuOf = (name: string) =>
    results.find((result) => result.row === name && result.subject === "gateway")?.cpu.median;
  return rows.flatMap(({ name, beside }) => {
    const own = cpuOf(name);
    const other = beside && cpuOf(beside);
    if (!own || !other) return [];
    const times = own / other;
    const verdict = `<= ${TARGETS.translated} ${times <= TARGETS.translated ? "met" : "MISSED"}`;
    return [`${name}: ${times.toFixed(2)} times the CPU of ${beside} (${verdict})`];
  });
}

const instrumentText = (measured: Measured) =>
  [...measured.instruments].map(([row, { rps }]) => `${row} ${figure(rps)}`).join(", ");

function json(measured: Measured, results: Result[]): string {
  const round3 = (_: string, value: unknown) =>
    typeof value === "number" ? round(value, 3) : value;
  const { settings, seconds, memories, relayed, counted } = measured;
  return `${JSON.stringify(
    {
      ...{ at: new Date().toISOString(), machine: machine(), settings, seconds, relayed, counted },
      results: results.map((result) => ({
        ...result,
        ratio: result.ratio && roundSpread(result.ratio),
      })),
      memories,
      rounds: Object.fromEntries(measured.samples),
      latencies: Object.fromEntries(measured.delays),
    },
    round3,
    1,
  )}\n`;
}
