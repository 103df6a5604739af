// Three nodes, PostgreSQL and Redis, a balancer and load: nodes are killed, cut from Redis and from
// the database; balances are drained from all sides; then the books.
//
//   bun tests/cluster/cluster.ts [--rounds 8]        # make cluster ROUNDS=8
import { uncollected, verdict } from "../crash/verdict";
import { auditServer } from "../support/audit";
import { Cut, through } from "../support/cut";
import { createDatabase, startDatabases, stopDatabases } from "../support/databases";
import { eventually } from "../support/eventually";
import { Gateway } from "../support/gateway";
import { below, type Caller, isOfLoad, Load, type Outcome, serialIn } from "../support/load";
import type { Token } from "../support/management";
import { relay, RELAY_COST, SECRETS } from "../support/nodes";
import { Redis } from "../support/redis";
import { type Account, TestServer } from "../support/server";

const LANES = 12;
const DRAINERS = 64;
const NAMES = ["one", "two", "three"];
/** What is changed on one node must hold on the others within this, and while cut off, after. */
const STALE_MS = 1_000;
const HEAL_MS = 12_000;
const SHOWN = 10;

interface Node {
  server: TestServer;
  redis: Cut;
  database: Cut;
}

class Cluster {
  private readonly gw = new Gateway();
  private readonly nodes: Node[] = [];
  private readonly outcomes: Outcome[] = [];
  private readonly served = new Set<number>();
  private readonly stale: string[] = [];
  private readonly wrong: string[] = [];
  private redis!: Redis;
  private database!: { dsn: string; drop: () => Promise<void> };
  private turn = 0;
  private requests = 0;
  private watched!: { user: Account; token: Token };

  async run(rounds: number): Promise<boolean> {
    await this.open();
    const load = new Load({
      url: () => this.balance().server.url,
      callers: await this.callers(),
      lanes: LANES,
      onOutcome: (outcome) => this.outcomes.push(outcome),
    });
    this.watched = await this.newUser(1e12);
    load.start();
    const trouble = [this.kill, this.cutRedis, this.cutDatabase, this.stopRedis];
    for (let round = 0; round < rounds; round++) {
      const what = trouble[round % trouble.length] as (node: Node) => Promise<void>;
      const node = this.nodes[1 + below(this.nodes.length - 1)] as Node;
      await what.call(this, node);
      await this.whole();
      await this.changesHold();
      await this.drain();
      this.collect();
      console.log(`round ${round + 1}: ${what.name}, ${this.outcomes.length} requests so far`);
    }
    await load.stop();
    this.collect();
    for (const { server } of this.nodes) {
      await this.booked(server);
      const status = await server.stop();
      if (status !== 0) this.wrong.push(`a quiet stop ended with status ${status}`);
    }
    return this.conclude();
  }

  async close(): Promise<void> {
    for (const node of this.nodes.slice(1)) await node.server.dispose();
    if (this.nodes.length > 0) await this.gw.close();
    for (const node of this.nodes) {
      node.redis.close();
      node.database.close();
    }
    await this.redis?.dispose();
    await this.database?.drop();
    await stopDatabases();
  }

  // --- the nodes ---------------------------------------------------------------------------

  private async open(): Promise<void> {
    const { databases } = await startDatabases();
    const postgres = databases.find(({ name }) => name === "postgres")?.dsn;
    if (!postgres) throw new Error("PostgreSQL is not installed");
    this.database = await createDatabase(postgres);
    this.redis = await Redis.start();
    for (const name of NAMES) {
      const redis = await Cut.before(this.redis.port);
      const database = await Cut.before(Number(new URL(this.database.dsn).port));
      const options = {
        dsn: through(this.database.dsn, database),
        env: {
          ...SECRETS,
          NODE_NAME: name,
          REDIS_CONN_STRING: through(this.redis.url, redis),
          LOG_LEVEL: "warn",
        },
      };
      if (this.nodes.length === 0) await this.gw.open(options);
      const server = this.nodes.length === 0 ? this.gw.server : await TestServer.start(options);
      this.nodes.push({ server, redis, database });
    }
    await this.whole();
  }

  /** A small balancer: the next node in turn; who is refused a connection asks again elsewhere. */
  private balance(): Node {
    return this.nodes[this.turn++ % this.nodes.length] as Node;
  }

  /** Every node is ready, hears Redis, and has booked what it owes. */
  private async whole(): Promise<void> {
    for (const { server } of this.nodes)
      await eventually(async () => {
        const response = await fetch(`${server.url}/readyz`);
        const { data } = (await response.json()) as { data: { redis: string } | null };
        if (data?.redis !== "up") throw new Error(`Redis is ${data?.redis}`);
      }, HEAL_MS);
  }

  private booked(server: TestServer): Promise<void> {
    return eventually(async () => {
      const pending = await server.metric("tf_journal_pending_records");
      if (pending !== 0) throw new Error(`${pending} records are not booked`);
    });
  }

  private async newUser(quota: number): Promise<{ user: Account; token: Token }> {
    const user = await this.gw.server.createUser({ quota });
    return { user, token: await this.gw.newToken({}, user) };
  }

  private async callers(): Promise<Caller[]> {
    const rich = await this.newUser(1e12);
    const poor = await this.newUser(3_000_000);
    const second = await this.gw.newToken({}, rich.user);
    return [
      { name: "rich", key: rich.token.key, cut: true },
      { name: "rich, second key", key: second.key, cut: true },
      { name: "user who runs dry", key: poor.token.key, poor: true },
    ];
  }

  // --- trouble -----------------------------------------------------------------------------

  private async kill(node: Node): Promise<void> {
    await node.server.kill9();
    await Bun.sleep(below(1_000));
    await node.server.restart();
  }

  private async cutRedis(node: Node): Promise<void> {
    node.redis.cut();
    await Bun.sleep(4_500);
    await this.changesHold(HEAL_MS); // by the table
    node.redis.mend();
  }

  /** Its relays go on from its directory and its leases. */
  private async cutDatabase(node: Node): Promise<void> {
    const { key } = this.watched.token;
    if ((await relay(node.server, key)).status !== 200) this.wrong.push("no relay before the cut");
    node.database.cut();
    for (let i = 0; i < 20; i++) {
      const reply = await relay(node.server, key);
      if (reply.status !== 200) this.wrong.push(`without database: ${reply.status} ${reply.text}`);
      await Bun.sleep(100);
    }
    node.database.mend();
  }

  private async stopRedis(): Promise<void> {
    await this.redis.stop();
    await Bun.sleep(2_000);
    await this.changesHold(HEAL_MS);
    await this.redis.start();
  }

  // --- looks -------------------------------------------------------------------------------

  /** A user is disabled on one node, and enabled on another. */
  private async changesHold(patience = STALE_MS): Promise<void> {
    for (const [action, status] of [
      ["disable", 403],
      ["enable", 200],
    ] as const) {
      const { user, token } = this.watched;
      await this.gw.server.admin.post("/api/user/manage", { id: user.id, action });
      await Promise.all(
        this.nodes.map(({ server }, at) =>
          eventually(async () => {
            const reply = await relay(server, token.key);
            this.requests++;
            if (reply.status !== status) throw new Error(`${action}: ${reply.status}`);
          }, patience).catch((error: Error) => this.stale.push(`${NAMES[at]}: ${error.message}`)),
        ),
      );
    }
  }

  /**
   * 64 clients spend one little balance through all nodes: no more than there is, and nobody is
   * refused for good while another request could still be paid.
   */
  private async drain(): Promise<void> {
    const quota = 40_000 + below(20_000);
    const { user, token } = await this.newUser(quota);
    let full = 0;
    const client = async () => {
      for (;;) {
        const reply = await relay(this.balance().server, token.key);
        this.requests++;
        if (reply.status !== 200) return;
        full++;
      }
    };
    await Promise.all(Array.from({ length: DRAINERS }, client));
    const left = quota - full * RELAY_COST;
    if (left < 0) this.wrong.push(`overspent: ${full} replies of ${RELAY_COST} from ${quota}`);
    await eventually(async () => {
      const balance = await this.gw.server.balance(user);
      if (balance !== left) throw new Error(`user ${user.id}: balance ${balance}, not ${left}`);
    }).catch((error: Error) => this.wrong.push(error.message));
    const more = await relay(this.balance().server, token.key);
    if (more.status === 200) this.wrong.push(`refused with ${left} left, which was enough`);
  }

  /** Takes over what the fake remembers. */
  private collect(): void {
    for (const seen of this.gw.fake.requests.splice(0)) {
      const serial = serialIn(seen.raw.toString());
      if (serial !== undefined) this.served.add(serial);
    }
  }

  private async conclude(): Promise<boolean> {
    const granted = { users: this.gw.server.granted, tokens: new Map() };
    const { rows, wrong } = await auditServer(this.database.dsn, granted);
    const { lost, double } = verdict(this.outcomes, this.served, rows.filter(isOfLoad));
    const overspent = [...this.wrong, ...wrong];
    show("lost", lost);
    show("double", double);
    show("overspent, refused without need, or not adding up", overspent);
    show("stale", this.stale);
    for (const { server } of this.nodes) server.expectLog(/is damaged at|db_unavailable/);
    const requests = this.outcomes.length + this.requests;
    const failures = [lost, double, overspent, this.stale];
    console.log(
      `requests=${requests} lost=${lost.length} double=${double.length} overspent=${overspent.length} stale=${this.stale.length} uncollected=${uncollected(this.outcomes, rows)}`,
    );
    const full = this.outcomes.filter((one) => one.full).length;
    return full > 0 && failures.every((lines) => lines.length === 0);
  }
}

function show(title: string, lines: string[]): void {
  if (lines.length === 0) return;
  console.log(`${title}: ${lines.length}`);
  for (const line of lines.slice(0, SHOWN)) console.log(`  ${line}`);
}

const at = process.argv.indexOf("--rounds");
const cluster = new Cluster();
const good = await cluster
  .run(at < 0 ? 8 : Number(process.argv[at + 1]))
  .finally(() => cluster.close());
process.exit(good ? 0 : 1);
