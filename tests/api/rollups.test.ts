// Roll-ups are the sums of the log, exactly: on several nodes, with one that is killed meanwhile.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { open, type Opened } from "../schemas/schema";
import { books } from "../support/books";
import { eventually } from "../support/eventually";
import { gateway, OPENAI_MODELS } from "../support/gateway";
import { below } from "../support/load";
import { nodeOptions, relay, sharedDatabase } from "../support/nodes";
import { TestServer } from "../support/server";

const USERS = 12;
const LANES = 16;
const EACH = 25;

const shared = await sharedDatabase();
const gw = gateway(nodeOptions(shared, "one"));
let two: TestServer;

beforeAll(async () => {
  two = await TestServer.start(nodeOptions(shared, "two"));
}, 120_000);

afterAll(async () => {
  await two?.dispose();
  await shared.drop();
}, 120_000);

const SUMS = "requests, errors, prompt_tokens, completion_tokens, cached_tokens, quota";
const OF_LOG = `SUM(CASE WHEN type = 2 THEN 1 ELSE 0 END) AS requests,
  SUM(CASE WHEN type = 5 THEN 1 ELSE 0 END) AS errors, SUM(prompt_tokens) AS prompt_tokens,
  SUM(completion_tokens) AS completion_tokens, SUM(cached_tokens) AS cached_tokens,
  SUM(quota) AS quota FROM logs WHERE type IN (2, 5)`;
const HOUR = "created_at - created_at % 3600";
const ROLLUPS: [table: string, key: string, keyOfLog: string][] = [
  [
    "usage_hours",
    "hour, user_id, token_id, channel_id, model_name, username, token_name",
    `${HOUR}, user_id, token_id, channel_id, model_name, username, token_name`,
  ],
  ["usage_models", "hour, model_name", `${HOUR}, model_name`],
  ["usage_users", "day, user_id, username", "created_at - created_at % 86400, user_id, username"],
];

async function rowsOf(db: Opened, sql: string): Promise<string[]> {
  return (await db.ask(sql)).map((row) => Object.values(row).join("|")).sort();
}

async function expectSums(): Promise<void> {
  const db = open(shared.dsn);
  try {
    for (const [table, key, keyOfLog] of ROLLUPS) {
      const groups = key.split(",").map((_, i) => i + 1);
      const logged = await rowsOf(
        db,
        `SELECT ${keyOfLog}, ${OF_LOG} GROUP BY ${groups.join(", ")}`,
      );
      const where = "WHERE requests + errors > 0";
      expect(await rowsOf(db, `SELECT ${key}, ${SUMS} FROM ${table} ${where}`)).toEqual(logged);
      expect(logged.length).toBeGreaterThan(1);
    }
  } finally {
    await db.close();
  }
}

test("many users at once on two nodes, one of them killed three times", async () => {
  const keys: string[] = [];
  for (let i = 0; i < USERS; i++)
    keys.push((await gw.newToken({}, await gw.server.createUser())).key);
  const served: string[] = [];
  let failed = 0;
  const lane = async (node: TestServer) => {
    for (let i = 0; i < EACH; i++) {
      const model = below(6) ? OPENAI_MODELS[below(OPENAI_MODELS.length)]! : "no-such-model";
      const reply = await relay(node, keys[below(USERS)]!, model).catch(() => undefined);
      if (reply?.status === 200) served.push(reply.requestId);
      else failed++;
      if (!reply) await Bun.sleep(20);
    }
  };
  const lanes = Array.from({ length: LANES }, (_, i) => lane(i % 2 ? gw.server : two));
  for (let i = 0; i < 3; i++) {
    await Bun.sleep(60);
    await two.kill9();
    await two.restart();
  }
  await Promise.all(lanes);
  expect(failed).toBeGreaterThan(0);
  await eventually(async () => expect(await two.metric("tf_journal_pending_records")).toBe(0));
  await books(gw.server, served);
  await expectSums();
});
