// Three nodes on one database: what is changed on one holds on the others at once with Redis, and
// soon without.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { books } from "../support/books";
import { eventually } from "../support/eventually";
import { gateway } from "../support/gateway";
import type { Session, Token, User } from "../support/management";
import { login, Management } from "../support/management";
import { nodeOptions, relay, RELAY_COST, type Reply, sharedDatabase } from "../support/nodes";
import { Redis } from "../support/redis";
import { Account, BINARY, TestServer } from "../support/server";

const SOON_MS = 1_000;
/** Two looks at the table of changes. */
const LATER_MS = 5_000;

const shared = await sharedDatabase();
const redis = await Redis.start();
const gw = gateway(nodeOptions(shared, "one", redis.url));
let two: TestServer;
let three: TestServer;
const served: string[] = [];

beforeAll(async () => {
  two = await TestServer.start(nodeOptions(shared, "two", redis.url));
  three = await TestServer.start(nodeOptions(shared, "three", redis.url));
  for (const node of nodes()) await redisIs(node, "up");
}, 120_000);

afterAll(async () => {
  await two?.dispose();
  await three?.dispose();
  await redis.dispose();
  await shared.drop();
}, 120_000);

const nodes = () => [gw.server, two, three];
const others = () => [two, three];

const redisIs = (node: TestServer, state: string) =>
  eventually(async () => {
    const ready = (await (await fetch(`${node.url}/readyz`)).json()) as { data: { redis: string } };
    expect(ready.data.redis).toBe(state);
  });

async function served200(node: TestServer, key: string, model?: string): Promise<void> {
  const reply = await relay(node, key, model);
  expect(reply).toMatchObject({ status: 200 });
  served.push(reply.requestId);
}

/** Every node has it in memory. */
const warm = async (key: string) => {
  for (const node of nodes()) await served200(node, key);
};

/** On every other node, the reply becomes this within the time. */
async function everywhere(
  key: string,
  status: number,
  patience = SOON_MS,
  model?: string,
): Promise<void> {
  await Promise.all(
    others().map((node) =>
      eventually(async () => {
        const reply: Reply = await relay(node, key, model);
        if (reply.status === 200) served.push(reply.requestId);
        expect(reply.status).toBe(status);
      }, patience),
    ),
  );
}

const manage = (user: { id: number }, action: string) =>
  gw.server.admin.post("/api/user/manage", { id: user.id, action });

async function update(token: Token, change: Partial<Token>): Promise<void> {
  const api = await gw.owner.api();
  await api.put("/api/token/", { id: token.id, ...change });
}

describe("with Redis, within a second", () => {
  test("a user is disabled and enabled", async () => {
    const user = await gw.server.createUser();
    const token = await gw.newToken({}, user);
    await warm(token.key);
    await manage(user, "disable");
    await everywhere(token.key, 403);
    await manage(user, "enable");
    await everywhere(token.key, 200);
  });

  test("a key is restricted, disabled, and deleted", async () => {
    const token = await gw.newToken();
    await warm(token.key);
    await update(token, { model_limits_enabled: true, model_limits: "gpt-4o" } as Partial<Token>);
    await everywhere(token.key, 403);
    await update(token, { model_limits_enabled: false } as Partial<Token>);
    await everywhere(token.key, 200);
    await update(token, { status: 2 });
    await everywhere(token.key, 401);
    await update(token, { status: 1 });
    await everywhere(token.key, 200);
    await (await gw.owner.api()).delete(`/api/token/${token.id}`);
    await everywhere(token.key, 401);
  });

  test("a key that was unknown is made", async () => {
    const stranger = `sk-${"x".repeat(48)}`;
    for (const node of nodes()) expect((await relay(node, stranger)).status).toBe(401);
    const token = await gw.newToken();
    await everywhere(token.key, 200);
  });

  test("a channel and its price come and go", async () => {
    const ratio = JSON.parse(await gw.server.option("ModelRatio")) as Record<string, number>;
    await everywhere(gw.token.key, 404, SOON_MS, "brand-new");
    await gw.server.setOption("ModelRatio", { ...ratio, "brand-new": 2 });
    const channel = await gw.addOpenai("new", { models: "brand-new" });
    await everywhere(gw.token.key, 200, SOON_MS, "brand-new");
    await gw.server.admin.delete(`/api/channel/${channel.id}`);
    await everywhere(gw.token.key, 404, SOON_MS, "brand-new");
    await gw.server.setOption("ModelRatio", ratio);
  });

  test("who was out of quota is given some", async () => {
    const user = await gw.server.createUser({ quota: 0 });
    const token = await gw.newToken({}, user);
    for (const node of nodes()) expect((await relay(node, token.key)).status).toBe(429);
    await gw.server.adjust(user, 1_000_000);
    await everywhere(token.key, 200);
  });

  test("a key that was out of quota is given some", async () => {
    const token = await gw.newToken({ unlimited_quota: false, remain_quota: 0 });
    for (const node of nodes()) expect((await relay(node, token.key)).status).toBe(429);
    await update(token, { remain_quota: 1_000_000 });
    await everywhere(token.key, 200);
  });
});

describe("a balance that several nodes have leased", () => {
  /** Asks the nodes in turn until one refuses; answers how often it was served. */
  async function drain(user: Account, turn: TestServer[]): Promise<number> {
    const token = await gw.newToken({}, user);
    for (let n = 0; ; n++) {
      const reply = await relay(turn[n % turn.length] as TestServer, token.key);
      if (reply.status !== 200) {
        expect(reply.status).toBe(429);
        return n;
      }
      served.push(reply.requestId);
    }
  }

  test("is spent to the end, whoever is asked", async () => {
    const quota = 30_000;
    const alone = await drain(await gw.server.createUser({ quota }), [gw.server]);
    expect(alone).toBeGreaterThan(50);
    const user = await gw.server.createUser({ quota });
    expect(await drain(user, nodes())).toBe(alone);
    await eventually(async () => {
      expect(await gw.server.balance(user)).toBe(quota - alone * RELAY_COST);
    });
  });

  test("is spent by 64 at once as by one alone", async () => {
    const quota = 30_000;
    const alone = await drain(await gw.server.createUser({ quota }), [gw.server]);
    const user = await gw.server.createUser({ quota });
    const token = await gw.newToken({}, user);
    let full = 0;
    const client = async (turn: number) => {
      for (let n = turn; ; n++) {
        const reply = await relay(nodes()[n % nodes().length] as TestServer, token.key);
        if (reply.status !== 200) return reply.status;
        served.push(reply.requestId);
        full++;
      }
    };
    const ends = await Promise.all(Array.from({ length: 64 }, (_, i) => client(i)));
    expect(ends.every((status) => status === 429)).toBe(true);
    expect(full).toBeWithin(1, alone + 1);
    const left = quota - full * RELAY_COST;
    await eventually(async () => expect(await gw.server.balance(user)).toBe(left));
    // Who was refused was so for what others had reserved then: of that, nothing is out of reach.
    expect(full + (await drain(user, nodes()))).toBe(alone);
  });

  test("can be taken away", async () => {
    const user = await gw.server.createUser({ quota: 100_000 });
    const token = await gw.newToken({}, user);
    await warm(token.key);
    await gw.server.adjust(user, -(100_000 - 3 * RELAY_COST));
    for (const node of nodes()) expect((await relay(node, token.key)).status).toBe(429);
  });
});

describe("sessions", () => {
  const at = (node: TestServer, session: Session) =>
    new Management(node.url, { cookie: session.cookie });
  const isLoggedIn = async (node: TestServer, session: Session) =>
    (await at(node, session).send("GET", "/api/user/self")).status === 200;

  test("begun on one node are sessions of all, and end on all at once", async () => {
    const user = await gw.server.createUser();
    const session = await user.login();
    for (const node of nodes()) expect(await isLoggedIn(node, session)).toBe(true);
    await session.api.post("/api/user/logout");
    for (const node of nodes()) expect(await isLoggedIn(node, session)).toBe(false);
  });

  test("end everywhere with a new password, but for the one that set it", async () => {
    const user = await gw.server.createUser();
    const session = await user.login();
    const other = await login(two.url, user.user.username, user.password);
    const change = { original_password: user.password, password: "another good password" };
    await session.api.put("/api/user/self/password", change);
    for (const node of nodes()) {
      expect(await isLoggedIn(node, other)).toBe(false);
      expect(await isLoggedIn(node, session)).toBe(true);
    }
  });
});

describe("when Redis fails", () => {
  let user: Account;
  let token: Token;

  beforeAll(async () => {
    user = await gw.server.createUser();
    token = await gw.newToken({}, user);
  });

  test("changes are seen all the same, a little later", async () => {
    await warm(token.key);
    await redis.stop();
    for (const node of nodes()) await redisIs(node, "down");
    await manage(user, "disable");
    await everywhere(token.key, 403, LATER_MS);
    await manage(user, "enable");
    await everywhere(token.key, 200, LATER_MS);
  });

  test("and at once again when it is back", async () => {
    await redis.start();
    for (const node of nodes()) await redisIs(node, "up");
    await manage(user, "disable");
    await everywhere(token.key, 403);
    await manage(user, "enable");
    await everywhere(token.key, 200);
  });

  test("a node without it hears and is heard", async () => {
    const four = await TestServer.start(nodeOptions(shared, "four"));
    try {
      await served200(four, token.key);
      await manage(user, "disable");
      await eventually(async () => {
        expect((await relay(four, token.key)).status).toBe(403);
      }, LATER_MS);
      const body = { id: user.id, action: "enable" };
      await four.admin.post("/api/user/manage", body);
      await everywhere(token.key, 200, LATER_MS);
    } finally {
      await four.dispose();
    }
  });

  test("messages that make no sense are ignored and counted", async () => {
    await warm(token.key);
    const junk = ["", "user", "user x y z", "user 1 short 1", "user -1 aaaaaaaaaaaaaaaa 1"];
    junk.push("user 1 aaaaaaaaaaaaaaaa 1 more", "nonsense 1 aaaaaaaaaaaaaaaa 1", "\u0000\u00ff");
    const client = new Bun.RedisClient(redis.url);
    const [channel] = (await client.send("PUBSUB", ["CHANNELS", "tf:*:changes"])) as string[];
    for (const message of junk) await client.publish(channel as string, message);
    await eventually(async () => {
      expect(await two.metric("tf_changes_malformed_total")).toBe(junk.length);
    });
    await client.publish(channel as string, `user ${user.id} aaaaaaaaaaaaaaaa 0`); // a good one
    client.close();
    await warm(token.key);
  });
});

describe("a node's name", () => {
  /** Runs the program to its end on the nodes' database. */
  function run(args: string[], DATA_DIR: string): { status: number; text: string } {
    const env = { ...nodeOptions(shared, args[1] ?? "", redis.url).env, DATA_DIR, PORT: "0" };
    const options = { cwd: DATA_DIR, env: { ...env, SQL_DSN: shared.dsn } };
    const { exitCode, stdout, stderr } = Bun.spawnSync([BINARY, ...args], options);
    return { status: exitCode, text: stdout.toString() + stderr.toString() };
  }

  const startAs = (name: string) => TestServer.start(nodeOptions(shared, name, redis.url));

  test("is refused while another node has it", async () => {
    await expect(startAs("two")).rejects.toThrow(/a node named two is alive/);
    const { status, text } = run(["--release-node", "two"], gw.server.dataDir);
    expect(text).toContain("a node named two is alive");
    expect(status).toBe(1);
    await warm(gw.token.key);
  });

  test("is free again when its disk is lost and its leases are released", async () => {
    const user = await gw.server.createUser({ quota: 1_000_000 });
    const token = await gw.newToken({}, user);
    const lost = await startAs("lost");
    const { requestId } = await relay(lost, token.key);
    await gw.server.logOf(requestId);
    await lost.kill9();
    await expect(startAs("lost")).rejects.toThrow(/--release-node lost/);
    expect(run(["--release-node", "nobody"], gw.server.dataDir).status).toBe(1);
    const { status, text } = run(["--release-node", "lost"], gw.server.dataDir);
    expect({ status, text }).toMatchObject({ status: 0 });
    expect(text).toMatch(
      new RegExp(`^user ${user.id} \\(${user.user.username}\\): \\d+ given`, "m"),
    );
    expect(await gw.server.balance(user)).toBe(1_000_000 - RELAY_COST);
    const found = await startAs("lost");
    await served200(found, token.key);
    await found.dispose();
    const again = await startAs("lost"); // it had left in order: another disk is no matter
    await again.dispose();
    await lost.dispose();
  }, 60_000);
});

test("a node is killed and comes back", async () => {
  await warm(gw.token.key);
  await two.kill9();
  await served200(gw.server, gw.token.key);
  await served200(three, gw.token.key);
  await two.restart();
  await redisIs(two, "up");
  await warm(gw.token.key);
});

test("the books balance over all nodes", async () => {
  for (const node of nodes())
    await eventually(async () => expect(await node.metric("tf_journal_pending_records")).toBe(0));
  await books(gw.server, served);
  const root = await gw.server.admin.get<User>("/api/user/self");
  expect(root.quota).toBeGreaterThanOrEqual(0);
});
