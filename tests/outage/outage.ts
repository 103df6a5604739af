// The database goes away under steady load, and comes back: relays go on from directory and leases,
// the journal takes the records, management says so at once; then everything catches up.
//
//   bun tests/outage/outage.ts [--minutes 10] [--database postgres|mariadb] [--phase frozen]
//   make outage MINUTES=10
import { uncollected, verdict } from "../crash/verdict";
import { auditServer } from "../support/audit";
import { createDatabase } from "../support/databases";
import { DatabaseServer } from "../support/database_server";
import { eventually } from "../support/eventually";
import { Gateway } from "../support/gateway";
import { type Caller, isOfLoad, Load, type Outcome, serialIn } from "../support/load";
import type { Token } from "../support/management";
import { nodeOptions } from "../support/nodes";
import { Redis } from "../support/redis";
import { TestServer } from "../support/server";
import { look, type Sample, unsteady } from "../support/steady";
import { Asking } from "./asking";

const LANES = 12;
const REST_MS = 550; // some twenty requests a second in all
const WARM_MS = 8_000;
const REST_OF_PHASE_MS = 3_000;
const LINE_MS = 10_000;
const LOOK_MS = 1_000;
const SHOWN = 10;
const PHASES_MOST = 3;
/** Whoever waits for the database is told in this time that it is away. */
const TOLD_MS = 5_000;
/** One that stands still is given up after 20 s by whoever talks with it, then after 3 + 3. */
const FROZEN_MS = 30_000;
const STILL_FROZEN_MS = 8_000;
/** In a shorter outage, what grows does not show. */
const TELLING_MINUTES = 2;
/** So little that a lease lasts for the whole outage. */
const CHEAP = ["cheap-oa", "cheap-cl"];

interface Phase {
  name: string;
  ms: number;
  /** Of those who ask first, and later. */
  toldFirst?: number;
  toldWithin: number;
  away: () => Promise<void> | void;
  back: () => Promise<void> | void;
  /** Redis is away, too, for its middle third. */
  redis?: boolean;
}

class Outage {
  private readonly gw = new Gateway();
  private readonly nodes: TestServer[] = [];
  private readonly outcomes: Outcome[] = [];
  private readonly served = new Set<number>();
  private readonly samples = new Map<TestServer, Sample[]>();
  private readonly limited = new Map<number, number>();
  private readonly wrong: string[] = [];
  private readonly late: string[] = [];
  private readonly began = Date.now();
  private database!: DatabaseServer;
  private own!: { dsn: string; drop: () => Promise<void> };
  private redis!: Redis;
  private asking!: Asking;
  private load!: Load;
  private away = false;
  private told = 0;
  private caughtUp = 0;
  private turn = 0;
  /** Keys that no node has seen, one for each phase. */
  private readonly strangers: string[] = [];
  private line = { served: 0, refused: 0, left: 0, broken: 0 };

  constructor(
    private readonly minutes: number,
    private readonly kind: "postgres" | "mysql",
    private readonly only: string,
  ) {}

  async run(): Promise<boolean> {
    await this.open();
    this.load.start();
    await this.watch(WARM_MS, "before");
    for (const phase of this.phases()) await this.phase(phase);
    await this.load.stop();
    this.collect();
    await this.allBooked();
    for (const node of this.nodes) {
      const status = await node.stop();
      if (status !== 0) this.wrong.push(`a quiet stop ended with status ${status}`);
    }
    return this.conclude();
  }

  async close(): Promise<void> {
    await this.load?.stop();
    for (const node of this.nodes.slice(1)) await node.dispose();
    if (this.nodes.length > 0) await this.gw.close();
    await this.redis?.dispose();
    await this.database?.dispose();
  }

  // --- before ------------------------------------------------------------------------------

  private async open(): Promise<void> {
    const database = await DatabaseServer.start(this.kind);
    if (!database) throw new Error(`there is no server for ${this.kind}`);
    this.database = database;
    this.own = await createDatabase(database.dsn);
    this.redis = await Redis.start();
    for (const name of ["one", "two"]) {
      const options = nodeOptions(this.own, name, this.redis.url);
      const env = { ...options.env, LOG_LEVEL: "warn" };
      if (this.nodes.length === 0) await this.gw.open({ ...options, env });
      const first = this.nodes.length === 0;
      const node = first ? this.gw.server : await TestServer.start({ ...options, env });
      this.nodes.push(node);
      this.samples.set(node, []);
    }
    await this.offerCheap();
    this.load = new Load({
      url: () => (this.nodes[this.turn++ % this.nodes.length] as TestServer).url,
      callers: await this.callers(),
      lanes: LANES,
      rest_ms: REST_MS,
      onOutcome: (outcome) => this.note(outcome),
    });
    console.log(`${this.database.title}: two nodes, Redis, ${LANES} lanes`);
  }

  private get cheapRatio(): number {
    return Math.max(1, Math.round(10_000 / Math.max(10, this.minutes))) / 1_000_000;
  }

  private async offerCheap(): Promise<void> {
    const [oa, cl] = CHEAP as [string, string];
    await this.gw.setPrices({
      ModelRatio: { [oa]: this.cheapRatio, [cl]: this.cheapRatio },
      CompletionRatio: { [oa]: 5, [cl]: 5 },
    });
    await this.gw.addOpenai("cheap", { models: oa });
    await this.gw.addClaude("cheap-claude", { models: cl });
  }

  private async callers(): Promise<Caller[]> {
    const { gw } = this;
    const rich = await gw.server.createUser({ quota: 1e12 });
    const spender = await gw.server.createUser({ quota: 1e12 });
    const poor = await gw.server.createUser({ quota: 3_000_000 });
    const limits = { unlimited_quota: false, remain_quota: 1e10 };
    const limited = await gw.newToken(limits, rich);
    this.limited.set(limited.id, limits.remain_quota);
    const cheap = { models: CHEAP, price: this.cheapRatio * 1_000_000 };
    const costly: Token = await gw.newToken({}, spender);
    this.asking = new Asking(costly.key);
    for (let i = 0; i < PHASES_MOST; i++) this.strangers.push((await gw.newToken({}, rich)).key);
    return [
      { name: "cheap", key: (await gw.newToken({}, rich)).key, ...cheap },
      { name: "cheap, second key", key: (await gw.newToken({}, rich)).key, ...cheap },
      { name: "cheap, limited key", key: limited.key, ...cheap },
      { name: "costly", key: costly.key, cut: true },
      { name: "user who runs dry", key: (await gw.newToken({}, poor)).key, poor: true },
    ];
  }

  // --- phases ------------------------------------------------------------------------------

  private phases(): Phase[] {
    const { database } = this;
    const brief = this.minutes * 15_000;
    const all: Phase[] = [
      {
        name: "killed",
        ms: Math.min(30_000, brief),
        toldWithin: TOLD_MS,
        away: () => database.kill(),
        back: () => database.start(),
      },
      {
        name: "stopped",
        ms: this.minutes * 60_000,
        toldWithin: TOLD_MS,
        away: () => database.stop(),
        back: () => database.start(),
        redis: true,
      },
    ];
    if (this.minutes >= TELLING_MINUTES || this.only)
      all.push({
        name: "frozen",
        ms: 60_000,
        toldFirst: FROZEN_MS,
        toldWithin: STILL_FROZEN_MS,
        away: () => database.freeze(true),
        back: () => database.freeze(false),
      });
    return all.filter(({ name }) => !this.only || this.only === name);
  }

  private async phase(phase: Phase): Promise<void> {
    this.asking.stranger = this.strangers.pop() ?? "";
    this.away = true;
    await phase.away();
    if (phase.toldFirst) await this.askAll(phase.toldFirst);
    const third = phase.ms / 3;
    await this.watch(third, phase.name, phase.toldWithin);
    if (phase.redis) await this.redis.stop();
    await this.watch(third, `${phase.name}${phase.redis ? ", and Redis" : ""}`, phase.toldWithin);
    if (phase.redis) await this.redis.start();
    await this.watch(third, phase.name, phase.toldWithin);
    await phase.back();
    this.away = false;
    await this.recovered();
    await this.watch(REST_OF_PHASE_MS, "back");
  }

  /** Everything is served and booked again. */
  private async recovered(): Promise<void> {
    const began = Date.now();
    await this.allBooked();
    this.caughtUp = Math.max(this.caughtUp, (Date.now() - began) / 1000);
    await Promise.all(this.nodes.map((node) => eventually(() => this.asking.fine(node))));
  }

  /** All that had been used when it was called; the load goes on. */
  private async allBooked(): Promise<void> {
    for (const node of this.nodes)
      await eventually(async () => {
        const lag = await node.metric("tf_journal_lag_milliseconds");
        if (lag === undefined || lag > 1_000) throw new Error(`the journal is ${lag} ms behind`);
      }, 60_000);
  }

  // --- looks -------------------------------------------------------------------------------

  /** Looks each second, says a line each ten. With `toldWithin`, the database is away. */
  private async watch(ms: number, name: string, toldWithin?: number): Promise<void> {
    const until = Date.now() + ms;
    let next = Date.now() + LINE_MS;
    while (Date.now() < until) {
      if (toldWithin !== undefined) await this.askAll(toldWithin);
      this.collect();
      if (Date.now() >= next) {
        await this.print(name);
        next += LINE_MS;
      }
      await Bun.sleep(Math.min(LOOK_MS, Math.max(0, until - Date.now())));
    }
    if (next - Date.now() < LINE_MS - LOOK_MS) await this.print(name);
  }

  private async askAll(within: number): Promise<void> {
    const asked = this.nodes.map((node) => this.asking.unavailable(node, within));
    for (const { told, wrong } of await Promise.all(asked)) {
      this.told += told;
      this.late.push(...wrong);
    }
  }

  private async print(name: string): Promise<void> {
    const looks = await Promise.all(this.nodes.map((node) => this.lookAt(node)));
    const { served, refused, left, broken } = this.line;
    this.line = { served: 0, refused: 0, left: 0, broken: 0 };
    const seconds = Math.round((Date.now() - this.began) / 1000);
    console.log(
      `${seconds} s, ${name}: ${looks.join("; ")}; ${served} served, ${refused} refused, ${left} left, ${broken} broken off`,
    );
  }

  private async lookAt(node: TestServer): Promise<string> {
    const sample = look(node.pid);
    if (this.away) this.samples.get(node)?.push(sample);
    const pending = await node.metric("tf_journal_pending_records");
    const lag = (await node.metric("tf_journal_lag_milliseconds")) ?? 0;
    return `${(sample.rss / 1024).toFixed(1)} MiB, ${sample.files} files, journal ${pending} records ${(lag / 1000).toFixed(0)} s`;
  }

  /** Who pays little enough is served all the time; others are refused, or broken off, in order. */
  private note(outcome: Outcome): void {
    this.outcomes.push(outcome);
    const { full, left, status, caller, requestId, stream } = outcome;
    const refused = status === 503 || status === 429;
    if (full) this.line.served++;
    else if (left) this.line.left++;
    else if (refused) this.line.refused++;
    else this.line.broken++;
    const inOrder = caller.models === undefined && (refused || (status === 200 && stream));
    if (!full && !left && !inOrder)
      this.wrong.push(`${requestId} (${caller.name}): status ${status}, not in full`);
  }

  private collect(): void {
    for (const seen of this.gw.fake.requests.splice(0)) {
      const serial = serialIn(seen.raw.toString());
      if (serial !== undefined) this.served.add(serial);
    }
  }

  // --- the end -----------------------------------------------------------------------------

  private memory(): string {
    if (this.minutes < TELLING_MINUTES) return "unjudged";
    const growing = [...this.samples.values()].flatMap(unsteady);
    show("not flat", growing);
    return growing.length === 0 ? "flat" : "growing";
  }

  private async conclude(): Promise<boolean> {
    const granted = { users: this.gw.server.granted, tokens: this.limited };
    const { rows, wrong } = await auditServer(this.own.dsn, granted);
    const { lost, double } = verdict(this.outcomes, this.served, rows.filter(isOfLoad));
    show("lost", lost);
    show("double", double);
    show("overspent, or not adding up", wrong);
    show("relays", this.wrong);
    show("not told, or told late", this.late);
    const memory = this.memory();
    for (const node of this.nodes) node.expectLog(/db_unavailable|db_busy/);
    console.log(
      `minutes=${this.minutes} requests=${this.outcomes.length} lost=${lost.length} double=${double.length}` +
        ` overspent=${wrong.length} refused_wrongly=${this.wrong.length} management_503=${this.told}` +
        ` untold=${this.late.length} uncollected=${uncollected(this.outcomes, rows)} memory=${memory}` +
        ` caught_up=${this.caughtUp.toFixed(1)}`,
    );
    const failures = [lost, double, wrong, this.wrong, this.late];
    const proved = this.outcomes.some((one) => one.full) && this.told > 0 && memory !== "growing";
    return proved && failures.every((lines) => lines.length === 0);
  }
}

function show(title: string, lines: string[]): void {
  if (lines.length === 0) return;
  console.log(`${title}: ${lines.length}`);
  for (const line of lines.slice(0, SHOWN)) console.log(`  ${line}`);
}

function option(name: string, usual: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return (at < 0 ? undefined : process.argv[at + 1]) ?? usual;
}

const KINDS = { postgres: "postgres", mysql: "mysql", mariadb: "mysql" } as const;
const kind = KINDS[option("database", "postgres") as keyof typeof KINDS];
if (!kind) throw new Error("--database is postgres or mariadb");
const outage = new Outage(Number(option("minutes", "10")), kind, option("phase", ""));
const good = await outage.run().finally(() => outage.close());
process.exit(good ? 0 : 1);
