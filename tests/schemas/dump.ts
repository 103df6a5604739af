// Keeps the state of the schema that a program makes, for tests/api/migrate.test.ts:
//   TF_BIN=build/token-factory bun tests/schemas/dump.ts 0006-name
// To be run for each release whose schema differs from the last one's. Never edit a state.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createDatabase, startDatabases, stopDatabases } from "../support/databases";
import { dump, kindOf } from "./schema";

const [name] = process.argv.slice(2);
if (!name) throw new Error("usage: bun tests/schemas/dump.ts NAME");
const binary = resolve(process.env["TF_BIN"] ?? "build/token-factory");
const folder = mkdtempSync(join(tmpdir(), "tf-dump-"));

async function keep(dsn: string): Promise<void> {
  const env = { ...process.env, DATA_DIR: folder, SQL_DSN: dsn };
  const check = spawnSync(binary, ["--check"], { cwd: folder, env });
  if (check.status !== 0) throw new Error(`${check.stdout}${check.stderr}`);
  const file = join(import.meta.dir, `${name}.${kindOf(dsn)}.sql`);
  writeFileSync(file, await dump(dsn));
  console.log(file);
}

await keep(`sqlite:${join(folder, "dump.db")}`);
for (const { dsn } of (await startDatabases()).databases) {
  const made = await createDatabase(dsn);
  await keep(made.dsn).finally(made.drop);
}
await stopDatabases();
rmSync(folder, { recursive: true });
