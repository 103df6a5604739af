// What a database looks like: as statements, to keep a state, and described, to compare states.
import { SQL } from "bun";
import { Database } from "bun:sqlite";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

export type Kind = "sqlite" | "postgres" | "mysql";
export type Ask = (sql: string) => Promise<Record<string, unknown>[]>;

export interface Opened {
  kind: Kind;
  ask: Ask;
  /** Any number of statements. */
  run: (sql: string) => Promise<void>;
  close: () => Promise<void>;
}

export function kindOf(dsn: string): Kind {
  return dsn.startsWith("sqlite:") ? "sqlite" : dsn.startsWith("postgres") ? "postgres" : "mysql";
}

function openFile(path: string): Opened {
  const db = new Database(path, { create: true });
  return {
    kind: "sqlite",
    ask: async (sql) => db.query(sql).all() as Record<string, unknown>[],
    run: async (sql) => void db.exec(sql),
    close: async () => db.close(),
  };
}

/** Statements end with ";" at the end of a line, and hold no other. */
const split = (text: string) =>
  text
    .split(/;\s*\n/)
    .map((one) => one.replace(/^(?:--|\\).*$/gm, "").trim())
    .filter(Boolean);

export function open(dsn: string): Opened {
  const kind = kindOf(dsn);
  if (kind === "sqlite") return openFile(dsn.slice("sqlite:".length));
  const sql = new SQL(dsn, { max: 1 });
  const ask: Ask = async (text) => [...(await sql.unsafe(text))] as Record<string, unknown>[];
  const run = async (text: string) => {
    if (kind === "mysql") await sql.unsafe("SET SESSION sql_mode = 'ANSI_QUOTES'");
    for (const statement of split(`${text}\n`)) await sql.unsafe(statement);
  };
  return { kind, ask, run, close: () => sql.close() };
}

// --- a state, as statements -------------------------------------------------------------

function postgresTool(name: string): string {
  const folder = "/usr/lib/postgresql";
  const newest = readdirSync(folder).sort((a, b) => Number(b) - Number(a))[0]!;
  return join(folder, newest, "bin", name);
}

function dumpPostgres(dsn: string): string {
  const dump = spawnSync(postgresTool("pg_dump"), ["--schema-only", "--no-owner", dsn]);
  if (dump.status !== 0) throw new Error(dump.stderr.toString());
  const lines = dump.stdout.toString().split("\n");
  // Sessions' own settings, among them an empty search path, are nobody's business here.
  const kept = lines.filter((line) => !/^(--|\\|SET |SELECT pg_catalog\.set_config)/.test(line));
  return kept.join("\n").replace(/\n{2,}/g, "\n");
}

const tables = async (db: Opened): Promise<string[]> => {
  const rows = await db.ask(
    db.kind === "sqlite"
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
      : `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ${db.kind === "mysql" ? "DATABASE()" : "'public'"} ORDER BY 1`,
  );
  return rows.map((row) => String(row["name"]));
};

/** The structure, and what schema_migrations says. */
export async function dump(dsn: string): Promise<string> {
  const db = open(dsn);
  const out: string[] = [];
  if (db.kind === "sqlite") {
    const found = await db.ask(
      "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC, name",
    );
    out.push(...found.map((row) => String(row["sql"])));
  } else if (db.kind === "postgres") {
    out.push(dumpPostgres(dsn).trim().replace(/;$/, ""));
  } else {
    for (const name of await tables(db)) {
      const [row] = await db.ask(`SHOW CREATE TABLE ${name}`);
      out.push(String(row!["Create Table"]).replace(/ AUTO_INCREMENT=\d+/, ""));
    }
  }
  for (const row of await db.ask("SELECT number, name FROM schema_migrations ORDER BY number"))
    out.push(
      `INSERT INTO schema_migrations (number, name, applied_at) VALUES (${row["number"]}, '${row["name"]}', 1700000000)`,
    );
  await db.close();
  return out
    .map((one) => `${one};\n`)
    .join("")
    .replaceAll("`", kindOf(dsn) === "mysql" ? '"' : "`");
}

// --- a description ----------------------------------------------------------------------

async function describeFile(db: Opened): Promise<string[]> {
  const out: string[] = [];
  for (const table of await tables(db)) {
    for (const c of await db.ask(`PRAGMA table_info(${table})`))
      out.push(`${table}.${c["name"]} ${c["type"]} ${c["notnull"]} ${c["dflt_value"]} ${c["pk"]}`);
  }
  const indexes = await db.ask("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql <> ''");
  return [...out, ...indexes.map((row) => String(row["sql"]))];
}

const COLUMNS = {
  postgres: `SELECT concat_ws(' ', table_name || '.' || column_name, data_type, character_maximum_length, is_nullable, column_default, is_identity) AS line
    FROM information_schema.columns WHERE table_schema = 'public'`,
  mysql: `SELECT concat_ws(' ', concat(table_name, '.', column_name), column_type, collation_name, is_nullable, column_default, extra) AS line
    FROM information_schema.columns WHERE table_schema = DATABASE()`,
};
const INDEXES = {
  postgres: "SELECT indexdef AS line FROM pg_indexes WHERE schemaname = 'public'",
  mysql: `SELECT concat_ws(' ', table_name, index_name, non_unique, seq_in_index, column_name) AS line
    FROM information_schema.statistics WHERE table_schema = DATABASE()`,
};

/** Every column and every index, a line each, sorted: in which order they came does not count. */
export async function describe(dsn: string): Promise<string[]> {
  const db = open(dsn);
  const lines =
    db.kind === "sqlite"
      ? await describeFile(db)
      : [...(await db.ask(COLUMNS[db.kind])), ...(await db.ask(INDEXES[db.kind]))].map((row) =>
          String(row["line"]),
        );
  await db.close();
  return lines.sort();
}
