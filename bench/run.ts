// Measures the gateway beside nginx, in turns, and prints one table: see README.md.
import { type Subprocess } from "bun";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Foreign, quiet, rss, settled, sleep, spentSince, threadTimes } from "./machine.ts";
import { type Instrument, type Latency, type Memory, type Sample, report } from "./report.ts";
import { ROWS, type Row } from "./rows.ts";
import {
  type Mock,
  type Subject,
  FOLDER,
  GATEWAY_CORE,
  LOAD_CORE,
  prepareFolder,
  startGateway,
  startMock,
  startNginx,
  startOthers,
  TOOLS,
} from "./subjects.ts";

const QUICK = Boolean(process.env["QUICK"]);
const number = (name: string, usual: number) => Number(process.env[name] || usual);
const ROUNDS = number("ROUNDS", QUICK ? 3 : 7);
const SECONDS = number("SECONDS", QUICK ? 0.5 : 1.5);
const STREAMS = number("STREAMS", QUICK ? 2000 : 10_000);
const FOREIGN_REPEAT = 0.04; // a run with more foreign load than this is repeated
const ATTEMPTS = QUICK ? 1 : 3;
const started = performance.now();
const BUDGET_MS = number("MINUTES", QUICK ? 2 : 11) * 60_000;
// What may be spent on waiting for others and on repeating runs, so that the rounds get their time.
let patienceMs = QUICK ? 0 : BUDGET_MS / 5;
const late = () => performance.now() - started > BUDGET_MS;

const wanted = (process.env["ROWS"] || ROWS.map((row) => row.name).join(",")).split(/[\s,]+/);
const rows = ROWS.filter((row) => wanted.includes(row.name));
if (rows.length === 0) throw new Error(`ROWS: there are ${ROWS.map((row) => row.name).join(" ")}`);

const say = (text: string) => console.error(`bench: ${text}`);

// --- one run of the load generator --------------------------------------------------------

interface Times {
  n: number;
  p50: number;
  p99: number;
}

interface Load {
  replies: number;
  rps: number;
  failed: number;
  failure: string;
  reopened: number;
  frames: number;
  bytes: number;
  latency: Times;
  first_byte: Times;
  lag: Times;
  /** CPU seconds of the generator. */
  cpu: number;
  /** From its start to its end. */
  seconds: number;
}

interface Target {
  port: number;
  key: string;
  model: string;
  ca?: string;
}

function loadCommand(row: Row, to: Target, more: string[]): string[] {
  const command = ["taskset", "-c", LOAD_CORE, join(TOOLS, "bench-load")];
  command.push("--port", `${to.port}`, "--key", to.key, "--model", to.model);
  command.push("--frames", `${row.frames}`, "--body", `${row.body}`);
  if (row.stream) command.push("--stream");
  if (row.path) command.push("--path", row.path);
  if (to.ca) command.push("--ca", to.ca);
  return [...command, ...more];
}

async function load(row: Row, to: Target, more: string[]): Promise<Load> {
  const began = performance.now();
  const child = Bun.spawn(loadCommand(row, to, more), { stdio: ["ignore", "pipe", "inherit"] });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error("the load generator failed");
  const cpu = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  const seconds = (performance.now() - began) / 1000;
  return { ...(JSON.parse(text) as Load), cpu, seconds };
}

const fullLoad = (row: Row, seconds = SECONDS) => [
  ...["--connections", `${row.connections}`, "--seconds", `${row.paced ? seconds + 0.5 : seconds}`],
  ...(row.paced ? ["--ramp-ms", "500", "--warm-ms", "500"] : []),
];
const oneConnection = [
  "--connections",
  "1",
  "--seconds",
  `${QUICK ? 0.4 : 0.7}`,
  "--warm-ms",
  "100",
];

const target = (subject: Subject, row: Row): Target => ({
  port: row.tls ? subject.tlsPort : subject.port,
  key: subject.key,
  model: row.tls
    ? subject.tlsModel(row.model)
    : row.translates === "to claude"
      ? subject.claudeModel(row.model)
      : row.model,
});

// --- the run ------------------------------------------------------------------------------

prepareFolder();
const mock: Mock = await startMock();
const gateway = await startGateway(mock);
const subjects: Subject[] = [gateway, await startNginx(mock), ...(await startOthers(mock))];
const everyone = () => [mock.pid, ...subjects.flatMap((subject) => subject.pids())];
const direct = (row: Row): Target => ({
  port: row.tls ? mock.tlsPort : mock.port,
  key: "mock-upstream-key",
  model: row.model,
  ...(row.tls ? { ca: mock.ca } : {}),
});

let relayed = 0; // by the gateway, of those that were answered in full

async function measure(row: Row, subject: Subject): Promise<Sample> {
  const pids = subject.pids();
  if (patienceMs > 0) {
    const began = performance.now();
    await quiet(everyone(), FOREIGN_REPEAT, Math.min(patienceMs, 2000));
    patienceMs -= performance.now() - began;
  }
  const stats = await mock.stats();
  const foreign = new Foreign(everyone());
  const before = threadTimes(pids);
  const loaded = await load(row, target(subject, row), fullLoad(row));
  const share = foreign.share(loaded.cpu);
  const calm = await settled(pids, 20_000);
  const spent = spentSince(before, pids);
  const now = await mock.stats();
  if (subject === gateway) relayed += loaded.replies;
  const units = row.paced ? loaded.frames : loaded.replies;
  const served = now.served - stats.served;
  let failure = loaded.failure;
  if (!failure && served !== loaded.replies)
    failure = `the mock served ${served}, the clients got ${loaded.replies}`;
  return {
    subject: subject.name,
    rps: row.paced ? loaded.frames / loaded.seconds : loaded.rps,
    cpu: spent.total / units,
    busiest: spent.busiest / units,
    failed: loaded.failed + (failure && !loaded.failed ? 1 : 0),
    failure,
    foreign: share,
    settled: calm,
    bytes: loaded.replies ? loaded.bytes / loaded.replies : 0,
    lag: loaded.lag,
  };
}

async function measureWell(row: Row, subject: Subject): Promise<Sample> {
  let sample = await measure(row, subject);
  for (let i = 1; i < ATTEMPTS && sample.foreign > FOREIGN_REPEAT && patienceMs > 0; i++) {
    const began = performance.now();
    const again = await measure(row, subject);
    if (again.foreign < sample.foreign || again.failed > 0) sample = again;
    patienceMs -= performance.now() - began;
  }
  return sample;
}

async function latencies(row: Row, open: Subject[]): Promise<Latency> {
  const found: Latency = {};
  const add = async (name: string, to: Target) => {
    const { latency, failed, replies } = await load(row, to, oneConnection);
    if (name === gateway.name) relayed += replies;
    if (failed === 0) found[name] = { p50: latency.p50, p99: latency.p99 };
  };
  await add("direct", direct(row));
  for (const subject of shuffled(open)) await add(subject.name, target(subject, row));
  for (const subject of open) await settled(subject.pids(), 5000);
  return found;
}

function shuffled<T>(list: T[]): T[] {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}

/** What load and mock reach without anybody between them. Paced: with twice the streams. */
async function checkInstruments(row: Row): Promise<Instrument> {
  const rates: number[] = [];
  let lag = 0;
  let failed = 0;
  for (let i = 0; i < (QUICK ? 1 : 3); i++) {
    const twice = { ...row, connections: row.connections * (row.paced ? 2 : 1) };
    const loaded = await load(row, direct(row), fullLoad(twice, QUICK ? 0.5 : 1));
    rates.push(row.paced ? loaded.frames / loaded.seconds : loaded.rps);
    lag = Math.max(lag, loaded.lag.p99);
    failed += loaded.failed;
  }
  return { rps: rates.sort((a, b) => a - b)[rates.length >> 1]!, lag, failed };
}

// --- memory -----------------------------------------------------------------------------------

const DESCRIPTORS = Number(
  /Max open files\s+\d+\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1024,
);

async function firstLine(child: Subprocess<"ignore", "pipe", "inherit">): Promise<string> {
  let text = "";
  for await (const bytes of child.stdout) {
    text += new TextDecoder().decode(bytes);
    if (text.includes("\n")) break;
  }
  return text;
}

// Each stream costs two descriptors, and the subject needs some for itself.
async function memory(subject: Subject, idle: number): Promise<Memory> {
  const streams = Math.min(STREAMS, Math.floor((DESCRIPTORS - 200) / 2));
  const row: Row = { ...ROWS[0]!, model: "bench-hold", stream: true, frames: 0 };
  const more = ["--connections", `${streams}`, "--ramp-ms", `${streams / 2}`, "--hold"];
  const child = Bun.spawn(loadCommand(row, target(subject, row), more), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const timer = setTimeout(() => child.kill("SIGTERM"), 60_000);
  const before = rss(subject.memoryPids());
  const opened = JSON.parse(await firstLine(child)) as { open: number; failure: string };
  clearTimeout(timer);
  await sleep(2000);
  const open = rss(subject.memoryPids());
  child.kill("SIGTERM");
  await child.exited;
  await settled(subject.pids(), 30_000);
  return {
    subject: subject.name,
    ...{ idle, before, open, after: rss(subject.memoryPids()), streams: opened.open },
    failure: opened.failure,
  };
}

// --- everything -------------------------------------------------------------------------------

say(`${subjects.map((s) => s.name).join(", ")} on core ${GATEWAY_CORE}; load on ${LOAD_CORE}`);
await sleep(1000);
const idle = new Map(subjects.map((subject) => [subject.name, rss(subject.memoryPids())]));
const memories: Memory[] = [];
if (process.env["MEMORY"] !== "0") {
  for (const subject of subjects) memories.push(await memory(subject, idle.get(subject.name)!));
}
await settled([mock.pid], 10_000); // it, too, had streams to close
const instruments = new Map<string, Instrument>();
for (const row of rows) instruments.set(row.name, await checkInstruments(row));

// Whoever remembers requests of the memory check had time to forget them; counting starts here.
const bookedBefore = await gateway.booked();
const samples = new Map<string, Sample[][]>(rows.map((row) => [row.name, []]));
const delays = new Map<string, Latency[]>(rows.map((row) => [row.name, []]));
let counted = 0;
for (let round = 1; round <= ROUNDS; round++) {
  if (late()) {
    say(`the time is up after ${round - 1} rounds`);
    break;
  }
  for (const row of shuffled(rows)) {
    const open = subjects.filter((subject) => (row.tls ? subject.tlsPort : subject.port));
    const measured: Sample[] = [];
    for (const subject of shuffled(open)) measured.push(await measureWell(row, subject));
    samples.get(row.name)!.push(measured);
    if (row.paced) continue;
    const latency = await latencies(row, open);
    delays.get(row.name)!.push(latency);
  }
  say(`round ${round} of ${ROUNDS}, ${Math.round((performance.now() - started) / 1000)} s`);
}
counted = (await gateway.booked()) - bookedBefore;
await report({
  ...{ rows, samples, delays, instruments, memories, relayed, counted },
  settings: { rounds: ROUNDS, seconds: SECONDS, quick: QUICK, foreignLimit: FOREIGN_REPEAT },
  seconds: Math.round((performance.now() - started) / 1000),
});
for (const subject of subjects) await subject.stop();
process.kill(mock.pid);
say(`logs are in ${FOLDER}`);
process.exit(0);
