// What the database and Redis see of a thousand requests, at several paces: statements, bytes, CPU.
//
//   bun tests/scale/traffic.ts [--on postgres,mysql] [--statements]     # make traffic ON=postgres
//
// One node, Redis, the database behind a proxy that counts; callers that come at random. Figures
// of a node at rest are told apart and not in the others. Fails when a request does.
import { RedisClient, SQL } from "bun";
import { spentSince, threadTimes, tree } from "../../bench/machine";
import { Cut, through } from "../support/cut";
import { createDatabase, type Database, startDatabases, stopDatabases } from "../support/databases";
import { until } from "../support/eventually";
import { Gateway } from "../support/gateway";
import { below } from "../support/load";
import { question } from "../support/shapes";
import { Redis } from "../support/redis";
import { Crowd } from "./crowd";
import { mysql, postgres, type Tally } from "./statements";

const CALLERS = 1000;
const REST_SECONDS = 15;
const TICK_MS = 10;
const LIMITS = { rpm: 1_000_000, tpm: 1_000_000_000, concurrency: 1000 };

interface Pace {
  title: string;
  callers: number;
  perSecond: number;
  seconds: number;
  limits?: boolean;
}
const PACES: Pace[] = [
  { title: "1 caller, 10/s", callers: 1, perSecond: 10, seconds: 30 },
  { title: "100 callers, 100/s", callers: 100, perSecond: 100, seconds: 20 },
  { title: "1000 callers, 100/s", callers: 1000, perSecond: 100, seconds: 40 },
  { title: "1000 callers, 1000/s", callers: 1000, perSecond: 1000, seconds: 20 },
  { title: "the same with limits", callers: 1000, perSecond: 1000, seconds: 20, limits: true },
];

/** Everything that is counted, since the beginning or, after `minus`, of a while. */
interface Counts {
  statements: number;
  commits: number;
  toDatabase: number;
  fromDatabase: number;
  written: number;
  databaseCpu: number;
  commands: number;
  toRedis: number;
  fromRedis: number;
  redisCpu: number;
  gatewayCpu: number;
}
const ROWS: [label: string, of: (c: Counts) => number][] = [
  ["statements", (c) => c.statements],
  ["transactions of several", (c) => c.commits],
  ["KiB to the database", (c) => c.toDatabase / 1024],
  ["KiB from it", (c) => c.fromDatabase / 1024],
  ["KiB in its log (WAL, redo)", (c) => c.written / 1024],
  ["its CPU, ms", (c) => c.databaseCpu / 1000],
  ["Redis commands", (c) => c.commands],
  ["KiB to Redis", (c) => c.toRedis / 1024],
  ["KiB from it", (c) => c.fromRedis / 1024],
  ["its CPU, ms", (c) => c.redisCpu / 1000],
  ["the node's CPU, ms", (c) => c.gatewayCpu / 1000],
];

const combine = (a: Counts, b: Counts, how: (x: number, y: number) => number): Counts =>
  Object.fromEntries(
    Object.entries(a).map(([name, value]) => [name, how(value, b[name as keyof Counts])]),
  ) as unknown as Counts;

class Stage {
  readonly gw = new Gateway();
  readonly tally: Tally = new Map();
  keys: string[] = [];
  private redis!: Redis;
  private info!: RedisClient;
  private sql!: SQL;
  private wire!: Cut;
  private redisWire!: Cut;
  private made!: { dsn: string; drop: () => Promise<void> };
  private readonly times = new Map<number, Map<string, number>>();

  constructor(private readonly database: Database) {}

  async open(): Promise<void> {
    this.redis = await Redis.start();
    this.made = await createDatabase(this.database.dsn);
    const listen = this.database.name === "postgres" ? postgres : mysql;
    this.wire = await Cut.before(Number(new URL(this.made.dsn).port), () => listen(this.tally));
    this.redisWire = await Cut.before(this.redis.port);
    this.sql = new SQL(this.made.dsn, { max: 1 });
    this.info = new RedisClient(this.redis.url);
    const env = {
      SQL_DSN: through(this.made.dsn, this.wire),
      REDIS_CONN_STRING: through(this.redis.url, this.redisWire),
    };
    await this.gw.open({ env });
    this.gw.fake.requests = [];
    const crowd = new Crowd(this.made.dsn);
    this.keys = await crowd.addCallers(this.gw.owner.id, this.gw.token.id, 1, CALLERS);
    await crowd.close();
    for (const pid of [this.database.pid, this.gw.server.pid]) this.cpu(pid); // from here on
  }

  async close(): Promise<void> {
    await this.gw.close();
    this.info.close();
    await this.sql.close();
    for (const cut of [this.wire, this.redisWire]) cut.close();
    await this.redis.dispose();
    await this.made.drop();
  }

  /** Of all requests so far; the books must be done. */
  async counts(): Promise<Counts> {
    await until("everything is booked", async () => {
      return (await this.gw.server.metric("tf_journal_pending_records")) === 0;
    });
    const sum = (of: (text: string) => boolean) =>
      [...this.tally].reduce((n, [text, times]) => n + (of(text) ? times : 0), 0);
    const info = (await this.info.send("INFO", ["all"])) as string;
    const value = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
    return {
      statements: sum((text) => !/^(BEGIN|COMMIT|ROLLBACK|SET|START)/i.test(text)),
      commits: sum((text) => /^COMMIT/i.test(text)),
      toDatabase: this.wire.sent,
      fromDatabase: this.wire.received,
      written: await this.written(),
      databaseCpu: this.cpu(this.database.pid),
      commands: value("total_commands_processed"),
      toRedis: this.redisWire.sent,
      fromRedis: this.redisWire.received,
      redisCpu: (value("used_cpu_user") + value("used_cpu_sys")) * 1e6,
      gatewayCpu: this.cpu(this.gw.server.pid),
    };
  }

  /** So many at random moments; all of them must be answered. */
  async ask({ callers, perSecond, seconds }: Pace): Promise<number> {
    const asked: Promise<void>[] = [];
    const began = performance.now();
    for (let at = 0; at < seconds * 1000; at += TICK_MS) {
      await Bun.sleep(Math.max(0, began + at - performance.now()));
      const due = Math.round(((at + TICK_MS) * perSecond) / 1000) - asked.length;
      for (let i = 0; i < due; i++) asked.push(this.one(this.keys[below(callers)]!));
    }
    await Promise.all(asked);
    this.gw.fake.requests.length = 0;
    return asked.length;
  }

  private async one(key: string): Promise<void> {
    const wish = { usage: { input: 1000 + below(1000), output: 10 + below(100) } };
    const reply = await this.gw.post("/v1/chat/completions", question("openai", "fake-oa", wish), {
      key,
    });
    const text = await reply.text();
    if (reply.status !== 200) throw new Error(`${reply.status}: ${text}`);
  }

  private async written(): Promise<number> {
    const [row] =
      this.database.name === "postgres"
        ? await this.sql.unsafe("SELECT wal_bytes AS n FROM pg_stat_wal")
        : await this.sql.unsafe(
            "SELECT variable_value AS n FROM information_schema.global_status WHERE variable_name = 'INNODB_OS_LOG_WRITTEN'",
          );
    return Number(row["n"]);
  }

  /** Of the process and all it has started, those that have ended since among them. */
  private readonly spent = new Map<number, number>();
  private cpu(pid: number): number {
    const pids = tree(pid);
    const before = this.times.get(pid) ?? threadTimes(pids);
    const total = (this.spent.get(pid) ?? 0) + spentSince(before, pids).total;
    this.times.set(pid, threadTimes(pids));
    this.spent.set(pid, total);
    return total;
  }
}

async function measure(stage: Stage, pace: Pace, rest: Counts): Promise<Counts> {
  const limits = pace.limits ? { "*": LIMITS } : {};
  await stage.gw.server.setOption("UserRateLimits", limits);
  await stage.ask({ ...pace, seconds: Math.min(10, pace.seconds / 2) }); // everybody is known
  const before = await stage.counts();
  const started = performance.now();
  const asked = await stage.ask(pace);
  const all = combine(await stage.counts(), before, (x, y) => x - y);
  const seconds = (performance.now() - started) / 1000;
  return combine(all, rest, (x, y) => Math.max(0, (x - y * seconds) * 1000) / asked);
}

function print(title: string, columns: [string, Counts][]): void {
  const width = 24;
  console.log(`\n${title.padEnd(28)}${columns.map(([name]) => name.padStart(width)).join("")}`);
  for (const [label, of] of ROWS) {
    const cells = columns.map(([, counts]) => of(counts).toFixed(1).padStart(width));
    console.log(`${label.padEnd(28)}${cells.join("")}`);
  }
}

function printStatements(tally: Tally): void {
  const all = [...tally].toSorted(([, x], [, y]) => y - x);
  for (const [text, times] of all.slice(0, 25))
    console.log(`  ${String(times).padStart(7)}  ${text.replace(/\s+/g, " ").slice(0, 110)}`);
}

async function run(database: Database, statements: boolean): Promise<void> {
  const stage = new Stage(database);
  await stage.open();
  try {
    await Bun.sleep(3000);
    const before = await stage.counts();
    await Bun.sleep(REST_SECONDS * 1000);
    const rest = combine(await stage.counts(), before, (x, y) => (x - y) / REST_SECONDS);
    const columns: [string, Counts][] = [];
    for (const pace of PACES) {
      stage.tally.clear();
      columns.push([pace.title, await measure(stage, pace, rest)]);
      if (statements) printStatements(stage.tally);
    }
    print(`${database.title}: per 1000 requests`, columns);
    print("at rest, per minute", [["", combine(rest, rest, (x) => x * 60)]]);
  } finally {
    await stage.close();
  }
}

const option = process.argv.indexOf("--on");
const wanted = (option < 0 ? "postgres,mysql" : process.argv[option + 1]!).split(",");
for (const database of (await startDatabases()).databases)
  if (wanted.includes(database.name) && database.dsn)
    await run(database, process.argv.includes("--statements"));
await stopDatabases();
process.exit(0);
