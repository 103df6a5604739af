// The management API: who may do what, and what it answers.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gateway } from "../support/gateway";
import {
  all,
  allLogs,
  type Channel,
  login,
  type Log,
  Management,
  type Page,
  type Token,
  type User,
} from "../support/management";
import { PATHS, question } from "../support/shapes";
import { receive } from "../support/sse";
import { ROOT_PASSWORD } from "../support/server";
import { CLAUDE_KEY, OPENAI_KEY } from "../support/fake";

const gw = gateway();

const secretFields = ["password", "access_token", "key_hash"];

describe("sessions", () => {
  test("a login answers the user without secrets and two cookies", async () => {
    const session = await login(gw.server.url, "root", ROOT_PASSWORD);
    expect(session.user).toMatchObject({ username: "root", role: 100, status: 1 });
    for (const field of secretFields) expect(session.user).not.toHaveProperty(field);
    const cookie = (name: string): string =>
      session.setCookies.find((line) => line.startsWith(`${name}=`)) ?? "";
    expect(cookie("tf_session")).toMatch(/; *HttpOnly/i);
    expect(cookie("tf_session")).toMatch(/; *SameSite=Lax/i);
    expect(cookie("tf_session")).toMatch(/; *Path=\//i);
    expect(cookie("tf_csrf")).not.toMatch(/HttpOnly/i);
    expect(session.csrf.length).toBeGreaterThanOrEqual(16);
  });

  test("a session reads with its cookie, and writes only with the CSRF header", async () => {
    const account = await gw.server.createUser();
    const session = await account.login();
    const change = { display_name: "Somebody" };
    expect((await session.unprotected.get<User>("/api/user/self")).id).toBe(account.id);
    await session.unprotected.fail(403, "PUT", "/api/user/self", change);
    await session.unprotected.fail(403, "POST", "/api/token/", { name: "x" });
    await session.unprotected
      .with({ "x-csrf-token": "" })
      .fail(403, "PUT", "/api/user/self", change);
    const other = await login(gw.server.url, account.user.username, account.password);
    const wrong = session.unprotected.with({ "x-csrf-token": other.csrf });
    await wrong.fail(403, "PUT", "/api/user/self", change);
    // the right cookie-header pair, but not this session's
    const forged = new Management(gw.server.url, {
      cookie: session.cookie.replace(session.csrf, "forged"),
      "x-csrf-token": "forged",
    });
    await forged.fail(403, "PUT", "/api/user/self", change);
    await session.api.put("/api/user/self", change);
    expect((await session.api.get<User>("/api/user/self")).display_name).toBe("Somebody");
  });

  test("a logout ends the session on the server", async () => {
    const account = await gw.server.createUser();
    const [one, two] = [await account.login(), await account.login()];
    await one.api.post("/api/user/logout");
    await one.api.fail(401, "GET", "/api/user/self");
    await two.api.get("/api/user/self");
  });

  test("forged, altered and foreign cookies are nobody", async () => {
    const session = await (await gw.server.createUser()).login();
    const value = /tf_session=([^;]+)/.exec(session.cookie)?.[1] ?? "";
    const [head = "", body = ""] = value.split(".");
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
    const altered = [
      "",
      "x",
      value.slice(0, -4),
      `${value}x`,
      `${none}.${body}.`,
      `${head}.${body}.`,
      "a.b.c",
    ];
    for (const cookie of altered) {
      const stranger = new Management(gw.server.url, { cookie: `tf_session=${cookie}` });
      await stranger.fail(401, "GET", "/api/user/self");
    }
  });

  test("a changed password ends the other sessions", async () => {
    const account = await gw.server.createUser();
    const [here, there] = [await account.login(), await account.login()];
    const next = "another good password";
    const wrong = { original_password: "not it", password: next };
    const failure = await here.api.call("PUT", "/api/user/self/password", wrong);
    expect([400, 403]).toContain(failure.response.status);
    const right = { original_password: account.password, password: next };
    await here.api.put("/api/user/self/password", right);
    await here.api.get("/api/user/self");
    await there.api.fail(401, "GET", "/api/user/self");
    await login(gw.server.url, account.user.username, next);
    const old = { username: account.user.username, password: account.password };
    await gw.server.anonymous.fail(401, "POST", "/api/user/login", old);
  });

  test("a disabled user is out at once, and stays out", async () => {
    const account = await gw.server.createUser();
    const [session, api] = [await account.login(), await account.api()];
    await gw.server.admin.post("/api/user/manage", { id: account.id, action: "disable" });
    for (const way of [session.api, api]) {
      const { response } = await way.call("GET", "/api/user/self");
      expect([401, 403]).toContain(response.status);
    }
    const body = { username: account.user.username, password: account.password };
    const { response } = await gw.server.anonymous.call("POST", "/api/user/login", body);
    expect([401, 403]).toContain(response.status);
  });

  test("wrong name and wrong password look the same", async () => {
    const account = await gw.server.createUser();
    const attempt = (username: string): Promise<{ message: string; code: string }> =>
      gw.server.anonymous.fail(401, "POST", "/api/user/login", { username, password: "wrong one" });
    const [known, unknown] = [await attempt(account.user.username), await attempt("nobody_at_all")];
    expect([known.code, known.message]).toEqual([unknown.code, unknown.message]);
  });

  test("guessing is limited, for that name", async () => {
    const [victim, other] = [await gw.server.createUser(), await gw.server.createUser()];
    const body = { username: victim.user.username, password: "a wrong guess" };
    const statuses: number[] = [];
    while (statuses.at(-1) !== 429 && statuses.length < 15) {
      const { response } = await gw.server.anonymous.call("POST", "/api/user/login", body);
      statuses.push(response.status);
    }
    expect(statuses.at(-1)).toBe(429);
    expect(statuses.length).toBeLessThanOrEqual(11);
    expect(statuses.slice(0, 3)).toEqual([401, 401, 401]);
    const right = { ...body, password: victim.password };
    const failure = await gw.server.anonymous.fail(429, "POST", "/api/user/login", right);
    expect(Number(failure.headers.get("retry-after"))).toBeGreaterThan(0);
    await other.login();
  });

  test("an access token acts like its user until the next one is made", async () => {
    const account = await gw.server.createUser();
    const session = await account.login();
    const first = await session.api.get<string>("/api/user/token");
    const byToken = new Management(gw.server.url, { authorization: `Bearer ${first}` });
    expect((await byToken.get<User>("/api/user/self")).id).toBe(account.id);
    await byToken.put("/api/user/self", { display_name: "By token" });
    await session.api.get<string>("/api/user/token");
    await byToken.fail(401, "GET", "/api/user/self");
  });

  test("a relay key is no access token, and no access token is a relay key", async () => {
    const relay = new Management(gw.server.url, { authorization: `Bearer ${gw.token.key}` });
    await relay.fail(401, "GET", "/api/user/self");
    const session = await (await gw.server.createUser()).login();
    const access = await session.api.get<string>("/api/user/token");
    const request = question("openai", "gpt-4o", {});
    expect((await gw.post(PATHS.openai, request, { key: access })).status).toBe(401);
  });
});

describe("roles", () => {
  // All of them: a row that is added is held to it, too.
  const file = join(import.meta.dir, "../../src/router/routes.def");
  const rows = readFileSync(file, "utf8").matchAll(/^ROUTE\((\w+), +"([^"]+)", +(\w+),/gm);
  const routes = [...rows].map(([, method = "", path = "", who = ""]) => ({
    method: method as "GET" | "POST" | "PUT" | "DELETE",
    path: path.replace(/:\w+/g, "1"),
    who,
  }));
  const closed = routes.filter(({ who }) => who !== "PUBLIC");
  const bodyOf = (method: string): object | undefined => (/P/.test(method) ? {} : undefined);

  test.each(closed)("$method $path is not for strangers", async ({ method, path }) => {
    await gw.server.anonymous.fail(401, method, path, bodyOf(method));
  });

  test.each(closed.filter(({ who }) => who !== "USER"))(
    "$method $path is not for users",
    async ({ method, path }) => {
      const api = await gw.owner.api();
      await api.fail(403, method, path, bodyOf(method));
    },
  );

  test("what is root's is not for administrators", async () => {
    const api = await (await gw.server.createUser({ role: 10 })).api();
    await api.get("/api/users");
    const roots = closed.filter(({ who }) => who === "ROOT");
    expect(roots.map(({ path }) => path)).toContain("/api/option");
    for (const { method, path } of roots) await api.fail(403, method, path, bodyOf(method));
  });

  test("nothing is changed by a cookie alone", async () => {
    const { unprotected } = await login(gw.server.url, "root", ROOT_PASSWORD);
    for (const { method, path } of closed.filter((row) => row.method !== "GET")) {
      const { code } = await unprotected.fail(403, method, path, bodyOf(method));
      expect(code).toBe("csrf_failed");
    }
  });

  test("nobody touches his equals or betters, or makes himself one", async () => {
    const [one, two] = [
      await gw.server.createUser({ role: 10 }),
      await gw.server.createUser({ role: 10 }),
    ];
    const api = await one.api();
    const root = await gw.server.admin.get<User>("/api/user/self");
    for (const id of [two.id, root.id]) {
      await api.fail(403, "PUT", `/api/users/${id}`, { display_name: "x" });
      await api.fail(403, "POST", "/api/user/manage", { id, action: "disable" });
      await api.fail(403, "DELETE", `/api/users/${id}`);
    }
    const wish = { username: "upstart", password: "a good password", role: 100 };
    await api.fail(403, "POST", "/api/users", wish);
    await api.fail(403, "POST", "/api/users", { ...wish, role: 10 });
    const user = await gw.server.createUser();
    await api.fail(403, "PUT", `/api/users/${user.id}`, { role: 10 });
    await (
      await user.api()
    ).put("/api/user/self", { display_name: "me", role: 100, quota: 1e12, group: "vip" });
    const self = await (await user.api()).get<User>("/api/user/self");
    expect(self).toMatchObject({ role: 1, quota: 10_000_000, group: "default" });
  });

  test("root stays", async () => {
    const { id } = await gw.server.admin.get<User>("/api/user/self");
    for (const action of ["disable", "delete", "demote"]) {
      const { response } = await gw.server.admin.call("POST", "/api/user/manage", { id, action });
      expect([400, 403]).toContain(response.status);
    }
    const { response } = await gw.server.admin.call("DELETE", `/api/users/${id}`);
    expect([400, 403]).toContain(response.status);
  });
});

describe("users", () => {
  test("are created, read, changed, found and deleted", async () => {
    const display_name = "Ärger 世界";
    const wish = { username: "crud_user", password: "a good password", display_name };
    const made = await gw.server.admin.post<User>("/api/users", { ...wish, quota: 5000 });
    gw.server.granted.set(made.id, 5000);
    expect(made).toMatchObject({
      username: "crud_user",
      display_name: "Ärger 世界",
      quota: 5000,
      role: 1,
    });
    for (const field of secretFields) expect(made).not.toHaveProperty(field);
    await gw.server.admin.put(`/api/users/${made.id}`, {
      display_name: "New",
      group: "vip",
      quota: 1e9,
    });
    const read = await gw.server.admin.get<User>(`/api/users/${made.id}`);
    expect(read).toMatchObject({ display_name: "New", group: "vip", quota: 5000 });
    const found = await gw.server.admin.get<Page<User>>("/api/users?username=crud_user");
    expect(found).toMatchObject({ total: 1, page: 1, items: [{ id: made.id }] });
    await gw.server.admin.delete(`/api/users/${made.id}`);
    await gw.server.admin.fail(404, "GET", `/api/users/${made.id}`);
    gw.server.granted.delete(made.id);
  });

  const bad: [string, Record<string, unknown>, number][] = [
    ["no name", { username: undefined }, 400],
    ["an empty name", { username: "" }, 400],
    ["a long name", { username: "x".repeat(21) }, 400],
    ["a name that is no text", { username: 5 }, 400],
    ["a short password", { password: "short" }, 400],
    ["a long password", { password: "x".repeat(73) }, 400],
    ["a negative quota", { quota: -1 }, 400],
    ["a fractional quota", { quota: 1.5 }, 400],
    ["a quota that overflows", { quota: 1e30 }, 400],
    ["an unknown role", { role: 7 }, 400],
    ["a taken name", { username: "root" }, 409],
  ];
  test.each(bad)("are not created with %s", async (_name, change, status) => {
    const before = (await gw.server.admin.get<Page<User>>("/api/users")).total;
    const wish = { username: "refused_user", password: "a good password", ...change };
    await gw.server.admin.fail(status, "POST", "/api/users", wish);
    expect((await gw.server.admin.get<Page<User>>("/api/users")).total).toBe(before);
  });

  test("are given and taken quota, with a log", async () => {
    const account = await gw.server.createUser({ quota: 100 });
    const before = (await gw.server.logs({ user_id: account.id, type: 3 })).length;
    await gw.server.adjust(account, 900);
    expect(await gw.server.balance(account)).toBe(1000);
    await gw.server.adjust(account, -400);
    expect(await gw.server.balance(account)).toBe(600);
    const manage = { id: account.id, action: "add_quota" };
    await gw.server.admin.fail(409, "POST", "/api/user/manage", {
      ...manage,
      mode: "subtract",
      value: 601,
    });
    await gw.server.admin.fail(400, "POST", "/api/user/manage", {
      ...manage,
      mode: "add",
      value: -5,
    });
    await gw.server.admin.fail(400, "POST", "/api/user/manage", {
      ...manage,
      mode: "add",
      value: 9.3e18,
    });
    expect(await gw.server.balance(account)).toBe(600);
    await gw.server.admin.post("/api/user/manage", { ...manage, mode: "override", value: 50 });
    gw.server.granted.set(account.id, 50);
    expect(await gw.server.balance(account)).toBe(50);
    const logs = await gw.server.logs({ user_id: account.id, type: 3 });
    expect(logs.length).toBe(before + 3);
  });

  test("are promoted and demoted by root", async () => {
    const account = await gw.server.createUser();
    const role = async (): Promise<number> =>
      (await gw.server.admin.get<User>(`/api/users/${account.id}`)).role;
    await gw.server.admin.post("/api/user/manage", { id: account.id, action: "promote" });
    expect(await role()).toBe(10);
    await gw.server.admin.post("/api/user/manage", { id: account.id, action: "demote" });
    expect(await role()).toBe(1);
  });
});

describe("channels", () => {
  const wish = {
    name: "crud",
    type: "openai",
    key: OPENAI_KEY,
    models: "fake-crud,fake-crud-2",
    tag: "t1",
  };

  test("are created, read, changed, found and deleted, without their keys", async () => {
    const made = await gw.server.createChannel({ ...wish, base_url: `${gw.fake.url}/proxy/crud` });
    expect(made).toMatchObject({
      type: 1,
      name: "crud",
      models: "fake-crud,fake-crud-2",
      status: 1,
    });
    const one = await gw.server.admin.get<Channel>(`/api/channel/${made.id}`);
    const list = await all<Channel>(gw.server.admin, "/api/channel/");
    expect(list.map((channel) => channel.id)).toContain(made.id);
    for (const text of [made, one, list]) {
      expect(JSON.stringify(text)).not.toContain("sk-fake-");
      expect(JSON.stringify(text)).not.toContain("sk-ant-fake-");
    }
    await gw.server.admin.put("/api/channel/", { id: made.id, name: "renamed", weight: 7 });
    const changed = await gw.server.admin.get<Channel>(`/api/channel/${made.id}`);
    expect(changed).toMatchObject({ name: "renamed", weight: 7, tag: "t1", models: wish.models });
    for (const query of ["keyword=renamed", "model=fake-crud-2", "keyword=renamed&group=default"]) {
      const found = await gw.server.admin.get<Page<Channel>>(`/api/channel/search?${query}`);
      expect(found.items.map((channel) => channel.id)).toEqual([made.id]);
    }
    const none = await gw.server.admin.get<Page<Channel>>("/api/channel/search?keyword=100%25_off");
    expect(none.items).toEqual([]);
    await gw.server.admin.delete(`/api/channel/${made.id}`);
    await gw.server.admin.fail(404, "GET", `/api/channel/${made.id}`);
  });

  test("keep their key when it is not given, and take a new one", async () => {
    const model = "fake-rekeyed";
    const { id } = await gw.addOpenai("rekeyed", { models: model, key: "sk-fake-before" });
    await gw.setPrices({ ModelPrice: { [model]: 0.001 } });
    const usedKey = async (): Promise<string> => {
      await receive(await gw.post(PATHS.openai, question("openai", model, {})));
      return gw.lastSeen.headers["authorization"] ?? "";
    };
    await gw.server.admin.put("/api/channel/", { id, key: "", name: "still" });
    expect(await usedKey()).toBe("Bearer sk-fake-before");
    await gw.server.admin.put("/api/channel/", { id, key: "sk-fake-after" });
    expect(await usedKey()).toBe("Bearer sk-fake-after");
  });

  test("come in batches and with several keys", async () => {
    const channel = { ...wish, base_url: gw.fake.url, key: "sk-fake-1\nsk-fake-2\n\nsk-fake-3" };
    const batch = await gw.server.admin.post<Channel[]>("/api/channel/", {
      mode: "batch",
      channel,
    });
    expect(batch.length).toBe(3);
    const one = await gw.server.admin.post<Channel>("/api/channel/", {
      mode: "multi_to_single",
      channel,
    });
    for (const { id } of [...batch, one]) await gw.server.admin.delete(`/api/channel/${id}`);
  });

  const bad: [string, Record<string, unknown>][] = [
    ["no name", { name: "" }],
    ["no type", { type: undefined }],
    ["an unknown type", { type: "telepathy" }],
    ["an unknown number", { type: 999_999 }],
    ["no key", { key: "" }],
    ["a base URL that is none", { base_url: "not a url" }],
    ["a base URL of another scheme", { base_url: "file:///etc/passwd" }],
    ["a mapping that is no JSON", { model_mapping: "{" }],
    ["a mapping that is no map of names", { model_mapping: '{"a":1}' }],
    ["a header that is ours", { header_override: '{"Content-Length":"1"}' }],
    ["a header that is none", { header_override: '{"x y":"1"}' }],
    ["a mapping that loops", { model_mapping: '{"a":"b","b":"a"}' }],
    ["an override that is no JSON", { param_override: "[" }],
    ["a header with a line break", { header_override: '{"x":"a\\r\\ny: b"}' }],
    ["a negative weight", { weight: -1 }],
    ["a weight that is no number", { weight: "heavy" }],
    ["a weight that overflows", { weight: 1e20 }],
  ];
  test.each(bad)("are not created with %s", async (_name, change) => {
    await gw.server.admin.fail(400, "POST", "/api/channel/", {
      ...wish,
      base_url: gw.fake.url,
      ...change,
    });
  });

  test("are tested", async () => {
    type Outcome = {
      ok: boolean;
      status: number;
      model: string;
      response_time: number;
      message: string;
    };
    const good = await gw.server.admin.post<Outcome>("/api/channel/test", {
      id: gw.openaiChannel.id,
      model: "gpt-4o",
    });
    expect(good).toMatchObject({ ok: true, status: 200, model: "gpt-4o" });
    const anthropic = await gw.server.admin.get<Outcome>(
      `/api/channel/test/${gw.claudeChannel.id}?model=claude-sonnet-4-6`,
    );
    expect(anthropic.ok).toBe(true);
    gw.fake.behave("oa", { status: 401 });
    const bad = await gw.server.admin.post<Outcome>("/api/channel/test", {
      id: gw.openaiChannel.id,
    });
    gw.fake.behave("oa", undefined);
    expect(bad).toMatchObject({ ok: false, status: 401 });
    expect(bad.message).not.toBe("");
    await gw.server.admin.fail(404, "POST", "/api/channel/test", { id: 999_999 });
  });

  test("fetch their upstream's models", async () => {
    const byId = { id: gw.openaiChannel.id };
    const models = await gw.server.admin.post<string[]>("/api/channel/fetch/models", byId);
    expect(models.toSorted()).toEqual(gw.fake.models.toSorted());
    const form = { type: "anthropic", base_url: gw.fake.url, key: CLAUDE_KEY };
    const claudes = await gw.server.admin.post<string[]>("/api/channel/fetch/models", form);
    expect(claudes).toContain("claude-sonnet-4-6");
    gw.fake.behave("oa", { status: 500 });
    await gw.server.admin.fail(502, "POST", "/api/channel/fetch/models", byId);
    gw.fake.behave("oa", undefined);
  });
});

describe("tokens", () => {
  test("show their key once, masked afterwards, and again when asked", async () => {
    const api = await gw.owner.api();
    const made = await gw.newToken({ name: "shown" });
    expect(made.key).toMatch(/^sk-[A-Za-z0-9]{48}$/);
    const masked = [
      (await api.get<Token>(`/api/token/${made.id}`)).key,
      (await all<Token>(api, "/api/token/")).find((token) => token.id === made.id)?.key ?? "",
      (await api.get<Page<Token>>("/api/token/search?keyword=shown")).items[0]?.key ?? "",
    ];
    for (const key of masked) {
      expect(key).not.toBe(made.key);
      expect(key.replace(/^sk-/, "").replace(/[^A-Za-z0-9]/g, "").length).toBeLessThanOrEqual(8);
    }
    const revealed = await api.post<{ key: string }>(`/api/token/${made.id}/key`);
    expect(revealed.key).toBe(made.key);
  });

  test("are changed and deleted", async () => {
    const api = await gw.owner.api();
    const made = await gw.newToken({ name: "before", unlimited_quota: false, remain_quota: 10 });
    await api.put("/api/token/", { id: made.id, name: "after", remain_quota: 20, used_quota: 999 });
    const read = await api.get<Token>(`/api/token/${made.id}`);
    expect(read).toMatchObject({
      name: "after",
      remain_quota: 20,
      used_quota: 0,
      expired_time: -1,
    });
    await api.delete(`/api/token/${made.id}`);
    await api.fail(404, "GET", `/api/token/${made.id}`);
    await api.fail(404, "DELETE", `/api/token/${made.id}`);
  });

  test("belong to their user, even before administrators", async () => {
    const stranger = await (await gw.server.createUser()).api();
    for (const api of [stranger, gw.server.admin]) {
      await api.fail(404, "GET", `/api/token/${gw.token.id}`);
      await api.fail(404, "POST", `/api/token/${gw.token.id}/key`);
      await api.fail(404, "PUT", "/api/token/", { id: gw.token.id, name: "stolen" });
      await api.fail(404, "DELETE", `/api/token/${gw.token.id}`);
      const found = await api.get<Page<Token>>(`/api/token/search?keyword=test`);
      expect(found.items.map((token) => token.id)).not.toContain(gw.token.id);
    }
  });

  const bad: [string, Record<string, unknown>][] = [
    ["no name", { name: "" }],
    ["a long name", { name: "x".repeat(51) }],
    ["a name that is no text", { name: {} }],
    ["a negative quota", { remain_quota: -1 }],
    ["a fractional quota", { remain_quota: 0.5 }],
    ["a quota as text", { remain_quota: "much" }],
    ["a quota that overflows", { remain_quota: 1e19 }],
    ["a bad address", { allow_ips: "300.1.1.1" }],
    ["a bad network", { allow_ips: "10.0.0.0/33" }],
    ["a time that is none", { expired_time: -2 }],
    ["a group that is none", { group: "no-such-group" }],
  ];
  test.each(bad)("are not created with %s", async (_name, change) => {
    const api = await gw.owner.api();
    const before = (await api.get<Page<Token>>("/api/token/")).total;
    await api.fail(400, "POST", "/api/token/", { name: "bad", expired_time: -1, ...change });
    expect((await api.get<Page<Token>>("/api/token/")).total).toBe(before);
  });

  test("a failure names its field", async () => {
    const api = await gw.owner.api();
    const failure = await api.fail(400, "POST", "/api/token/", { name: "x", remain_quota: -1 });
    expect(failure.message).toContain("remain_quota");
  });
});

describe("logs", () => {
  test("are found by every filter, and paged without gaps", async () => {
    const owner = await gw.server.createUser();
    const token = await gw.newToken({ name: "logged" }, owner);
    const ids: string[] = [];
    for (let i = 0; i < 23; i++) {
      const reply = await receive(
        await gw.post(PATHS.openai, question("openai", i % 2 ? "gpt-4o" : "fake-cl", {}), {
          key: token.key,
        }),
      );
      ids.push(reply.headers.get("x-request-id") ?? "");
    }
    for (const id of ids) await gw.server.logOf(id);
    const api = await owner.api();
    const mine = await allLogs(api, "/api/log/self?type=2");
    expect(mine.map((log) => log.request_id)).toEqual(ids.toReversed());
    const pages: Log[] = [];
    for (let p = 1; p <= 3; p++) {
      pages.push(...(await api.get<Page<Log>>(`/api/log/self?type=2&p=${p}&page_size=10`)).items);
    }
    expect(pages.map((log) => log.request_id)).toEqual(ids.toReversed());
    const cursored = await api.get<Page<Log>>("/api/log/self?type=2&page_size=10&cursor=");
    expect(cursored.items.length).toBe(10);
    expect(cursored.next_cursor).toBeTruthy();
    const count = async (query: string): Promise<number> =>
      (await gw.server.admin.get<Page<Log>>(`/api/logs?type=2&${query}`)).total;
    expect(await count(`user_id=${owner.id}`)).toBe(23);
    expect(await count(`username=${owner.user.username}&model_name=gpt-4o`)).toBe(11);
    expect(await count(`token_name=logged&user_id=${owner.id}`)).toBe(23);
    expect(await count(`channel_id=${gw.claudeChannel.id}&user_id=${owner.id}`)).toBe(12);
    expect(
      await count(`user_id=${owner.id}&start_timestamp=${Math.floor(Date.now() / 1000) + 60}`),
    ).toBe(0);
    expect(
      await count(`user_id=${owner.id}&end_timestamp=${Math.floor(Date.now() / 1000) + 60}`),
    ).toBe(23);
    const found = await gw.server.admin.get<Page<Log>>(
      `/api/log/search?keyword=${owner.user.username}&type=2`,
    );
    expect(found.total).toBe(23);
  });

  test("show users only their own, and nothing of channels", async () => {
    const reply = await receive(await gw.post(PATHS.openai, question("openai", "gpt-4o", {})));
    await gw.server.logOf(reply.headers.get("x-request-id") ?? "");
    const stranger = await (await gw.server.createUser()).api();
    expect((await allLogs(stranger, "/api/log/self?type=2")).length).toBe(0);
    const others = await allLogs(stranger, `/api/log/self?type=2&user_id=${gw.owner.id}`);
    expect(others.filter((log) => log.user_id === gw.owner.id)).toEqual([]);
    const [mine] = await allLogs(await gw.owner.api(), "/api/log/self?type=2");
    expect(mine?.channel_id ?? 0).toBe(0);
    expect(JSON.stringify(mine)).not.toMatch(/admin_info|use_channel|127\.0\.0\.1:/);
  });

  test("refuse what is no page, no field, no cursor", async () => {
    for (const query of [
      "p=0",
      "p=x",
      "page_size=0",
      "page_size=101",
      "sort=nothing",
      "cursor=x'--",
    ]) {
      await gw.server.admin.fail(400, "GET", `/api/logs?${query}`);
    }
  });
});

describe("lists", () => {
  test("are sorted and paged", async () => {
    for (let i = 0; i < 5; i++) await gw.server.createUser();
    const names = async (query: string): Promise<string[]> =>
      (await gw.server.admin.get<Page<User>>(`/api/users?${query}`)).items.map(
        (user) => user.username,
      );
    const up = await names("sort=username&page_size=100");
    const down = await names("sort=-username&page_size=100");
    expect(up).toEqual(down.toReversed());
    expect(up).toEqual(up.toSorted((a, b) => (a < b ? -1 : 1)));
    expect([
      ...(await names("sort=username&page_size=3&p=1")),
      ...(await names("sort=username&page_size=3&p=2")),
    ]).toEqual(up.slice(0, 6));
    expect(await names("sort=username&p=1000")).toEqual([]);
  });
});

describe("options", () => {
  test("are listed, read and set", async () => {
    const list = await gw.server.admin.get<{ key: string; value: string }[]>("/api/option/");
    const keys = list.map((option) => option.key);
    for (const key of ["ModelRatio", "CompletionRatio", "GroupRatio", "RetryTimes"])
      expect(keys).toContain(key);
    expect(JSON.stringify(list)).not.toContain(ROOT_PASSWORD);
    await gw.server.setOption("RetryTimes", "4");
    expect(await gw.server.option("RetryTimes")).toBe("4");
    await gw.server.admin.put("/api/option/", { key: "RetryTimes", value: 2 });
    expect(await gw.server.option("RetryTimes")).toBe("2");
    await gw.server.admin.put("/api/option/", {
      key: "GroupRatio",
      value: { default: 1, vip: 0.25 },
    });
    expect(JSON.parse(await gw.server.option("GroupRatio"))).toEqual({ default: 1, vip: 0.25 });
  });

  const bad: [string, unknown][] = [
    ["RetryTimes", "-1"],
    ["RetryTimes", "many"],
    ["RetryTimes", "99999999999999999999"],
    ["ModelRatio", "not json"],
    ["ModelRatio", "[]"],
    ["ModelRatio", '{"a":"b"}'],
    ["ModelRatio", '{"a":-1}'],
    ["ModelRatio", '{"a":1e300}'],
    ["ModelPrice", '{"a":1e15}'],
    ["GroupRatio", '{"default":null}'],
    ["SelfUseModeEnabled", "perhaps"],
  ];
  test.each(bad)("refuse %s = %p and keep their value", async (key, value) => {
    const before = await gw.server.option(key);
    await gw.server.admin.fail(400, "PUT", "/api/option/", { key, value });
    expect(await gw.server.option(key)).toBe(before);
  });

  test("that do not exist are not found", async () => {
    await gw.server.admin.fail(404, "GET", "/api/option/NoSuchOption");
    await gw.server.admin.fail(404, "PUT", "/api/option/", { key: "NoSuchOption", value: "1" });
  });

  test("survive a restart", async () => {
    await gw.server.setOption("RetryTimes", "6");
    await gw.server.stop();
    await gw.server.restart();
    expect(await gw.server.option("RetryTimes")).toBe("6");
    await gw.server.setOption("RetryTimes", "0");
  });
});

describe("the public part", () => {
  test.each(["/api/user/status", "/api/config"])(
    "%s tells what it may and no secret",
    async (path) => {
      const config = await gw.server.anonymous.get<Record<string, unknown>>(path);
      expect(config).toMatchObject({
        system_name: expect.any(String),
        version: expect.any(String),
        quota_per_unit: 500_000,
        setup: true,
      });
      const secret = Object.entries(config).filter(
        ([name, value]) =>
          /secret|token$|_key$/i.test(name) && typeof value === "string" && value !== "",
      );
      expect(secret).toEqual([]);
    },
  );

  test("messages follow Accept-Language, codes do not", async () => {
    const fail = (language: string): Promise<{ message: string; code: string }> =>
      gw.server.anonymous.with({ "accept-language": language }).fail(401, "GET", "/api/user/self");
    const [en, zh] = [await fail("en-US,en;q=0.9"), await fail("zh-CN,zh;q=0.9,en;q=0.8")];
    expect(zh.message).toMatch(/\p{Script=Han}/u);
    expect(en.message).not.toMatch(/\p{Script=Han}/u);
    expect(zh.code).toBe(en.code);
    const others = [
      await fail("fr"),
      await fail(""),
      await fail("xx;q=abc,,;"),
      await fail("en;q=0.1,zh;q=0.9"),
    ];
    expect(others.map(({ message }) => message === zh.message)).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  test("unknown paths and methods say so", async () => {
    await gw.server.anonymous.fail(404, "GET", "/api/no/such/thing");
    const failure = await gw.server.anonymous.fail(405, "DELETE", "/api/user/login");
    expect(failure.headers.get("allow")).toContain("POST");
  });

  test("a trailing slash makes no difference", async () => {
    for (const path of [
      "/api/user/self",
      "/api/users",
      "/api/option",
      "/api/channel",
      "/api/logs",
    ]) {
      await gw.server.admin.get(path);
      await gw.server.admin.get(`${path}/`);
    }
  });
});
