// Load, kill -9 at any moment, restart on the same data, again and again; then the books.
//
//   bun tests/crash/crash.ts [--rounds 20]        # make crash ROUNDS=20
import { existsSync } from "node:fs";
import { join } from "node:path";
import { audit, type Granted, LOG_FILE } from "../support/audit";
import { eventually } from "../support/eventually";
import { Gateway } from "../support/gateway";
import { below, type Caller, Load, type Outcome, serialIn } from "../support/load";
import type { Token } from "../support/management";
import type { Account } from "../support/server";
import { verdict } from "./verdict";

const LANES = 32;
const ROUND_MS = 900;
/** A poor user gets this much, and the same again every few rounds. */
const POCKET_MONEY = 3_000_000;
const REFILL_EVERY = 5;
const SHOWN = 10;

class Crash {
  private readonly gw = new Gateway();
  private readonly outcomes: Outcome[] = [];
  private readonly served = new Set<number>();
  private readonly limited = new Map<number, number>();
  private readonly wrong: string[] = [];
  private load!: Load;
  private poor!: Account;
  private poorToken!: Token;
  private kills = 0;

  /** `apart`: the log in a database of its own. */
  constructor(private readonly apart: boolean) {}

  async run(rounds: number): Promise<boolean> {
    // relative to the data folder, where it runs
    const log: Record<string, string> = this.apart ? { LOG_SQL_DSN: `sqlite:${LOG_FILE}` } : {};
    await this.gw.open({ env: { LOG_LEVEL: "warn", ...log } });
    const callers = await this.callers();
    const { server } = this.gw;
    this.load = new Load({
      url: () => server.url,
      callers,
      lanes: LANES,
      onOutcome: (outcome) => this.outcomes.push(outcome),
    });
    this.load.start();
    for (let round = 1; round <= rounds; round++) await this.round(round, rounds);
    await this.load.stop();
    this.collect();
    await eventually(async () => {
      const pending = await server.metric("tf_journal_pending_records");
      if (pending !== 0) throw new Error(`${pending} records are not booked`);
    });
    const status = await server.stop();
    if (status !== 0) this.wrong.push(`the last, quiet stop ended with status ${status}`);
    return this.conclude();
  }

  async close(): Promise<void> {
    await this.gw.close();
  }

  private async callers(): Promise<Caller[]> {
    const { gw } = this;
    const rich = await gw.server.createUser({ quota: 1e13 });
    const other = await gw.server.createUser({ quota: 1e13 });
    this.poor = await gw.server.createUser({ quota: POCKET_MONEY });
    this.poorToken = await gw.newToken({}, this.poor);
    const ample = await this.limitedToken(1e12, other);
    const tight = await this.limitedToken(POCKET_MONEY, other);
    return [
      { name: "rich", key: (await gw.newToken({}, rich)).key },
      { name: "rich, second key", key: (await gw.newToken({}, rich)).key },
      { name: "limited key", key: ample.key },
      { name: "key that runs out", key: tight.key, poor: true },
      { name: "user who runs dry", key: this.poorToken.key, poor: true },
    ];
  }

  private async limitedToken(remain_quota: number, owner: Account): Promise<Token> {
    const token = await this.gw.newToken({ unlimited_quota: false, remain_quota }, owner);
    this.limited.set(token.id, remain_quota);
    return token;
  }

  private async round(round: number, rounds: number): Promise<void> {
    const { server } = this.gw;
    if (round % REFILL_EVERY === 0) await server.adjust(this.poor, POCKET_MONEY);
    await Bun.sleep(30 + below(ROUND_MS));
    await this.kill();
    if (below(4) === 0) await this.killAtStart();
    await server.restart();
    if (round % 10 === 0 || round === rounds) this.progress(round);
  }

  private async kill(): Promise<void> {
    await this.gw.server.kill9();
    this.kills++;
    this.collect();
    const { wrong } = audit(this.gw.server.dataDir, this.granted, false);
    this.wrong.push(...wrong.map((line) => `after kill ${this.kills}: ${line}`));
  }

  /** The next start is killed too, while it replays and gives leases back. */
  private async killAtStart(): Promise<void> {
    const { server } = this.gw;
    const start = server.restart().catch(() => undefined);
    await Bun.sleep(below(60));
    server.signal("SIGKILL");
    await start;
    await this.kill();
  }

  /** Takes over what the fake remembers, so that it need not remember for ever. */
  private collect(): void {
    const { requests } = this.gw.fake;
    for (const seen of requests.splice(0)) {
      const serial = serialIn(seen.raw.toString());
      if (serial !== undefined) this.served.add(serial);
    }
  }

  private get granted(): Granted {
    return { users: this.gw.server.granted, tokens: this.limited };
  }

  private progress(round: number): void {
    const full = this.outcomes.filter((one) => one.full).length;
    const left = this.outcomes.filter((one) => one.left).length;
    console.log(
      `round ${round}: ${this.kills} kills, ${full} replies in full, ${left} clients left`,
    );
  }

  private conclude(): boolean {
    if (this.apart !== existsSync(join(this.gw.server.dataDir, LOG_FILE)))
      this.wrong.push("the log is not where it should be");
    const { rows, wrong } = audit(this.gw.server.dataDir, this.granted);
    const { lost, double } = verdict(this.outcomes, this.served, rows);
    const negative = [...this.wrong, ...wrong];
    show("lost", lost);
    show("double", double);
    show("negative or not adding up", negative);
    const damaged = this.gw.server.lines.filter((line) => line.includes("is damaged at"));
    show("records torn by a kill, before anybody was told", damaged);
    this.gw.server.expectLog(/is damaged at/);
    const replies = this.outcomes.filter((one) => one.full).length;
    console.log(this.apart ? "the log in a database of its own:" : "all in one database:");
    console.log(
      `kills=${this.kills} replies=${replies} lost=${lost.length} double=${double.length} negative=${negative.length}`,
    );
    return replies > 0 && lost.length + double.length + negative.length === 0;
  }
}

function show(title: string, lines: string[]): void {
  if (lines.length === 0) return;
  console.log(`${title}: ${lines.length}`);
  for (const line of lines.slice(0, SHOWN)) console.log(`  ${line}`);
}

const at = process.argv.indexOf("--rounds");
let good = true;
for (const apart of [false, true]) {
  const crash = new Crash(apart);
  good = (await crash.run(at < 0 ? 20 : Number(process.argv[at + 1]))) && good;
  await crash.close();
}
process.exit(good ? 0 : 1);
