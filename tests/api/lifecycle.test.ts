// Starting, stopping, and what the program says about itself.
import { afterEach, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { books } from "../support/books";
import { until } from "../support/eventually";
import type { Directives } from "../support/fake";
import { gateway } from "../support/gateway";
import { explained, login, Management, type User } from "../support/management";
import { BINARY, TestServer } from "../support/server";
import { PATHS, question } from "../support/shapes";
import { parseSse, receive } from "../support/sse";

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "tf-cli-"));
  folders.push(made);
  return made;
}

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

function run(args: string[], env: Record<string, string> = {}): Promise<Ran> {
  const cwd = folder();
  const child = spawn(BINARY, args, { cwd, env: { ...process.env, DATA_DIR: cwd, ...env } });
  const out: Ran = { status: null, stdout: "", stderr: "" };
  child.stdout.on("data", (bytes) => (out.stdout += String(bytes)));
  child.stderr.on("data", (bytes) => (out.stderr += String(bytes)));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ ...out, status }));
  });
}

describe("the command line", () => {
  test("--help explains itself on stdout", async () => {
    const { status, stdout, stderr } = await run(["--help"]);
    expect([status, stderr]).toEqual([0, ""]);
    for (const word of ["serve", "--check", "--version", "PORT", "DATA_DIR", "SQL_DSN"]) {
      expect(stdout).toContain(word);
    }
  });

  test("--help and .env.example name the same settings, with the same defaults", async () => {
    const { stdout } = await run(["--help"]);
    const file = readFileSync(join(import.meta.dir, "../../.env.example"), "utf8");
    const told = [...stdout.matchAll(/^ {2}([A-Z_]+) +(\S*)$/gm)].map(([, ...pair]) =>
      pair.join("="),
    );
    const listed = [...file.matchAll(/^[A-Z_]+=.*$/gm)].map(([line]) => line);
    expect(listed.toSorted()).toEqual(told.toSorted());
  });

  test("--version names itself", async () => {
    const { status, stdout } = await run(["--version"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^token-factory \S+\n$/);
  });

  test.each(["--no-such-option", "no-such-command", "serve extra"])(
    "%s is a usage error",
    async (args) => {
      const { status, stdout, stderr } = await run(args.split(" "));
      expect([status, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(/usage|--help/i);
    },
  );

  test("--check is content with a fresh folder, and again with the same", async () => {
    const DATA_DIR = folder();
    for (let i = 0; i < 2; i++) expect((await run(["--check"], { DATA_DIR })).status).toBe(0);
  });

  const broken: [string, Record<string, string>][] = [
    ["a port that is none", { PORT: "seventy" }],
    ["a port out of range", { PORT: "70000" }],
    ["a database that is none", { SQL_DSN: "nonsense" }],
    ["a database that nobody serves", { SQL_DSN: "postgres://u:p@127.0.0.1:1/db" }],
    ["workers that are none", { WORKERS: "-3" }],
    ["a folder that cannot be", { DATA_DIR: "/dev/null/data" }],
    ["a log level that is none", { LOG_LEVEL: "loud" }],
    ["a proxy that is none", { TRUSTED_PROXIES: "10.0.0.0/99" }],
    ["a password for root that is too short", { INITIAL_ROOT_PASSWORD: "short" }],
    [
      "a name for root that is too long",
      { INITIAL_ROOT_USERNAME: "r".repeat(30), INITIAL_ROOT_PASSWORD: "long enough" },
    ],
  ];
  test.each(broken)("--check is not content with %s", async (_name, env) => {
    const { status, stdout, stderr } = await run(["--check"], env);
    expect(status).toBe(1);
    const said = stdout + stderr;
    expect(said).toContain(Object.keys(env)[0] ?? "");
    expect(said).not.toContain("u:p@");
  });

  test("a damaged database is a failure, not a new database", async () => {
    const DATA_DIR = folder();
    expect((await run(["--check"], { DATA_DIR })).status).toBe(0);
    const [file] = [...new Bun.Glob("*.db").scanSync(DATA_DIR)];
    writeFileSync(join(DATA_DIR, file ?? "missing.db"), "this is not a database ".repeat(1000));
    expect((await run(["--check"], { DATA_DIR })).status).toBe(1);
  });

  test("a .env file in the working folder is read, and the environment wins", async () => {
    const cwd = folder();
    writeFileSync(join(cwd, ".env"), "# a comment\n\nPORT=seventy\n");
    const check = (env: Record<string, string>): Promise<number | null> =>
      new Promise((resolve) => {
        const child = spawn(BINARY, ["--check"], {
          cwd,
          env: { ...process.env, ...env },
          stdio: "ignore",
        });
        child.once("close", resolve);
      });
    expect(await check({})).toBe(1);
    expect(await check({ PORT: "3999" })).toBe(0);
  });
});

describe("the first start", () => {
  test("without a password offers a set-up link that works once", async () => {
    const server = await TestServer.start({ root: false });
    const status = await server.anonymous.get<{ setup: boolean }>("/api/user/status");
    expect(status.setup).toBe(false);
    const link = /https?:\/\/[^\s"]+\/setup\?token=([\w-]+)/;
    await until("the link is printed", () => server.lines.some((line) => link.test(line)));
    const token = link.exec(server.lines.find((line) => link.test(line)) ?? "")?.[1] ?? "";
    expect(token.length).toBeGreaterThanOrEqual(22);
    const root = { username: "chief", password: "a good password" };
    await server.anonymous.fail(403, "POST", "/api/setup", { ...root, token: `${token}x` });
    await server.anonymous.fail(400, "POST", "/api/setup", { ...root, token, password: "short" });
    await server.anonymous.post("/api/setup", { ...root, token });
    await server.anonymous.fail(409, "POST", "/api/setup", { ...root, token, username: "second" });
    const session = await login(server.url, root.username, root.password);
    expect(session.user.role).toBe(100);
    await server.stop();
    await server.restart();
    const again = await server.anonymous.get<{ setup: boolean }>("/api/user/status");
    expect(again.setup).toBe(true);
    const before = server.lines.filter((line) => link.test(line)).length;
    expect(before).toBe(1);
    await server.dispose();
  }, 60_000);

  test("names the port that was found for PORT=0", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tf-port-"));
    const env = { ...process.env, PORT: "0", HOST: "127.0.0.1", DATA_DIR: folder, WORKERS: "2" };
    const child = spawn(BINARY, ["serve"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes) => (said += String(bytes)));
    try {
      const link = /(http:\/\/127\.0\.0\.1:(\d+))\/setup\?token=[\w-]+/;
      await until("the link is printed", () => link.test(said));
      const [, url = "", port = ""] = link.exec(said) ?? [];
      expect(Number(port)).toBeGreaterThan(0);
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
    } finally {
      child.kill("SIGTERM");
      await new Promise((resolve) => child.once("close", resolve));
      rmSync(folder, { recursive: true });
    }
  });

  test("has no default account", async () => {
    const server = await TestServer.start({ root: false });
    for (const [username, password] of [
      ["root", "123456"],
      ["root", ""],
      ["admin", "admin"],
    ]) {
      const { response } = await server.anonymous.call("POST", "/api/user/login", {
        username,
        password,
      });
      expect([400, 401]).toContain(response.status);
    }
    await server.dispose();
  }, 60_000);

  test("secrets are kept: sessions and sealed keys survive a restart", async () => {
    const server = await TestServer.start();
    const account = await server.createUser();
    const session = await account.login();
    const token = await account.createToken();
    await server.stop();
    await server.restart();
    const later = new Management(server.url, {
      cookie: session.cookie,
      "x-csrf-token": session.csrf,
    });
    expect((await later.get<User>("/api/user/self")).id).toBe(account.id);
    const revealed = await later.post<{ key: string }>(`/api/token/${token.id}/key`);
    expect(revealed.key).toBe(token.key);
    await server.dispose();
  }, 60_000);
});

describe("a running server", () => {
  const gw = gateway();

  const held = (name: string): Directives => ({
    chunks: ["one ", "two ", "three"],
    hold: { after_events: 3, name },
  });

  /** Starts a stream and waits for its first words. */
  async function begin(name: string): Promise<{ response: Response; rest: () => Promise<string> }> {
    const request = question("openai", "gpt-4o", held(name), { stream: true });
    const response = await gw.post(PATHS.openai, request);
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    let text = "";
    const read = async (): Promise<boolean> => {
      const part = await reader?.read();
      text += decoder.decode(part?.value, { stream: true });
      return !(part?.done ?? true);
    };
    while (!text.includes("one") && (await read()));
    const rest = async (): Promise<string> => {
      while (await read());
      return text;
    };
    return { response, rest };
  }

  test("is alive, ready, and tells its numbers", async () => {
    for (const path of ["/healthz", "/readyz"]) {
      expect((await fetch(gw.server.url + path)).status).toBe(200);
    }
    await receive(await gw.post(PATHS.openai, question("openai", "gpt-4o", {})));
    const response = await fetch(`${gw.server.url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
    const text = await response.text();
    for (const name of [
      "tf_requests_total",
      "tf_request_duration_seconds_bucket",
      "tf_first_byte_seconds_bucket",
      "tf_tokens_total",
      "tf_quota_total",
      "tf_upstream_errors_total",
      "tf_open_streams",
      "tf_journal_pending_records",
    ]) {
      expect(text).toMatch(new RegExp(`^# TYPE ${name.replace(/_bucket$/, "")} `, "m"));
    }
    expect(text).not.toContain(gw.token.key);
    for (const line of text.split("\n").filter((row) => row !== "" && !row.startsWith("#"))) {
      expect(line).toMatch(/^[a-zA-Z_:][\w:]*(\{.*\})? (-?[\d.e+-]+|[+-]Inf|NaN)$/);
    }
  });

  test("its numbers move", async () => {
    const { server } = gw;
    const read = async (): Promise<Map<string, number>> => {
      const lines = (await (await fetch(`${server.url}/metrics`)).text()).split("\n");
      return new Map(
        lines.map((line) => [line.replace(/ \S+$/, ""), Number(line.slice(line.lastIndexOf(" ")))]),
      );
    };
    await until(
      "all is booked",
      async () => (await server.metric("tf_journal_pending_records")) === 0,
    );
    const before = await read();
    const rose = (now: Map<string, number>, name: string): number =>
      (now.get(name) ?? 0) - (before.get(name) ?? 0);
    const wish: Directives = { usage: { input: 100, cached: 20, write_5m: 30, output: 7 } };
    const ask = (more: object, how: Directives = wish) =>
      gw.post(PATHS.claude, question("claude", "claude-opus-5", how, { ...more }));
    const [whole, stream] = [
      await receive(await ask({})),
      await receive(await ask({ stream: true })),
    ];
    const failed = await receive(await ask({}, { status: 500 }));
    expect([whole.status, stream.status, failed.status]).toEqual([200, 200, 502]);
    const { rest } = await begin("measured");
    const during = await read();
    expect(rose(during, "tf_open_streams")).toBe(1);
    expect(during.get("tf_client_connections")).toBeGreaterThan(0);
    expect(during.get("tf_upstream_connections")).toBeGreaterThan(0);
    expect(during.get("tf_db_connections")).toBeGreaterThan(0);
    gw.fake.release("measured");
    await rest();
    await until(
      "all is booked",
      async () => (await server.metric("tf_journal_pending_records")) === 0,
    );
    const now = await read();
    const chat = 'dialect="claude",mode="chat"';
    const [first] = now.keys().filter((name) => name.startsWith("tf_upstream_errors_total"));
    expect(first).toContain(`channel="${gw.claudeChannel.id}"`);
    const changes = {
      [`tf_requests_total{${chat},status="200"}`]: 2,
      [`tf_requests_total{${chat},status="502"}`]: 1,
      [`tf_request_duration_seconds_count{${chat}}`]: 3,
      [`tf_request_duration_seconds_bucket{${chat},le="+Inf"}`]: 3,
      [`tf_first_byte_seconds_count{${chat}}`]: 2,
      'tf_tokens_total{kind="cache_read"}': 40,
      'tf_tokens_total{kind="cache_write"}': 60,
      tf_open_streams: 0,
      [first ?? ""]: 1,
    };
    for (const [name, by] of Object.entries(changes))
      expect([name, rose(now, name)]).toEqual([name, by]);
    const held = (await server.logs({ model_name: "gpt-4o" }))[0];
    const cost = 2 * (100 + 20 * 0.1 + 30 * 1.25 + 7 * 5) * 2 + (held?.quota ?? 0);
    expect(rose(now, "tf_quota_total")).toBe(cost);
  });

  test("SIGTERM lets a running stream finish, takes no new work, and exits with 0", async () => {
    const { response, rest } = await begin("drain");
    const requestId = response.headers.get("x-request-id") ?? "";
    gw.server.signal("SIGTERM");
    await until("new connections are refused", async () => {
      try {
        return (await fetch(`${gw.server.url}/readyz`)).status === 503;
      } catch {
        return true;
      }
    });
    gw.fake.release("drain");
    const text = await rest();
    expect(parseSse(text).at(-1)?.data).toBe("[DONE]");
    expect(text).toContain("three");
    expect(await gw.server.exited()).toBe(0);
    await gw.server.restart();
    await books(gw.server, [requestId]);
  }, 60_000);

  test("a second SIGTERM ends it at once, and the books balance after it", async () => {
    const { rest } = await begin("hurry");
    gw.server.signal("SIGTERM");
    await until("new connections are refused", async () => {
      try {
        return (await fetch(`${gw.server.url}/readyz`)).status === 503;
      } catch {
        return true;
      }
    });
    gw.server.signal("SIGTERM");
    expect(await gw.server.exited()).not.toBe(0);
    expect(parseSse(await rest().catch(() => "")).map((event) => event.data)).not.toContain(
      "[DONE]",
    );
    gw.fake.release("hurry");
    await gw.server.restart();
    await books(gw.server);
  }, 60_000);

  test("what still runs when the time is up is cut, and billed as far as it came", async () => {
    gw.server.env["SHUTDOWN_TIMEOUT_SECONDS"] = "1";
    await gw.server.stop();
    await gw.server.restart();
    const { response, rest } = await begin("too long");
    const [requestId, began] = [response.headers.get("x-request-id") ?? "", Date.now()];
    expect(await gw.server.stop()).toBe(0);
    expect(Date.now() - began).toBeGreaterThan(900);
    expect(Date.now() - began).toBeLessThan(10_000);
    const text = await rest().catch(() => "");
    expect(text).not.toContain("[DONE]");
    await gw.server.restart();
    const log = await gw.server.logOf(requestId);
    expect(explained(log)).toMatchObject({ stream_end: "shutdown", usage_source: "counted" });
    expect(log.completion_tokens).toBeGreaterThan(0);
    expect(log.quota).toBe((log.prompt_tokens + log.completion_tokens * 5) * 2);
    await books(gw.server, [requestId]);
    delete gw.server.env["SHUTDOWN_TIMEOUT_SECONDS"];
  }, 60_000);

  test("SIGINT is like SIGTERM", async () => {
    gw.server.signal("SIGINT");
    expect(await gw.server.exited()).toBe(0);
    await gw.server.restart();
  }, 60_000);

  test("a port in use is a failure that says so", async () => {
    const { status, stdout, stderr } = await run(["serve"], {
      PORT: String(gw.server.port),
      HOST: "127.0.0.1",
    });
    expect(status).toBe(1);
    expect(stdout + stderr).toContain(String(gw.server.port));
  });

  test("leased quota comes back at rest, and again after a stop", async () => {
    const owner = await gw.server.createUser({ quota: 1_000_000 });
    const { key } = await gw.newToken({}, owner);
    await receive(await gw.post(PATHS.openai, question("openai", "gpt-4o", {}), { key }));
    await books(gw.server);
    expect(await gw.server.balance(owner)).toBe(1_000_000 - 70);
    await gw.server.stop();
    await gw.server.restart();
    expect(await gw.server.balance(owner)).toBe(1_000_000 - 70);
  }, 60_000);

  test("secrets never reach the log", async () => {
    const log = gw.server.lines.join("\n");
    expect(log).not.toContain(gw.token.key);
    expect(log).not.toContain("sk-fake-0001");
    expect(log).not.toContain("correct horse battery staple");
  });
});
