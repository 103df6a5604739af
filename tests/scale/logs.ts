// Pages of a large log, on every database: how long they take, and by which plan.
//
//   bun tests/scale/logs.ts [--rows 1000000] [--on sqlite,postgres,mysql]  # make logs ROWS=…
//
// Makes the rows in SQL, lets the program index and roll them up as an upgrade does, then asks its
// API. Fails when a page takes longer than SLOW_MS.
import { SQL } from "bun";
import { Database } from "bun:sqlite";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase, startDatabases, stopDatabases } from "../support/databases";
import type { Page } from "../support/management";
import { BINARY, TestServer } from "../support/server";

const DAYS = 90;
const USERS = 300;
const HEAVY = 5;
const CHUNK = 500_000;
const ASKED = 7;
const SLOW_MS = 1000;

function argument(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
}

const rows = Number(argument("rows", "1000000"));
const wanted = argument("on", "sqlite,postgres,mysql").split(",");
const now = Math.floor(Date.now() / 1000);
const began = now - DAYS * 86_400;

interface Engine {
  name: string;
  dsn: string;
  run: (sql: string) => Promise<unknown>;
  ask: (sql: string) => Promise<Record<string, unknown>[]>;
  /** A table of the numbers from..to, in a column i. */
  numbers: (from: number, to: number) => string;
  mod: (a: string, b: number) => string;
  text: (sql: string) => string;
  explain: string;
  analyze: string[];
  dropIndex: (name: string) => string;
  size: () => Promise<number>;
  close: () => Promise<void>;
}

async function sqlite(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "tf-scale-"));
  const file = join(folder, "logs.db");
  const db = new Database(file, { create: true });
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000");
  return {
    name: "SQLite",
    dsn: `sqlite:${file}`,
    run: async (sql) => db.exec(sql),
    ask: async (sql) => db.query(sql).all() as Record<string, unknown>[],
    numbers: (from, to) =>
      `(WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to}) SELECT i FROM n) numbers`,
    mod: (a, b) => `((${a}) % ${b})`,
    text: (sql) => `CAST(${sql} AS TEXT)`,
    explain: "EXPLAIN QUERY PLAN",
    analyze: [],
    dropIndex: (name) => `DROP INDEX ${name}`,
    size: async () => statSync(file).size,
    close: async () => {
      db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function server(kind: "postgres" | "mysql", dsn: string): Promise<Engine> {
  const made = await createDatabase(dsn);
  const sql = new SQL(made.dsn, { max: 1 });
  const postgres = kind === "postgres";
  const ask = async (text: string) => [...(await sql.unsafe(text))] as Record<string, unknown>[];
  return {
    name: postgres ? "PostgreSQL" : "MariaDB",
    dsn: made.dsn,
    run: (text) => sql.unsafe(text),
    ask,
    numbers: (from, to) =>
      postgres
        ? `(SELECT i::bigint FROM generate_series(${from}, ${to}) AS i) numbers`
        : `(SELECT seq AS i FROM seq_${from}_to_${to}) numbers`,
    mod: (a, b) => `((${a}) % ${b})`,
    text: (text) => (postgres ? `(${text})::text` : `CAST(${text} AS CHAR)`),
    explain: "EXPLAIN",
    analyze: postgres
      ? ["VACUUM ANALYZE logs", "VACUUM ANALYZE usage_hours"]
      : ["ANALYZE TABLE logs", "ANALYZE TABLE usage_hours"],
    dropIndex: (name) => `DROP INDEX ${name}${postgres ? "" : " ON logs"}`,
    size: async () => {
      const [row] = await ask(
        postgres
          ? "SELECT pg_database_size(current_database()) AS bytes"
          : "SELECT SUM(data_length + index_length) AS bytes FROM information_schema.tables WHERE table_schema = DATABASE()",
      );
      return Number(row!["bytes"]);
    },
    close: async () => {
      await sql.close();
      await made.drop();
    },
  };
}

/** --check opens the database as a start does: it makes, alters and fills what is missing. */
function migrate(engine: Engine): number {
  const folder = mkdtempSync(join(tmpdir(), "tf-scale-check-"));
  const started = performance.now();
  const check = spawnSync(BINARY, ["--check"], {
    cwd: folder,
    env: { ...process.env, DATA_DIR: folder, SQL_DSN: engine.dsn, LOG_LEVEL: "warn" },
  });
  rmSync(folder, { recursive: true, force: true });
  if (check.status !== 0) throw new Error(`--check: ${check.stdout}${check.stderr}`);
  return performance.now() - started;
}

const INDEXES = [
  "index_logs_request_id",
  "index_logs_user_id_created_at_id",
  "index_logs_created_at_id",
  "index_logs_type_created_at_id",
];

const COLUMNS =
  'request_id created_at type user_id username token_id token_name channel_id model_name prompt_tokens completion_tokens cached_tokens quota use_time_ms first_token_ms is_stream "group" ip content other'.split(
    " ",
  );

/** Most users ask a little, a few a lot; each with two keys, a channel and a model for each. */
function rowsFrom(engine: Engine, from: number, to: number): string {
  const { mod, text } = engine;
  const user = `(CASE WHEN ${mod("i", 3)} = 0 THEN 1 + ${mod("i * 7", HEAVY)} ELSE 1 + ${mod("i * 7919", USERS)} END)`;
  const type = `(CASE WHEN ${mod("i", 5000)} = 3 THEN 7 WHEN ${mod("i", 1_000_000)} = 11 THEN 1 WHEN ${mod("i", 100)} = 7 THEN 5 ELSE 2 END)`;
  const used = `(CASE WHEN ${type} IN (2, 5) THEN 1 ELSE 0 END)`;
  const key = `(${user} * 10 + ${mod("i", 2)})`;
  const model = `(CASE WHEN ${used} = 0 THEN '' WHEN ${mod("i", 1_000_003)} = 5 THEN 'rare-model' ELSE concat('model-', ${text(mod(key, 20))}) END)`;
  const values = [
    `concat('req', ${text("i")})`,
    `${began} + CAST(FLOOR(i * ${((DAYS * 86_400) / rows).toFixed(9)}) AS ${engine.name === "MariaDB" ? "SIGNED" : "BIGINT"}) + ${mod("i * 31", 5)} - 5`,
    type,
    user,
    `concat('user', ${text(user)})`,
    `${used} * ${key}`,
    `(CASE WHEN ${used} = 0 THEN '' ELSE concat('key', ${text(key)}) END)`,
    `${used} * (1 + ${mod(key, 12)})`,
    model,
    mod("i", 4000),
    mod("i", 900),
    mod("i", 1000),
    `${used} * ${mod("i", 5000)}`,
    mod("i", 30_000),
    mod("i", 3000),
    mod("i", 2),
    "'default'",
    "'192.0.2.1'",
    "''",
    `'{"model_ratio":1.25,"completion_ratio":4,"group_ratio":1,"usage_source":"upstream","stream_end":"done","request_conversion":["openai"],"admin_info":{"use_channel":[3]}}'`,
  ];
  const quote = engine.name === "MariaDB" ? "`" : '"';
  const columns = COLUMNS.map((name) => name.replaceAll('"', quote)).join(", ");
  return `INSERT INTO logs (${columns}) SELECT ${values.join(", ")} FROM ${engine.numbers(from, to)}`;
}

async function fill(engine: Engine): Promise<void> {
  migrate(engine);
  for (const name of INDEXES) await engine.run(engine.dropIndex(name));
  for (let at = 1; at <= rows; at += CHUNK)
    await engine.run(rowsFrom(engine, at, Math.min(rows, at + CHUNK - 1)));
  // As a database from before the roll-ups: the next start makes them.
  await engine.run("DELETE FROM schema_migrations WHERE number = 1");
}

const middle = began + Math.floor((DAYS * 86_400) / 2);
const PAGES: [what: string, query: string][] = [
  ["newest", "logs?"],
  ["behind a cursor in the middle", `logs?cursor=${middle}.5`],
  ["an hour in the middle", `logs?start_timestamp=${middle}&end_timestamp=${middle + 3600}`],
  ["a user", "logs?user_id=17"],
  ["a user with a fifteenth of all rows", "logs?user_id=2"],
  ["a user name", "logs?username=user17"],
  ["a user name, the oldest day", `logs?username=user17&end_timestamp=${began + 86_400}`],
  ["nobody's name", "logs?username=nobody"],
  ["a key's name", "logs?token_name=key170"],
  ["a model", "logs?model_name=model-11"],
  ["a model that ten of ten million rows have", "logs?model_name=rare-model"],
  ["a model that no row has", "logs?model_name=no-model"],
  ["a user's use of a rare model", "logs?user_id=2&model_name=rare-model"],
  ["a channel", "logs?channel_id=5"],
  ["a channel that no row has", "logs?channel_id=99"],
  ["errors", "logs?type=5"],
  ["errors of a user", "logs?type=5&user_id=17"],
  ["logins", "logs?type=7"],
  ["logins of a user", "logs?type=7&user_id=17"],
  ["top-ups, very few", "logs?type=1"],
  ["refunds, none", "logs?type=6"],
  ["a request id", `logs?request_id=req${Math.floor(rows / 2)}`],
  ["streams", "logs?is_stream=true"],
  ["a group that no row has, until time is up", "logs?group=none"],
  ["keyword: a model", "log/search?keyword=model-11"],
  ["keyword: a request id", `log/search?keyword=req${Math.floor(rows / 3)}`],
  ["keyword: nothing", "log/search?keyword=nothing"],
];
const NUMBERED: [what: string, query: string][] = [
  ["page 1 with its total", "logs?p=1"],
  ["page 100 of 100", "logs?p=100&page_size=100"],
  ["a user's page 1 with its total", "logs?user_id=17&p=1"],
];
const SUMS: [what: string, query: string][] = [
  ["dashboard: everybody's day", "dashboard?all=1"],
  ["dashboard: one's own day", "dashboard?"],
  [
    "dashboard: everybody's 90 days",
    `dashboard?all=1&start_timestamp=${began}&end_timestamp=${now}`,
  ],
];

interface Line {
  what: string;
  ms: number;
  rows: number;
  note: string;
}

async function measure(api: TestServer["admin"], what: string, query: string): Promise<Line> {
  const times: number[] = [];
  let page: Partial<Page<unknown>> & { searched_to?: number; total_more?: boolean } = {};
  for (let i = 0; i < ASKED; i++) {
    const started = performance.now();
    page = await api.get(`/api/${query}`);
    times.push(performance.now() - started);
  }
  const ms = times.sort((a, b) => a - b)[Math.floor(ASKED / 2)]!;
  const note = page.searched_to
    ? `searched ${((now - page.searched_to) / 86_400).toFixed(1)} days back`
    : page.total === undefined
      ? ""
      : `${page.total_more ? "more than " : ""}${page.total}`;
  return { what, ms, rows: page.items?.length ?? 0, note };
}

const PLANS: [what: string, sql: string][] = [
  [
    "newest",
    "SELECT created_at, id FROM logs WHERE created_at >= 0 AND created_at <= 9999999999 AND (created_at < 9999999999 OR id < 0) ORDER BY created_at DESC, id DESC LIMIT 21",
  ],
  [
    "a user's",
    `SELECT created_at, id FROM logs WHERE user_id = 17 AND created_at >= 0 AND created_at <= ${middle} AND (created_at < ${middle} OR id < 5) ORDER BY created_at DESC, id DESC LIMIT 21`,
  ],
  [
    "a window of a user",
    `SELECT created_at, id FROM logs WHERE user_id = 17 AND created_at >= ${middle} AND created_at <= ${middle + 3600} AND (created_at < ${middle + 3600} OR id < 0) AND model_name = 'model-11' ORDER BY created_at DESC, id DESC LIMIT 21`,
  ],
  [
    "hours of a model",
    `SELECT hour, user_id FROM usage_hours WHERE hour < ${now} AND hour >= 0 AND model_name = 'model-11' ORDER BY hour DESC LIMIT 500`,
  ],
  [
    "logins",
    "SELECT created_at, id FROM logs WHERE created_at >= 0 AND created_at <= 9999999999 AND (created_at < 9999999999 OR id < 0) AND type NOT IN (2, 5) AND type = 7 ORDER BY created_at DESC, id DESC LIMIT 21",
  ],
  ["retention", `DELETE FROM logs WHERE created_at < ${began + 60}`],
];

async function showPlans(engine: Engine): Promise<void> {
  for (const [what, sql] of PLANS) {
    const plan = (await engine.ask(`${engine.explain} ${sql}`)).map((row) =>
      "detail" in row
        ? String(row["detail"])
        : "QUERY PLAN" in row
          ? String(row["QUERY PLAN"]).trim()
          : `${row["type"]} ${row["key"]} rows=${row["rows"]} ${row["Extra"] ?? ""}`,
    );
    console.log(`  plan, ${what}: ${plan.join(" | ")}`);
  }
}

async function measureAll(engine: Engine): Promise<boolean> {
  const started = performance.now();
  await fill(engine);
  const filled = performance.now();
  const migrated = migrate(engine);
  for (const sql of engine.analyze) await engine.run(sql);
  const [counted] = await engine.ask("SELECT COUNT(*) AS n FROM usage_hours");
  console.log(
    `== ${engine.name}: ${rows} rows in ${((filled - started) / 1000).toFixed(0)} s, indexed and rolled up (${Number(counted!["n"])} rows) in ${(migrated / 1000).toFixed(0)} s, ${((await engine.size()) / 2 ** 30).toFixed(1)} GiB`,
  );
  const gateway = await TestServer.start({ env: { SQL_DSN: engine.dsn } });
  const slow: string[] = [];
  try {
    const cursored = PAGES.map(([what, query]): [string, string] => [
      what,
      query.includes("cursor=") ? query : `${query}${query.endsWith("?") ? "" : "&"}cursor=`,
    ]);
    for (const [what, query] of [...cursored, ...NUMBERED, ...SUMS]) {
      const line = await measure(gateway.admin, what, query);
      console.log(
        `  ${line.ms.toFixed(1).padStart(7)} ms  ${String(line.rows).padStart(3)} rows  ${line.what}${line.note ? `: ${line.note}` : ""}`,
      );
      if (line.ms > SLOW_MS) slow.push(line.what);
    }
    await showPlans(engine);
  } finally {
    await gateway.dispose();
  }
  if (slow.length) console.log(`  too slow: ${slow.join("; ")}`);
  return slow.length === 0;
}

let good = true;
const servers = wanted.some((name) => name !== "sqlite") ? (await startDatabases()).databases : [];
const engines: [string, () => Promise<Engine>][] = [
  ["sqlite", sqlite],
  ...servers.map(({ name, dsn }): [string, () => Promise<Engine>] => [
    name,
    () => server(name, dsn),
  ]),
];
for (const [name, open] of engines) {
  if (!wanted.includes(name)) continue;
  const engine = await open();
  try {
    good = (await measureAll(engine)) && good;
  } finally {
    await engine.close();
  }
}
if (servers.length) await stopDatabases();
process.exit(good ? 0 : 1);
