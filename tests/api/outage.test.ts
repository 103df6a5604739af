// The node is cut from its database: what it knows and has leased it serves; the rest is told so.
// The longer story, with real servers that stop, is tests/outage.
import { afterAll, expect, test } from "bun:test";
import { books } from "../support/books";
import { Cut, through } from "../support/cut";
import { createDatabase } from "../support/databases";
import { until } from "../support/eventually";
import { gateway } from "../support/gateway";
import { explained } from "../support/management";
import { relay, RELAY_COST } from "../support/nodes";
import { brokeOff, failed, PATHS, question } from "../support/shapes";
import { receive } from "../support/sse";

const dsn = process.env["TF_TEST_DSN"];
const own = dsn ? await createDatabase(dsn) : undefined;
const cut = own && (await Cut.before(Number(new URL(own.dsn).port)));
const gw = gateway(own && cut ? { dsn: through(own.dsn, cut) } : {});
afterAll(async () => {
  cut?.close();
  await own?.drop();
});

/** For the time that `work` takes. */
async function without<T>(work: () => Promise<T>): Promise<T> {
  cut!.cut();
  try {
    return await work();
  } finally {
    cut!.mend();
    await until("it is back", async () => (await fetch(`${gw.server.url}/readyz`)).ok);
  }
}

const fromServer = test.skipIf(!dsn);

fromServer("what a reply cost more than was leased is written down, and counted", async () => {
  const owner = await gw.server.createUser({ quota: 1_000_000_000 });
  const { key } = await gw.newToken({}, owner);
  expect((await relay(gw.server, key)).status).toBe(200);
  const usage = { input: 10_000_000, output: 1 };
  const dear = () => gw.post(PATHS.openai, question("openai", "fake-oa", { usage }), { key });
  const reply = await without(async () => receive(await dear()));
  expect(reply.status).toBe(200);
  const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
  const other = explained(log);
  expect(log.quota).toBeGreaterThan(0);
  expect(other["uncollected_error"]).toBe("db_unavailable");
  expect(log.quota + Number(other["uncollected_quota"])).toBe(20_000_010);
  expect(await gw.server.metric("tf_uncollected_quota_total")).toBe(
    Number(other["uncollected_quota"]),
  );
  expect((await relay(gw.server, key)).status).toBe(200);
  await books(gw.server);
  expect(await gw.server.balance(owner)).toBe(1_000_000_000 - 2 * RELAY_COST - log.quota);
});

fromServer("a lease that is spent ends in an error that says why", async () => {
  const owner = await gw.server.createUser({ quota: 1_000_000_000 });
  const { key } = await gw.newToken({}, owner);
  const usage = { input: 100, output: 10 };
  const ask = async (more: Record<string, unknown>) =>
    receive(await gw.post(PATHS.openai, question("openai", "fake-oa", { usage }, more), { key }));
  expect((await ask({})).status).toBe(200);
  const refused = await without(async () => {
    for (let i = 0; i < 5; i++) expect((await ask({ max_tokens: 10 })).status).toBe(200);
    return ask({ max_tokens: 4096, n: 100 });
  });
  expect(failed("openai", refused, 503).code).toBe("db_unavailable");
  expect((await ask({ max_tokens: 4096 })).status).toBe(200);
});

fromServer(
  "a stream that outgrows its lease is broken off, and billed as far as it came",
  async () => {
    const owner = await gw.server.createUser({ quota: 1_000_000_000 });
    const { key } = await gw.newToken({}, owner);
    expect((await relay(gw.server, key)).status).toBe(200);
    const wish = { reply: "and on it goes ".repeat(2_000), chunks: 100, delay_ms: 5 };
    const more = { stream: true, max_tokens: 10 };
    const ask = () => gw.post(PATHS.openai, question("openai", "fake-oa", wish, more), { key });
    const reply = await without(async () => receive(await ask()));
    expect(brokeOff("openai", reply).code).toBe("db_unavailable");
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log.quota).toBeGreaterThan(0);
    expect(explained(log)).toMatchObject({ stream_end: "quota", error: "db_unavailable" });
  },
);
