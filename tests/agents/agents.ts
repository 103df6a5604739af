// Real coding agents through the gateway, over every upstream dialect (tests/README.md).
//
//   bun tests/agents/agents.ts [AGENT] [UPSTREAM]   parts of the names; TF_AGENT_LOG=1 tells more
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ask, type Directives } from "../support/fake";
import { eventually } from "../support/eventually";
import { Gateway } from "../support/gateway";
import { type Agent, AGENTS, type Errand } from "./table";

const FOLDER = resolve(import.meta.dir, "../../build/agents");
const PATIENCE_MS = 120_000;
const VERBOSE = process.env["TF_AGENT_LOG"] !== undefined;

const UPSTREAMS = ["openai", "responses", "claude", "gemini"] as const;
type Upstream = (typeof UPSTREAMS)[number];

/** What Gemini CLI asks besides, whatever model it is told to use. */
const SIDE_MODELS = ["gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-3-flash-preview"];

const modelOf = (upstream: Upstream): string => `agent-${upstream}`;

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

function run(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<Ran> {
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const out = { status: null as number | null, stdout: "", stderr: "" };
  child.stdout.on("data", (bytes: Buffer) => (out.stdout += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (out.stderr += bytes.toString()));
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  return new Promise((done, failed) => {
    child.once("error", failed);
    child.once("close", (status) => {
      clearTimeout(late);
      done({ ...out, status });
    });
  });
}

async function install(agents: Agent[]): Promise<void> {
  const missing = agents.filter(
    ({ binary }) => !existsSync(join(FOLDER, "node_modules/.bin", binary)),
  );
  if (missing.length === 0) return;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "package.json"), '{"private":true}\n');
  const names = missing.map((agent) => agent.package);
  console.log(`installing ${names.join(", ")}`);
  const env = process.env as Record<string, string>;
  const ran = await run("npm", ["install", "--no-audit", "--no-fund", ...names], FOLDER, env);
  if (ran.status !== 0) throw new Error(`npm: ${ran.stderr}`);
}

/** Nothing of whoever runs this: no login, no settings, no proxy, no telemetry. */
async function send(agent: Agent, errand: Errand): Promise<Ran> {
  agent.prepare?.(errand);
  const work = join(errand.home, "work");
  mkdirSync(work, { recursive: true });
  return run(join(FOLDER, "node_modules/.bin", agent.binary), agent.args(errand), work, {
    PATH: process.env["PATH"] ?? "",
    HOME: errand.home,
    TMPDIR: errand.home,
    CI: "1",
    NO_COLOR: "1",
    TERM: "dumb",
    ...agent.env(errand),
  });
}

interface Errand_ {
  name: string;
  wish(agent: Agent, file: string): Directives;
  expect: string;
}

const SECRET = "swordfish-4711";
const USAGE = { input: 20, output: 9 };

const ERRANDS: Errand_[] = [
  {
    name: "text",
    wish: () => ({ reply: "Grüße, 世界 👋", usage: USAGE }),
    expect: "Grüße, 世界 👋",
  },
  {
    name: "tool",
    wish: (agent, file) => ({
      thinking: "I should look.",
      tools: [agent.reads(file)],
      usage: USAGE,
      then: { reply: "It is done, all of it.", usage: USAGE },
    }),
    expect: "It is done, all of it.",
  },
];

class Failure extends Error {}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Failure(what);
}

async function check(
  gw: Gateway,
  agent: Agent,
  upstream: Upstream,
  errand: Errand_,
): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "tf-agent-"));
  mkdirSync(join(home, "work"));
  const file = join(home, "work/secret.txt");
  writeFileSync(file, `${SECRET}\n`);
  const from = gw.fake.requests.length;
  gw.fake.refusals();
  const token = await gw.newToken({ name: `${agent.binary}-${upstream}-${errand.name}` });
  try {
    const ran = await send(agent, {
      url: gw.server.url,
      key: token.key,
      model: modelOf(upstream),
      prompt: ask(errand.wish(agent, file), "Please do this."),
      home,
    });
    const seen = gw.fake.requests.slice(from);
    if (VERBOSE) {
      console.log(ran);
      for (const one of seen)
        console.log(one.path, one.status, one.refusal ?? "", one.raw.toString());
    }
    const refused = gw.fake.refusals().map((one) => one.refusal);
    must(refused.length === 0, `the provider refused: ${refused.join("; ")}`);
    must(ran.status === 0, `ended with ${ran.status}: ${(ran.stderr + ran.stdout).slice(-600)}`);
    must(agent.said(ran.stdout).includes(errand.expect), `said: ${ran.stdout.slice(-600)}`);
    if (errand.name === "tool")
      must(
        seen.some((one) => one.raw.includes(SECRET)),
        "the tool's result never came",
      );
    const replies = seen.filter((one) => one.status === 200 && !/ount_?[tT]okens$/.test(one.path));
    const logs = await eventually(async () => {
      const rows = await gw.server.logs({ token_name: token.name, type: 2 });
      must(
        rows.length === replies.length,
        `${rows.length} of ${replies.length} replies are billed`,
      );
      return rows;
    });
    must(logs.length > 0, "nothing was billed");
    must(
      logs.every((log) => log.quota > 0),
      "billed for nothing",
    );
    const errors = await gw.server.logs({ token_name: token.name, type: 5 });
    must(errors.length === 0, `errors: ${JSON.stringify(errors)}`);
    await gw.assertGood();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function open(): Promise<Gateway> {
  const gw = new Gateway();
  await gw.open({});
  const models = [...UPSTREAMS.map(modelOf), ...SIDE_MODELS];
  const each = (value: number): Record<string, number> =>
    Object.fromEntries(models.map((model) => [model, value]));
  await gw.setPrices({ ModelRatio: each(2), CompletionRatio: each(5) });
  const mapped = (model: string, to: string): Record<string, string> => ({
    models: model,
    model_mapping: JSON.stringify({ [model]: to }),
  });
  await gw.addOpenai("openai", { type: "custom", ...mapped("agent-openai", "fake-compatible") });
  await gw.addOpenai("responses", {
    type: "OpenAI Responses",
    ...mapped("agent-responses", "gpt-5"),
  });
  await gw.addClaude("claude", mapped("agent-claude", "claude-sonnet-4-6"));
  await gw.addGemini("gemini", {
    models: ["agent-gemini", ...SIDE_MODELS].join(","),
    model_mapping: JSON.stringify({ "agent-gemini": "gemini-3.1-pro-preview" }),
  });
  return gw;
}

const [agentPart = "", upstreamPart = ""] = process.argv.slice(2);
const agents = AGENTS.filter(({ name }) => name.toLowerCase().includes(agentPart.toLowerCase()));
await install(agents);
const gw = await open();
let failures = 0;
const rows: string[] = [];
for (const agent of agents) {
  const cells: string[] = [];
  for (const upstream of UPSTREAMS.filter((name) => name.includes(upstreamPart))) {
    const bad: string[] = [];
    for (const errand of ERRANDS) {
      const began = Date.now();
      const why = await check(gw, agent, upstream, errand).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      const took = ((Date.now() - began) / 1000).toFixed(1);
      console.log(
        `${why === undefined ? "ok  " : "FAIL"} ${agent.name} over ${upstream}, ${errand.name} (${took} s)`,
      );
      if (why !== undefined) {
        failures++;
        bad.push(errand.name);
        console.log(`     ${why.replaceAll("\n", "\n     ")}`);
      }
    }
    cells.push(bad.length === 0 ? "fine" : bad.join("+"));
  }
  rows.push(`| ${agent.name.padEnd(12)} | ${cells.map((cell) => cell.padEnd(9)).join(" | ")} |`);
}
await gw.close();
const used = UPSTREAMS.filter((name) => name.includes(upstreamPart));
console.log(`\n| agent        | ${used.map((name) => name.padEnd(9)).join(" | ")} |`);
console.log(`|--------------|${used.map(() => "-----------|").join("")}`);
for (const row of rows) console.log(row);
process.exit(failures === 0 ? 0 : 1);
