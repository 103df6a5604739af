// Everything mixed, with the configuration changing all the while: memory, files and journal must
// stay flat, and the books exact.
//
//   bun tests/soak/soak.ts [--minutes 2]         # make soak MINUTES=2
import { verdict } from "../crash/verdict";
import { audit } from "../support/audit";
import { eventually } from "../support/eventually";
import type { Directives } from "../support/fake";
import { Gateway } from "../support/gateway";
import { below, type Caller, Load, type Outcome, serialIn } from "../support/load";
import type { Token } from "../support/management";
import type { Account } from "../support/server";
import { look, type Sample, unsteady } from "../support/steady";

const LANES = 24;
const LINE_MS = 10_000;
const CHANGE_MS = 300;

/** How the upstream behaves for a short spell. */
const SPELLS: Directives[] = [
  { status: 500 },
  { status: 429, retry_after: "1" },
  { cut: { after_events: 2 } },
  { garbage: "body" },
  { header_delay_ms: 30 },
];

class Soak {
  private readonly gw = new Gateway();
  private readonly callers: Caller[] = [];
  private readonly outcomes: Outcome[] = [];
  private readonly served = new Set<number>();
  private readonly samples: Sample[] = [];
  private readonly tokens: { owner: Account; token: Token; caller: Caller }[] = [];
  private reported = 0;
  private changes = 0;
  private serial = 0;

  async run(minutes: number): Promise<boolean> {
    await this.gw.open({ env: { LOG_LEVEL: "warn", SQL_MAX_OPEN_CONNS: "4" } });
    await this.prepare();
    const load = new Load({
      url: () => this.gw.server.url,
      callers: this.callers,
      lanes: LANES,
      onOutcome: (outcome) => this.outcomes.push(outcome),
    });
    load.start();
    const began = Date.now();
    const until = began + minutes * 60_000;
    for (let line = began + LINE_MS; Date.now() < until;) {
      await this.change();
      await Bun.sleep(CHANGE_MS);
      if (Date.now() < line) continue;
      line += LINE_MS;
      await this.print(Math.round((Date.now() - began) / 1000));
    }
    await load.stop();
    return this.conclude();
  }

  close(): Promise<void> {
    return this.gw.close();
  }

  private async prepare(): Promise<void> {
    await this.gw.addOpenai("spare", { models: "fake-oa", weight: 3 });
    for (let i = 0; i < 4; i++) {
      const owner = await this.gw.server.createUser({ quota: 1e13 });
      const caller = { name: `user ${i}`, key: "" };
      const token = await this.gw.newToken({}, owner);
      caller.key = token.key;
      this.callers.push(caller);
      this.tokens.push({ owner, token, caller });
    }
  }

  /** One thing that an administrator or a user does. */
  private async change(): Promise<void> {
    const { gw } = this;
    const changes = [
      () => this.editChannel({ weight: 1 + below(5), priority: below(2) }),
      () => this.editChannel({ key: `sk-fake-${1000 + below(9000)}` }),
      () => this.editChannel({ remark: "r".repeat(below(200)) }),
      () => gw.server.setOption("RetryTimes", 1 + below(3)),
      () => gw.server.setOption("SystemName", `soak ${below(1000)}`),
      () => gw.setPrices(),
      () => this.rotate(),
      () => this.comeAndGo(),
      () => this.spell(),
      () =>
        gw.server.adjust(
          (this.tokens[below(this.tokens.length)] as { owner: Account }).owner,
          1000,
        ),
    ];
    await changes[below(changes.length)]?.();
    this.changes++;
  }

  private editChannel(change: Record<string, unknown>): Promise<unknown> {
    return this.gw.server.admin.put("/api/channel/", { id: this.gw.openaiChannel.id, ...change });
  }

  /** A new key for a caller; the old one dies while requests with it are under way. */
  private async rotate(): Promise<void> {
    const one = this.tokens[below(this.tokens.length)];
    if (!one) return;
    const fresh = await this.gw.newToken({}, one.owner);
    one.caller.key = fresh.key;
    const api = await one.owner.api();
    await api.delete(`/api/token/${one.token.id}`);
    one.token = fresh;
  }

  private async comeAndGo(): Promise<void> {
    const { server } = this.gw;
    const channel = await this.gw.addOpenai("spare", { models: `passing-${++this.serial}` });
    const user = await server.createUser({ quota: 100 });
    await server.admin.delete(`/api/channel/${channel.id}`);
    await server.admin.delete(`/api/users/${user.id}`);
    server.granted.delete(user.id);
  }

  private async spell(): Promise<void> {
    this.gw.fake.behave("oa", SPELLS[below(SPELLS.length)]);
    await Bun.sleep(CHANGE_MS);
    this.gw.fake.behave("oa", undefined);
  }

  private async print(seconds: number): Promise<void> {
    const sample = look(this.gw.server.pid);
    const lag = await this.gw.server.metric("tf_journal_lag_milliseconds");
    const pending = await this.gw.server.metric("tf_journal_pending_records");
    const recent = this.outcomes.slice(this.reported);
    this.reported = this.outcomes.length;
    const times = recent
      .filter((one) => one.full)
      .map((one) => one.ms)
      .sort((a, b) => a - b);
    const at = (part: number): string => (times[Math.floor(times.length * part)] ?? 0).toFixed(0);
    const failed = recent.filter((one) => !one.full && !one.left).length;
    this.samples.push(sample);
    this.collect();
    console.log(
      `${seconds} s: RSS ${(sample.rss / 1024).toFixed(1)} MiB, files ${sample.files}, journal ${pending} records ${lag} ms, ` +
        `${recent.length} requests, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, errors ${failed}, changes ${this.changes}`,
    );
  }

  private collect(): void {
    for (const seen of this.gw.fake.requests.splice(0)) {
      const serial = serialIn(seen.raw.toString());
      if (serial !== undefined) this.served.add(serial);
    }
  }

  private async conclude(): Promise<boolean> {
    const { server } = this.gw;
    this.collect();
    await eventually(async () => {
      const pending = await server.metric("tf_journal_pending_records");
      if (pending !== 0) throw new Error(`${pending} records are not booked`);
    });
    const status = await server.stop();
    const { rows, wrong } = audit(server.dataDir, { users: server.granted, tokens: new Map() });
    const { lost, double } = verdict(this.outcomes, this.served, rows);
    const growing = unsteady(this.samples);
    for (const line of [...lost, ...double, ...wrong, ...growing].slice(0, 20))
      console.log(`WRONG ${line}`);
    const replies = this.outcomes.filter((one) => one.full).length;
    console.log(
      `replies=${replies} lost=${lost.length} double=${double.length} negative=${wrong.length} unsteady=${growing.length} exit=${status}`,
    );
    return (
      replies > 0 &&
      status === 0 &&
      lost.length + double.length + wrong.length + growing.length === 0
    );
  }
}

const at = process.argv.indexOf("--minutes");
const soak = new Soak();
const good = await soak.run(at < 0 ? 2 : Number(process.argv[at + 1]));
await soak.close();
process.exit(good ? 0 : 1);
