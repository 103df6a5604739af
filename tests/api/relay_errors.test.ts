// Every way in which an upstream can misbehave, and what the client gets in its dialect.
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually, until } from "../support/eventually";
import { type Directives, OPENAI_KEY } from "../support/fake";
import { gateway } from "../support/gateway";
import { type Channel, explained } from "../support/management";
import { brokeOff, failed, PATHS, question, type Spoken, streamedText } from "../support/shapes";
import { type Received, parseSse, receive } from "../support/sse";

const gw = gateway({ env: { STREAMING_TIMEOUT: "2" } });

const CLIENTS: Spoken[] = ["openai", "claude"];
const MODELS: Record<Spoken, string> = { openai: "gpt-4o", claude: "claude-sonnet-4-6" };
const PAIRS = CLIENTS.flatMap((client) =>
  CLIENTS.map((upstream) => ({ client, upstream, model: MODELS[upstream] })),
);

async function ask(
  client: Spoken,
  model: string,
  wish: Directives,
  more: Record<string, unknown> = {},
): Promise<Received> {
  return receive(await gw.post(PATHS[client], question(client, model, wish, more)));
}

const stream = { stream: true };

/** The gateway still works, for this client and this channel. */
async function expectUsable(client: Spoken, model: string): Promise<void> {
  expect((await ask(client, model, {})).status).toBe(200);
}

describe.each(PAIRS)("a $client client over $upstream", ({ client, model }) => {
  const cases: [string, Directives, number[]][] = [
    ["an upstream's 400", { status: 400, error: { message: "bad thing" } }, [400]],
    ["an upstream's 404", { status: 404, error: { message: "no such model" } }, [404]],
    ["an upstream's 422", { status: 422, error: { message: "bad entity" } }, [422]],
    ["an upstream's 401", { status: 401 }, [502, 503, 529]],
    ["an upstream's 403", { status: 403 }, [502, 503, 529]],
    ["an upstream's 429", { status: 429 }, [429]],
    ["an upstream's 500", { status: 500 }, [500, 502, 503, 529]],
    ["an upstream's 502 that is no JSON", { status: 502, error: "<html>" }, [500, 502, 503, 529]],
    ["an upstream's 503", { status: 503 }, [500, 502, 503, 529]],
    ["an upstream's 529", { status: 529 }, [500, 502, 503, 529]],
    ["a redirect", { redirect: "http://127.0.0.1:1/elsewhere" }, [500, 502, 503, 529]],
    ["what is not HTTP", { garbage: "http" }, [500, 502, 503, 529]],
    ["what is not JSON", { garbage: "body" }, [500, 502, 503, 529]],
    ["a reset before the reply", { cut: { after_bytes: 0, how: "rst" } }, [500, 502, 503, 529]],
    ["an end before the reply", { cut: { after_bytes: 0, how: "fin" } }, [500, 502, 503, 529]],
  ];
  test.each(cases)("hears of %s", async (_name, wish, statuses) => {
    failed(client, await ask(client, model, wish), ...statuses);
    failed(client, await ask(client, model, wish, stream), ...statuses);
    await expectUsable(client, model);
  });

  test("hears the upstream's own words about its mistake", async () => {
    const wish: Directives = { status: 400, error: { message: "temperature is too hot" } };
    expect(failed(client, await ask(client, model, wish), 400).message).toContain("too hot");
  });

  test("gets Retry-After with a 429", async () => {
    const reply = await ask(client, model, { status: 429, retry_after: "17" });
    failed(client, reply, 429);
    expect(reply.headers.get("retry-after")).toBe("17");
  });

  test("gets a real status for an error that opens a stream", async () => {
    const reply = await ask(client, model, { error_in_stream: { after: 0 } }, stream);
    failed(client, reply, 400, 429, 500, 502, 503, 529);
  });

  const breaks: [string, Directives][] = [
    ["an error inside the stream", { error_in_stream: { after: 6 } }],
    ["a reset inside the stream", { cut: { after_events: 6, how: "rst" } }],
    ["an end inside the stream", { cut: { after_events: 6, how: "fin" } }],
    ["silence inside the stream", { hold: { after_events: 6, name: "never" } }],
    ["a stream that stops without its last event", { cut: { after_events: 5, how: "fin" } }],
  ];
  test.each(breaks)("hears of %s, after all that came", async (_name, how) => {
    const wish: Directives = { chunks: ["alpha ", "beta ", "gamma ", "delta ", "omega"], ...how };
    const reply = await ask(client, model, wish, stream);
    brokeOff(client, reply);
    expect(streamedText(client, reply)).toStartWith("alpha beta ");
    await expectUsable(client, model);
  });

  test("hears of a reply shorter than it was announced", async () => {
    const reply = await ask(client, model, { truncate: 100 });
    // the head may be on its way already when the bytes run out
    if (reply.status === 200) expect(reply.broken).toBe(true);
    else failed(client, reply, 502);
  });

  test("hears of silence before the reply", async () => {
    const reply = await ask(client, model, { hold: { after_events: -1, name: "never" } });
    failed(client, reply, 504);
  });
});

describe("a stream without its terminal event", () => {
  test.each(PAIRS)("$client over $upstream", async ({ client, upstream, model }) => {
    const reply = await ask(client, model, { no_end: true }, stream);
    if (upstream === "claude") return brokeOff(client, reply);
    // many OpenAI-compatible upstreams leave [DONE] out: a finish reason has made the reply whole
    expect([reply.status, reply.broken]).toEqual([200, false]);
    expect(reply.text).not.toContain('"error"');
    expect(reply.text).toContain(client === "claude" ? "message_stop" : '"finish_reason":"stop"');
  });
});

describe("retries", () => {
  let serial = 0;

  /** Two channels for a model of their own; the first is asked first. */
  async function pair(): Promise<{ model: string; first: Channel; second: Channel; a: string }> {
    const n = ++serial;
    const model = `fake-retry-${n}`;
    const [a, b] = [`retry${n}a`, `retry${n}b`];
    const first = await gw.addOpenai(a, { models: model, priority: 10 });
    const second = await gw.addOpenai(b, { models: model, priority: 0 });
    await gw.setPrices({ ModelPrice: pricesUpTo(n) });
    await gw.server.setOption("RetryTimes", "3");
    return { model, first, second, a };
  }

  const pricesUpTo = (n: number): Record<string, number> =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`fake-retry-${i + 1}`, 0.001]));

  const asked = (model: string): string[] =>
    gw.fake.requests.filter((seen) => seen.body["model"] === model).map((seen) => seen.route);

  const retried: [string, Directives][] = [
    ["401", { status: 401 }],
    ["403", { status: 403 }],
    ["408", { status: 408 }],
    ["429", { status: 429 }],
    ["500", { status: 500 }],
    ["503", { status: 503 }],
    ["529", { status: 529 }],
    ["garbage", { garbage: "http" }],
    ["a body that is no JSON", { garbage: "body" }],
    ["a cut connection", { cut: { after_bytes: 0 } }],
    ["an error that opens the stream", { error_in_stream: { after: 0 } }],
  ];
  test.each(retried)("go to the other channel after %s", async (name, wish) => {
    const { model, first, second, a } = await pair();
    const more = name.includes("stream") ? stream : {};
    const reply = await ask("openai", model, { at: { [a]: wish }, reply: "fine" }, more);
    expect(reply.status).toBe(200);
    // a kept connection that is closed without a byte is given one more try on a fresh one
    expect(asked(model).length).toBeLessThanOrEqual(name.startsWith("a cut") ? 3 : 2);
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log.channel_id).toBe(second.id);
    expect(explained(log)).toMatchObject({ admin_info: { use_channel: [first.id, second.id] } });
  });

  test("ask again with all of a large request, the model's name mapped for each", async () => {
    const { model, first, a } = await pair();
    await gw.server.admin.put("/api/channel/", { id: first.id, model_mapping: { [model]: "b" } });
    const padding = "x".repeat(100_000);
    const wish: Directives = { at: { [a]: { status: 503 } }, reply: "fine" };
    const reply = await ask("openai", model, wish, { user: padding });
    expect(reply.status).toBe(200);
    const [mapped, own] = gw.fake.requests.slice(-2);
    expect([mapped?.body["model"], own?.body["model"]]).toEqual(["b", model]);
    expect([mapped?.body["user"], own?.body["user"]]).toEqual([padding, padding]);
  });

  const final: [string, Directives][] = [
    ["400", { status: 400 }],
    ["404", { status: 404 }],
    ["413", { status: 413 }],
    ["422", { status: 422 }],
  ];
  test.each(final)("do not follow %s", async (_name, wish) => {
    const { model, a } = await pair();
    const reply = await ask("openai", model, { at: { [a]: wish } });
    expect(reply.status).toBe(wish.status ?? 0);
    expect(asked(model)).toEqual([a]);
  });

  test("never ask a channel twice", async () => {
    const { model } = await pair();
    failed("openai", await ask("openai", model, { status: 503 }), 500, 502, 503);
    expect(asked(model).toSorted()).toEqual([...new Set(asked(model))].toSorted());
    expect(asked(model).length).toBe(2);
  });

  test("stay within RetryTimes", async () => {
    const { model, a } = await pair();
    await gw.server.setOption("RetryTimes", "0");
    failed("openai", await ask("openai", model, { status: 503 }), 500, 502, 503);
    expect(asked(model)).toEqual([a]);
  });

  test("are over once the client has seen a byte", async () => {
    const { model, a } = await pair();
    const wish: Directives = { chunks: ["a", "b", "c"], cut: { after_events: 3 } };
    brokeOff("openai", await ask("openai", model, wish, stream));
    expect(asked(model)).toEqual([a]);
  });

  test("cross from one upstream dialect to the other", async () => {
    const n = ++serial;
    const model = `fake-retry-${n}`;
    await gw.addClaude(`retry${n}a`, { models: model, priority: 10 });
    await gw.addOpenai(`retry${n}b`, { models: model });
    await gw.setPrices({ ModelPrice: pricesUpTo(n) });
    await gw.server.setOption("RetryTimes", "1");
    const wish: Directives = { at: { [`retry${n}a`]: { status: 529 } }, reply: "crossed" };
    for (const client of CLIENTS) {
      const reply = await ask(client, model, wish);
      expect(reply.status).toBe(200);
      expect(reply.text).toContain("crossed");
    }
  });

  test("begin elsewhere while a channel that keeps failing rests", async () => {
    const was = [
      await gw.server.option("BreakerFailures"),
      await gw.server.option("BreakerRestSeconds"),
    ];
    await gw.server.setOption("BreakerFailures", "2");
    await gw.server.setOption("BreakerRestSeconds", "2");
    const { model, a, second } = await pair();
    const b = a.replace(/a$/, "b");
    const wish: Directives = { at: { [a]: { status: 503 } } };
    for (let i = 0; i < 3; i++) expect((await ask("openai", model, wish)).status).toBe(200);
    expect(asked(model)).toEqual([a, b, a, b, b]);
    // asked last is not asked never
    await gw.server.admin.put("/api/channel/", { id: second.id, status: 2 });
    expect((await ask("openai", model, {})).status).toBe(200);
    expect(asked(model).at(-1)).toBe(a);
    // which has closed it; two failures open it again, and its rest ends by itself
    await gw.server.admin.put("/api/channel/", { id: second.id, status: 1 });
    for (let i = 0; i < 2; i++) await ask("openai", model, wish);
    await until("it is tried again", async () => {
      expect((await ask("openai", model, {})).status).toBe(200);
      return asked(model).at(-1) === a;
    });
    await gw.server.setOption("BreakerFailures", was[0]);
    await gw.server.setOption("BreakerRestSeconds", was[1]);
  });

  test("are billed once", async () => {
    const { model, a } = await pair();
    const wish: Directives = { at: { [a]: { status: 500 } } };
    const reply = await ask("openai", model, wish);
    const log = await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    expect(log.quota).toBe(500);
  });

  test("try another key of the same channel", async () => {
    const n = ++serial;
    const model = `fake-retry-${n}`;
    const keys = ["sk-fake-dead", "sk-fake-alive"];
    gw.fake.behave("sk-fake-dead", { status: 401 });
    await gw.server.admin.post("/api/channel/", {
      mode: "multi_to_single",
      channel: {
        name: model,
        type: "openai",
        key: keys.join("\n"),
        base_url: gw.fake.url,
        models: model,
        group: "default",
        status: 1,
      },
    });
    await gw.setPrices({ ModelPrice: pricesUpTo(n) });
    await gw.server.setOption("RetryTimes", "3");
    for (let i = 0; i < 4; i++) {
      expect((await ask("openai", model, {})).status).toBe(200);
    }
    gw.fake.behave("sk-fake-dead", undefined);
  });
});

describe("choosing", () => {
  test("prefers the higher priority, and spreads by weight within one", async () => {
    const model = "fake-weighted";
    await gw.addOpenai("low", { models: model, priority: 1, weight: 100 });
    await gw.addOpenai("heavy", { models: model, priority: 5, weight: 30 });
    await gw.addOpenai("light", { models: model, priority: 5, weight: 10 });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    const before = gw.fake.requests.length;
    for (let i = 0; i < 120; i++) await ask("openai", model, {});
    const routes = gw.fake.requests.slice(before).map((seen) => seen.route);
    const count = (route: string): number => routes.filter((other) => other === route).length;
    expect(count("low")).toBe(0);
    expect(count("light")).toBeGreaterThan(0);
    expect(count("heavy")).toBeGreaterThan(count("light"));
  });

  test("passes over channels that are off", async () => {
    const model = "fake-switched";
    const off = await gw.addOpenai("switched-off", { models: model, priority: 5 });
    await gw.addOpenai("switched-on", { models: model });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    await gw.server.admin.put("/api/channel/", { id: off.id, status: 2 });
    await ask("openai", model, {});
    expect(gw.lastSeen.route).toBe("switched-on");
  });

  test("says 503 when every channel of a model is off", async () => {
    const model = "fake-all-off";
    const channel = await gw.addOpenai("all-off", { models: model });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    await gw.server.admin.put("/api/channel/", { id: channel.id, status: 2 });
    failed("openai", await ask("openai", model, {}), 503);
    failed("claude", await ask("claude", model, {}), 503, 529);
  });

  const statusOf = async (id: number) =>
    (await gw.server.admin.get<Channel>(`/api/channel/${id}`)).status;

  /** A channel that went out of service because its upstream refused its key. */
  async function banned(model: string, key: string): Promise<number> {
    await gw.server.setOption("AutomaticDisableChannelEnabled", "true");
    const { id } = await gw.addOpenai("banned", { models: model, auto_ban: 1, key });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    gw.fake.behave(key, { status: 401 });
    failed("openai", await ask("openai", model, {}), 502, 503);
    await eventually(async () => expect(await statusOf(id)).toBe(3));
    await gw.server.setOption("AutomaticDisableChannelEnabled", "false");
    return id;
  }

  test("turns a channel with a dead key off, and an operator turns it on again", async () => {
    const model = "fake-banned";
    const key = "sk-fake-banned";
    const id = await banned(model, key);
    gw.fake.behave(key, undefined);
    await gw.server.admin.put("/api/channel/", { id, status: 1 });
    await expectUsable("openai", model);
  });

  test("tries a channel that went off, and turns it on when its upstream is well", async () => {
    const model = "fake-recovered";
    const key = "sk-fake-recovered";
    const id = await banned(model, key);
    const asked = () => gw.fake.find(model).length;
    const before = asked();
    await gw.server.setOption("ChannelProbeSeconds", "1");
    await eventually(async () => expect(asked()).toBeGreaterThan(before + 1));
    expect(await statusOf(id)).toBe(3);
    failed("openai", await ask("openai", model, {}), 503);
    gw.fake.behave(key, undefined);
    await eventually(async () => expect(await statusOf(id)).toBe(1));
    await eventually(() => expectUsable("openai", model)); // within a second of the row's change
    await gw.server.setOption("ChannelProbeSeconds", "600");
  });

  test("leaves a channel off that an operator turned off", async () => {
    const model = "fake-retired";
    const { id } = await gw.addOpenai("retired", { models: model });
    await gw.server.admin.put("/api/channel/", { id, status: 2 });
    const other = await banned("fake-beside", "sk-fake-beside");
    gw.fake.behave("sk-fake-beside", undefined);
    await gw.server.setOption("ChannelProbeSeconds", "1");
    await eventually(async () => expect(await statusOf(other)).toBe(1));
    await gw.server.setOption("ChannelProbeSeconds", "600");
    expect(await statusOf(id)).toBe(2);
    expect(gw.fake.find(model).length).toBe(0);
  });

  test("follows a chain of names however long it is", async () => {
    const names = Array.from({ length: 40 }, (_, i) => `fake-link-${i}`);
    const links = names.slice(1).map((to, i) => [names[i], to]);
    const [model = "", end = ""] = [names[0], names.at(-1)];
    const { id } = await gw.addOpenai("chain", {
      models: model,
      model_mapping: JSON.stringify(Object.fromEntries(links)),
    });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    await expectUsable("openai", model);
    expect(gw.lastSeen.body["model"]).toBe(end);
    await gw.server.admin.post("/api/channel/test", { id });
    expect(gw.lastSeen.body["model"]).toBe(end);
  });

  // Only a database that somebody has edited can hold these.
  test.skipIf(!!process.env["TF_TEST_DSN"]).each([
    ["a mapping that loops", `model_mapping = '{"fake-bent":"b","b":"fake-bent"}'`],
    ["a provider nobody knows", "type = 9999"],
    ["a header that must not be", `header_override = '{"Content-Length":"1"}'`],
  ])("passes over a channel with %s, and says 503 without another", async (_name, change) => {
    const model = "fake-bent";
    const bent = await gw.addOpenai("bent", { models: model, priority: 9 });
    const { admin } = gw.server;
    const db = new Database(join(gw.server.dataDir, "token-factory.db"));
    db.run("PRAGMA busy_timeout = 5000");
    db.run(`UPDATE channels SET ${change} WHERE id = ${bent.id}`);
    db.close();
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } }); // and the channels are read again
    failed("openai", await ask("openai", model, {}), 503);
    await gw.server.setOption("RetryTimes", "1");
    const sound = await gw.addOpenai("straight", { models: model });
    await expectUsable("openai", model);
    await expectUsable("claude", model);
    for (const { id } of [bent, sound]) await admin.delete(`/api/channel/${id}`);
  });

  test("reaches a refused connection's channel never, and says so", async () => {
    const model = "fake-nobody";
    await gw.server.createChannel({
      type: "openai",
      key: OPENAI_KEY,
      base_url: "http://127.0.0.1:1",
      models: model,
    });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    const reply = await ask("openai", model, {});
    failed("openai", reply, 502, 503);
    expect(reply.text).not.toContain("127.0.0.1");
  });
});

describe("connections", () => {
  test("a pooled connection that went stale is not the client's problem", async () => {
    for (let i = 0; i < 5; i++) {
      expect((await ask("openai", "gpt-4o", { close: "silent" })).status).toBe(200);
    }
  });

  test("the upstream connection is kept and used again", async () => {
    const connections = new Set<number>();
    for (let i = 0; i < 10; i++) {
      await ask("openai", "gpt-4o", {});
      connections.add(gw.lastSeen.connection);
    }
    expect(connections.size).toBeLessThan(10);
  });

  test("a client that leaves takes its upstream request with it", async () => {
    const abort = new AbortController();
    const wish: Directives = { chunks: ["a", "b"], hold: { after_events: 2, name: "left" } };
    const response = await gw.post(
      PATHS.openai,
      question("openai", "gpt-4o", wish, { ...stream, x_mark: "leaving" }),
      { signal: abort.signal },
    );
    const reader = response.body?.getReader();
    await reader?.read();
    abort.abort();
    const [seen] = gw.fake.find("leaving");
    await until("the upstream request is given up", () => seen?.outcome === "gone");
  });

  test("frames are forwarded as they come", async () => {
    const wish: Directives = {
      chunks: ["first", "second"],
      hold: { after_events: 2, name: "gate" },
    };
    const response = await gw.post(PATHS.openai, question("openai", "gpt-4o", wish, stream));
    const reader = response.body?.getReader();
    let text = "";
    while (!text.includes("first")) {
      const { value, done } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) break;
      text += new TextDecoder().decode(value);
    }
    expect(text).toContain("first");
    expect(text).not.toContain("second");
    gw.fake.release("gate");
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) break;
      text += new TextDecoder().decode(value);
    }
    expect(parseSse(text).at(-1)?.data).toBe("[DONE]");
  });
});

describe("what must not pass", () => {
  test("the client's headers stay with the gateway", async () => {
    const reply = await receive(
      await gw.post(PATHS.openai, question("openai", "gpt-4o", {}), {
        headers: {
          cookie: "tf_session=secret",
          "x-forwarded-for": "1.2.3.4",
          "x-forwarded-proto": "https",
          forwarded: "for=1.2.3.4",
          via: "1.1 proxy",
          te: "trailers",
          "proxy-authorization": "Basic x",
        },
      }),
    );
    expect(reply.status).toBe(200);
  });

  test.each([1 << 10, 16 << 10])("long values do no harm (%p bytes)", async (length) => {
    const long = "v".repeat(length);
    for (const client of ["openai", "claude"] as const) {
      const model = client === "openai" ? "gpt-4o" : "claude-sonnet-4-6";
      const headers = {
        "x-codex-turn-metadata": long,
        "anthropic-beta": `a-1,${long}`,
        cookie: long,
      };
      const reply = await receive(
        await gw.post(PATHS[client], question(client, model, {}), { headers }),
      );
      expect(reply.status).toBe(200);
      expect(gw.lastSeen.headers["x-codex-turn-metadata"]).toBeUndefined();
      expect(gw.lastSeen.headers["cookie"]).toBeUndefined();
      expect(gw.lastSeen.headers["anthropic-beta"]).toBe(
        client === "claude" ? headers["anthropic-beta"] : undefined,
      );
    }
  });

  test("the upstream's hop-by-hop headers and cookies stay there", async () => {
    const wish: Directives = {
      headers: {
        "set-cookie": "upstream=1",
        "keep-alive": "timeout=5",
        "x-ratelimit-remaining-requests": "59",
        server: "fake/1",
      },
    };
    const reply = await ask("openai", "gpt-4o", wish);
    expect(reply.headers.get("set-cookie")).toBeNull();
    expect(reply.headers.get("keep-alive")).not.toBe("timeout=5");
    expect(reply.headers.get("x-ratelimit-remaining-requests")).toBe("59");
  });

  test("header_override and param_override reach the upstream", async () => {
    const model = "fake-override";
    await gw.addOpenai("override", {
      models: model,
      header_override: JSON.stringify({ "x-tenant": "t1" }),
      param_override: JSON.stringify({ temperature: 0.25 }),
    });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    await ask("openai", model, {}, { temperature: 1.5 });
    expect(gw.lastSeen.headers["x-tenant"]).toBe("t1");
    expect(gw.lastSeen.body["temperature"]).toBe(0.25);
  });

  test("Azure gets its own header, path and version", async () => {
    const model = "fake-azure";
    await gw.server.createChannel({
      type: "azure",
      key: OPENAI_KEY,
      base_url: gw.fake.url,
      models: model,
      other: "2025-04-01-preview",
    });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    expect((await ask("openai", model, {})).status).toBe(200);
    expect(gw.lastSeen.path).toBe(`/openai/deployments/${model}/chat/completions`);
  });
});
