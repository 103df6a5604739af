// What a node's memory grows by: keys and users that call, and channels. And what a request costs
// when there are many.
//
//   bun tests/scale/growth.ts [--keys 100000] [--channels 10000]     # make growth KEYS=…
//
// One node on PostgreSQL, without Redis. Fails when a request does.
import { readFileSync } from "node:fs";
import { spentSince, threadTimes } from "../../bench/machine";
import { startDatabases, stopDatabases } from "../support/databases";
import { until } from "../support/eventually";
import { Gateway } from "../support/gateway";
import { below } from "../support/load";
import { question } from "../support/shapes";
import { createDatabase } from "../support/databases";
import { Crowd } from "./crowd";

const AT_ONCE = 32;
const ASKED = 3000;
const CHANGED = 200;
const QUIET_MS = 15_000; // so that what a crowd has left behind is given back

function argument(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
}

const gw = new Gateway();

/** The next of the keys, until there is none. */
async function ask(keys: Iterator<string>): Promise<void> {
  for (let next = keys.next(); !next.done; next = keys.next()) {
    const wish = { usage: { input: 100, output: 10 } };
    const reply = await gw.post("/v1/chat/completions", question("openai", "fake-oa", wish), {
      key: next.value,
    });
    const text = await reply.text();
    if (reply.status !== 200) throw new Error(`${reply.status}: ${text}`);
  }
}

async function askAll(keys: Iterable<string>): Promise<number> {
  const started = performance.now();
  const iterator = keys[Symbol.iterator]();
  await Promise.all(Array.from({ length: AT_ONCE }, () => ask(iterator)));
  gw.fake.requests.length = 0;
  return (performance.now() - started) / 1000;
}

async function booked(): Promise<void> {
  await until("everything is booked", async () => {
    return (await gw.server.metric("tf_journal_pending_records")) === 0;
  });
}

/** Resident KiB, when it has come to rest. */
async function memory(): Promise<number> {
  await booked();
  await Bun.sleep(QUIET_MS);
  const status = readFileSync(`/proc/${gw.server.pid}/status`, "utf8");
  return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]);
}

/** Microseconds of the node's CPU for a request of somebody who is known. */
async function cost(keys: string[]): Promise<number> {
  const some = Array.from({ length: ASKED }, () => keys[below(keys.length)]!);
  await askAll(some.slice(0, ASKED / 10));
  await booked();
  const pids = [gw.server.pid];
  const before = threadTimes(pids);
  await askAll(some);
  await booked();
  return spentSince(before, pids).total / ASKED;
}

/** The same for a change of a key, which the node must forget. */
async function changeCost(): Promise<number> {
  const api = await gw.owner.api();
  const { id } = await gw.newToken();
  const change = (name: string) => api.put("/api/token/", { id, name });
  await change("first");
  const pids = [gw.server.pid];
  const before = threadTimes(pids);
  for (let i = 0; i < CHANGED; i++) await change(`change ${i}`);
  return spentSince(before, pids).total / CHANGED;
}

const mib = (kib: number) => `${(kib / 1024).toFixed(1)} MiB`;

async function growKeys(crowd: Crowd, most: number): Promise<void> {
  const keys: string[] = [];
  let before = await memory();
  console.log(
    `keys of one user: 1: ${mib(before)}, ${(await cost([gw.token.key])).toFixed(0)} us a request, ${(await changeCost()).toFixed(0)} us a change of a key`,
  );
  for (const count of [most / 10, most]) {
    const more = await crowd.addCallers(gw.owner.id, gw.token.id, keys.length + 1, count);
    const seconds = await askAll(more);
    keys.push(...more);
    const after = await memory();
    const each = ((after - before) * 1024) / more.length;
    console.log(
      `keys, each of a user of its own: ${count}: ${mib(after)}, ${each.toFixed(0)} bytes each, ${(await cost(keys)).toFixed(0)} us a request, ${(await changeCost()).toFixed(0)} us a change of a key; first requests ${(more.length / seconds).toFixed(0)}/s`,
    );
    before = after;
  }
}

async function growChannels(crowd: Crowd, most: number): Promise<void> {
  let before = await memory();
  for (const [from, to] of [
    [1, most / 10],
    [most / 10 + 1, most],
  ] as const) {
    await crowd.addChannels(gw.openaiChannel.id, from, to);
    const started = performance.now();
    await gw.server.setOption("AutomaticEnableChannelEnabled", "false"); // makes a new snapshot
    const ms = performance.now() - started;
    const after = await memory();
    const each = ((after - before) * 1024) / (to - from + 1);
    console.log(
      `channels with ten models each: ${to}: ${mib(after)}, ${each.toFixed(0)} bytes each, ${(await cost([gw.token.key])).toFixed(0)} us a request; a change takes ${ms.toFixed(0)} ms`,
    );
    before = after;
  }
}

const postgres = (await startDatabases()).databases.find(({ name }) => name === "postgres");
if (!postgres?.dsn) throw new Error("PostgreSQL is missing");
const made = await createDatabase(postgres.dsn);
await gw.open({ dsn: made.dsn });
const crowd = new Crowd(made.dsn);
try {
  await growKeys(crowd, argument("keys", 100_000));
  await growChannels(crowd, argument("channels", 10_000));
} finally {
  await crowd.close();
  await gw.close();
  await made.drop();
  await stopDatabases();
}
process.exit(0);
