// AWS's side of the fake: whose signature it takes, what Converse refuses, and how its replies and
// binary streams look. Signatures and messages are AWS's own code, not the gateway's.
import { EventStreamCodec } from "@smithy/core/event-streams";
import { SignatureV4 } from "@smithy/signature-v4";
import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import {
  anything,
  array,
  type Check,
  imageProblem,
  integer,
  isObject,
  type Json,
  number,
  object,
  oneOf,
  Refusal,
  text,
} from "./check";
import {
  type Directives,
  type Finish,
  finishOf,
  pieces,
  replyChunks,
  replyText,
  toolArguments,
  usageOf,
} from "./directives";
import type { Asked } from "./openai";

export const AWS_REGION = "us-east-1";
export const AWS_ACCESS_KEY = "AKIAFAKE00000001";
export const AWS_SECRET = "fake/secret+0001";
export const AWS_SESSION = "fake-session-token==";
export const AWS_API_KEY = "ABSKfake0001";

// --- signatures -----------------------------------------------------------------------

type Source = string | ArrayBuffer | ArrayBufferView;

const bytes = (data: Source): Buffer =>
  typeof data === "string"
    ? Buffer.from(data)
    : ArrayBuffer.isView(data)
      ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      : Buffer.from(data);

/** What the official signer hashes with. */
class Sha256 {
  private readonly inner: Hash | Hmac;
  constructor(secret?: Source) {
    this.inner = secret === undefined ? createHash("sha256") : createHmac("sha256", bytes(secret));
  }
  update(data: Source): void {
    this.inner.update(bytes(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.inner.digest();
  }
  reset(): void {
    throw new Error("not used");
  }
}

interface Signed {
  method: string;
  /** As it came over the wire. */
  target: string;
  headers: Record<string, string>;
  body: Buffer;
}

function denied(status: number, message: string, type: string): never {
  throw new Refusal(status, message, type);
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/bedrock\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$/;

/** Answers the access key, or the API key. */
export async function checkCredentials(request: Signed): Promise<string> {
  const { headers } = request;
  const authorization = headers["authorization"] ?? "";
  for (const other of ["x-api-key", "api-key", "x-goog-api-key"])
    if (headers[other] !== undefined) denied(400, `header ${other}`, "ValidationException");
  const bearer = /^Bearer (\S+)$/.exec(authorization)?.[1];
  if (bearer?.startsWith("ABSKfake")) return bearer;
  if (bearer !== undefined)
    denied(403, "Authentication failed: bad API key", "AccessDeniedException");
  const [, key = "", date = "", region = "", signed = ""] = AUTHORIZATION.exec(authorization) ?? [];
  if (key === "")
    denied(403, "Missing Authentication Token", "MissingAuthenticationTokenException");
  if (key !== AWS_ACCESS_KEY)
    denied(
      403,
      "The security token included in the request is invalid.",
      "UnrecognizedClientException",
    );
  const names = signed.split(";");
  const must = ["host", "x-amz-date", ...(request.body.length > 0 ? ["content-type"] : [])];
  for (const name of [...must, ...Object.keys(headers).filter((h) => h.startsWith("x-amz-"))])
    if (!names.includes(name)) denied(403, `'${name}' must be signed`, "InvalidSignatureException");
  await checkSignature(request, { names, date, region });
  return key;
}

const CLOCK_SKEW_MS = 5 * 60_000;

async function checkSignature(
  request: Signed,
  scope: { names: string[]; date: string; region: string },
): Promise<void> {
  const at = request.headers["x-amz-date"] ?? "";
  const iso = at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const time = new Date(iso);
  if (!(Math.abs(time.getTime() - Date.now()) < CLOCK_SKEW_MS) || !at.startsWith(scope.date))
    denied(403, `Signature expired: ${at}`, "InvalidSignatureException");
  const session = request.headers["x-amz-security-token"];
  if (session !== undefined && session !== AWS_SESSION)
    denied(403, "The security token included in the request is expired", "ExpiredTokenException");
  const [path = "", query = ""] = request.target.split("?");
  const signer = new SignatureV4({
    service: "bedrock",
    region: scope.region,
    credentials: {
      accessKeyId: AWS_ACCESS_KEY,
      secretAccessKey: AWS_SECRET,
      ...(session === undefined ? {} : { sessionToken: session }),
    },
    sha256: Sha256,
    applyChecksum: false,
  });
  const expected = await signer.sign(
    {
      method: request.method,
      protocol: "http:",
      hostname: "localhost",
      path,
      query: Object.fromEntries(new URLSearchParams(query)),
      headers: Object.fromEntries(
        scope.names
          .filter((name) => !["x-amz-date", "x-amz-security-token"].includes(name))
          .map((name) => [name, request.headers[name] ?? ""]),
      ),
      body: request.body,
    },
    { signingDate: time },
  );
  if (expected.headers["authorization"] !== request.headers["authorization"])
    denied(
      403,
      "The request signature we calculated does not match the signature you provided.",
      "InvalidSignatureException",
    );
}

// --- addresses --------------------------------------------------------------------------

const PATH = /\/model\/([^/?]+)\/(converse|converse-stream|count-tokens)$/;

/** The model's id; it is one segment, escaped as AWS does it. */
export function modelOf(path: string): string {
  const escaped = PATH.exec(path)?.[1] ?? "";
  if (!/^([A-Za-z0-9_.~-]|%[0-9A-F]{2})*$/.test(escaped))
    denied(400, `modelId is not escaped: ${escaped}`, "ValidationException");
  return decodeURIComponent(escaped);
}

// --- requests ---------------------------------------------------------------------------

const REQUEST: Record<string, Check> = {
  messages: array,
  system: array,
  inferenceConfig: object,
  toolConfig: object,
  guardrailConfig: object,
  additionalModelRequestFields: object,
  additionalModelResponseFieldPaths: array,
  promptVariables: object,
  requestMetadata: object,
  performanceConfig: object,
  serviceTier: object,
  outputConfig: object,
};

const CONFIG: Record<string, Check> = {
  maxTokens: integer(1, 128_000),
  temperature: number(0, 1),
  topP: number(0, 1),
  stopSequences: (v) =>
    Array.isArray(v) && v.length <= 4 && v.every((s) => typeof s === "string" && s.trim() !== "")
      ? undefined
      : "should have at most 4",
};

function invalid(message: string): never {
  denied(400, message, "ValidationException");
}

function members(where: string, value: unknown, known: Record<string, Check>): Json {
  if (!isObject(value)) invalid(`${where}: should be an object`);
  for (const [name, member] of Object.entries(value)) {
    const check = known[name];
    if (!check) invalid(`${where}: extraneous key [${name}] is not permitted`);
    const problem = check(member);
    if (problem !== undefined) invalid(`${where}.${name}: ${problem}`);
  }
  return value;
}

/** Exactly one key. */
function union(where: string, value: unknown, known: string[]): [string, unknown] {
  if (!isObject(value)) invalid(`${where}: should be an object`);
  const entries = Object.entries(value);
  const [name, member] = entries[0] ?? [""];
  if (entries.length !== 1) invalid(`${where}: must have exactly one member`);
  if (!known.includes(name)) invalid(`${where}: unknown member ${name}`);
  return [name, member];
}

function need(where: string, value: Json, ...names: string[]): void {
  for (const name of names) if (!(name in value)) invalid(`${where}.${name}: is required`);
}

function cachePoint(where: string, value: unknown): void {
  const point = members(where, value, { type: oneOf("default"), ttl: oneOf("5m", "1h") });
  need(where, point, "type");
}

function bytesOf(where: string, value: unknown): string {
  const [name, base64] = union(`${where}.source`, value, ["bytes", "s3Location"]);
  if (name !== "bytes" || typeof base64 !== "string" || base64.length % 4 !== 0)
    invalid(`${where}.source: no bytes`);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) invalid(`${where}.source.bytes: not base64`);
  return base64;
}

function image(where: string, value: unknown): void {
  const known = members(where, value, {
    format: oneOf("png", "jpeg", "gif", "webp"),
    source: object,
  });
  need(where, known, "format", "source");
  const problem = imageProblem(`image/${String(known["format"])}`, bytesOf(where, known["source"]));
  if (problem !== undefined) invalid(`${where}: ${problem}`);
}

const FORMATS = ["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];

function document(where: string, value: unknown): void {
  const known = members(where, value, {
    format: oneOf(...FORMATS),
    name: text,
    source: object,
    context: text,
    citations: object,
  });
  need(where, known, "name", "source");
  if (!/^(?!.* {2})[A-Za-z0-9 ()[\]-]{1,200}$/.test(String(known["name"])))
    invalid(`${where}.name: may only contain alphanumerics, single spaces, hyphens and brackets`);
  bytesOf(where, known["source"]);
}

function said(where: string, value: unknown): void {
  if (typeof value !== "string" || value.trim() === "")
    invalid(`The text field in the ContentBlock object at ${where} is blank.`);
}

const ID = /^[a-zA-Z0-9_-]{1,64}$/;

function toolUse(where: string, value: unknown, model: string): void {
  const known = members(where, value, { toolUseId: text, name: text, input: object });
  need(where, known, "toolUseId", "name", "input");
  const pattern = model.includes("mistral") ? /^[a-zA-Z0-9]{9}$/ : ID;
  if (!pattern.test(String(known["toolUseId"]))) invalid(`${where}.toolUseId`);
  if (!ID.test(String(known["name"]))) invalid(`${where}.name`);
}

function toolResult(where: string, value: unknown): void {
  const known = members(where, value, {
    toolUseId: text,
    status: oneOf("success", "error"),
    content: array,
  });
  need(where, known, "toolUseId", "content");
  for (const [i, part] of (known["content"] as unknown[]).entries()) {
    const at = `${where}.content.${i}`;
    const [name, inner] = union(at, part, ["text", "json", "image", "document"]);
    if (name === "text") said(at, inner);
    if (name === "image") image(at, inner);
    if (name === "document") document(at, inner);
  }
}

/** Only thinking that the fake itself has signed is taken back. */
export function reasoningSignature(thinking: string): string {
  return createHash("sha256").update(`bedrock:${thinking}`).digest("base64");
}

export const REDACTED = Buffer.from("redacted by the fake").toString("base64");

function reasoning(where: string, value: unknown): void {
  const [name, inner] = union(where, value, ["reasoningText", "redactedContent"]);
  if (name === "redactedContent") {
    if (inner !== REDACTED) invalid(`${where}: Invalid data in redacted content`);
    return;
  }
  const known = members(where, inner, { text, signature: text });
  if (known["signature"] !== reasoningSignature(String(known["text"])))
    invalid(`${where}: Invalid signature in thinking block`);
}

interface Turn {
  role: string;
  blocks: [string, unknown][];
}

const BLOCKS: Record<string, string[]> = {
  user: ["text", "image", "document", "toolResult", "cachePoint", "guardContent"],
  assistant: ["text", "toolUse", "reasoningContent", "cachePoint"],
};

function checkBlock(where: string, [name, value]: [string, unknown], model: string): void {
  if (name === "text") said(where, value);
  if (name === "image") image(`${where}.image`, value);
  if (name === "document") document(`${where}.document`, value);
  if (name === "toolUse") toolUse(`${where}.toolUse`, value, model);
  if (name === "toolResult") toolResult(`${where}.toolResult`, value);
  if (name === "reasoningContent") reasoning(`${where}.reasoningContent`, value);
  if (name === "cachePoint") cachePoint(`${where}.cachePoint`, value);
}

function turnsOf(messages: unknown, model: string): Turn[] {
  if (!Array.isArray(messages) || messages.length === 0) invalid("messages: is required");
  return messages.map((message: unknown, i): Turn => {
    const where = `messages.${i}`;
    const known = members(where, message, { role: oneOf("user", "assistant"), content: array });
    const role = String(known["role"]);
    const content = known["content"];
    if (!Array.isArray(content) || content.length === 0) invalid(`${where}.content: is empty`);
    const blocks = content.map((block: unknown, k) => {
      const pair = union(`${where}.content.${k}`, block, BLOCKS[role] ?? []);
      checkBlock(`${where}.content.${k}`, pair, model);
      return pair;
    });
    return { role, blocks };
  });
}

const having = (turn: Turn | undefined, name: string): Json[] =>
  (turn?.blocks ?? []).filter(([kind]) => kind === name).map(([, value]) => value as Json);

const idsOf = (blocks: Json[]): string =>
  blocks
    .map((block) => String(block["toolUseId"]))
    .toSorted()
    .join();

function checkTurns(turns: Turn[], body: Json): void {
  if (turns[0]?.role !== "user") invalid("A conversation must start with a user message.");
  turns.forEach((turn, i) => {
    const before = turns[i - 1];
    if (before?.role === turn.role) invalid("roles must alternate");
    if (idsOf(having(turn, "toolResult")) !== idsOf(having(before, "toolUse")))
      invalid(`Expected toolResult blocks at messages.${i}.content for the preceding toolUse`);
    if (having(turn, "document").length > 0 && having(turn, "text").length === 0)
      invalid("A text block is required when using documents.");
  });
  const called = turns.some((turn) => having(turn, "toolUse").length > 0);
  if (called && !isObject(body["toolConfig"]))
    invalid(
      "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    );
}

function checkTools(value: unknown, budgeted: boolean): void {
  if (value === undefined) return;
  const config = members("toolConfig", value, { tools: array, toolChoice: object });
  const tools = config["tools"];
  if (!Array.isArray(tools) || tools.length === 0) invalid("toolConfig.tools: at least 1");
  tools.forEach((tool: unknown, i) => {
    const where = `toolConfig.tools.${i}`;
    const [name, inner] = union(where, tool, ["toolSpec", "cachePoint"]);
    if (name === "cachePoint") return cachePoint(where, inner);
    const spec = members(where, inner, {
      name: text,
      description: (v) => (typeof v === "string" && v !== "" ? undefined : "at least 1 character"),
      inputSchema: object,
      strict: (v) => (typeof v === "boolean" ? undefined : "should be a boolean"),
    });
    if (!ID.test(String(spec["name"]))) invalid(`${where}.toolSpec.name`);
    const [, schema] = union(`${where}.inputSchema`, spec["inputSchema"], ["json"]);
    if (!isObject(schema) || schema["type"] !== "object")
      invalid(`The value at ${where}.toolSpec.inputSchema.json.type must be one of: object.`);
  });
  if (config["toolChoice"] === undefined) return;
  const [choice] = union("toolConfig.toolChoice", config["toolChoice"], ["auto", "any", "tool"]);
  if (budgeted && choice !== "auto") invalid("Thinking may not be enabled when tool_choice forces");
}

/** What a Claude refuses; answers whether it thinks with a budget. */
function checkClaude(fields: Json, config: Json, model: string): boolean {
  members("additionalModelRequestFields", fields, {
    thinking: object,
    output_config: object,
    top_k: integer(0),
    tool_choice: object,
    anthropic_beta: array,
  });
  const { thinking } = fields;
  if (!isObject(thinking) || thinking["type"] === "disabled") return false;
  if (thinking["type"] === "enabled") {
    const budget = Number(thinking["budget_tokens"]);
    if (!(budget >= 1024)) invalid("thinking.enabled.budget_tokens: at least 1024");
    if (budget >= Number(config["maxTokens"] ?? 0))
      invalid("`max_tokens` must be greater than `thinking.budget_tokens`.");
  } else if (!/4-[678]|-5/.test(model)) {
    invalid("adaptive thinking is not supported on this model");
  }
  if ("temperature" in config || "top_k" in fields)
    invalid("`temperature` may only be set to 1 when thinking is enabled");
  return thinking["type"] === "enabled";
}

function checkFormat(value: unknown): void {
  if (value === undefined) return;
  const config = members("outputConfig", value, { textFormat: object, effort: text });
  if (config["textFormat"] === undefined) return;
  const format = members("textFormat", config["textFormat"], {
    type: oneOf("json_schema"),
    structure: object,
  });
  const [, inner] = union("structure", format["structure"], ["jsonSchema"]);
  const schema = members("jsonSchema", inner, { schema: text, name: text, description: text });
  try {
    JSON.parse(String(schema["schema"]));
  } catch {
    invalid("outputConfig.textFormat.structure.jsonSchema.schema: not JSON");
  }
}

/** What Converse takes; `model` comes from the path. */
export function checkConverse(body: Json): void {
  const { "@model": model, ...rest } = body;
  const name = String(model);
  members("request", rest, REQUEST);
  const config = members("inferenceConfig", rest["inferenceConfig"] ?? {}, CONFIG);
  const fields = (rest["additionalModelRequestFields"] ?? {}) as Json;
  const budgeted = name.includes("claude") && checkClaude(fields, config, name);
  for (const [i, part] of ((rest["system"] ?? []) as unknown[]).entries()) {
    const [kind, value] = union(`system.${i}`, part, ["text", "cachePoint", "guardContent"]);
    if (kind === "text") said(`system.${i}`, value);
    if (kind === "cachePoint") cachePoint(`system.${i}`, value);
  }
  checkTools(rest["toolConfig"], budgeted);
  checkFormat(rest["outputConfig"]);
  checkTurns(turnsOf(rest["messages"], name), rest);
  const points = JSON.stringify(rest).match(/"cachePoint"/g)?.length ?? 0;
  if (points > 4) invalid(`A maximum of 4 blocks with cache_control may be provided. ${points}`);
  if (points > 0 && !/claude|nova/.test(name)) invalid("cachePoint is not supported");
}

export function checkCount(body: Json): void {
  const { "@model": model, ...rest } = body;
  const [, input] = union("input", rest["input"], ["converse", "invokeModel"]);
  members("converse", input, {
    messages: array,
    system: array,
    toolConfig: object,
    additionalModelRequestFields: anything,
  });
  turnsOf((input as Json)["messages"], String(model));
}

const contentOf = (body: Json): Json[] =>
  (Array.isArray(body["messages"]) ? (body["messages"] as Json[]) : []).flatMap((message) =>
    Array.isArray(message["content"]) ? (message["content"] as Json[]) : [],
  );

export function textsOf(body: Json): string[] {
  return contentOf(body).map((block) => (typeof block["text"] === "string" ? block["text"] : ""));
}

export function hasToolResult(body: Json): boolean {
  return contentOf(body).some((block) => "toolResult" in block);
}

// --- replies ----------------------------------------------------------------------------

const TYPES: Record<number, string> = {
  400: "ValidationException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  408: "ModelTimeoutException",
  424: "ModelErrorException",
  429: "ThrottlingException",
  500: "InternalServerException",
  503: "ServiceUnavailableException",
};

/** As the header x-amzn-errortype has it. */
export function errorType(status: number, type?: string): string {
  const name = type?.endsWith("Exception") ? type : (TYPES[status] ?? "InternalServerException");
  return `${name}:http://internal.amazon.com/coral/com.amazon.bedrock/`;
}

export function errorBody(error: { message: string }): string {
  return JSON.stringify({ message: error.message });
}

const FINISH: Record<Finish, string> = {
  stop: "end_turn",
  length: "max_tokens",
  tool: "tool_use",
  filter: "guardrail_intervened",
  stop_sequence: "stop_sequence",
};

function usage(wish: Directives): Json {
  const u = usageOf(wish);
  const written = u.write_5m + u.write_1h;
  return {
    inputTokens: u.input,
    outputTokens: u.output,
    totalTokens: u.input + u.cached + written + u.output,
    cacheReadInputTokens: u.cached,
    cacheReadInputTokenCount: u.cached,
    cacheWriteInputTokens: written,
    cacheWriteInputTokenCount: written,
    ...(written > 0
      ? {
          cacheDetails: [
            { ttl: "5m", inputTokens: u.write_5m },
            { ttl: "1h", inputTokens: u.write_1h },
          ],
        }
      : {}),
    serverToolUsage: {},
  };
}

const METRICS = { latencyMs: 7 };

export function converseReply({ wish }: Asked): Json {
  const content: Json[] = [];
  if (wish.thinking !== undefined)
    content.push(
      {
        reasoningContent: {
          reasoningText: { text: wish.thinking, signature: reasoningSignature(wish.thinking) },
        },
      },
      { reasoningContent: { redactedContent: REDACTED } },
    );
  if (replyText(wish) !== "") content.push({ text: replyText(wish) });
  (wish.tools ?? []).forEach((tool, i) =>
    content.push({
      toolUse: {
        toolUseId: tool.id ?? `tooluse_fake${i}`,
        name: tool.name,
        input: JSON.parse(toolArguments(tool) || "{}") as unknown,
      },
    }),
  );
  return {
    output: { message: { role: "assistant", content } },
    stopReason: FINISH[finishOf(wish)],
    ...(wish.no_usage ? {} : { usage: usage(wish) }),
    metrics: METRICS,
    ...wish.extra,
  };
}

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString("utf8"),
  (input) => new Uint8Array(Buffer.from(input)),
);

function message(kind: "event" | "exception", type: string, body: Json): Buffer {
  const string = (value: string): { type: "string"; value: string } => ({ type: "string", value });
  return Buffer.from(
    codec.encode({
      headers: {
        [kind === "event" ? ":event-type" : ":exception-type"]: string(type),
        ":content-type": string("application/json"),
        ":message-type": string(kind),
      },
      body: new Uint8Array(Buffer.from(JSON.stringify(body))),
    }),
  );
}

export function exception(type: string, words: string): Buffer {
  return message("exception", type, { message: words });
}

/** Text and thinking begin without a word; every payload is padded. */
export function converseEvents({ wish }: Asked): Buffer[] {
  const out: Buffer[] = [];
  let index = 0;
  const put = (type: string, body: Json): void => {
    const p = "abcdefghijklmnopqrstuvwxyz".slice(0, 1 + (out.length % 26));
    out.push(message("event", type, { ...body, p, ...wish.extra }));
  };
  const delta = (value: Json): void =>
    put("contentBlockDelta", { contentBlockIndex: index, delta: value });
  const stop = (): void => put("contentBlockStop", { contentBlockIndex: index++ });
  put("messageStart", { role: "assistant" });
  if (wish.thinking !== undefined) {
    for (const piece of pieces(wish.thinking, 3)) delta({ reasoningContent: { text: piece } });
    delta({ reasoningContent: { signature: reasoningSignature(wish.thinking) } });
    stop();
    delta({ reasoningContent: { redactedContent: REDACTED } });
    stop();
  }
  if (replyText(wish) !== "") {
    for (const piece of replyChunks(wish)) delta({ text: piece });
    stop();
  }
  (wish.tools ?? []).forEach((tool, i) => {
    put("contentBlockStart", {
      contentBlockIndex: index,
      start: { toolUse: { toolUseId: tool.id ?? `tooluse_fake${i}`, name: tool.name } },
    });
    for (const piece of pieces(toolArguments(tool), 3)) delta({ toolUse: { input: piece } });
    stop();
  });
  put("messageStop", { stopReason: FINISH[finishOf(wish)] });
  return out;
}

/** What comes last of all, unless the usage is lost. */
export function converseEnd({ wish }: Asked): Buffer {
  return wish.no_usage
    ? Buffer.alloc(0)
    : message("event", "metadata", { usage: usage(wish), metrics: METRICS, p: "abc" });
}

export function modelList(path: string, models: string[]): Json {
  return path.endsWith("/inference-profiles")
    ? {
        inferenceProfileSummaries: models
          .filter((name) => /^(us|eu|global)\./.test(name))
          .map((name) => ({ inferenceProfileId: name, inferenceProfileName: name })),
      }
    : {
        modelSummaries: models
          .filter((name) => !/^(us|eu|global)\./.test(name))
          .map((name) => ({ modelId: name, modelName: name, providerName: "Fake" })),
      };
}
