// How an upstream is reached: through proxies, over IPv6, or not at all.
import { afterAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPENAI_KEY } from "../support/fake";
import { gateway } from "../support/gateway";
import type { Channel } from "../support/management";
import { failed, PATHS, question, type Spoken } from "../support/shapes";
import { receive, type Received } from "../support/sse";

const gw = gateway();
const CLIENTS: Spoken[] = ["openai", "claude"];
const MODEL = "fake-far";

const listeners: net.Server[] = [];
afterAll(() => listeners.forEach((listener) => listener.close()));

async function listen(host: string, on: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    on(socket);
  });
  listeners.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as net.AddressInfo).port;
}

/** Bytes as they come, so many at a time. */
class Bytes {
  private held = Buffer.alloc(0);
  private wake: (() => void) | undefined;

  constructor(private readonly socket: net.Socket) {
    socket.on("data", this.take);
  }

  private readonly take = (bytes: Buffer): void => {
    this.held = Buffer.concat([this.held, bytes]);
    this.wake?.();
  };

  async some(count: number): Promise<Buffer> {
    while (this.held.length < count) await new Promise<void>((resolve) => (this.wake = resolve));
    const out = this.held.subarray(0, count);
    this.held = this.held.subarray(count);
    return out;
  }

  async head(): Promise<string> {
    while (!this.held.includes("\r\n\r\n"))
      await new Promise<void>((resolve) => (this.wake = resolve));
    return String(await this.some(this.held.indexOf("\r\n\r\n") + 4));
  }

  /** From here on both sides talk to each other. */
  join(port: number): void {
    const there = net.connect(port, "127.0.0.1");
    this.socket.off("data", this.take);
    if (this.held.length > 0) there.write(this.held);
    this.socket.pipe(there).pipe(this.socket);
    there.on("error", () => this.socket.destroy());
  }
}

interface Seen {
  to: string;
  who: string;
}

/** RFC 1928 and 1929, strict: a user name and a password are asked for. */
async function socks5(seen: Seen[]): Promise<number> {
  const serve = async (socket: net.Socket): Promise<void> => {
    const bytes = new Bytes(socket);
    const [version, methods = 0] = await bytes.some(2);
    expect(version).toBe(5);
    expect([...(await bytes.some(methods))]).toContain(2);
    socket.write(Buffer.from([5, 2]));
    const text = async (): Promise<string> => {
      const [length = 0] = await bytes.some(1);
      return String(await bytes.some(length));
    };
    expect([...(await bytes.some(1))]).toEqual([1]);
    const who = `${await text()}:${await text()}`;
    socket.write(Buffer.from([1, who === "us:p@ss word" ? 0 : 1]));
    if (who !== "us:p@ss word") return void socket.end();
    const [, command, , kind] = await bytes.some(4);
    expect(command).toBe(1);
    const host = kind === 1 ? (await bytes.some(4)).join(".") : await text();
    const port = (await bytes.some(2)).readUInt16BE();
    seen.push({ to: `${host}:${port}`, who });
    socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    bytes.join(gw.fake.port);
  };
  return listen("127.0.0.1", (socket) => void serve(socket));
}

/** RFC 9110, CONNECT, with Basic credentials. */
async function connectProxy(seen: Seen[]): Promise<number> {
  const serve = async (socket: net.Socket): Promise<void> => {
    const bytes = new Bytes(socket);
    const head = await bytes.head();
    const [, to = ""] = /^CONNECT (\S+) HTTP\/1\.1\r\n/.exec(head) ?? [];
    const [, basic = ""] = /^proxy-authorization: Basic (\S+)\r$/im.exec(head) ?? [];
    const who = Buffer.from(basic, "base64").toString();
    expect(head).toMatch(/^host: /im);
    if (who !== "us:p@ss word") {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    seen.push({ to, who });
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    bytes.join(gw.fake.port);
  };
  return listen("127.0.0.1", (socket) => void serve(socket));
}

async function channel(wish: Record<string, unknown>): Promise<Channel> {
  await gw.setPrices({ ModelPrice: { [MODEL]: 0.001 } });
  return gw.server.createChannel({ type: "openai", key: OPENAI_KEY, models: MODEL, ...wish });
}

async function ask(client: Spoken, more: Record<string, unknown> = {}): Promise<Received> {
  return receive(await gw.post(PATHS[client], question(client, MODEL, {}, more)));
}

const drop = (made: Channel): Promise<unknown> => gw.server.admin.delete(`/api/channel/${made.id}`);

const proxies: [string, string, (seen: Seen[]) => Promise<number>][] = [
  ["SOCKS5", "socks5", socks5],
  ["HTTP CONNECT", "http", connectProxy],
];
describe.each(proxies)("a channel behind %s", (_name, scheme, start) => {
  test("is reached with the proxy's password, and its connection is kept", async () => {
    const seen: Seen[] = [];
    const port = await start(seen);
    const made = await channel({
      base_url: gw.fake.url,
      proxy: `${scheme}://us:p%40ss%20word@127.0.0.1:${port}`,
    });
    for (const stream of [false, true])
      for (const client of CLIENTS) expect((await ask(client, { stream })).status).toBe(200);
    expect(seen.length).toBeLessThanOrEqual(2); // a loop each
    expect(seen[0]).toEqual({ to: `127.0.0.1:${gw.fake.port}`, who: "us:p@ss word" });
    expect(gw.lastSeen.headers["proxy-authorization"]).toBeUndefined();
    const tested = { id: made.id, model: MODEL };
    expect(await gw.server.admin.post("/api/channel/test", tested)).toMatchObject({ ok: true });
    await drop(made);
  });

  test("does not show the password, and takes what it showed for what it has", async () => {
    const port = await start([]);
    const shown = `${scheme}://us:***@127.0.0.1:${port}`;
    const proxy = `${scheme}://us:p%40ss%20word@127.0.0.1:${port}`;
    const { admin } = gw.server;
    const made = await channel({ base_url: gw.fake.url, proxy, tag: `t-${scheme}` });
    const { id } = made;
    expect(made.proxy).toBe(shown);
    expect(await admin.get(`/api/channel/${id}`)).toMatchObject({ proxy: shown });
    expect(JSON.stringify(await admin.get("/api/channel/"))).not.toContain("p%40ss");
    expect(await admin.put("/api/channel/", { id, proxy: shown })).toMatchObject({ proxy: shown });
    await admin.put("/api/channel/tag", { tag: `t-${scheme}`, proxy: shown });
    expect((await ask("openai")).status).toBe(200);
    const names = await admin.post("/api/channel/fetch/models", { id, proxy: shown });
    expect(names).toBeArray();
    for (const other of [`${scheme}://us:***@127.0.0.2:${port}`, `${scheme}://me:***@127.0.0.1`])
      await admin.fail(400, "PUT", "/api/channel/", { id, proxy: other });
    expect((await ask("openai")).status).toBe(200);
    expect(await admin.put("/api/channel/", { id, proxy: "" })).toMatchObject({ proxy: "" });
    await drop(made);
  });

  test("is not reached with the wrong one, and nothing of it is told", async () => {
    const port = await start([]);
    const made = await channel({
      base_url: gw.fake.url,
      proxy: `${scheme}://us:wrong-pass@127.0.0.1:${port}`,
    });
    for (const client of CLIENTS) {
      const reply = await ask(client);
      expect(failed(client, reply, 502, 529).message).not.toContain("wrong-pass");
    }
    expect(gw.server.lines.join("\n")).not.toContain("wrong-pass");
    await drop(made);
  });
});

test("an upstream on IPv6 is reached", async () => {
  const hosts: (string | null)[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "::1",
    async fetch(request) {
      hosts.push(request.headers.get("host"));
      const { pathname } = new URL(request.url);
      const headers = { authorization: request.headers.get("authorization") ?? "" };
      const type = { "content-type": "application/json", accept: "application/json" };
      const init = { method: "POST", headers: { ...headers, ...type }, body: await request.text() };
      return fetch(gw.fake.url + pathname, init);
    },
  });
  const made = await channel({ base_url: `http://[::1]:${server.port}` });
  expect((await ask("openai")).status).toBe(200);
  expect(hosts).toEqual([`[::1]:${server.port}`]);
  await drop(made);
  await server.stop(true);
});

function selfSigned(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), "tf-cert-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = [
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-keyout",
    key,
    "-out",
    cert,
  ];
  execFileSync("openssl", ["req", ...made, ...name], { stdio: "ignore" });
  const pair = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  rmSync(folder, { recursive: true });
  return pair;
}

// Each is a 502 in the client's words, and the next request is served by a channel that is well.
const unreachable: [string, () => Promise<string>][] = [
  ["a name that does not exist", async () => "http://no-such-host.invalid"],
  [
    "a server that speaks no TLS",
    () =>
      listen("127.0.0.1", (socket) => socket.end("no\r\n")).then((at) => `https://127.0.0.1:${at}`),
  ],
  [
    "a certificate that nobody vouches for",
    async () => {
      const tls = selfSigned();
      const server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        tls,
        fetch: () => Response.json({}),
      });
      return `https://127.0.0.1:${server.port}`;
    },
  ],
];
test.each(unreachable)("%s is a 502", async (_name, start) => {
  const base_url = await start();
  const made = await channel({ base_url, priority: 9 });
  for (const client of CLIENTS)
    for (const stream of [false, true]) {
      const { message } = failed(client, await ask(client, { stream }), 502);
      expect(message).not.toMatch(/invalid|127\.0\.0\.1|certificate/);
    }
  await gw.server.setOption("RetryTimes", "1");
  const well = await channel({ base_url: gw.fake.url });
  expect((await ask("openai")).status).toBe(200);
  await Promise.all([drop(made), drop(well)]);
});
