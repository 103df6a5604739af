// Every kind of limit of everything that has limits: who comes too much is told so, in his dialect.
import { afterEach, describe, expect, test } from "bun:test";
import { until } from "../support/eventually";
import type { Directives } from "../support/fake";
import { gateway } from "../support/gateway";
import { failed, PATHS, question, type Spoken } from "../support/shapes";
import { receive, type Received } from "../support/sse";

const gw = gateway();
const CLIENTS: Spoken[] = ["openai", "claude"];

type Limits = Record<string, number>;

/** Where each is set; `model` is asked for by this test alone, and served by that channel alone. */
const SCOPES: Record<string, (limits: Limits, model: string, channel: number) => Promise<unknown>> =
  {
    everybody: (limits) => gw.server.setOption("GlobalRateLimit", limits),
    "an address": (limits) => gw.server.setOption("AddressRateLimit", limits),
    "a user": (limits) => gw.server.setOption("UserRateLimits", { "*": limits }),
    "a model": (limits, model) => gw.server.setOption("ModelRateLimits", { [model]: limits }),
    "a channel": (limits, _model, id) => gw.server.admin.put("/api/channel/", { id, ...limits }),
  };
const TELL_WHAT_IS_LEFT = ["a user", "a model"];

interface Unit {
  limit: number;
  says: string;
  /** So many are served, each of so much. */
  served: number;
  wish?: Directives;
  retry: [from: number, to: number];
  /** In the names of headers; requests at a time are in none. */
  unit?: string;
}
const UNITS: Record<string, Unit> = {
  rpm: { limit: 2, says: "2 requests per minute", served: 2, retry: [20, 31], unit: "requests" },
  rpd: { limit: 2, says: "2 requests per day", served: 2, retry: [43_000, 43_201] },
  tpm: {
    limit: 9000, // a claude question is estimated with 4000 and more
    says: "9000 tokens per minute",
    served: 1,
    wish: { usage: { input: 17_000, output: 1000 } },
    retry: [60, 121],
    unit: "tokens",
  },
  concurrency: { limit: 1, says: "1 requests at a time", served: 0, retry: [1, 61] },
};

afterEach(async () => {
  for (const name of ["GlobalRateLimit", "AddressRateLimit", "UserRateLimits", "ModelRateLimits"])
    await gw.server.setOption(name, {});
});

const header = (client: Spoken, part: string, unit: string) =>
  client === "openai" ? `x-ratelimit-${part}-${unit}` : `anthropic-ratelimit-${unit}-${part}`;

function expectRefused(client: Spoken, reply: Received, scope: string, unit: Unit): void {
  const error = failed(client, reply, 429);
  expect(client === "openai" ? error.code : error.type).toBe(
    client === "openai" ? "rate_limit_exceeded" : "rate_limit_error",
  );
  if (scope !== "a channel") expect(error.message).toContain(unit.says);
  expect(Number(reply.headers.get("retry-after"))).toBeWithin(...unit.retry);
  if (!unit.unit) return;
  const told = ["limit", "remaining"].map((part) =>
    reply.headers.get(header(client, part, unit.unit!)),
  );
  expect(told).toEqual(
    TELL_WHAT_IS_LEFT.includes(scope) ? [String(unit.limit), "0"] : [null, null],
  );
}

describe.each(Object.keys(SCOPES))("%s", (scope) => {
  test.each(Object.keys(UNITS))("has its %s", async (name) => {
    const unit = UNITS[name]!;
    const model = `fake-${scope}-${name}`.replaceAll(" ", "-");
    await gw.setPrices({ ModelRatio: { [model]: 0.001 } });
    const channel = await gw.addOpenai(model, { models: model });
    const token = await gw.newToken({}, await gw.server.createUser());
    const post = async (client: Spoken, wish: Directives = {}) =>
      receive(await gw.post(PATHS[client], question(client, model, wish), { key: token.key }));
    await SCOPES[scope]!({ [name]: unit.limit }, model, channel.id);

    const gate = `${scope} ${name}`;
    const before = gw.fake.stats.requests;
    const holds = unit.served ? [] : [post("openai", { hold: { after_events: -1, name: gate } })];
    if (holds.length) await until("it runs", () => gw.fake.stats.requests === before + 1);
    for (let i = 0; i < unit.served; i++)
      expect((await post("openai", unit.wish)).status).toBe(200);
    for (const client of CLIENTS) expectRefused(client, await post(client), scope, unit);
    expect(gw.fake.stats.requests).toBe(before + (unit.served || 1));
    gw.fake.release(gate);
    for (const held of holds) expect((await held).status).toBe(200);
    if (holds.length) expect((await post("claude")).status).toBe(200);
    await SCOPES[scope]!({ [name]: 0 }, model, channel.id);
    expect((await post("openai")).status).toBe(200);
  });
});
