// A strict fake upstream: OpenAI, Anthropic, Google, Cohere and Azure, broken on request.
//
//   const fake = await startFake();             // in a test
//   bun tests/support/fake.ts --port 4010       // alone; GET /__fake/stats, /__fake/requests
//
// `${fake.url}` is the base URL of a channel; `${fake.url}/proxy/<name>` is another base URL with a
// route name, so that one directive can treat channels differently. What a request may ask for is
// told in fake/directives.ts.
import { randomBytes } from "node:crypto";
import net from "node:net";
import {
  Answer,
  type Dialect,
  isBedrock,
  isClaude,
  isGemini,
  isResponses,
  type Seen,
} from "./fake/answer";
import * as bedrock from "./fake/bedrock";
import { type Json, isObject, Refusal } from "./fake/check";
import * as claude from "./fake/claude";
import * as cohere from "./fake/cohere";
import { type Directives, directivesOf } from "./fake/directives";
import * as gemini from "./fake/gemini";
import * as openai from "./fake/openai";
import * as responses from "./fake/responses";
import { BadRequest, Ended, Reader, readRequest, Reply, type WireRequest } from "./fake/wire";

export { ask, modelAsking, type Directives, type UsageNumbers } from "./fake/directives";
export type { Dialect, Seen } from "./fake/answer";
export { EXTRA_BETA, signature } from "./fake/claude";
export { callSignature } from "./fake/gemini";
export {
  AWS_ACCESS_KEY,
  AWS_API_KEY,
  AWS_REGION,
  AWS_SECRET,
  AWS_SESSION,
  REDACTED,
  reasoningSignature,
} from "./fake/bedrock";

export const OPENAI_KEY = "sk-fake-0001";
export const CLAUDE_KEY = "sk-ant-fake-0001";
export const GEMINI_KEY = "AIza-fake-0001";
export const COHERE_KEY = "co-fake-0001";

export interface Stats {
  connections: number;
  requests: number;
  refused: number;
  complete: number;
  cut: number;
  gone: number;
}

export interface FakeOptions {
  port?: number;
  /** Requests remembered; the oldest are forgotten. */
  keep?: number;
  models?: string[];
}

export interface Fake {
  url: string;
  port: number;
  models: string[];
  requests: Seen[];
  stats: Stats;
  /** The wish for every request on a route or with a key, over whatever the request itself asks. */
  behave(routeOrKey: string, wish: Directives | undefined): void;
  /** Lets a held reply go on. */
  release(name: string): void;
  /** A secret that must never reach the upstream. */
  forbid(secret: string): void;
  /** Requests that a real provider would have refused, since the last call of it. */
  refusals(): Seen[];
  /** The requests whose body or headers contain `text`. */
  find(text: string): Seen[];
  close(): Promise<void>;
}

interface Endpoint {
  /** Undefined: both know the path, and a header tells them apart. */
  dialect?: Dialect;
  method: "GET" | "POST" | "DELETE";
  path: RegExp;
  check?: (body: Json, headers: Record<string, string>) => void;
  serve: (asked: openai.Asked, reply: Answer, fake: Server) => Promise<void>;
}

const ENDPOINTS: Endpoint[] = [
  {
    dialect: "openai",
    method: "POST",
    path: /^\/v1\/chat\/completions$/,
    check: openai.checkChat,
    serve: chat,
  },
  {
    dialect: "openai",
    method: "POST",
    path: /^\/v1\/completions$/,
    check: openai.checkCompletion,
    serve: completion,
  },
  {
    dialect: "openai",
    method: "POST",
    path: /^\/v1\/embeddings$/,
    check: openai.checkEmbedding,
    serve: embedding,
  },
  {
    dialect: "openai",
    method: "POST",
    path: /^\/v1\/responses$/,
    check: responses.checkResponses,
    serve: response,
  },
  {
    dialect: "openai",
    method: "POST",
    path: /^\/v1\/responses\/input_tokens$/,
    check: responses.checkResponses,
    serve: (_, reply) => reply.json(200, { object: "response.input_tokens", input_tokens: 42 }),
  },
  {
    dialect: "openai",
    method: "POST",
    path: /^\/v1\/responses\/compact$/,
    check: responses.checkResponses,
    serve: compact,
  },
  { dialect: "openai", method: "GET", path: /^\/v1\/responses\/[\w-]+$/, serve: shown },
  {
    dialect: "openai",
    method: "GET",
    path: /^\/v1\/responses\/[\w-]+\/input_items$/,
    serve: inputItems,
  },
  { dialect: "openai", method: "DELETE", path: /^\/v1\/responses\/[\w-]+$/, serve: deleted },
  {
    dialect: "openai",
    method: "POST",
    path: /^\/v1\/responses\/[\w-]+\/cancel$/,
    serve: cancelled,
  },
  {
    dialect: "azure",
    method: "POST",
    path: /^\/openai\/responses$/,
    check: responses.checkResponses,
    serve: response,
  },
  {
    dialect: "claude",
    method: "POST",
    path: /^\/v1\/messages$/,
    check: claude.checkMessages,
    serve: message,
  },
  {
    dialect: "azure",
    method: "POST",
    path: /^\/openai\/deployments\/[^/]+\/chat\/completions$/,
    check: openai.checkChat,
    serve: chat,
  },
  {
    dialect: "gemini",
    method: "POST",
    path: /^\/v1beta\/models\/[^/]+:(stream)?[gG]enerateContent$/,
    check: gemini.checkGenerate,
    serve: generate,
  },
  {
    dialect: "gemini",
    method: "POST",
    path: /^\/v1beta\/models\/[^/]+:countTokens$/,
    serve: countTokens,
  },
  { dialect: "gemini", method: "GET", path: /^\/v1beta\/models$/, serve: models },
  {
    dialect: "cohere",
    method: "POST",
    path: /^\/v2\/chat$/,
    check: cohere.checkChat,
    serve: cohereChat,
  },
  {
    dialect: "bedrock",
    method: "POST",
    path: /^\/model\/[^/]+\/converse(-stream)?$/,
    check: bedrock.checkConverse,
    serve: converse,
  },
  {
    dialect: "bedrock",
    method: "POST",
    path: /^\/model\/[^/]+\/count-tokens$/,
    check: bedrock.checkCount,
    serve: countTokens,
  },
  {
    dialect: "bedrock",
    method: "GET",
    path: /^\/(foundation-models|inference-profiles)$/,
    serve: models,
  },
  { method: "GET", path: /^\/v1\/models$/, serve: models },
];

/** Headers that belong to the hop between client and gateway, and must not come further. */
const FORBIDDEN = new RegExp(
  "^(cookie|forwarded|via|x-forwarded-.*|x-real-ip|x-csrf-token|cf-.*" +
    "|keep-alive|te|trailer|upgrade|proxy-.*)$",
);

class Server implements Fake {
  requests: Seen[] = [];
  stats: Stats = { connections: 0, requests: 0, refused: 0, complete: 0, cut: 0, gone: 0 };
  port = 0;
  readonly models: string[];
  readonly kept = new responses.Kept();
  private readonly keep: number;
  private readonly run = randomBytes(4).toString("hex");
  private readonly behaviours = new Map<string, Directives>();
  private readonly held = new Map<string, (() => void)[]>();
  private readonly released = new Set<string>();
  private readonly secrets = new Set<string>();
  private readonly sockets = new Set<net.Socket>();
  private refused: Seen[] = [];
  private readonly listener = net.createServer(
    { noDelay: true },
    (socket) => void this.converse(socket),
  );

  constructor(private readonly options: FakeOptions) {
    this.keep = options.keep ?? 20_000;
    this.models = options.models ?? [
      "gpt-4o",
      "gpt-5",
      "claude-sonnet-4-6",
      "fake-model",
      "us.fake-profile",
    ];
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.listener.once("error", reject);
      this.listener.listen(this.options.port ?? 0, "127.0.0.1", resolve);
    });
    this.port = (this.listener.address() as net.AddressInfo).port;
  }

  behave(routeOrKey: string, wish: Directives | undefined): void {
    if (wish) this.behaviours.set(routeOrKey, wish);
    else this.behaviours.delete(routeOrKey);
  }

  release(name: string): void {
    this.released.add(name);
    for (const go of this.held.get(name) ?? []) go();
    this.held.delete(name);
  }

  forbid(secret: string): void {
    this.secrets.add(secret);
  }

  refusals(): Seen[] {
    const out = this.refused;
    this.refused = [];
    return out;
  }

  find(text: string): Seen[] {
    return this.requests.filter(
      (seen) => seen.raw.includes(text) || JSON.stringify(seen.rawHeaders).includes(text),
    );
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.listener.close(() => resolve()));
  }

  /** Waits until somebody calls release, or the peer leaves. */
  async wait(name: string, socket: net.Socket): Promise<void> {
    if (this.released.has(name)) return;
    const ends = ["close", "end"];
    await new Promise<void>((resolve) => {
      const go = (): void => {
        for (const end of ends) socket.off(end, go);
        resolve();
      };
      this.held.set(name, [...(this.held.get(name) ?? []), go]);
      for (const end of ends) socket.once(end, go);
    });
  }

  private async converse(socket: net.Socket): Promise<void> {
    const connection = ++this.stats.connections;
    this.sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => this.sockets.delete(socket));
    const reader = new Reader(socket);
    try {
      for (;;) {
        const request = await readRequest(reader);
        if (!request) break;
        if (await this.answer(request, socket, connection)) break;
      }
      socket.end();
    } catch (error) {
      if (error instanceof BadRequest) this.refuseConnection(error, socket, connection);
      else if (!(error instanceof Ended)) throw error;
    }
  }

  /** Not even HTTP: there is no request to speak of, but tests must hear of it. */
  private refuseConnection(error: BadRequest, socket: net.Socket, connection: number): void {
    const seen = this.remember(
      { method: "", target: "", version: "", rawHeaders: [], headers: {}, body: Buffer.alloc(0) },
      connection,
      "",
      "openai",
    );
    this.refuse(seen, error.message);
    seen.outcome = "complete";
    if (socket.writable)
      socket.end(`HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  }

  /** Serves one request; answers whether the connection must end. */
  private async answer(
    request: WireRequest,
    socket: net.Socket,
    connection: number,
  ): Promise<boolean> {
    if (request.target.startsWith("/__fake/")) return this.control(request, socket);
    const [, route = "", target = ""] = /^(?:\/proxy\/([^/?]+))?(.*)$/s.exec(request.target) ?? [];
    const path = target.split("?")[0] ?? "";
    const endpoint = ENDPOINTS.find((row) => row.path.test(path) && row.method === request.method);
    const dialect =
      endpoint?.dialect ??
      (request.headers["anthropic-version"] !== undefined
        ? "claude"
        : target.includes("page_size=")
          ? "cohere"
          : "openai");
    const seen = this.remember(request, connection, route, dialect);
    const reply = new Answer(socket, request, seen, (name) => this.wait(name, socket));
    try {
      await this.serve(endpoint, seen, request, reply);
      seen.outcome = "complete";
      this.stats.complete++;
      return reply.closes;
    } catch (error) {
      if (error instanceof Refusal) {
        this.refuse(seen, error.message);
        await reply.refuse(error);
        seen.outcome = "complete";
        return reply.closes;
      }
      if (!(error instanceof Ended)) throw error;
      seen.outcome = error.why;
      this.stats[error.why]++;
      throw error;
    } finally {
      seen.status = reply.status;
    }
  }

  private async serve(
    endpoint: Endpoint | undefined,
    seen: Seen,
    request: WireRequest,
    reply: Answer,
  ): Promise<void> {
    const key = await this.checkHeaders(seen, request);
    const behaviour = { ...this.behaviours.get(seen.route), ...this.behaviours.get(key) };
    if (!endpoint)
      throw new Refusal(
        404,
        `Invalid URL (${seen.method} ${seen.path})`,
        isClaude(seen.dialect) ? "not_found_error" : "invalid_request_error",
      );
    const bare = seen.path.endsWith("/cancel");
    if (endpoint.method === "POST" && !bare) seen.body = parseBody(request);
    else if (request.body.length > 0) throw new Refusal(400, "a body where none belongs");
    const { dialect } = seen;
    const parser = parserOf(dialect, seen.path);
    const model = modelOf(seen);
    seen.wish = {
      ...directivesOf({
        model,
        texts: parser.textsOf(seen.body),
        route: seen.route,
        answered: parser.hasToolResult(seen.body),
      }),
      ...behaviour,
    };
    endpoint.check?.(
      isGemini(dialect) || isBedrock(dialect) ? { ...seen.body, "@model": model } : seen.body,
      seen.headers,
    );
    reply.wish = seen.wish;
    if (await reply.misbehaved()) return;
    await endpoint.serve(
      { id: seen.id, model, body: seen.body, wish: seen.wish, key },
      reply,
      this,
    );
  }

  /** Answers the API key. */
  private async checkHeaders(seen: Seen, request: WireRequest): Promise<string> {
    const { headers } = request;
    const bad = Object.keys(headers).find((name) => FORBIDDEN.test(name));
    if (bad !== undefined) throw new Refusal(400, `header ${bad} must not be forwarded`);
    if (!/^(keep-alive|close)?$/i.test(headers["connection"] ?? ""))
      throw new Refusal(400, `header connection: ${headers["connection"]}`);
    if (
      !/^(127\.0\.0\.1|localhost):\d+$/.test(headers["host"] ?? "") ||
      !headers["host"]?.endsWith(`:${this.port}`)
    )
      throw new Refusal(400, `header host: ${headers["host"]}`);
    const everything = `${request.target}\n${JSON.stringify(request.rawHeaders)}`;
    for (const secret of this.secrets)
      if (everything.includes(secret)) throw new Refusal(400, "the client's secret was forwarded");
    return isBedrock(seen.dialect) ? bedrock.checkCredentials(request) : checkAuth(seen, request);
  }

  private remember(
    request: WireRequest,
    connection: number,
    route: string,
    dialect: Dialect,
  ): Seen {
    const n = ++this.stats.requests;
    const [path = "", query = ""] = request.target.split("?");
    const seen: Seen = {
      n,
      id: isClaude(dialect) ? `msg_fake${this.run}${n}` : `chatcmpl-fake${this.run}${n}`,
      connection,
      method: request.method,
      path,
      query,
      route,
      dialect,
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      raw: request.body,
      body: {},
      wish: {},
      status: 0,
      parts: [],
      get sent() {
        return Buffer.concat(this.parts);
      },
      outcome: "running",
    };
    this.requests.push(seen);
    if (this.requests.length > this.keep) this.requests.shift();
    return seen;
  }

  private refuse(seen: Seen, why: string): void {
    seen.refusal = why;
    this.refused.push(seen);
    this.stats.refused++;
  }

  private async control(request: WireRequest, socket: net.Socket): Promise<boolean> {
    const [, what = "", name = ""] = /^\/__fake\/(\w+)(?:\/(.+))?$/.exec(request.target) ?? [];
    const answers: Record<string, () => unknown> = {
      stats: () => this.stats,
      requests: () =>
        this.requests.map(({ raw, sent, parts: _, ...rest }) => ({
          ...rest,
          raw: raw.toString(),
          sent: sent.toString(),
        })),
      refusals: () => this.refusals().map(({ n, path, refusal }) => ({ n, path, refusal })),
      release: () => (this.release(name), true),
      behave: () => (
        this.behave(
          name,
          request.body.length > 0 ? (JSON.parse(request.body.toString()) as Directives) : undefined,
        ),
        true
      ),
    };
    const answer = answers[what];
    const body = JSON.stringify(answer ? answer() : { error: `no such control: ${what}` });
    await new Reply(socket, request, {}).whole(
      answer ? 200 : 404,
      { "content-type": "application/json" },
      body,
    );
    return false;
  }
}

function parserOf(
  dialect: Dialect,
  path: string,
): { textsOf: (body: Json) => string[]; hasToolResult: (body: Json) => boolean } {
  if (isResponses(path)) return responses;
  if (isBedrock(dialect)) return bedrock;
  return isClaude(dialect) ? claude : isGemini(dialect) ? gemini : openai;
}

/** Google's and AWS's are in the path. */
function modelOf(seen: Seen): string {
  if (isBedrock(seen.dialect)) return bedrock.modelOf(seen.path);
  return isGemini(seen.dialect)
    ? decodeURIComponent(/\/models\/([^/:]+)/.exec(seen.path)?.[1] ?? "")
    : String(seen.body["model"] ?? "");
}

function checkAuth(seen: Seen, request: WireRequest): string {
  const { headers } = request;
  if (isGemini(seen.dialect))
    return known(headers["x-goog-api-key"], "AIza-fake-", headers["authorization"], seen);
  if (headers["x-goog-api-key"] !== undefined)
    throw new Refusal(400, "header x-goog-api-key must not be forwarded");
  if (seen.dialect === "azure") {
    if (!/(^|&)api-version=[\w-]+/.test(request.target.split("?")[1] ?? ""))
      throw new Refusal(404, "Resource not found");
    return known(headers["api-key"], "sk-fake-", headers["authorization"], seen);
  }
  if (seen.dialect === "cohere") {
    const token = /^Bearer (\S+)$/.exec(headers["authorization"] ?? "")?.[1];
    return known(token, "co-fake-", headers["x-api-key"] ?? headers["api-key"], seen);
  }
  if (!isClaude(seen.dialect)) {
    const bearer = /^Bearer (\S+)$/.exec(headers["authorization"] ?? "")?.[1];
    return known(bearer, "sk-fake-", headers["x-api-key"] ?? headers["api-key"], seen);
  }
  const version = headers["anthropic-version"];
  if (version === undefined) throw new Refusal(400, "anthropic-version: header is required");
  if (!["2023-06-01", "2026-10-21"].includes(version))
    throw new Refusal(400, `anthropic-version: "${version}" is not a valid version`);
  const bearer = /^Bearer (\S+)$/.exec(headers["authorization"] ?? "")?.[1];
  const other = headers["x-api-key"] === undefined ? undefined : headers["authorization"];
  return known(headers["x-api-key"] ?? bearer, "sk-ant-fake-", other, seen);
}

function known(
  key: string | undefined,
  prefix: string,
  second: string | undefined,
  seen: Seen,
): string {
  const type = isClaude(seen.dialect) ? "authentication_error" : "invalid_request_error";
  if (second !== undefined) throw new Refusal(400, "two kinds of credentials in one request", type);
  if (key === undefined) throw new Refusal(401, "You didn't provide an API key.", type);
  if (!key.startsWith(prefix))
    throw new Refusal(401, "Incorrect API key provided.", type, "invalid_api_key");
  return key;
}

function parseBody(request: WireRequest): Json {
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? ""))
    throw new Refusal(400, `content-type: ${request.headers["content-type"]}`);
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(request.body));
  } catch {
    throw new Refusal(400, "We could not parse the JSON body of your request.");
  }
  if (!isObject(body)) throw new Refusal(400, "the body must be a JSON object");
  return body;
}

async function chat(asked: openai.Asked, reply: Answer): Promise<void> {
  if (asked.body["stream"] !== true) return reply.json(200, openai.chatReply(asked));
  return reply.frames(
    openai.chatEvents(asked).map((data) => `data: ${data}\n\n`),
    "data: [DONE]\n\n",
  );
}

async function response(asked: openai.Asked, reply: Answer, fake: Server): Promise<void> {
  fake.kept.add(asked.key, asked.body, responses.responseReply(asked));
  if (asked.body["stream"] !== true) return reply.json(200, responses.responseReply(asked));
  const frames = responses
    .responseEvents(asked)
    .map((event) => `event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`);
  return reply.frames(frames.slice(0, -1), frames.at(-1) ?? "");
}

const idIn = (reply: Answer): string => /\/responses\/([\w-]+)/.exec(reply.target)?.[1] ?? "";

async function shown(asked: openai.Asked, reply: Answer, fake: Server): Promise<void> {
  const found = fake.kept.find(asked.key, idIn(reply));
  return reply.json(200, found.reply);
}

async function inputItems(asked: openai.Asked, reply: Answer, fake: Server): Promise<void> {
  const data = fake.kept.find(asked.key, idIn(reply)).input;
  return reply.json(200, { object: "list", data, has_more: false });
}

async function deleted(asked: openai.Asked, reply: Answer, fake: Server): Promise<void> {
  fake.kept.remove(asked.key, idIn(reply));
  return reply.json(200, { id: idIn(reply), object: "response", deleted: true });
}

async function cancelled(asked: openai.Asked, reply: Answer, fake: Server): Promise<void> {
  fake.kept.find(asked.key, idIn(reply));
  throw new Refusal(400, "Only responses created with background=true can be cancelled.");
}

async function compact(asked: openai.Asked, reply: Answer): Promise<void> {
  return reply.json(200, {
    id: asked.id.replace("chatcmpl-", "resp_"),
    object: "response.compaction",
    created_at: 1_780_000_000,
    output: [{ type: "compaction", encrypted_content: "gAAAAcompact" }],
    usage: { input_tokens: 30, input_tokens_details: { cached_tokens: 10 }, output_tokens: 4 },
  });
}

async function completion(asked: openai.Asked, reply: Answer): Promise<void> {
  const named = { ...asked, id: asked.id.replace("chatcmpl", "cmpl") };
  if (asked.body["stream"] !== true) return reply.json(200, openai.completionReply(named));
  return reply.frames(
    openai.completionEvents(named).map((data) => `data: ${data}\n\n`),
    "data: [DONE]\n\n",
  );
}

async function embedding(asked: openai.Asked, reply: Answer): Promise<void> {
  return reply.json(200, openai.embeddingReply(asked));
}

async function message(asked: openai.Asked, reply: Answer): Promise<void> {
  if (asked.body["stream"] !== true) return reply.json(200, claude.messageReply(asked));
  const frames = claude
    .messageEvents(asked)
    .map(([name, data]) => `event: ${name}\ndata: ${data}   \n\n`);
  return reply.frames(frames, 'event: message_stop\ndata: {"type":"message_stop"}\n\n');
}

async function generate(asked: openai.Asked, reply: Answer): Promise<void> {
  if (!reply.target.includes(":stream")) return reply.json(200, gemini.generateReply(asked));
  const events = gemini.generateEvents(asked);
  if (reply.target.includes("alt=sse"))
    return reply.frames(
      events.map((data) => `data: ${data}\r\n\r\n`),
      "",
    );
  return reply.frames(
    events.map((data, i) => `${i === 0 ? "[" : ",\r\n"}${data}`),
    "]",
    "application/json; charset=UTF-8",
  );
}

async function cohereChat(asked: openai.Asked, reply: Answer): Promise<void> {
  if (asked.body["stream"] !== true) return reply.json(200, cohere.chatReply(asked));
  const frames = cohere.chatFrames(asked);
  return reply.frames(frames.slice(0, -1), `${frames.at(-1) ?? ""}data: [DONE]\n\n`);
}

async function converse(asked: openai.Asked, reply: Answer): Promise<void> {
  if (!reply.target.includes("/converse-stream"))
    return reply.json(200, bedrock.converseReply(asked));
  return reply.frames(
    bedrock.converseEvents(asked),
    bedrock.converseEnd(asked),
    "application/vnd.amazon.eventstream",
  );
}

async function countTokens(_: openai.Asked, reply: Answer): Promise<void> {
  return reply.json(200, isBedrock(reply.dialect) ? { inputTokens: 42 } : { totalTokens: 42 });
}

async function models(_: openai.Asked, reply: Answer, fake: Server): Promise<void> {
  return reply.json(
    200,
    isBedrock(reply.dialect)
      ? bedrock.modelList(reply.target.split("?")[0] ?? "", fake.models)
      : isGemini(reply.dialect)
        ? gemini.modelList(fake.models)
        : isClaude(reply.dialect)
          ? claude.modelList(fake.models)
          : reply.dialect === "cohere"
            ? cohere.modelList(fake.models)
            : openai.modelList(fake.models),
  );
}

export async function startFake(options: FakeOptions = {}): Promise<Fake> {
  const server = new Server(options);
  await server.listen();
  return server;
}

if (import.meta.main) {
  const at = process.argv.indexOf("--port");
  const fake = await startFake({ port: at < 0 ? 0 : Number(process.argv[at + 1]), keep: 1000 });
  console.log(`fake upstream at ${fake.url}`);
}
