// From every earlier state of the schema: data survive, and it ends as a fresh start makes it.
import { afterEach, describe, expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe as describeSchema, kindOf, open } from "../schemas/schema";
import { createDatabase } from "../support/databases";
import { BINARY } from "../support/server";

const folder = join(import.meta.dir, "../schemas");
const kind = kindOf(process.env["TF_TEST_DSN"] ?? "sqlite:");
const states = readdirSync(folder)
  .filter((name) => name.endsWith(`.${kind}.sql`))
  .map((name) => name.slice(0, name.indexOf(".")))
  .sort();
const read = (name: string) => readFileSync(join(folder, name), "utf8");

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

const TABLES = "users tokens channels abilities leases journal_positions sessions logs".split(" ");

const has = (state: string, table: string) =>
  new RegExp(`\\b${table}\\b`).test(read(`${state}.${kind}.sql`));

/** Those with rows that must survive; roll-ups came together with what is kept, and with nodes. */
const tablesOf = (state: string) =>
  has(state, "usage_hours") ? [...TABLES, "kept", "nodes"] : TABLES;

async function emptyDatabase(): Promise<string> {
  const dsn = process.env["TF_TEST_DSN"];
  if (dsn) {
    const made = await createDatabase(dsn);
    cleanUps.push(made.drop);
    return made.dsn;
  }
  const path = mkdtempSync(join(tmpdir(), "tf-migrate-"));
  cleanUps.push(() => rmSync(path, { recursive: true, force: true }));
  return `sqlite:${join(path, "test.db")}`;
}

async function databaseOf(state: string): Promise<string> {
  const dsn = await emptyDatabase();
  const db = open(dsn);
  await db.run(read(`${state}.${kind}.sql`));
  await db.close();
  const again = open(dsn);
  await again.run(read("rows.sql"));
  if (has(state, "usage_hours")) await again.run(read("rows-rolled-up.sql"));
  if (has(state, "usage_models")) await again.run(read("rows-summed-up.sql"));
  await again.close();
  return dsn;
}

function command(dsn: string) {
  const home = mkdtempSync(join(tmpdir(), "tf-check-"));
  cleanUps.push(() => rmSync(home, { recursive: true, force: true }));
  const env = { ...process.env, DATA_DIR: home, SQL_DSN: dsn, LOG_LEVEL: "info" };
  return { cwd: home, env };
}

function check(dsn: string): void {
  const done = spawnSync(BINARY, ["--check"], command(dsn));
  expect(`${done.stdout}${done.stderr}`).toEndWith("fine\n");
  expect(done.status).toBe(0);
}

function start(dsn: string) {
  const child = spawn(BINARY, ["--check"], { ...command(dsn), stdio: "ignore" });
  return { child, ended: once(child, "exit") };
}

type Rows = Record<string, unknown>[];

async function ask(dsn: string, sql: string): Promise<Rows> {
  const db = open(dsn);
  if (db.kind === "mysql") await db.run("SELECT 1");
  const rows = await db.ask(sql);
  await db.close();
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === "string" && /^-?\d+$/.test(value)
          ? Number(value)
          : typeof value === "bigint"
            ? Number(value)
            : value,
      ]),
    ),
  );
}

const values = async (dsn: string, sql: string) =>
  (await ask(dsn, sql)).map((row) => Object.values(row));

async function contents(dsn: string, state: string): Promise<Record<string, Rows>> {
  const found: Record<string, Rows> = {};
  for (const name of tablesOf(state))
    found[name] = await ask(dsn, `SELECT * FROM ${name} ORDER BY id`);
  return found;
}

/** Every value that was there is there; new columns may have come. */
function expectKept(before: Record<string, Rows>, after: Record<string, Rows>): void {
  for (const name of Object.keys(before)) {
    expect(after[name]!.length).toBe(before[name]!.length);
    before[name]!.forEach((row, i) => expect(after[name]![i]).toMatchObject(row));
  }
}

const ROLLED_UP = [
  [1699999200, 1, "m1", 2, 0, 0, 101, 12, 30, 2000, 300],
  [1700006400, 2, "", 0, 0, 1, 0, 0, 0, 0, 0],
  [1700006400, 2, "m2", 0, 1, 0, 0, 0, 0, 0, 0],
  [1700006400, 2, "m2", 1, 0, 0, 7, 8, 5, 90, 9],
];

const BY_MODEL = [
  [1699999200, "m1", 2, 0, 101, 12, 30, 2000, 300],
  [1700006400, "m2", 1, 1, 7, 8, 5, 90, 9],
];
const BY_USER = [
  [1699920000, 1, "root", 2, 0, 101, 12, 30],
  [1700006400, 2, "漢字", 1, 1, 7, 8, 5],
];

async function expectWhole(dsn: string, fresh: string[]): Promise<void> {
  expect(await describeSchema(dsn)).toEqual(fresh);
  const sums = "requests, errors, prompt_tokens, completion_tokens, quota";
  expect(
    await values(
      dsn,
      "SELECT hour, user_id, model_name, requests, errors, others, prompt_tokens, completion_tokens, quota, use_time_ms, first_token_ms FROM usage_hours ORDER BY hour, user_id, model_name, requests",
    ),
  ).toEqual(ROLLED_UP);
  expect(
    await values(
      dsn,
      `SELECT hour, model_name, ${sums}, use_time_ms, first_token_ms FROM usage_models ORDER BY 1, 2`,
    ),
  ).toEqual(BY_MODEL);
  expect(
    await values(dsn, `SELECT day, user_id, username, ${sums} FROM usage_users ORDER BY 1, 2`),
  ).toEqual(BY_USER);
}

async function freshSchema(): Promise<string[]> {
  const dsn = await emptyDatabase();
  check(dsn);
  return describeSchema(dsn);
}

test("there are states to come from", () => {
  expect(states.length).toBeGreaterThanOrEqual(6);
});

describe.each(states)("from %s", (state) => {
  test("nothing is lost, and the schema is today's", async () => {
    const fresh = await freshSchema();
    const dsn = await databaseOf(state);
    const before = await contents(dsn, state);
    check(dsn);
    await expectWhole(dsn, fresh);
    expectKept(before, await contents(dsn, state));
    check(dsn); // the next start changes nothing
    await expectWhole(dsn, fresh);
    expectKept(before, await contents(dsn, state));
  });

  test("two nodes at once", async () => {
    const fresh = await freshSchema();
    const dsn = await databaseOf(state);
    const nodes = [start(dsn), start(dsn), start(dsn)];
    for (const node of nodes) expect((await node.ended)[0]).toBe(0);
    await expectWhole(dsn, fresh);
  });

  test("killed at any moment, and started again", async () => {
    const fresh = await freshSchema();
    const dsn = await databaseOf(state);
    const before = await contents(dsn, state);
    for (let ms = 2; ms < 60; ms += 9) {
      const node = start(dsn);
      await Bun.sleep(ms);
      node.child.kill("SIGKILL");
      await node.ended;
    }
    check(dsn);
    await expectWhole(dsn, fresh);
    expectKept(before, await contents(dsn, state));
  });
});

// --- a long log, which is rolled up in parts ---------------------------------------------

const HOUR = 3600;
const DAY = 24 * HOUR;
const LONG = 5000;

interface Logged {
  created_at: number;
  type: number;
  user_id: number;
  username: string;
  token_id: number;
  token_name: string;
  channel_id: number;
  model_name: string;
  prompt_tokens: number;
  completion_tokens: number;
  quota: number;
  use_time_ms: number;
  first_token_ms: number;
}

/** On both sides of hours and days, in the first hour of all, and with a gap of years. */
function longLog(): Logged[] {
  const day = 17_000 * DAY;
  const borders = [HOUR, DAY, day, day + HOUR, day + DAY].flatMap((at) => [at - 1, at, at + 1]);
  const later = day + 3 * 365 * DAY;
  const times = [0, 1, ...borders, ...Array.from({ length: LONG }, (_, i) => later + i * 7777)];
  return times.map((created_at, i) => ({
    created_at,
    type: [2, 5, 2, 3, 2, 7][i % 6]!,
    user_id: 1 + (i % 4),
    username: `user${1 + (i % 4)}${i % 50 ? "" : " renamed"}`,
    token_id: i % 5,
    token_name: `key${i % 5}`,
    channel_id: i % 2,
    model_name: `model-${i % 3}`,
    prompt_tokens: i,
    completion_tokens: 2 * i + 1,
    quota: 3 * i + 2,
    use_time_ms: 5 * i,
    first_token_ms: i % 7,
  }));
}

type Sums = Map<string, number[]>;

/** Added up row by row; who has neither a request nor an error is left out if that is wanted. */
function sumsOf(log: Logged[], keyOf: (row: Logged) => unknown[], all: boolean): Sums {
  const sums: Sums = new Map();
  for (const row of log) {
    const request = Number(row.type === 2);
    const used = Number(row.type === 2 || row.type === 5);
    if (!used && !all) continue;
    const key = keyOf(row).join("|");
    const adds = [
      request,
      used - request,
      used * row.prompt_tokens,
      used * row.completion_tokens,
      used * row.quota,
      ...(all ? [request * row.use_time_ms, request * row.first_token_ms, 1 - used] : []),
    ];
    const before = sums.get(key) ?? adds.map(() => 0);
    sums.set(
      key,
      before.map((value, i) => value + adds[i]!),
    );
  }
  return sums;
}

const USED = ["requests", "errors", "prompt_tokens", "completion_tokens", "quota"];
const hourOf = (row: Logged) => row.created_at - (row.created_at % HOUR);
const dayOf = (row: Logged) => row.created_at - (row.created_at % DAY);
const ROLLUPS: Record<string, [key: string[], keyOf: (row: Logged) => unknown[], sums: string[]]> =
  {
    usage_hours: [
      ["hour", "user_id", "token_id", "channel_id", "model_name", "username", "token_name"],
      (r) => [
        hourOf(r),
        r.user_id,
        r.token_id,
        r.channel_id,
        r.model_name,
        r.username,
        r.token_name,
      ],
      [...USED, "use_time_ms", "first_token_ms", "others"],
    ],
    usage_models: [["hour", "model_name"], (r) => [hourOf(r), r.model_name], USED],
    usage_users: [["day", "user_id", "username"], (r) => [dayOf(r), r.user_id, r.username], USED],
  };

async function insert(dsn: string, table: string, rows: Record<string, unknown>[]): Promise<void> {
  const db = open(dsn);
  const written = (value: unknown) => (typeof value === "number" ? `${value}` : `'${value}'`);
  for (let at = 0; at < rows.length; at += 500) {
    const lines = rows.slice(at, at + 500).map((row) => Object.values(row).map(written).join(", "));
    const columns = Object.keys(rows[0]!).join(", ");
    await db.run(`INSERT INTO ${table} (${columns}) VALUES (${lines.join("), (")});\n`);
  }
  await db.close();
}

/** As a node that rolled up left it, before there were sums by model and by user. */
async function insertHours(dsn: string, log: Logged[]): Promise<void> {
  const [key, keyOf, sums] = ROLLUPS["usage_hours"]!;
  const rows = [...sumsOf(log, keyOf, true)].map(([name, added]) => ({
    ...Object.fromEntries(name.split("|").map((text, i) => [key[i], text])),
    ...Object.fromEntries(added.map((value, i) => [sums[i], value])),
  }));
  await insert(dsn, "usage_hours", rows);
}

async function expectSums(dsn: string, log: Logged[]): Promise<void> {
  for (const [table, [key, keyOf, sums]] of Object.entries(ROLLUPS)) {
    const found = await values(dsn, `SELECT ${[...key, ...sums].join(", ")} FROM ${table}`);
    const lines = found.map((row) => row.join("|")).sort();
    const expected = [...sumsOf(log, keyOf, table === "usage_hours")].map(([name, added]) =>
      [name, ...added].join("|"),
    );
    expect(lines.length).toBeGreaterThan(100);
    expect(lines).toEqual(expected.sort());
  }
}

describe.each([states[0]!, "0004-kept"])("a long log from %s", (state) => {
  const log = longLog();

  async function databaseOfLog(): Promise<string> {
    const dsn = await emptyDatabase();
    const db = open(dsn);
    await db.run(read(`${state}.${kind}.sql`));
    await db.close();
    await insert(dsn, "logs", log as unknown as Record<string, unknown>[]);
    if (has(state, "usage_hours")) await insertHours(dsn, log);
    return dsn;
  }

  test("is rolled up to the row", async () => {
    const dsn = await databaseOfLog();
    check(dsn);
    await expectSums(dsn, log);
    check(dsn);
    await expectSums(dsn, log);
  }, 60_000);

  test("also by a start after some that were killed", async () => {
    const dsn = await databaseOfLog();
    for (let ms = 15; ms < 1200; ms *= 1.7) {
      const node = start(dsn);
      await Bun.sleep(ms);
      node.child.kill("SIGKILL");
      if ((await node.ended)[0] === 0) break; // it was done
    }
    check(dsn);
    await expectSums(dsn, log);
  }, 60_000);

  test("also by those beside whom one is killed", async () => {
    const dsn = await databaseOfLog();
    const nodes = [start(dsn), start(dsn), start(dsn)];
    await Bun.sleep(150); // one of them is at it, the others wait for it
    nodes[0]!.child.kill("SIGKILL");
    await nodes[0]!.ended;
    for (const node of nodes.slice(1)) expect((await node.ended)[0]).toBe(0);
    await expectSums(dsn, log);
  }, 60_000);
});
