// What was used, added up by the program as one would from the log.
import { expect, test } from "bun:test";
import { open, type Opened } from "../schemas/schema";
import { gateway } from "../support/gateway";
import type { Management } from "../support/management";
import { PATHS, question } from "../support/shapes";
import { receive } from "../support/sse";

interface Usage {
  at: number;
  model: string;
  requests: number;
  errors: number;
  quota: number;
  prompt_tokens: number;
  completion_tokens: number;
}
interface Dashboard {
  from: number;
  to: number;
  step: number;
  requests_per_minute: number;
  tokens_per_minute: number;
  items: Usage[];
  users: { username: string; requests: number; quota: number; tokens: number }[];
}

const gw = gateway();
const show = (api: Management, query = "") => api.get<Dashboard>(`/api/dashboard/${query}`);

async function spend(model: string, input: number, output: number, key?: string): Promise<void> {
  const request = question("openai", model, { usage: { input, output } }, {});
  const reply = await receive(await gw.post(PATHS.openai, request, key ? { key } : {}));
  expect(reply.status).toBe(200);
  await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
}

test("one's own, by hour and model; everybody's for administrators only", async () => {
  const other = await gw.server.createUser();
  const token = await gw.newToken({}, other);
  await spend("fake-oa", 1000, 100);
  await spend("fake-oa", 10, 1);
  await spend("gpt-5", 100, 10, token.key);
  const api = await gw.owner.api();
  const own = await show(api);
  expect(own.step).toBe(3600);
  expect(own.requests_per_minute).toBe(2);
  expect(own.tokens_per_minute).toBe(1111);
  const sum = (field: keyof Usage) =>
    own.items.reduce((total, item) => total + Number(item[field]), 0);
  expect(own.items.every((item) => item.model === "fake-oa" && item.at % 3600 === 0)).toBe(true);
  expect([sum("requests"), sum("errors"), sum("prompt_tokens"), sum("completion_tokens")]).toEqual([
    2, 0, 1010, 101,
  ]);
  expect(sum("quota")).toBe((1010 + 101 * 5) * 2);
  expect(own.users).toEqual([]);

  const all = await show(gw.server.admin, "?all=1");
  expect(new Set(all.items.map((item) => item.model))).toEqual(new Set(["fake-oa", "gpt-5"]));
  expect(all.users[0]).toEqual({
    username: gw.owner.user.username,
    requests: 2,
    quota: (1010 + 101 * 5) * 2,
    tokens: 1111,
  });
  await api.fail(403, "GET", "/api/dashboard/?all=1");
});

test("days begin where the reader is, and ranges are bounded", async () => {
  const now = Math.floor(Date.now() / 1000) + 1;
  const week = `?start_timestamp=${now - 7 * 86_400}&end_timestamp=${now}&zone_minutes=480`;
  const own = await show(await gw.owner.api(), week);
  expect(own.step).toBe(86_400);
  expect(own.items).toHaveLength(1);
  expect((own.items[0]!.at + 480 * 60) % 86_400).toBe(0);
  for (const wrong of ["?start_timestamp=1", "?zone_minutes=900", "?all=2", "?end_timestamp=0"])
    await gw.server.admin.fail(400, "GET", `/api/dashboard/${wrong}`);
});

const SECONDS = 40;
const EACH = 2000;

/** Replies in every second around now, and a few errors, straight into the log. */
async function fillLog(db: Opened, userId: number, tokens: number): Promise<void> {
  const columns = "request_id, created_at, type, user_id, prompt_tokens, completion_tokens";
  const begin = Math.floor(Date.now() / 1000) - SECONDS / 2;
  for (let at = begin; at < begin + SECONDS; at++) {
    const row = (type: number) => `('pace', ${at}, ${type}, ${userId}, ${tokens - 1}, 1)`;
    const rows = [...Array<string>(EACH / 20).fill(row(2)), row(5)];
    await db.run(`INSERT INTO logs (${columns}) VALUES ${rows.join(", ")};\n`.repeat(20));
  }
}

test("the pace of a busy minute is that of its last whole seconds", async () => {
  const many = await gw.server.createUser();
  const db = open(gw.server.dsn ?? `sqlite:${gw.server.dataDir}/token-factory.db`);
  try {
    await fillLog(db, many.user.id, 50);
    const own = await show(await many.api());
    expect(own.requests_per_minute).toBe(EACH * 60);
    expect(own.tokens_per_minute).toBe(EACH * 60 * 50);
    const all = await show(gw.server.admin, "?all=1");
    expect(all.requests_per_minute).toBeWithin(EACH * 60, EACH * 60 + 100);
  } finally {
    await db.run("DELETE FROM logs WHERE request_id = 'pace';\n");
    await db.close();
  }
});
