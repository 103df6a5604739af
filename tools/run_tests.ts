// Runs every part of the tests and ends with one line, "N passed, N failed", that totals them all:
//   bun tools/run_tests.ts [checks] [unit] [wire] [tsan] [databases] [api] [web]
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { type Database, startDatabases, stopDatabases } from "../tests/support/databases.ts";
import { Redis } from "../tests/support/redis.ts";

type Count = { passed: number; failed: number; skipped: number };
type Job = {
  name: string;
  command: string[];
  count: (output: string, status: number) => Count;
  env?: Record<string, string>;
};
type Part = {
  title: string;
  jobs: () => Job[] | Promise<Job[]>;
  /** The jobs start servers, and what they say is shown while they run. */
  live?: boolean;
  /** So many live jobs at a time. */
  together?: number;
};

const root = join(import.meta.dir, "..");
const bun = process.execPath;
const reports = join(root, "build/asan/reports");
const asanProgram = join(root, "build/asan/token-factory");
const ON_SERVERS =
  /^common-db-test_(db|page|migrate|remote|db_pool_lane)$|^model-|^service-test_(setup|ledger(_kill)?|log_(apart|search))$/;
const ONLY_ON_SERVERS = "common-db-test_remote";
const UNDER_TSAN = /relay|ledger|snapshot|lane|directory|journal|redis/;
const UNIT_TIMEOUT_MS = 180_000;
const LIVE_TIMEOUT_MS = 900_000;
process.chdir(root);

const suppressions = (tool: string) =>
  existsSync(`tests/${tool}.supp`) ? `:suppressions=${root}/tests/${tool}.supp` : "";

const env = {
  ...process.env,
  ASAN_OPTIONS: "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
  LSAN_OPTIONS: `print_suppressions=0${suppressions("lsan")}`,
  UBSAN_OPTIONS: "print_stacktrace=1:halt_on_error=1",
  TSAN_OPTIONS: `halt_on_error=1:second_deadlock_stack=1${suppressions("tsan")}`,
};

// The sanitizers of older compilers cannot live with very random addresses.
const randomBits = Number(read("/proc/sys/vm/mmap_rnd_bits") || 0);
const unrandomized =
  randomBits > 28 && Bun.spawnSync(["setarch", "-R", "true"]).success ? ["setarch", "-R"] : [];

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function listC(folder: string): string[] {
  const found = Bun.spawnSync(["tools/gen/sources", folder]).stdout.toString();
  return found.split("\n").filter(Boolean);
}

const sum = (output: string, pattern: RegExp) =>
  [...output.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
const occurrences = (output: string, pattern: RegExp) => [...output.matchAll(pattern)].length;

/** A program that fails without saying how often has failed once. */
function honest(count: Count, status: number): Count {
  if (status !== 0 && count.failed === 0) count.failed = 1;
  if (status === 0 && count.passed + count.failed + count.skipped === 0) count.failed = 1;
  return count;
}

/** cmocka gives totals only at its end, which a crash prevents: what began and is not OK failed. */
function countCmocka(output: string, status: number): Count {
  const began = occurrences(output, /^\[ RUN {6}\]/gm);
  const passed = occurrences(output, /^\[ {7}OK \]/gm);
  const named = [...output.matchAll(/^\[ {2}SKIPPED \] (\w+)$/gm)].map((match) => match[1]);
  const skipped = new Set(named).size; // each is named again at the end
  return honest({ passed, failed: began - passed - skipped, skipped }, status);
}

/** The wire runner may use cmocka, or end with "N passed, N failed". */
function countWire(output: string, status: number): Count {
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed/gm)].at(-1);
  if (!last) return countCmocka(output, status);
  return honest({ passed: Number(last[1]), failed: Number(last[2]), skipped: 0 }, status);
}

function countBun(output: string, status: number): Count {
  const plain = Bun.stripANSI(output);
  const passed = sum(plain, /^ *(\d+) pass$/gm);
  const failed = sum(plain, /^ *(\d+) fail$/gm) + sum(plain, /^ *(\d+) errors?$/gm);
  return honest({ passed, failed, skipped: sum(plain, /^ *(\d+) (?:skip|todo)$/gm) }, status);
}

const countCheck = (_: string, status: number): Count => ({
  passed: status === 0 ? 1 : 0,
  failed: status === 0 ? 0 : 1,
  skipped: 0,
});

function checks(): Job[] {
  const names = readdirSync("tools").filter((name) => /^check_\w+\.ts$/.test(name));
  return names
    .sort()
    .map((name): Job => ({ name, command: [bun, `tools/${name}`], count: countCheck }))
    .concat({ name: "the checks' own tests", command: [bun, "test", "./tools"], count: countBun });
}

function units(build: string, wanted: (name: string) => boolean): Job[] {
  return listC("tests/unit")
    .filter((path) => basename(path).startsWith("test_"))
    .map((path) => path.replace("tests/unit/", "").replace(/\.c$/, "").replaceAll("/", "-"))
    .filter(wanted)
    .map((name) => ({
      name,
      command: [...unrandomized, `build/${build}/unit-${name}`],
      count: countCmocka,
    }));
}

function wire(): Job[] {
  if (listC("tests/wire").length === 0) return [];
  return [{ name: "wire", command: [...unrandomized, "build/asan/wire"], count: countWire }];
}

/** What to do on each server; one that is not installed is one test skipped, and said so. */
async function onServers(jobs: (database: Database, env: Job["env"]) => Job[]): Promise<Job[]> {
  const { databases, folder } = await startDatabases();
  return databases.flatMap((database) => {
    const { title, dsn } = database;
    if (dsn) return jobs(database, { TF_TEST_DSN: dsn, TF_TEST_CERTS: folder });
    const name = `${title} IS NOT INSTALLED: nothing was tested on it`;
    return [{ name, command: ["true"], count: () => ({ passed: 0, failed: 0, skipped: 1 }) }];
  });
}

/** The short form of `make outage`, with a server of its own that is killed and stopped. */
const outage = ({ name, title }: Database): Job => ({
  name: `outage of ${title}`,
  command: [
    ...unrandomized,
    bun,
    "tests/outage/outage.ts",
    "--minutes",
    "0.33",
    "--database",
    name,
  ],
  count: countCheck,
  env: { TF_BIN: asanProgram },
});

const databases = () =>
  onServers((database, env) => [
    outage(database),
    ...units("asan", (name) => ON_SERVERS.test(name)).map((job) => ({
      ...job,
      name: `${job.name} on ${database.title}`,
      env,
    })),
  ]);

/** For every second run of the suites. */
let redis: Redis | undefined;

/** The suites on a database, without Redis and with it. */
function suitesOn(title: string, env: Record<string, string>, ...more: string[]): Job[] {
  const job = (name: string, added: Record<string, string>, paths: string[]): Job => ({
    name: `bun test on ${title}${name}`,
    command: [...unrandomized, bun, "test", "--timeout", "60000", ...paths],
    count: countBun,
    env: { ...env, ...added },
  });
  const paths = ["./tests/api", ...more];
  if (!redis) return [job("; REDIS IS NOT INSTALLED", {}, paths)];
  return [
    job("", {}, paths),
    job(" with Redis", { REDIS_CONN_STRING: redis.url }, ["./tests/api"]),
  ];
}

async function api(): Promise<Job[]> {
  const glob = new Bun.Glob("tests/{api,support}/**/*.test.ts");
  if ([...glob.scanSync(".")].length === 0) return [];
  redis = Bun.which("redis-server") ? await Redis.start() : undefined;
  const others = await onServers(({ title }, env) => suitesOn(title, env ?? {}));
  return [...suitesOn("SQLite", {}, "./tests/support"), ...others];
}

/** The console's helpers and forms, then the console in a browser. */
function web(): Job[] {
  if (!existsSync("web/package.json")) return [];
  const rest = readdirSync("tests/web")
    .filter((name) => name.endsWith(".test.ts") && name !== "matrix.test.ts")
    .map((name) => `./tests/web/${name}`);
  const browser = (title: string, ...paths: string[]): Job => ({
    name: `browser: ${title}`,
    command: [bun, "test", "--timeout", "60000", ...paths],
    count: countBun,
  });
  return [
    { name: "vitest", command: [bun, "tools/vitest.ts"], count: countWire },
    browser("every page in every look", "./tests/web/matrix.test.ts"),
    browser("what is done there", ...rest),
  ];
}

const parts: Record<string, Part> = {
  checks: { title: "checks", jobs: checks },
  unit: {
    title: "unit tests (ASan, UBSan)",
    jobs: () => units("asan", (name) => name !== ONLY_ON_SERVERS),
  },
  wire: { title: "wire tests (ASan, UBSan)", jobs: wire, live: true },
  tsan: { title: "unit tests (TSan)", jobs: () => units("tsan", (name) => UNDER_TSAN.test(name)) },
  databases: { title: "unit tests on PostgreSQL and MariaDB (ASan, UBSan)", jobs: databases },
  api: { title: "API tests (the ASan binary)", jobs: api, live: true, together: 2 },
  web: { title: "the console (the ASan binary)", jobs: web, live: true, together: 2 },
};

async function collect(stream: ReadableStream<Uint8Array>, live: boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    if (live) process.stdout.write(bytes);
    text += decoder.decode(bytes, { stream: true });
  }
  return text;
}

async function run(job: Job, live: boolean): Promise<Count> {
  const limit = live ? LIVE_TIMEOUT_MS : UNIT_TIMEOUT_MS;
  const started = Date.now();
  const child = Bun.spawn(job.command, {
    env: live
      ? {
          ...env,
          ...job.env,
          ASAN_OPTIONS: `${env.ASAN_OPTIONS}:log_path=${reports}/report`,
          UBSAN_OPTIONS: `${env.UBSAN_OPTIONS}:log_path=${reports}/report`,
          TF_BIN: asanProgram,
        }
      : { ...env, ...job.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: limit,
    killSignal: "SIGKILL",
  });
  const output = (await Promise.all([collect(child.stdout, live), collect(child.stderr, live)]))
    .filter(Boolean)
    .join("");
  const status = await child.exited;
  const seconds = (Date.now() - started) / 1000;
  const count = job.count(output, status === 0 && child.signalCode ? 1 : status);
  if (!live && count.failed) console.log(output.trimEnd());
  const ending = child.signalCode
    ? `killed by ${child.signalCode}${seconds * 1000 >= limit ? " (time is up)" : ""}`
    : status !== 0
      ? `exit status ${status}`
      : "";
  const words = [`${count.passed} passed`];
  if (count.failed) words.push(`${count.failed} failed`);
  if (count.skipped) words.push(`${count.skipped} skipped`);
  if (ending) words.push(ending);
  const mark = count.failed ? "FAIL" : "  ok";
  console.log(`${mark} ${job.name}: ${words.join(", ")} (${seconds.toFixed(1)} s)`);
  return count;
}

/** Said when a server is killed while it looks for leaks at its end: nothing was found. */
const INTERRUPTED = /^==\d+==Unable to get registers from thread \d+\.$/gm;

/** What a sanitizer found in a server that the tests had started; nobody else reads these files. */
function countReports(total: Count) {
  for (const name of existsSync(reports) ? readdirSync(reports) : []) {
    const text = read(join(reports, name));
    if (!text.replaceAll(INTERRUPTED, "").trim()) continue;
    console.log(text.trimEnd());
    console.log(`FAIL sanitizer report ${name}`);
    total.failed++;
  }
}

async function runPart(part: Part): Promise<Count> {
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  const jobs = await part.jobs();
  console.log(`== ${part.title}`);
  if (jobs.length === 0) console.log("  ok nothing to run yet");
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      const count = await run(job, part.live ?? false);
      total.passed += count.passed;
      total.failed += count.failed;
      total.skipped += count.skipped;
    }
  };
  const lanes = part.live ? (part.together ?? 1) : availableParallelism();
  await Promise.all(Array.from({ length: lanes }, worker));
  countReports(total);
  return total;
}

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in parts));
if (unknown) {
  console.error(`run_tests: no part "${unknown}"; there are ${Object.keys(parts).join(" ")}`);
  process.exit(2);
}

let passed = 0;
let failed = 0;
for (const name of wanted.length ? wanted : Object.keys(parts)) {
  const count = await runPart(parts[name]!);
  passed += count.passed;
  failed += count.failed;
}
await stopDatabases();
await redis?.dispose();
if (passed === 0) failed = Math.max(failed, 1);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
