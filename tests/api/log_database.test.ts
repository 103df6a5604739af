// The log in a database of its own: the program as strangers see it, killed and started again, too.
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/eventually";
import { gateway } from "../support/gateway";
import type { Log, Page } from "../support/management";
import { BINARY } from "../support/server";
import { PATHS, question } from "../support/shapes";
import { receive } from "../support/sse";

const folder = mkdtempSync(join(tmpdir(), "tf-logdb-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "log.db");
const gw = gateway({ env: { LOG_SQL_DSN: `sqlite:${file}` } });

async function ask(): Promise<string> {
  const reply = await receive(await gw.post(PATHS.openai, question("openai", "gpt-4o", {})));
  expect(reply.status).toBe(200);
  return reply.headers.get("x-request-id") ?? "";
}

function inFile<T>(sql: string): T[] {
  const db = new Database(file, { readonly: true });
  const rows = db.query<T, []>(sql).all();
  db.close();
  return rows;
}

test("rows and sums are there, once, also after a kill", async () => {
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 5; i++) ids.push(await ask());
    await gw.server.kill9();
    await gw.server.restart();
  }
  for (const id of ids) await gw.server.logOf(id);
  const rows = inFile<{ request_id: string }>("SELECT request_id FROM logs WHERE type = 2");
  expect(rows.map((row) => row.request_id).sort()).toEqual(ids.toSorted());
  const logged = inFile(
    "SELECT COUNT(*) AS requests, SUM(quota) AS quota FROM logs WHERE type = 2",
  );
  for (const table of ["usage_hours", "usage_models", "usage_users"])
    expect(inFile(`SELECT SUM(requests) AS requests, SUM(quota) AS quota FROM ${table}`)).toEqual(
      logged,
    );
  const shown = await gw.server.admin.get<{ items: { requests: number }[] }>(
    "/api/dashboard?all=1",
  );
  expect(shown.items.reduce((sum, item) => sum + item.requests, 0)).toBe(ids.length);
  expect((await fetch(`${gw.server.url}/readyz`)).status).toBe(200);
});

test("what management writes moves there", async () => {
  const user = await gw.server.createUser();
  await gw.server.adjust(user, 7);
  const log = await eventually(async () => {
    const page = await gw.server.admin.get<Page<Log>>(
      `/api/logs?type=3&username=${user.user.username}`,
    );
    if (page.items.length !== 1) throw new Error(`${page.items.length} rows`);
    return page.items[0]!;
  });
  expect(inFile(`SELECT id FROM logs WHERE id = ${log.id}`)).toHaveLength(1);
});

test("--check names the variable that is wrong", () => {
  const env = { ...process.env, DATA_DIR: folder, LOG_SQL_DSN: "sqlite:/nowhere/at/all.db" };
  const check = spawnSync(BINARY, ["--check"], { cwd: folder, env });
  expect(check.status).toBe(1);
  expect(`${check.stdout}${check.stderr}`).toContain("LOG_SQL_DSN: ");
});
