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

/** Those with rows that must survive; roll-ups came together with what is kept, and with nodes. */
function tablesOf(state: string): string[] {
  return /\busage_hours\b/.test(read(`${state}.${kind}.sql`))
    ? [...TABLES, "kept", "nodes"]
    : TABLES;
}

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
  if (tablesOf(state).length > TABLES.length) await again.run(read("rows-rolled-up.sql"));
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
  const values = async (sql: string) => (await ask(dsn, sql)).map((row) => Object.values(row));
  const sums = "requests, errors, prompt_tokens, completion_tokens, quota";
  expect(
    await values(
      "SELECT hour, user_id, model_name, requests, errors, others, prompt_tokens, completion_tokens, quota, use_time_ms, first_token_ms FROM usage_hours ORDER BY hour, user_id, model_name, requests",
    ),
  ).toEqual(ROLLED_UP);
  expect(
    await values(
      `SELECT hour, model_name, ${sums}, use_time_ms, first_token_ms FROM usage_models ORDER BY 1, 2`,
    ),
  ).toEqual(BY_MODEL);
  expect(
    await values(`SELECT day, user_id, username, ${sums} FROM usage_users ORDER BY 1, 2`),
  ).toEqual(BY_USER);
}

async function freshSchema(): Promise<string[]> {
  const dsn = await emptyDatabase();
  check(dsn);
  return describeSchema(dsn);
}

test("there are states to come from", () => {
  expect(states.length).toBeGreaterThanOrEqual(5);
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
