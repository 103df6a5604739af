// Runs every fuzzing target for its share of the time; prints one table and fails on any finding.
//
//   bun tests/fuzz/fuzz.ts [--seconds 60] [target ...]       # make fuzz SECONDS=60
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { writeSeeds } from "./seeds";

const BUILD = "build/fuzz";
const LONGEST_INPUT = 16_384;
const ENV = {
  ...process.env,
  ASAN_OPTIONS: "detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=0",
  UBSAN_OPTIONS: "print_stacktrace=1:halt_on_error=1",
};

interface Result {
  target: string;
  execs: number;
  cov: number;
  crashes: number;
}

function targets(): string[] {
  const sources = readdirSync("tests/fuzz").filter((name) => /^fuzz_\w+\.c$/.test(name));
  return sources
    .map((name) => basename(name, ".c").slice("fuzz_".length).replaceAll("_", "-"))
    .sort();
}

const artifacts = (target: string): string[] =>
  existsSync(`${BUILD}/found/${target}`) ? readdirSync(`${BUILD}/found/${target}`) : [];

async function run(target: string, seconds: number): Promise<Result> {
  const corpus = `${BUILD}/corpus/${target}`;
  const found = `${BUILD}/found/${target}`;
  for (const folder of [corpus, found]) mkdirSync(folder, { recursive: true });
  const before = new Set(artifacts(target));
  const child = Bun.spawn(
    [
      `${BUILD}/fuzz-${target}`,
      `-max_total_time=${seconds}`,
      `-max_len=${LONGEST_INPUT}`,
      "-timeout=20",
      "-rss_limit_mb=2048",
      "-print_final_stats=1",
      "-verbosity=1",
      `-artifact_prefix=${found}/`,
      corpus,
      `${BUILD}/seeds/${target}`,
    ],
    { env: ENV, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const status = await child.exited;
  const crashes = artifacts(target).filter((name) => !before.has(name)).length;
  if (status !== 0 || crashes > 0) report(target, output + errors);
  return {
    target,
    execs: Number(/number_of_executed_units:\s*(\d+)/.exec(errors)?.[1] ?? lastExec(errors)),
    cov: Number([...errors.matchAll(/ cov: (\d+)/g)].at(-1)?.[1] ?? 0),
    crashes: Math.max(crashes, status === 0 ? 0 : 1),
  };
}

const lastExec = (log: string): string => [...log.matchAll(/^#(\d+)\t/gm)].at(-1)?.[1] ?? "0";

/** What broke, without the progress that came before. */
function report(target: string, log: string): void {
  const lines = log.split("\n").filter((line) => !/^#\d+\t/.test(line));
  const from = lines.findIndex((line) => /does not hold|ERROR:|runtime error|SUMMARY/.test(line));
  console.log(`== ${target}`);
  console.log(lines.slice(Math.max(0, from), Math.max(0, from) + 40).join("\n"));
}

function print(results: Result[]): void {
  const width = Math.max(...results.map((result) => result.target.length));
  console.log(`${"target".padEnd(width)} ${"execs".padStart(10)} ${"cov".padStart(6)} crashes`);
  for (const { target, execs, cov, crashes } of results)
    console.log(
      `${target.padEnd(width)} ${String(execs).padStart(10)} ${String(cov).padStart(6)} ${String(crashes).padStart(7)}`,
    );
}

const args = process.argv.slice(2);
const at = args.indexOf("--seconds");
const seconds = at < 0 ? 60 : Number(args.splice(at, 2)[1]);
const all = targets();
const unknown = args.find((name) => !all.includes(name));
if (unknown !== undefined) {
  console.error(`fuzz: no target "${unknown}"; there are ${all.join(" ")}`);
  process.exit(2);
}
const wanted = args.length > 0 ? args : all;
rmSync(`${BUILD}/seeds`, { recursive: true, force: true });
writeSeeds(`${BUILD}/seeds`);
for (const target of all) mkdirSync(`${BUILD}/seeds/${target}`, { recursive: true });
const share = Math.max(1, Math.floor(seconds / wanted.length));
const results: Result[] = [];
for (const target of wanted) results.push(await run(target, share));
print(results);
process.exit(results.every((result) => result.crashes === 0 && result.execs > 0) ? 0 : 1);
