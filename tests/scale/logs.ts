// Pages of a large log, on every database: how long they take, and by which plan.
//
//   bun tests/scale/logs.ts [--rows 1000000] [--on sqlite,postgres,mysql]  # make logs ROWS=…
//
// Makes the rows in SQL, lets the program index and roll them up as an upgrade does, asks its API,
// and lets it delete an hour's worth of rows while others are asked for. Fails when an answer takes
// longer than SLOW_MS, or when the dashboard does not say what the log does.
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
const SLOW_MS = 300;
const DELETIONS = 100; // steps of a thousand rows
const EXPORTED = 10_000; // rows, as the console's export reads them: pages of 100 by cursor

function argument(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : (process.argv[at + 1] ?? fallback);
}

const TABLES = ["logs", "usage_hours", "usage_models", "usage_users"];

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
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000",
  );
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
      ? TABLES.map((name) => `VACUUM ANALYZE ${name}`)
      : TABLES.map((name) => `ANALYZE TABLE ${name}`),
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
    env: { ...process.env, DATA_DIR: folder, SQL_DSN: engine.dsn, LOG_LEVEL: "info" },
  });
  rmSync(folder, { recursive: true, force: true });
  if (check.status !== 0) throw new Error(`--check: ${check.stdout}${check.stderr}`);
  for (const line of `${check.stdout}${check.stderr}`.split("\n"))
    if (line.includes("migration: ")) console.log(`  ${line}`);
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
  await engine.run("DELETE FROM schema_migrations WHERE number IN (1, 2)");
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
const since = (days: number) => `start_timestamp=${now - days * 86_400}&end_timestamp=${now}`;
// One's own: root is user 1, who has a fifteenth of all rows.
const SUMS: [what: string, query: string][] = [1, 7, 30, 90].flatMap((days) => [
  [`dashboard: everybody's ${days} days`, `dashboard?all=1&${since(days)}`],
  [`dashboard: one's own ${days} days`, `dashboard?${since(days)}`],
]);

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

/** What the dashboard says of all days and of some, whose ends are in the middle of a day. */
async function compare(engine: Engine, api: TestServer["admin"]): Promise<string[]> {
  const wrong: string[] = [];
  for (const [from, to] of [
    [began - 86_400, now],
    [middle - 40 * 3600, middle + 500 * 3600],
  ]) {
    const hours = [from! - (from! % 3600), to! + ((3600 - (to! % 3600)) % 3600)];
    const where = `created_at >= ${hours[0]} AND created_at < ${hours[1]} AND type IN (2, 5)`;
    const [all] = await engine.ask(
      `SELECT COUNT(*) AS n, SUM(quota) AS quota FROM logs WHERE ${where}`,
    );
    const users = await engine.ask(
      `SELECT username AS name, COUNT(*) AS n, SUM(quota) AS quota FROM logs WHERE ${where} GROUP BY username ORDER BY 3 DESC LIMIT 10`,
    );
    const shown = await api.get<{
      items: { requests: number; errors: number; quota: number }[];
      users: { username: string; requests: number; quota: number }[];
    }>(`/api/dashboard?all=1&start_timestamp=${from}&end_timestamp=${to}&zone_minutes=480`);
    const says = [
      shown.items.reduce((sum, item) => sum + item.requests + item.errors, 0),
      shown.items.reduce((sum, item) => sum + item.quota, 0),
      ...shown.users.flatMap((user) => [user.username, user.requests, user.quota]),
    ];
    const is = [
      Number(all!["n"]),
      Number(all!["quota"]),
      ...users.flatMap((user) => [user["name"], Number(user["n"]), Number(user["quota"])]),
    ];
    if (String(says) !== String(is)) wrong.push(`dashboard: ${says} instead of ${is}`);
  }
  return wrong;
}

/** As the console does it. */
async function measureExport(api: TestServer["admin"]): Promise<Line> {
  const started = performance.now();
  let cursor = "";
  let count = 0;
  while (count < EXPORTED) {
    const page = await api.get<{ items: unknown[]; next_cursor: string | null }>(
      `/api/logs?page_size=100&cursor=${cursor}`,
    );
    count += page.items.length;
    if (!page.next_cursor) break;
    cursor = page.next_cursor;
  }
  const ms = performance.now() - started;
  return { what: "export", ms: ms / (count / 100), rows: count, note: "for each page of 100" };
}

/** The statements of log_delete_step, with pages asked for meanwhile. */
async function measureDeletion(engine: Engine, api: TestServer["admin"]): Promise<Line[]> {
  const steps: number[] = [];
  const pages: number[] = [];
  let deleted = 0;
  const page = async () => {
    const asked = performance.now();
    await api.get("/api/logs?user_id=17&cursor=");
    pages.push(performance.now() - asked);
  };
  const step = async () => {
    const started = performance.now();
    const [last] = await engine.ask(
      `SELECT created_at AS at FROM logs WHERE created_at < ${middle} ORDER BY created_at, id LIMIT 1 OFFSET 999`,
    );
    await engine.run(`DELETE FROM logs WHERE created_at < ${Number(last!["at"]) + 1}`);
    steps.push(performance.now() - started);
    deleted += 1000;
  };
  for (let i = 0; i < DELETIONS; i++) {
    await Promise.all([page(), step()]);
    await Bun.sleep(20);
  }
  const line = (what: string, times: number[]): Line => {
    const sorted = times.toSorted((x, y) => x - y);
    const slowest = sorted.at(-1)!.toFixed(1);
    return {
      what,
      ms: sorted[Math.floor(times.length / 2)]!,
      rows: deleted,
      note: `slowest ${slowest}`,
    };
  };
  return [line("deleting a thousand old rows", steps), line("a page meanwhile", pages)];
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
  const wrong: string[] = [];
  try {
    const cursored = PAGES.map(([what, query]): [string, string] => [
      what,
      query.includes("cursor=") ? query : `${query}${query.endsWith("?") ? "" : "&"}cursor=`,
    ]);
    const show = (line: Line) => {
      console.log(
        `  ${line.ms.toFixed(1).padStart(7)} ms  ${String(line.rows).padStart(3)} rows  ${line.what}${line.note ? `: ${line.note}` : ""}`,
      );
      if (line.ms > SLOW_MS) wrong.push(`too slow: ${line.what}`);
    };
    const api = gateway.admin;
    for (const [what, query] of [...cursored, ...NUMBERED, ...SUMS])
      show(await measure(api, what, query));
    show(await measureExport(api));
    wrong.push(...(await compare(engine, api)));
    for (const line of await measureDeletion(engine, api)) show(line);
    await showPlans(engine);
  } finally {
    await gateway.dispose();
  }
  for (const line of wrong) console.log(`  ${line}`);
  return wrong.length === 0;
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
