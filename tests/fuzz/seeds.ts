// The corpora that fuzzing begins with: the conversations of tests/wire, taken apart, and a few
// plain samples for what they do not have.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import zlib from "node:zlib";

/** Variant bytes, taken from the end of an input (tests/fuzz/input.h): several of each seed. */
const TAILS = ["\0\0\0", "\x01\x01\0", "\x80\x03\x01", "\0\x02\x40"];
/** How many of them a target takes, by the first part of its name; else two. */
const TAKEN: Record<string, number> = { request: 3, whole: 1 };

type Add = (target: string, text: string | Uint8Array, tails?: string[]) => void;

interface Section {
  name: string;
  head: string;
  body: string;
}

function sections(text: string): Section[] {
  const out: Section[] = [];
  for (const line of text.split("\n")) {
    const [, name, head = ""] = /^([a-z ]+):(?: (.*))?$/.exec(line) ?? [];
    const known = /^(provider|base|key|model|other|header|caller|upstream \w+|caller gets|usage)$/;
    if (name !== undefined && known.test(name)) out.push({ name, head, body: "" });
    else if (out.length > 0) (out.at(-1) as Section).body += `${line}\n`;
  }
  return out;
}

const isClaude = (body: string): boolean =>
  /"type":\s*"(message|message_start|content_block_delta|error)"/.test(body);

const isResponses = (body: string): boolean =>
  /"object":\s*"response"|"type":\s*"response\./.test(body);

const isCohere = (body: string): boolean =>
  /"type":\s*"message-(start|end)"|"billed_units"/.test(body);

const isBedrock = (body: string): boolean => /"stopReason"|"contentBlockIndex"|"__type"/.test(body);

function spoken(head: string): string {
  if (head.includes("/converse")) return "bedrock";
  if (head.includes("/v2/chat")) return "cohere";
  if (head.includes("/responses")) return "responses";
  return head.includes("/messages") ? "claude" : "openai";
}

function addCase(text: string, add: Add): void {
  for (const { name, head, body } of sections(text)) {
    if (name === "caller") {
      add(`request-${spoken(head)}`, body.trim());
      add("json", body.trim());
      add("outline", body.trim().replaceAll(/": ?"/g, '":"@'));
      add(
        "http-server",
        `${head} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.trim().length}\r\n\r\n${body.trim()}`,
      );
    }
    if (name !== "upstream answers" && name !== "caller gets") continue;
    const named = isResponses(body) ? "responses" : isClaude(body) ? "claude" : "openai";
    const dialect = isBedrock(body) ? "bedrock" : isCohere(body) ? "cohere" : named;
    if (head.includes("vnd.amazon.eventstream")) {
      add("stream-bedrock", body.trim());
      if (head.includes(" hex")) add("eventstream", Buffer.from(body.replace(/\s/g, ""), "hex"));
      continue;
    }
    const streams = head.includes("event-stream");
    add(`${streams ? "stream" : "whole"}-${dialect}`, streams ? `${body.trim()}\n\n` : body.trim());
    add(streams ? "sse" : "json", body.trim());
    const fields = `Content-Type: ${streams ? "text/event-stream" : "application/json"}`;
    add(
      "http-client",
      `HTTP/1.1 200 OK\r\n${fields}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
}

const PLAIN = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
const CHUNKS = "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\n\r\n";

const REQUESTS = [
  PLAIN + PLAIN,
  `POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}${PLAIN}`,
  `POST /hold HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}${PLAIN}`,
  "HEAD /abort HTTP/1.0\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n\r\n",
  "GET http://a/deny?x=%20 HTTP/1.1\r\nhost: a\r\n folded: no\r\n\r\n",
];
const ANSWERS = [
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
  "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.0 200 OK\r\n\r\nuntil the end",
  "HTTP/1.1 302 Found\r\nLocation: http://b/\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
];
/** By the reader that the last byte chooses (tests/fuzz/fuzz_texts.c). */
const TEXTS = [
  ["https://u:p%40@host:8443/a/b?c=d&key=e+f", "http://[2001:db8::1]/", "socks5://h"],
  ["10.0.0.0/8, 192.168.1.1\n2001:db8::/32", "::ffff:1.2.3.4", "1.1.1.1, 10.0.0.1, 127.0.0.2"],
  ["tf1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "aGVsbG8=", "plain"],
  [
    '{"on":true,"small":-5,"big":1e15,"real":0.5,"text":"x","json":"{}","secret":"s"}',
    "true",
    "-1",
  ],
];

function png(width: number, height: number): Buffer {
  const out = Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\0\0\x08\x02\0\0\0", "latin1");
  out.writeUInt32BE(width, 16);
  out.writeUInt32BE(height, 20);
  return out;
}

function addSamples(add: Add): void {
  for (const text of REQUESTS) add("http-server", text);
  for (const text of ANSWERS)
    add("http-client", text, ["\0\0", "\x02\x80", "\x04\x40", "\x01\xff", "\x08\x20"]);
  TEXTS.forEach((texts, which) => {
    for (const text of texts) add("texts", text, [String.fromCharCode(which)]);
  });
  const body = "hello hello hello hello";
  const packed = [zlib.gzipSync, zlib.deflateSync, zlib.brotliCompressSync, zlib.zstdCompressSync];
  packed.forEach((pack, which) => {
    add("encoding", pack(body), [
      `\x03${String.fromCharCode(which)}`,
      `\xff${String.fromCharCode(which)}`,
    ]);
    const coding = ["gzip", "deflate", "br", "zstd"][which];
    const bytes = pack(body);
    const head = `Content-Encoding: ${coding}\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    add(
      "http-server",
      Buffer.concat([Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\n${head}`), bytes]),
    );
    add("http-client", Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${head}`), bytes]));
  });
  const words = [
    "Hello, world! It's 12345 o'clock.",
    "漢字かな交じり文 \u{1f600}\u{1f44d}",
    "a".repeat(300),
  ];
  for (const text of words)
    add("tokenizer", text, ["\0\0", "\x03\x01", "\x01\x02", "\x02\x03", "\x05\x04"]);
  for (const bytes of [
    png(640, 480),
    Buffer.from("GIF89a\x10\0\x20\0\0\0\0"),
    Buffer.from("RIFF\0\0\0\0WEBPVP8X"),
  ])
    add("tokenizer", bytes, ["\0\x08"]);
  add("tokenizer", `data:image/png;base64,${png(9, 9).toString("base64")}`, ["\0\x08"]);
  for (const text of ["\x01\x04\x0arequest_id\x02\x05quota", "\0\x04abcd\x02\x7f", "\x02\0\0\0\0"])
    add("journal", text, ["\x80\x03", "\x80\x02", "\0\x04", "\x40\x07", "\x40\x01"]);
  add("sse", "\ufeffevent: a\r\ndata: 1\r\ndata:2\r\rdata\n\n: c\n\ndata: x");
}

/** Writes them all below `folder`, a folder for each target. */
export function writeSeeds(folder: string): void {
  const counts = new Map<string, number>();
  const add: Add = (target, text, tails) => {
    const taken = TAKEN[target.split("-")[0] ?? ""] ?? 2;
    for (const tail of tails ?? TAILS.map((bytes) => bytes.slice(-taken))) {
      const n = counts.get(target) ?? 0;
      counts.set(target, n + 1);
      mkdirSync(join(folder, target), { recursive: true });
      writeFileSync(
        join(folder, target, `seed-${n}`),
        Buffer.concat([Buffer.from(text), Buffer.from(tail, "latin1")]),
      );
    }
  };
  for (const path of new Bun.Glob("tests/wire/**/*.case").scanSync("."))
    addCase(readFileSync(path, "utf8"), add);
  addSamples(add);
}
