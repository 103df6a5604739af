// The short kill test: load, kill -9, restart, three times; what came in full is billed once. With
// the log in the main database, and in one of its own.
import { afterAll, describe, expect, test } from "bun:test";
import { books } from "../support/books";
import { until } from "../support/eventually";
import type { Directives } from "../support/fake";
import { type Gateway, gateway } from "../support/gateway";
import type { Log, User } from "../support/management";
import { sharedDatabase } from "../support/nodes";
import { PATHS, question, type Spoken } from "../support/shapes";
import { parseSse, receive, type Received } from "../support/sse";

const apart = await sharedDatabase();
afterAll(() => apart.drop());

const CLIENTS: Spoken[] = ["openai", "claude"];
const MODELS = ["fake-oa", "fake-cl"];
const ROUNDS = 3;
const LANES = 24;
const SERVED_PER_ROUND = 150;

/** What one request is sure to cost when it is received in full. */
interface Expected {
  requestId: string;
  quota: number;
}

/** Whether everything came, and not an error. */
function complete(client: Spoken, reply: Received, stream: boolean): boolean {
  if (reply.broken || reply.status !== 200) return false;
  if (!stream) return true;
  const last = parseSse(reply.text).at(-1);
  return client === "openai" ? last?.data === "[DONE]" : last?.event === "message_stop";
}

class Load {
  readonly served: Expected[] = [];
  private serial = 0;
  private stopped = false;

  constructor(
    private readonly gw: Gateway,
    private readonly key: string,
  ) {}

  /** Runs until it is stopped; failures are what a kill brings and are nobody's fault. */
  run(): Promise<unknown> {
    this.stopped = false;
    return Promise.all(Array.from({ length: LANES }, () => this.lane()));
  }

  stop(): void {
    this.stopped = true;
  }

  private async lane(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.one(this.serial++);
      } catch {
        await Bun.sleep(5);
      }
    }
  }

  private async one(n: number): Promise<void> {
    const client = CLIENTS[n % 2] ?? "openai";
    const model = MODELS[(n >> 1) % 2] ?? "";
    const stream = n % 3 !== 0;
    const usage = { input: 10 + (n % 50), output: 1 + (n % 7) };
    const wish: Directives = { usage, chunks: 6, delay_ms: n % 5 };
    const request = question(client, model, wish, { stream });
    const reply = await receive(await this.gw.post(PATHS[client], request, { key: this.key }));
    if (!complete(client, reply, stream)) return;
    const requestId = reply.headers.get("x-request-id") ?? "";
    this.served.push({ requestId, quota: (usage.input + usage.output * 5) * 2 });
  }
}

function expectBilled(served: Expected[], logs: Log[]): void {
  const quota = new Map(logs.map((log) => [log.request_id, log.quota]));
  const wrong = served.filter((one) => quota.get(one.requestId) !== one.quota);
  expect(wrong).toEqual([]);
}

describe.each([
  ["all in one database", {}],
  ["the log in a database of its own", { LOG_SQL_DSN: apart.dsn }],
])("%s", (_, env: Record<string, string>) => {
  const gw = gateway({ env });

  test(`kill -9 under load, ${ROUNDS} times`, async () => {
    const owner = await gw.server.createUser({ quota: 1_000_000_000 });
    const limited = { unlimited_quota: false, remain_quota: 500_000_000 };
    const token = await gw.newToken(limited, owner);
    const load = new Load(gw, token.key);
    for (let round = 1; round <= ROUNDS; round++) {
      const running = load.run();
      const goal = SERVED_PER_ROUND * round;
      await until("the load is served", () => load.served.length >= goal);
      await gw.server.kill9();
      load.stop();
      await running;
      await gw.server.restart();
      const logs = await books(
        gw.server,
        load.served.map((one) => one.requestId),
      );
      expectBilled(load.served, logs);
    }
    const user = await gw.server.admin.get<User>(`/api/users/${owner.id}`);
    expect(user.quota).toBeGreaterThan(0);
    expect(user.used_quota).toBeGreaterThanOrEqual(
      load.served.reduce((sum, one) => sum + one.quota, 0),
    );
  }, 180_000);

  test("kill -9 at the start, before anything happened", async () => {
    for (let i = 0; i < 3; i++) {
      await gw.server.kill9();
      await gw.server.restart();
    }
    await books(gw.server);
  }, 60_000);

  test("a user who runs dry while the server is killed never owes", async () => {
    const owner = await gw.server.createUser({ quota: 20_000 });
    const token = await gw.newToken({}, owner);
    const load = new Load(gw, token.key);
    const running = load.run();
    await until("some is served", () => load.served.length >= 10);
    await gw.server.kill9();
    await gw.server.restart();
    load.stop();
    await running;
    const logs = await books(
      gw.server,
      load.served.map((one) => one.requestId),
    );
    expectBilled(load.served, logs);
    expect(await gw.server.balance(owner)).toBeGreaterThanOrEqual(0);
  }, 120_000);
});
