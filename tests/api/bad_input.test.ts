// What no well-behaved client would send: a clear error, nothing changed, nothing leaked.
import { afterEach, describe, expect, test } from "bun:test";
import zlib from "node:zlib";
import { until } from "../support/eventually";
import { gateway } from "../support/gateway";
import type { Page, Token } from "../support/management";
import { RawConnection, type RawReply } from "../support/raw";
import { ROOT_ACCESS_TOKEN } from "../support/server";
import { errorOf, failed, PATHS, question, type Spoken } from "../support/shapes";
import { receive } from "../support/sse";

const gw = gateway({ env: { MAX_REQUEST_BODY_MB: "2" } });

const CLIENTS: Spoken[] = ["openai", "claude"];
const MODELS: Record<Spoken, string> = { openai: "gpt-4o", claude: "claude-sonnet-4-6" };
const MEGABYTE = 1024 * 1024;

/** A good body of a request that nobody else sends. */
let serial = 0;
function unique(client: Spoken = "openai"): { mark: string; body: string } {
  const mark = `mark-${++serial}`;
  return { mark, body: JSON.stringify(question(client, MODELS[client], { reply: mark })) };
}

const asked = (mark: string): number => gw.fake.find(mark).length;

afterEach(async () => {
  const { status } = await gw.post(PATHS.openai, unique().body);
  expect(status).toBe(200);
});

describe.each(CLIENTS)("a bad body from a %s client", (client) => {
  const good = question(client, MODELS[client], {});
  const model = JSON.stringify(MODELS[client]);
  const rest = client === "claude" ? ', "max_tokens": 5' : "";
  const text = `"messages":[{"role":"user","content":"hi"}]${rest}`;
  const deep = (levels: number): string =>
    `{"model":${model},${text},"x_deep":${"[".repeat(levels)}${"]".repeat(levels)}}`;

  const bodies: [string, string | Buffer][] = [
    ["nothing", ""],
    ["no JSON", "hello"],
    ["half a JSON", '{"model":"gpt-4o","messages":['],
    ["more than one JSON", `{"model":${model},${text}}{}`],
    ["an array", "[]"],
    ["a string", '"hi"'],
    ["null", "null"],
    ["no model", `{${text}}`],
    ["a null model", `{"model":null,${text}}`],
    ["a number as model", `{"model":5,${text}}`],
    ["an empty model", `{"model":"",${text}}`],
    ["an endless model", `{"model":"${"m".repeat(100_000)}",${text}}`],
    ["two models", `{"model":${model},"model":"gpt-5",${text}}`],
    ["an escaped second model", `{"model":${model},"\\u006dodel":"gpt-5",${text}}`],
    ["a trailing comma", `{"model":${model},${text},}`],
    ["a comment", `{"model":${model},/* */${text}}`],
    ["single quotes", `{'model':'x'}`],
    ["a bare NaN", `{"model":${model},${text},"temperature":NaN}`],
    ["a lone surrogate", `{"model":"\\ud800",${text}}`],
    [
      "a raw control character",
      `{"model":${model},"messages":[{"role":"user","content":"a\u0001b"}]${rest}}`,
    ],
    ["a zero byte in the name", `{"model":"${MODELS[client]}\\u0000x",${text}${rest}}`],
    ["a byte order mark in the middle", `{"model":\ufeff${model},${text}}`],
    [
      "invalid UTF-8",
      Buffer.concat([
        Buffer.from(`{"model":${model},"x":"`),
        Buffer.from([0xff, 0xfe, 0xc0]),
        Buffer.from(`",${text}}`),
      ]),
    ],
    [
      "overlong UTF-8",
      Buffer.concat([
        Buffer.from(`{"model":${model},"x":"`),
        Buffer.from([0xc0, 0xaf]),
        Buffer.from(`",${text}}`),
      ]),
    ],
    ["depth without end", deep(100_000)],
    ["only opening brackets", "[".repeat(MEGABYTE)],
    ["UTF-16", Buffer.from(`{"model":${model}}`, "utf16le")],
  ];
  test.each(bodies)("%s", async (_name, body) => {
    const before = gw.fake.stats.requests;
    const reply = await receive(await gw.post(PATHS[client], body));
    const error = failed(client, reply, 400, 404);
    expect(error.type).toMatch(/invalid_request_error|not_found_error/);
    expect(gw.fake.stats.requests).toBe(before);
  });

  const mistakes: [string, string][] = [
    ["stream as text", `{"model":${model},${text},"stream":"yes"}`],
    ["messages as text", `{"model":${model},"messages":"hi"${rest}}`],
    ["messages of numbers", `{"model":${model},"messages":[1,2]${rest}}`],
    ["no messages", `{"model":${model}${rest}}`],
  ];
  test.each(mistakes)("%s, whoever says so", async (_name, body) => {
    gw.allowRefusals();
    failed(client, await receive(await gw.post(PATHS[client], body)), 400);
  });

  test("a little depth is fine", async () => {
    if (client === "claude") return; // unknown members are the upstream's business there
    const reply = await receive(await gw.post(PATHS[client], deep(20)));
    expect(reply.status).toBe(200);
  });

  test("another content type", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      const headers = { "content-type": type };
      const reply = await receive(await gw.post(PATHS[client], good, { headers }));
      // some clients call it a text; but a page elsewhere could send a form
      if (type === "text/plain") expect(reply.status).toBe(200);
      else expect(failed(client, reply, 415).message).toContain("JSON");
    }
    const headers = { "content-type": "Application/JSON ; charset=utf-8" };
    expect((await gw.post(PATHS[client], good, { headers })).status).toBe(200);
  });

  test("costs one line in the log, and nothing else", async () => {
    const { admin } = gw.server;
    const owner = await gw.server.createUser();
    const { key } = await gw.newToken({}, owner);
    const before = [await admin.get(`/api/users/${owner.id}`), gw.fake.stats.requests];
    const deepest = deep(100_000);
    for (const body of ["{", deepest, `{"model":"no-such-model",${text}${rest}}`]) {
      const id = (await gw.post(PATHS[client], body, { key })).headers.get("x-request-id") ?? "";
      const lines = (): string[] => gw.server.lines.filter((line) => line.includes(id));
      await until("the line is there", () => lines().length > 0);
      expect(id).not.toBe("");
      expect(lines()).toHaveLength(1);
      expect(lines()[0]).toContain('"level":"info"');
    }
    expect([await admin.get(`/api/users/${owner.id}`), gw.fake.stats.requests]).toEqual(before);
    for (const type of [2, 5])
      expect(await gw.server.logs({ username: owner.user.username, type })).toEqual([]);
  });

  test("too large", async () => {
    const body = JSON.stringify({ ...good, x_pad: "x".repeat(2 * MEGABYTE) });
    failed(client, await receive(await gw.post(PATHS[client], body)), 413);
    const chunks = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 40; i++) controller.enqueue(new Uint8Array(64 * 1024).fill(32));
        controller.close();
      },
    });
    const response = await fetch(gw.server.url + PATHS[client], {
      method: "POST",
      body: chunks,
      headers: { authorization: `Bearer ${gw.token.key}`, "content-type": "application/json" },
    }).catch(() => undefined);
    if (response) expect(response.status).toBe(413);
  });

  test("an unknown path and a wrong method", async () => {
    const get = await fetch(gw.server.url + PATHS[client], {
      headers: { authorization: `Bearer ${gw.token.key}` },
    });
    const reply = await receive(get);
    expect([404, 405]).toContain(reply.status);
    errorOf(client, JSON.parse(reply.text));
    const lost = await receive(await gw.post("/v1/no/such/path", good));
    failed("openai", lost, 404);
  });
});

describe("compressed requests", () => {
  const codings: [string, (bytes: Buffer) => Buffer][] = [
    ["gzip", zlib.gzipSync],
    ["deflate", zlib.deflateSync],
    ["br", zlib.brotliCompressSync],
    ["zstd", zlib.zstdCompressSync],
  ];

  const send = async (coding: string, body: Buffer): ReturnType<typeof receive> =>
    receive(await gw.post(PATHS.openai, body, { headers: { "content-encoding": coding } }));

  test.each(codings)("%s is understood", async (coding, compress) => {
    const { mark, body } = unique();
    const reply = await send(coding, compress(Buffer.from(body)));
    expect(reply.status).toBe(200);
    expect(reply.text).toContain(mark);
    expect(gw.lastSeen.raw.toString()).toBe(body);
    expect(gw.lastSeen.headers["content-encoding"]).toBeUndefined();
  });

  test.each(codings)("a bomb in %s is a 413", async (coding, compress) => {
    const bomb = compress(Buffer.alloc(200 * MEGABYTE, 32));
    expect(bomb.length).toBeLessThan(MEGABYTE);
    failed("openai", await send(coding, bomb), 413);
  });

  test.each(codings)("broken %s is a 400", async (coding, compress) => {
    const good = compress(Buffer.from(unique().body));
    const flipped = Buffer.from(good);
    flipped[0] = (flipped[0] ?? 0) ^ 0xff;
    for (const body of [good.subarray(0, good.length - 8), flipped, Buffer.from("{}")]) {
      failed("openai", await send(coding, body), 400);
    }
  });

  test("an unknown coding is a 415", async () => {
    failed("openai", await send("compress", Buffer.from(unique().body)), 415);
    failed("openai", await send("gzip, gzip, gzip, gzip", Buffer.from("x")), 400, 415);
  });
});

describe("bad input to the management API", () => {
  const bodies = [
    "",
    "x",
    "[]",
    "null",
    '{"name":',
    '{"name":"a","name":"b"}',
    '{"name":"\\ud800"}',
  ];
  test.each(bodies)("a body like %p", async (body) => {
    const api = await gw.owner.api();
    const before = (await api.get<Page<Token>>("/api/token/")).total;
    await api.fail(400, "POST", "/api/token/", body);
    expect((await api.get<Page<Token>>("/api/token/")).total).toBe(before);
  });

  test("depth and size", async () => {
    const api = await gw.owner.api();
    await api.fail(400, "POST", "/api/token/", `{"name":${"[".repeat(50_000)}`);
    await api.fail(413, "POST", "/api/token/", `{"name":"${"x".repeat(3 * MEGABYTE)}"}`);
  });

  test("invalid UTF-8", async () => {
    const response = await fetch(`${gw.server.url}/api/user/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Buffer.concat([
        Buffer.from('{"username":"'),
        Buffer.from([0xff]),
        Buffer.from('","password":"x"}'),
      ]),
    });
    expect(response.status).toBe(400);
  });

  test.each(["0", "-1", "99999999999999999999", "x", "1.5", "1%00", "%2e%2e", "1;drop"])(
    "an id like %p",
    async (id) => {
      for (const path of [`/api/users/${id}`, `/api/channel/${id}`, `/api/token/${id}`]) {
        const { response } = await gw.server.admin.call("GET", path);
        expect([400, 404]).toContain(response.status);
      }
    },
  );

  test("text that is SQL stays text", async () => {
    const name = "'; DROP TABLE tokens; --";
    const token = await gw.newToken({ name });
    const api = await gw.owner.api();
    const found = await api.get<Page<Token>>(
      `/api/token/search?keyword=${encodeURIComponent(name)}`,
    );
    expect(found.items.map((row) => row.id)).toEqual([token.id]);
  });

  test("percent signs are no wildcards", async () => {
    const api = await gw.owner.api();
    await gw.newToken({ name: "100% sure" });
    const found = await api.get<Page<Token>>("/api/token/search?keyword=100%25%20s");
    expect(found.items.map((row) => row.name)).toEqual(["100% sure"]);
    expect((await api.get<Page<Token>>("/api/token/search?keyword=1%25sure")).items).toEqual([]);
  });

  test("a query that is broken", async () => {
    for (const query of ["%", "%zz", "p=1&p=2&p=", "=&&==", "a[b]=c"]) {
      const { response } = await gw.server.admin.call("GET", `/api/users?${query}`);
      expect([200, 400]).toContain(response.status);
    }
  });
});

describe("HTTP itself", () => {
  const head = (lines: string[]): string =>
    [`POST ${PATHS.openai} HTTP/1.1`, ...lines, "", ""].join("\r\n");
  const host = (): string => `Host: 127.0.0.1:${gw.server.port}`;
  const auth = (): string => `Authorization: Bearer ${gw.token.key}`;
  const json = "Content-Type: application/json";

  async function exchange(bytes: string | Buffer): Promise<RawReply | undefined> {
    const connection = await RawConnection.open(gw.server.port);
    try {
      connection.send(bytes);
      return await connection.reply();
    } finally {
      connection.close();
    }
  }

  /** Sends something that must be refused, and a request behind it that must not run. */
  async function smuggle(lines: string[], body: string): Promise<void> {
    const { mark, body: hidden } = unique();
    const behind = `${head([host(), auth(), json, `Content-Length: ${hidden.length}`])}${hidden}`;
    const connection = await RawConnection.open(gw.server.port);
    connection.send(`${head([host(), auth(), json, ...lines])}${body}${behind}`);
    const reply = await connection.reply();
    expect([400, 501]).toContain(reply?.status ?? 0); // 501: a transfer coding nobody knows
    expect(await connection.closed()).toBe(true);
    connection.close();
    expect(asked(mark)).toBe(0);
  }

  const smuggling: [string, string[], string][] = [
    ["both lengths", ["Content-Length: 5", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
    [
      "both lengths, the other way round",
      ["Transfer-Encoding: chunked", "Content-Length: 5"],
      "0\r\n\r\n",
    ],
    ["two different lengths", ["Content-Length: 2", "Content-Length: 3"], "{}"],
    ["two lengths in one", ["Content-Length: 2, 3"], "{}"],
    ["a signed length", ["Content-Length: +2"], "{}"],
    ["a negative length", ["Content-Length: -1"], ""],
    ["a hexadecimal length", ["Content-Length: 0x2"], "{}"],
    ["a length without end", ["Content-Length: 99999999999999999999999"], "{}"],
    ["a length of nothing", ["Content-Length: "], ""],
    ["two codings", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], "0\r\n\r\n"],
    ["chunked that is not last", ["Transfer-Encoding: chunked, gzip"], "0\r\n\r\n"],
    ["an unknown coding", ["Transfer-Encoding: xchunked"], "0\r\n\r\n"],
    ["chunked behind a vertical tab", ["Transfer-Encoding: \x0bchunked"], "0\r\n\r\n"],
    ["obsolete folding", ["X-Folded: a", " b", "Content-Length: 2"], "{}"],
    ["a blank before the colon", ["Content-Length : 2"], "{}"],
    ["a blank in a name", ["X Y: 1", "Content-Length: 2"], "{}"],
    ["a zero byte in a value", ["X-Nul: a\0b", "Content-Length: 2"], "{}"],
    ["a bare CR in a value", ["X-Cr: a\rb", "Content-Length: 2"], "{}"],
    ["no name", [": x", "Content-Length: 2"], "{}"],
    ["a chunk size that is none", ["Transfer-Encoding: chunked"], "xyz\r\n{}\r\n0\r\n\r\n"],
    [
      "a chunk size without end",
      ["Transfer-Encoding: chunked"],
      "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    ],
    ["a signed chunk size", ["Transfer-Encoding: chunked"], "-2\r\n{}\r\n0\r\n\r\n"],
    ["a chunk longer than it says", ["Transfer-Encoding: chunked"], "1\r\n{}\r\n0\r\n\r\n"],
  ];
  test.each(smuggling)("refuses %s", async (_name, lines, body) => {
    await smuggle(lines, body);
  });

  test.each([
    ["openai", "/v1/chat/completions", { error: { type: "invalid_request_error" } }],
    ["claude", "/v1/messages?beta=true", { type: "error" }],
    ["gemini", "/v1beta/models/m:generateContent", { error: { status: "INVALID_ARGUMENT" } }],
    ["management", "/api/token", { success: false, code: "bad_request" }],
  ])("is refused in the words of the path: %s", async (_name, path, words) => {
    const smuggled = ["Content-Length: 5", "Transfer-Encoding: chunked"];
    const reply = await exchange(
      [`POST ${path} HTTP/1.1`, host(), ...smuggled, "", "0\r\n\r\n"].join("\r\n"),
    );
    expect(reply?.status).toBe(400);
    expect(JSON.parse(reply?.body.toString() ?? "")).toMatchObject(words);
    expect(reply?.headers["x-request-id"]).toBeDefined();
    const large = await exchange(
      [`POST ${path} HTTP/1.1`, host(), `X-Big: ${"x".repeat(70_000)}`, "", ""].join("\r\n"),
    );
    expect(large?.status).toBe(431);
    const slow = await exchange(`POST ${path} HTTP/1.1\r\n${host()}\r\n`);
    expect(slow?.status).toBe(408);
  });

  const lines: [string, string][] = [
    ["no version", "GET /healthz\r\n\r\n"],
    ["another protocol", "GET /healthz FTP/1.1\r\nHost: x\r\n\r\n"],
    ["HTTP/2 in plain text", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["no Host", "GET /healthz HTTP/1.1\r\n\r\n"],
    ["two Hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
    ["an unknown method", "BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a blank in the path", "GET /healthz extra HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a proxy's request", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n"],
  ];
  test.each(lines)("refuses %s", async (_name, bytes) => {
    const reply = await exchange(Buffer.from(bytes, "latin1"));
    expect([400, 404, 405, 501, 505]).toContain(reply?.status ?? 0);
  });

  test("climbing paths stay inside", async () => {
    for (const path of [
      "/../../etc/passwd",
      "/%2e%2e/%2e%2e/etc/passwd",
      "/..%2f..%2fetc/passwd",
      "/%00",
    ]) {
      const reply = await exchange(
        `GET ${path} HTTP/1.1\r\n${host()}\r\nConnection: close\r\n\r\n`,
      );
      expect(reply?.body.toString() ?? "").not.toContain("root:");
    }
  });

  test("takes equal lengths said twice, or refuses them", async () => {
    const { body } = unique();
    const length = `Content-Length: ${body.length}`;
    const reply = await exchange(head([host(), auth(), json, length, length]) + body);
    expect([200, 400]).toContain(reply?.status ?? 0);
  });

  test("headers over the limit are a 431", async () => {
    for (const lines of [
      [`X-Big: ${"x".repeat(70_000)}`],
      Array.from({ length: 3000 }, (_, i) => `X-${i}: ${"y".repeat(30)}`),
    ]) {
      const reply = await exchange(
        `GET /healthz HTTP/1.1\r\n${host()}\r\n${lines.join("\r\n")}\r\n\r\n`,
      );
      expect(reply?.status).toBe(431);
    }
    const url = await exchange(`GET /${"u".repeat(70_000)} HTTP/1.1\r\n${host()}\r\n\r\n`);
    expect(url?.status).toBe(431);
  });

  test("headers that never end are a 408, and so is a body", async () => {
    const { body } = unique();
    const starts = [
      `GET /healthz HTTP/1.1\r\n${host()}\r\nX-Slow: `,
      `${head([host(), auth(), json, `Content-Length: ${body.length}`])}${body.slice(0, 5)}`,
      `${head([host(), auth(), json, "Transfer-Encoding: chunked"])}5\r\n{"mo`,
    ];
    for (const start of starts) {
      const connection = await RawConnection.open(gw.server.port);
      connection.send(start);
      expect((await connection.reply())?.status).toBe(408);
      expect(await connection.closed()).toBe(true);
      connection.close();
    }
  });

  test("a connection that says nothing costs nobody else anything", async () => {
    const idle = await Promise.all(
      Array.from({ length: 50 }, () => RawConnection.open(gw.server.port)),
    );
    expect((await gw.post(PATHS.openai, unique().body)).status).toBe(200);
    for (const connection of idle) connection.close();
  });

  test("pipelined requests are answered in order", async () => {
    const marks = Array.from({ length: 8 }, () => unique());
    const connection = await RawConnection.open(gw.server.port);
    connection.send(
      marks
        .map(
          ({ body }) => `${head([host(), auth(), json, `Content-Length: ${body.length}`])}${body}`,
        )
        .join(""),
    );
    for (const { mark } of marks) {
      const reply = await connection.reply();
      expect(reply?.status).toBe(200);
      expect(reply?.body.toString()).toContain(mark);
    }
    connection.close();
  });

  test("a request byte by byte is a request", async () => {
    const { mark, body } = unique();
    const bytes = Buffer.from(
      `${head([host(), auth(), json, `Content-Length: ${body.length}`])}${body}`,
    );
    const connection = await RawConnection.open(gw.server.port);
    for (const byte of bytes) {
      connection.send(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    expect((await connection.reply())?.body.toString()).toContain(mark);
    connection.close();
  });

  test("chunked bodies, with extensions and trailers, are bodies", async () => {
    const { mark, body } = unique();
    const [a, b] = [body.slice(0, 10), body.slice(10)];
    const size = b.length.toString(16).toUpperCase();
    const chunked = `a;ext=1\r\n${a}\r\n${size}\r\n${b}\r\n0\r\nX-Trailer: 1\r\n\r\n`;
    const reply = await exchange(
      head([host(), auth(), json, "Transfer-Encoding: chunked"]) + chunked,
    );
    expect(reply?.status).toBe(200);
    expect(reply?.body.toString()).toContain(mark);
  });

  test("the connection lives on after an error", async () => {
    const connection = await RawConnection.open(gw.server.port);
    connection.send(`${head([host(), auth(), json, "Content-Length: 3"])}{"a`);
    expect((await connection.reply())?.status).toBe(400);
    const { mark, body } = unique();
    connection.send(`${head([host(), auth(), json, `Content-Length: ${body.length}`])}${body}`);
    expect((await connection.reply())?.body.toString()).toContain(mark);
    connection.close();
  });

  test("Expect: 100-continue is answered before the body, or refused", async () => {
    const { mark, body } = unique();
    const expecting = (length: number, key = auth()): string =>
      head([host(), key, json, "Expect: 100-continue", `Content-Length: ${length}`]);
    const connection = await RawConnection.open(gw.server.port);
    connection.send(expecting(body.length));
    const interim: number[] = [];
    const reply = connection.reply({
      onInterim: (status) => {
        interim.push(status);
        connection.send(body);
      },
    });
    expect((await reply)?.body.toString()).toContain(mark);
    expect(interim).toEqual([100]);
    connection.close();
    const refused = await exchange(expecting(50 * MEGABYTE));
    expect(refused?.status).toBe(413);
  });

  test("HEAD answers like GET, without the body", async () => {
    const connection = await RawConnection.open(gw.server.port);
    connection.send(`HEAD /healthz HTTP/1.1\r\n${host()}\r\n\r\n`);
    const first = await connection.reply({ head: true });
    connection.send(`GET /healthz HTTP/1.1\r\n${host()}\r\n\r\n`);
    const second = await connection.reply();
    expect([first?.status, second?.status]).toEqual([200, 200]);
    expect(first?.headers["content-type"]).toBe(second?.headers["content-type"] ?? "");
    connection.close();
  });

  test("agents that look whether anybody is there find the door", async () => {
    const connection = await RawConnection.open(gw.server.port);
    connection.send(`HEAD / HTTP/1.1\r\n${host()}\r\n\r\n`);
    expect((await connection.reply({ head: true }))?.status).toBe(200);
    connection.close();
  });

  test("HTTP/1.0 and Connection: close end the connection", async () => {
    for (const request of [
      "GET /healthz HTTP/1.0\r\n\r\n",
      `GET /healthz HTTP/1.1\r\n${host()}\r\nConnection: close\r\n\r\n`,
    ]) {
      const connection = await RawConnection.open(gw.server.port);
      connection.send(request);
      expect((await connection.reply())?.status).toBe(200);
      expect(await connection.closed()).toBe(true);
      connection.close();
    }
  });

  test("JSON is compressed when asked, and only then", async () => {
    const get = (coding: string): Promise<RawReply | undefined> =>
      exchange(
        [
          "GET /api/option/ HTTP/1.1",
          host(),
          `Authorization: Bearer ${ROOT_ACCESS_TOKEN}`,
          `Accept-Encoding: ${coding}`,
          "",
          "",
        ].join("\r\n"),
      );
    const [plain, packed] = [await get("identity"), await get("gzip")];
    expect(plain?.headers["content-encoding"]).toBeUndefined();
    expect(packed?.headers["content-encoding"]).toBe("gzip");
    expect(packed?.headers["vary"]?.toLowerCase()).toContain("accept-encoding");
    expect(zlib.gunzipSync(packed?.body ?? "").toString()).toBe(plain?.body.toString() ?? "");
  });

  test("a client that resets in the middle of everything harms nobody", async () => {
    const { body } = unique();
    const whole = `${head([host(), auth(), json, `Content-Length: ${body.length}`])}${body}`;
    for (let at = 1; at < whole.length; at += 17) {
      const connection = await RawConnection.open(gw.server.port);
      connection.send(whole.slice(0, at));
      connection.close();
    }
  });
});
