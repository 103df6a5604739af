// An installation that has been in use for weeks: channels of many providers, people with their
// keys, and a log. What pages are shown with, and what the README's pictures are of.
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { type Account, TestServer } from "../support/server";
import type { Channel, Token } from "../support/management";

const DAYS = 30;
const DAY = 86_400;
const HOUR = 3600;
const A_DAY_HAS = 900; // requests, on a working day
const USD = 500_000;
/** Of all people here. */
export const PASSWORD = "a good password";
const KEY = "sk-not-a-real-key-000000000000";

interface Upstream {
  type: string;
  name: string;
  models: string;
  /** How much of the traffic it has. */
  share: number;
  tag?: string;
  priority?: number;
  response_time: number;
  limits?: { rpm?: number; tpm?: number };
  more?: Record<string, unknown>;
}

const UPSTREAMS: Upstream[] = [
  {
    type: "anthropic",
    name: "Anthropic",
    models: "claude-opus-5,claude-sonnet-5,claude-haiku-4-5",
    share: 9,
    priority: 10,
    response_time: 980,
    limits: { rpm: 4000, tpm: 2_000_000 },
  },
  {
    type: "openai",
    name: "OpenAI",
    models: "gpt-5.6-sol,gpt-5.6-terra,gpt-5.6-luna,gpt-5.4-mini,text-embedding-3-small",
    share: 8,
    priority: 10,
    response_time: 740,
  },
  {
    type: "azure",
    name: "Azure · Sweden Central",
    models: "gpt-5.6-terra,gpt-5.4-mini",
    share: 2,
    tag: "eu",
    response_time: 1210,
    more: { base_url: "https://example.openai.azure.com" },
  },
  {
    type: "aws",
    name: "Bedrock · Frankfurt",
    models: "claude-sonnet-5,claude-haiku-4-5",
    share: 2,
    tag: "eu",
    response_time: 3420,
    more: {
      key: "AKIAIOSFODNN7EXAMPLE|not-a-real-secret|eu-central-1",
      model_mapping: JSON.stringify({
        "claude-sonnet-5": "eu.anthropic.claude-sonnet-5",
        "claude-haiku-4-5": "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
      }),
    },
  },
  {
    type: "gemini",
    name: "Gemini",
    models: "gemini-3.1-pro-preview,gemini-3.6-flash",
    share: 4,
    response_time: 1130,
  },
  {
    type: "deepseek",
    name: "DeepSeek",
    models: "deepseek-v4-pro,deepseek-v4-flash",
    share: 3,
    response_time: 2260,
  },
  { type: "moonshot", name: "Moonshot", models: "kimi-k3", share: 1, response_time: 8900 },
  {
    type: "openrouter",
    name: "OpenRouter, for whatever else is asked",
    models: "glm-5.2,qwen3.7-max,grok-4.5,mistral-large",
    share: 1,
    tag: "spare",
    priority: -5,
    response_time: 1570,
  },
];

interface Person {
  username: string;
  display_name: string;
  usd: number;
  share: number;
  group?: string;
  keys: (Record<string, unknown> & { name: string })[];
}

const PEOPLE: Person[] = [
  {
    username: "maya.okafor",
    display_name: "Maya Okafor",
    usd: 480,
    share: 8,
    group: "vip",
    keys: [
      { name: "Claude Code", rpm: 120 },
      { name: "support-bot", unlimited_quota: false, remain_quota: 60 * USD },
      { name: "nightly evals" },
    ],
  },
  {
    username: "jonas.weber",
    display_name: "Jonas Weber",
    usd: 150,
    share: 4,
    keys: [{ name: "laptop" }, { name: "ci", allow_ips: "10.0.0.0/8" }],
  },
  {
    username: "li.na",
    display_name: "李娜",
    usd: 220,
    share: 5,
    keys: [{ name: "搜索服务" }, { name: "文档翻译" }],
  },
  {
    username: "amelie.laurent",
    display_name: "Amélie Laurent",
    usd: 45,
    share: 2,
    keys: [{ name: "data-pipeline", rpd: 20_000 }],
  },
  { username: "tom.harris", display_name: "Tom Harris", usd: 8, share: 1, keys: [{ name: "try" }] },
];

/** The same numbers every time. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Price {
  model: string;
  model_ratio: number;
  completion_ratio: number;
  cache_ratio: number;
}

interface Row {
  request_id: string;
  created_at: number;
  type: number;
  user_id: number;
  username: string;
  token_id: number;
  token_name: string;
  channel_id: number;
  model_name: string;
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  quota: number;
  use_time_ms: number;
  first_token_ms: number;
  is_stream: number;
  group: string;
  ip: string;
  content: string;
  other: string;
}

export class World {
  readonly people: { account: Account; share: number; keys: Token[] }[] = [];
  readonly channels: Channel[] = [];

  private constructor(readonly server: TestServer) {}

  static async open(): Promise<World> {
    const world = new World(await TestServer.start({ env: { TRUSTED_PROXIES: "" } }));
    await world.settle();
    await world.remember();
    return world;
  }

  private async settle(): Promise<void> {
    const { server } = this;
    await server.setOption("RegisterEnabled", "true");
    await server.setOption("GroupRatio", { default: 1, vip: 0.8 });
    await server.setOption(
      "Notice",
      "**Claude Opus 5** is here, at the list price. [What is new](https://example.org)",
    );
    for (const { type, name, models, tag, priority, limits, more } of UPSTREAMS) {
      const wish = { type, name, models, key: KEY, group: "default,vip" };
      const rest = { tag: tag ?? "", priority: priority ?? 0, weight: 10, ...limits, ...more };
      this.channels.push(await server.createChannel({ ...wish, ...rest }));
    }
    await server.admin.put("/api/channel/", { id: this.channels.at(-1)!.id, status: 2 });
    for (const { username, display_name, usd, share, group, keys } of PEOPLE) {
      const quota = usd * USD;
      const account = await server.createUser({
        username,
        display_name,
        password: PASSWORD,
        quota,
        ...(group ? { group } : {}),
      });
      const made: Token[] = [];
      for (const wish of keys) made.push(await account.createToken(wish));
      this.people.push({ account, share, keys: made });
    }
  }

  /** Writes what the weeks before would have left in the database. */
  private async remember(): Promise<void> {
    const { models } = await this.server.admin.get<{ models: Price[] }>("/api/pricing");
    const prices = new Map(models.map((price) => [price.model, price]));
    const rows = new History(this, prices).rows();
    await this.server.stop();
    const db = new Database(join(this.server.dataDir, "token-factory.db"));
    db.transaction(() => {
      const names = Object.keys(rows[0]!);
      const insert = db.prepare(
        `INSERT INTO logs (${names.map((name) => `"${name}"`)}) VALUES (${names.map(() => "?")})`,
      );
      for (const row of rows) insert.run(...(Object.values(row) as (string | number)[]));
      // as a database from before the roll-ups: the next start makes them
      db.exec("DELETE FROM schema_migrations WHERE number IN (1, 2)");
      db.exec(SPENT);
      UPSTREAMS.forEach(({ response_time }, i) =>
        db.run("UPDATE channels SET response_time = ?, test_time = ? WHERE id = ?", [
          response_time,
          Math.floor(Date.now() / 1000) - 540 * (i + 1),
          this.channels[i]!.id,
        ]),
      );
      db.run("UPDATE channels SET status = 3, status_reason = ?, status_time = ? WHERE id = ?", [
        "insufficient_balance: Your account has run out of credit",
        Math.floor(Date.now() / 1000) - 2 * HOUR,
        this.channels.find(({ name }) => name === "Moonshot")!.id,
      ]);
    })();
    db.close();
    await this.server.restart();
  }

  dispose(): Promise<void> {
    return this.server.dispose();
  }
}

const SPENT = ["users", "tokens", "channels"]
  .map((table) => {
    const sum = `SELECT SUM(quota) FROM logs WHERE ${table.slice(0, -1)}_id = ${table}.id`;
    return `UPDATE ${table} SET used_quota = coalesce((${sum}), 0)`;
  })
  .concat(
    "UPDATE users SET request_count = (SELECT COUNT(*) FROM logs WHERE user_id = users.id AND type = 2)",
    "UPDATE users SET last_login_at = last_login_at - id * 5000",
    "UPDATE tokens SET accessed_time = (SELECT coalesce(MAX(created_at), 0) FROM logs WHERE token_id = tokens.id)",
    `UPDATE logs SET created_at = created_at - ${DAYS * DAY} WHERE type NOT IN (2, 5)`,
  )
  .join(";");

class History {
  private readonly random = randomFrom(7);

  constructor(
    private readonly world: World,
    private readonly prices: Map<string, Price>,
  ) {}

  rows(): Row[] {
    const now = Math.floor(Date.now() / 1000);
    const rows: Row[] = [];
    for (let at = now - DAYS * DAY; at < now - 20; at += this.pause(at))
      rows.push(this.row(Math.floor(at), rows.length));
    return rows;
  }

  /** Until the next request: seldom at night and on Sundays. */
  private pause(at: number): number {
    const date = new Date(at * 1000);
    const hour = date.getUTCHours() + date.getUTCMinutes() / 60;
    const day = 0.25 + 1.5 * Math.max(0, Math.sin(((hour - 5) / 16) * Math.PI));
    const week = [0.35, 1, 1.1, 1.05, 1.1, 0.9, 0.45][date.getUTCDay()]!;
    return (-Math.log(1 - this.random()) * DAY) / A_DAY_HAS / (day * week);
  }

  private pick<T extends { share: number }>(from: readonly T[]): T {
    let left = this.random() * from.reduce((sum, one) => sum + one.share, 0);
    return from.find((one) => (left -= one.share) < 0) ?? from[0]!;
  }

  private one<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() ** 1.6 * from.length)]!;
  }

  private row(at: number, serial: number): Row {
    const { random } = this;
    const { account, keys } = this.pick(this.world.people);
    const upstream = this.pick(UPSTREAMS);
    const channel = this.world.channels[UPSTREAMS.indexOf(upstream)]!;
    const key = this.one(keys);
    const model = this.one(upstream.models.split(","));
    const failed = random() < 0.012;
    const embedding = model.startsWith("text-embedding");
    const prompt = Math.floor(300 * Math.exp(random() * 5));
    const cached = embedding || random() < 0.35 ? 0 : Math.floor(prompt * (0.4 + random() * 0.5));
    const completion = embedding ? 0 : Math.floor(60 * Math.exp(random() * 3.6));
    const first = Math.floor(upstream.response_time * (0.3 + random() * 0.6));
    const stream = !embedding && random() < 0.8;
    const used = failed ? 0 : first + Math.floor(completion * (8 + random() * 14));
    const group =
      PEOPLE.find(({ username }) => username === account.user.username)?.group ?? "default";
    const retried =
      random() < 0.03 && upstream.name === "Anthropic" ? this.world.channels[3]!.id : channel.id;
    const tried = retried === channel.id ? [channel.id] : [channel.id, retried];
    const bill = failed ? undefined : this.bill(model, { prompt, cached, completion }, group);
    return {
      request_id: `0${(at * 1000 + 26e9).toString(16)}b${serial.toString(16).padStart(9, "0")}${Math.floor(
        random() * 2 ** 40,
      )
        .toString(16)
        .padStart(10, "0")}`,
      created_at: at,
      type: failed ? 5 : 2,
      user_id: account.id,
      username: account.user.username,
      token_id: key.id,
      token_name: key.name,
      channel_id: retried,
      model_name: model,
      prompt_tokens: failed ? 0 : prompt,
      completion_tokens: failed ? 0 : completion,
      cached_tokens: failed ? 0 : cached,
      quota: bill?.quota ?? 0,
      use_time_ms: failed ? first : used,
      first_token_ms: failed ? 0 : first,
      is_stream: Number(stream),
      group,
      ip: `203.0.113.${10 + (account.id % 40)}`,
      content: "",
      other: JSON.stringify({
        ...bill?.explained,
        ...(stream ? { stream_end: failed ? "error" : "done" } : {}),
        request_conversion:
          upstream.type === "anthropic" && random() < 0.4 ? ["openai", "claude"] : ["openai"],
        ...(failed ? { error: "upstream_overloaded" } : { usage_source: "upstream" }),
        admin_info: { use_channel: tried },
      }),
    };
  }

  /** As the program works it out (docs/billing.md). */
  private bill(
    model: string,
    tokens: { prompt: number; cached: number; completion: number },
    group: string,
  ) {
    const price = this.prices.get(model)!;
    const { model_ratio, completion_ratio, cache_ratio } = price;
    const group_ratio = group === "vip" ? 0.8 : 1;
    const { prompt, cached, completion } = tokens;
    const units = prompt - cached + cached * cache_ratio + completion * completion_ratio;
    const quota = Math.round(units * model_ratio * group_ratio);
    const cache = cached ? { cache_tokens: cached, cache_ratio } : {};
    return { quota, explained: { model_ratio, completion_ratio, group_ratio, ...cache } };
  }
}
