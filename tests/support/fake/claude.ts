// Anthropic's side of the fake: what it refuses, and how its replies look.
import { createHash } from "node:crypto";
import {
  anything,
  array,
  bool,
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

const MESSAGES: Record<string, Check> = {
  model: text,
  max_tokens: integer(0),
  messages: array,
  system: anything,
  stop_sequences: array,
  stream: bool,
  temperature: number(0, 1),
  top_p: number(0, 1),
  top_k: integer(0),
  thinking: object,
  output_config: object,
  tools: array,
  tool_choice: object,
  cache_control: object,
  metadata: object,
  service_tier: oneOf("auto", "standard_only"),
  speed: oneOf("standard", "fast"),
  inference_geo: text,
  container: anything,
  diagnostics: object,
};

/** Members that only a beta header allows. */
const BETA: Record<string, string> = {
  context_management: "context-management-",
  mcp_servers: "mcp-client-",
  output_format: "structured-outputs-",
};

/** A made-up beta, so that tests can send members that no gateway knows. */
export const EXTRA_BETA = "fake-extra-2026-01-01";

const BLOCK: Record<string, { members: string[]; roles: string[] }> = {
  text: { members: ["text", "citations"], roles: ["user", "assistant"] },
  image: { members: ["source"], roles: ["user"] },
  document: { members: ["source", "title", "context", "citations"], roles: ["user"] },
  search_result: { members: ["source", "title", "content", "citations"], roles: ["user"] },
  tool_use: { members: ["id", "name", "input", "caller"], roles: ["assistant"] },
  tool_result: { members: ["tool_use_id", "content", "is_error"], roles: ["user"] },
  thinking: { members: ["thinking", "signature"], roles: ["assistant"] },
  redacted_thinking: { members: ["data"], roles: ["assistant"] },
};

const ADAPTIVE_ONLY = /opus-4-[78]|(opus|sonnet|fable|mythos)-5/;
const NOT_BOTH = /(opus|sonnet|haiku)-4-[15]/;
const MAX_OUTPUT: [RegExp, number][] = [
  [/haiku-3|3-haiku|3-5-haiku/, 4096],
  [/opus-4-1|opus-4-0|opus-4-2025/, 32_000],
  [/sonnet-4-0|sonnet-4-2025|-4-5/, 64_000],
  [/./, 128_000],
];

function refuse(message: string): never {
  throw new Refusal(400, message);
}

export function checkMessages(body: Json, headers: Record<string, string>): void {
  const betas = (headers["anthropic-beta"] ?? "").split(",").map((beta) => beta.trim());
  checkMembers(body, betas);
  for (const name of ["model", "max_tokens", "messages"])
    if (!(name in body)) refuse(`${name}: Field required`);
  const model = String(body["model"]);
  const maxOutput = MAX_OUTPUT.find(([pattern]) => pattern.test(model))?.[1] ?? 0;
  const maxTokens = Number(body["max_tokens"]);
  if (maxTokens > maxOutput)
    refuse(`max_tokens: ${maxTokens} > ${maxOutput}, which is the maximum allowed for ${model}`);
  checkSampling(body, model);
  const thinks = checkThinking(body, model, maxTokens);
  const budgeted = thinks && (body["thinking"] as Json)["type"] === "enabled";
  checkTools(body, budgeted);
  checkSystem(body["system"]);
  const midway = betas.some((beta) => beta.startsWith("mid-conversation-system-"));
  const messages = body["messages"] as unknown[];
  const turns = midway ? messages.filter((message) => !isSystem(message)) : messages;
  checkTurns(merged(turns), { thinks, budgeted, model });
  checkCacheMarks(body);
}

function checkMembers(body: Json, betas: string[]): void {
  for (const [name, value] of Object.entries(body)) {
    if (name.startsWith("x_") && betas.includes(EXTRA_BETA)) continue;
    const beta = BETA[name];
    const check =
      beta !== undefined && betas.some((b) => b.startsWith(beta)) ? anything : MESSAGES[name];
    if (!check) refuse(`${name}: Extra inputs are not permitted`);
    const problem = check(value);
    if (problem) refuse(`${name}: Input ${problem}`);
  }
}

function checkSampling(body: Json, model: string): void {
  const stops = body["stop_sequences"];
  if (Array.isArray(stops) && stops.some((stop) => typeof stop !== "string" || stop.trim() === ""))
    refuse("stop_sequences: each stop sequence must contain non-whitespace");
  if (ADAPTIVE_ONLY.test(model)) {
    if (body["temperature"] !== undefined && body["temperature"] !== 1)
      refuse("`temperature` is not supported by this model");
    if (body["top_p"] !== undefined && Number(body["top_p"]) < 0.99)
      refuse("`top_p` is not supported by this model");
    if (body["top_k"] !== undefined) refuse("`top_k` is not supported by this model");
  }
  if (NOT_BOTH.test(model) && body["temperature"] !== undefined && body["top_p"] !== undefined)
    refuse(
      "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
    );
}

/** Answers whether it thinks. */
function checkThinking(body: Json, model: string, maxTokens: number): boolean {
  const thinking = body["thinking"];
  if (!isObject(thinking)) return false;
  const type = thinking["type"];
  onlyMembers(
    thinking,
    type === "enabled" ? ["type", "budget_tokens", "display"] : ["type", "display"],
    "thinking",
  );
  if (type === "disabled" || type === "between_tools") return false;
  if (type === "adaptive") {
    if (!ADAPTIVE_ONLY.test(model) && !/-4-6/.test(model) && !model.startsWith("fake-"))
      refuse("thinking.type: adaptive is not supported by this model");
    return true;
  }
  if (type !== "enabled") refuse("thinking.type: Input tag is not one of the expected tags");
  if (ADAPTIVE_ONLY.test(model))
    refuse('thinking.type: "enabled" is not supported by this model. Use "adaptive".');
  if (!/claude|^fake-/.test(model) || /haiku-3|3-haiku|3-5-/.test(model))
    refuse("thinking is not supported by this model");
  const budget = thinking["budget_tokens"];
  if (!Number.isInteger(budget)) refuse("thinking.enabled.budget_tokens: Field required");
  if (Number(budget) < 1024)
    refuse("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
  if (Number(budget) >= maxTokens)
    refuse("`max_tokens` must be greater than `thinking.budget_tokens`");
  if (body["temperature"] !== undefined && body["temperature"] !== 1)
    refuse("`temperature` may only be set to 1 when thinking is enabled");
  if (body["top_k"] !== undefined) refuse("`top_k` must be unset when thinking is enabled");
  if (body["top_p"] !== undefined && Number(body["top_p"]) < 0.95)
    refuse("`top_p` must be greater than or equal to 0.95 when thinking is enabled");
  return true;
}

function checkTools(body: Json, budgeted: boolean): void {
  const tools = body["tools"];
  const choice = body["tool_choice"];
  if (choice !== undefined && (!Array.isArray(tools) || tools.length === 0))
    refuse("tool_choice: may only be specified while providing tools");
  const names = new Set<unknown>();
  if (Array.isArray(tools))
    tools.forEach((tool: unknown, i) => {
      const where = `tools.${i}`;
      if (!isObject(tool)) refuse(`${where}: Input should be an object`);
      if (typeof tool["name"] !== "string" || !/^[a-zA-Z0-9_-]{1,128}$/.test(tool["name"]))
        refuse(`${where}.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
      if (names.has(tool["name"])) refuse("tools: Tool names must be unique.");
      names.add(tool["name"]);
      if (tool["type"] !== undefined && tool["type"] !== "custom") return;
      onlyMembers(
        tool,
        [
          "name",
          "description",
          "input_schema",
          "cache_control",
          "strict",
          "type",
          "input_examples",
          "eager_input_streaming",
          "defer_loading",
          "allowed_callers",
        ],
        `${where}.custom`,
      );
      const schema = tool["input_schema"];
      if (!isObject(schema)) refuse(`${where}.custom.input_schema: Field required`);
      if (schema["type"] !== "object")
        refuse(`${where}.custom.input_schema.type: Input should be 'object'`);
      for (const key of ["anyOf", "oneOf", "allOf"])
        if (key in schema)
          refuse(`${where}.custom.input_schema: no oneOf, allOf, or anyOf at the top level`);
    });
  if (!isObject(choice)) return;
  const type = String(choice["type"]);
  const extra = type === "none" ? [] : ["disable_parallel_tool_use"];
  if (!["auto", "any", "none", "tool"].includes(type))
    refuse("tool_choice.type: Input tag is not one of the expected tags");
  onlyMembers(
    choice,
    ["type", ...extra, ...(type === "tool" ? ["name"] : [])],
    `tool_choice.${type}`,
  );
  if (type === "tool" && !names.has(choice["name"]))
    refuse(`tool_choice: Tool '${String(choice["name"])}' not found in provided tools`);
  if (budgeted && (type === "any" || type === "tool"))
    refuse("Thinking may not be enabled when tool_choice forces tool use.");
}

function onlyMembers(value: Json, allowed: string[], where: string): void {
  for (const name of Object.keys(value))
    if (!allowed.includes(name)) refuse(`${where}.${name}: Extra inputs are not permitted`);
}

function checkSystem(system: unknown): void {
  if (system === undefined || typeof system === "string") return;
  if (!Array.isArray(system)) refuse("system: Input should be a valid list");
  system.forEach((block: unknown, i) => {
    if (!isObject(block) || block["type"] !== "text")
      refuse(`system.${i}.type: Input should be 'text'`);
    checkText(block, `system.${i}`);
  });
}

function checkText(block: Json, where: string): void {
  onlyMembers(block, ["type", "text", "citations", "cache_control"], where);
  if (typeof block["text"] !== "string") refuse(`${where}.text: Field required`);
  if (block["text"] === "") refuse("messages: text content blocks must be non-empty");
  if (block["text"].trim() === "")
    refuse("messages: text content blocks must contain non-whitespace text");
}

interface Turn {
  role: string;
  blocks: Json[];
  where: string;
}

/** Takes an instruction between turns, which a beta allows (Claude Code). */
function isSystem(message: unknown): boolean {
  if (!isObject(message) || message["role"] !== "system") return false;
  onlyMembers(message, ["role", "content"], "messages");
  checkSystem(message["content"]);
  return true;
}

/** Checks each message and puts neighbours of one role together, as the server does. */
function merged(messages: unknown[]): Turn[] {
  if (messages.length === 0) refuse("messages: at least one message is required");
  const turns: Turn[] = [];
  messages.forEach((message, i) => {
    const where = `messages.${i}`;
    if (!isObject(message)) refuse(`${where}: Input should be an object`);
    onlyMembers(message, ["role", "content"], where);
    const role = String(message["role"]);
    if (role !== "user" && role !== "assistant")
      refuse(`messages: Unexpected role "${role}". Allowed roles are "user" or "assistant".`);
    const content = message["content"];
    if (content === undefined || content === null) refuse(`${where}.content: Field required`);
    const last = i === messages.length - 1;
    if (
      (content === "" || (Array.isArray(content) && content.length === 0)) &&
      !(last && role === "assistant")
    )
      refuse(`${where}: all messages but a final assistant message must have non-empty content`);
    const blocks =
      typeof content === "string"
        ? content === ""
          ? []
          : [{ type: "text", text: content }]
        : content;
    if (!Array.isArray(blocks)) refuse(`${where}.content: Input should be a valid list`);
    blocks.forEach((block: unknown, j) => checkBlock(block, role, `${where}.content.${j}`));
    const before = turns.at(-1);
    if (before?.role === role) before.blocks.push(...(blocks as Json[]));
    else turns.push({ role, blocks: blocks as Json[], where });
  });
  return turns;
}

function checkBlock(block: unknown, role: string, where: string): void {
  if (!isObject(block)) refuse(`${where}: Input should be an object`);
  const type = String(block["type"]);
  const rule = BLOCK[type];
  if (!rule)
    refuse(
      `${where}: Input tag '${type}' found using 'type' does not match any of the expected tags`,
    );
  const mayCache = type !== "thinking" && type !== "redacted_thinking";
  onlyMembers(
    block,
    ["type", ...rule.members, ...(mayCache ? ["cache_control"] : [])],
    `${where}.${type}`,
  );
  if (!rule.roles.includes(role))
    refuse(`${where}: \`${type}\` blocks are not allowed in \`${role}\` messages`);
  if (type === "text") checkText(block, where);
  else if (type === "image") checkImage(block["source"], `${where}.image.source`);
  else if (type === "tool_use") {
    if (typeof block["id"] !== "string" || !/^[a-zA-Z0-9_-]+$/.test(block["id"]))
      refuse(`${where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`);
    if (typeof block["name"] !== "string" || block["name"] === "")
      refuse(`${where}.tool_use.name: Field required`);
    if (!isObject(block["input"]))
      refuse(`${where}.tool_use.input: Input should be a valid dictionary`);
  } else if (type === "tool_result") checkToolResult(block, where);
  else if (type === "thinking") {
    if (typeof block["thinking"] !== "string") refuse(`${where}.thinking.thinking: Field required`);
    if (block["signature"] !== signature(block["thinking"]))
      refuse(`${where}: Invalid \`signature\` in \`thinking\` block`);
  }
}

function checkToolResult(block: Json, where: string): void {
  if (typeof block["tool_use_id"] !== "string")
    refuse(`${where}.tool_result.tool_use_id: Field required`);
  const content = block["content"];
  if (content === undefined || typeof content === "string") return;
  if (!Array.isArray(content)) refuse(`${where}.tool_result.content: Input should be a valid list`);
  content.forEach((part: unknown, i) => {
    if (
      !isObject(part) ||
      !["text", "image", "document", "search_result"].includes(String(part["type"]))
    )
      refuse(
        `${where}.tool_result.content.${i}: Input tag does not match any of the expected tags`,
      );
    if (part["type"] === "text") checkText(part, `${where}.tool_result.content.${i}`);
    if (part["type"] === "image")
      checkImage(part["source"], `${where}.tool_result.content.${i}.image.source`);
  });
}

function checkImage(source: unknown, where: string): void {
  if (!isObject(source)) refuse(`${where}: Field required`);
  switch (source["type"]) {
    case "base64": {
      onlyMembers(source, ["type", "media_type", "data"], where);
      const problem = imageProblem(String(source["media_type"]), String(source["data"]));
      if (problem) refuse(`${where}.base64: ${problem}`);
      return;
    }
    case "url":
      onlyMembers(source, ["type", "url"], where);
      if (!/^https?:\/\/[^/\s]+/.test(String(source["url"])))
        refuse(`${where}.url: Only HTTPS URLs are supported.`);
      return;
    case "file":
      onlyMembers(source, ["type", "file_id"], where);
      return;
    default:
      refuse(`${where}.type: Input tag is not one of the expected tags: 'base64', 'url', 'file'`);
  }
}

interface How {
  thinks: boolean;
  budgeted: boolean;
  model: string;
}

function checkTurns(turns: Turn[], how: How): void {
  if (turns[0]?.role !== "user") refuse('messages: first message must use the "user" role');
  turns.forEach((turn, i) => {
    if (turn.role === "assistant") checkCallsAnswered(turn, turns[i + 1]);
    else checkResultsAsked(turn, turns[i - 1]);
  });
  checkLast(turns, how);
}

function idsOf(turn: Turn | undefined, type: string, member: string): unknown[] {
  return (turn?.blocks ?? [])
    .filter((block) => block["type"] === type)
    .map((block) => block[member]);
}

function checkCallsAnswered(turn: Turn, next: Turn | undefined): void {
  const asked = idsOf(turn, "tool_use", "id");
  if (new Set(asked).size !== asked.length)
    refuse(`${turn.where}: \`tool_use\` ids must be unique`);
  const answered = idsOf(next, "tool_result", "tool_use_id");
  const missing = asked.filter((id) => !answered.includes(id));
  if (missing.length > 0)
    refuse(
      `${turn.where}: \`tool_use\` ids were found without \`tool_result\` blocks ` +
        `immediately after: ${missing.join(", ")}`,
    );
}

function checkResultsAsked(turn: Turn, previous: Turn | undefined): void {
  const asked = idsOf(previous, "tool_use", "id");
  const answered = idsOf(turn, "tool_result", "tool_use_id");
  for (const id of answered)
    if (!asked.includes(id))
      refuse(`${turn.where}: unexpected \`tool_use_id\` in \`tool_result\` blocks: ${String(id)}`);
  if (new Set(answered).size !== answered.length)
    refuse(`${turn.where}: each tool_use must have a single result.`);
  const types = turn.blocks.map((block) => block["type"]);
  const firstOther = types.findIndex((type) => type !== "tool_result");
  if (firstOther >= 0 && types.lastIndexOf("tool_result") > firstOther)
    refuse(`${turn.where}: \`tool_result\` blocks must come before any other content`);
}

function checkLast(turns: Turn[], { thinks, budgeted, model }: How): void {
  const last = turns.at(-1);
  if (last?.role === "assistant") {
    const final = last.blocks.at(-1);
    if (ADAPTIVE_ONLY.test(model) || thinks)
      refuse("This model does not support assistant message prefill.");
    if (final?.["type"] === "text" && /\s$/.test(String(final["text"])))
      refuse("messages: final assistant content cannot end with trailing whitespace");
  }
  const inLoop = idsOf(last, "tool_result", "tool_use_id").length > 0;
  const first = turns.at(-2)?.blocks[0]?.["type"];
  if (budgeted && inLoop && first !== "thinking" && first !== "redacted_thinking")
    refuse(
      `messages: Expected \`thinking\` or \`redacted_thinking\`, but found \`${String(first)}\``,
    );
}

function checkCacheMarks(body: Json): void {
  const marks: Json[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (isObject(value)) {
      if (isObject(value["cache_control"])) marks.push(value["cache_control"]);
      if (Array.isArray(value["content"])) collect(value["content"]);
    }
  };
  [body["tools"], body["system"], body["messages"]].forEach(collect);
  if (marks.length > 4)
    refuse(`A maximum of 4 blocks with cache_control may be provided. Found ${marks.length}.`);
  for (const mark of marks)
    if (
      mark["type"] !== "ephemeral" ||
      ![undefined, "5m", "1h"].includes(mark["ttl"] as string | undefined)
    )
      refuse("cache_control.ephemeral.ttl: Input should be '5m' or '1h'");
  const firstShort = marks.findIndex((mark) => mark["ttl"] !== "1h");
  if (firstShort >= 0 && marks.slice(firstShort).some((mark) => mark["ttl"] === "1h"))
    refuse("cache_control: a ttl='1h' block must not come after a ttl='5m' block.");
}

/** Only thinking that carries the fake's own signature is taken back. */
export function signature(thinking: unknown): string {
  return `FAKESIG${createHash("sha256").update(String(thinking)).digest("base64")}`;
}

export function textsOf(body: Json): string[] {
  const out: string[] = [];
  if (!Array.isArray(body["messages"])) return out;
  for (const message of body["messages"]) {
    if (!isObject(message) || message["role"] !== "user") continue;
    const content = message["content"];
    if (typeof content === "string") out.push(content);
    else if (Array.isArray(content))
      for (const block of content)
        if (isObject(block) && typeof block["text"] === "string") out.push(block["text"]);
  }
  return out;
}

export function hasToolResult(body: Json): boolean {
  return (
    Array.isArray(body["messages"]) &&
    body["messages"].some(
      (m) =>
        isObject(m) &&
        Array.isArray(m["content"]) &&
        m["content"].some((b) => isObject(b) && b["type"] === "tool_result"),
    )
  );
}

export function errorBody(
  error: { message: string; type?: string | undefined },
  requestId: string,
): string {
  return JSON.stringify({
    type: "error",
    error: { type: error.type ?? "api_error", message: error.message },
    request_id: requestId,
  });
}

const FINISH: Record<Finish, string> = {
  stop: "end_turn",
  length: "max_tokens",
  tool: "tool_use",
  filter: "refusal",
  stop_sequence: "stop_sequence",
};

function usage(wish: Directives): Json {
  const u = usageOf(wish);
  return {
    input_tokens: u.input,
    cache_creation_input_tokens: u.write_5m + u.write_1h,
    cache_read_input_tokens: u.cached,
    cache_creation: {
      ephemeral_5m_input_tokens: u.write_5m,
      ephemeral_1h_input_tokens: u.write_1h,
    },
    output_tokens: u.output,
    output_tokens_details: { thinking_tokens: u.reasoning },
    service_tier: "standard",
  };
}

function stopMembers(wish: Directives): Json {
  const finish = finishOf(wish);
  return {
    stop_reason: FINISH[finish],
    stop_sequence: finish === "stop_sequence" ? "END" : null,
    ...(finish === "filter"
      ? { stop_details: { type: "refusal", category: null, explanation: null } }
      : {}),
  };
}

function toolId(id: string, i: number, wished: string | undefined): string {
  return wished ?? `toolu_${id.replace(/\W/g, "").slice(-16)}_${i}`;
}

export function messageReply({ id, model, wish }: Asked): Json {
  const content: Json[] = [];
  if (wish.thinking !== undefined)
    content.push({
      type: "thinking",
      thinking: wish.thinking,
      signature: signature(wish.thinking),
    });
  const said = replyText(wish);
  if (said !== "") content.push({ type: "text", text: said });
  (wish.tools ?? []).forEach((tool, i) =>
    content.push({
      type: "tool_use",
      id: toolId(id, i, tool.id),
      name: tool.name,
      input: JSON.parse(toolArguments(tool) || "{}"),
    }),
  );
  return {
    id,
    type: "message",
    role: "assistant",
    model,
    content,
    ...stopMembers(wish),
    ...(wish.no_usage ? {} : { usage: usage(wish) }),
    ...wish.extra,
  };
}

/** Pairs of event name and data. */
export function messageEvents({ id, model, wish }: Asked): [string, string][] {
  const out: [string, string][] = [];
  const event = (type: string, members: Json): void => {
    out.push([type, JSON.stringify({ type, ...members, ...wish.extra })]);
  };
  let index = 0;
  const block = (start: Json, deltas: Json[]): void => {
    event("content_block_start", { index, content_block: start });
    for (const delta of deltas) event("content_block_delta", { index, delta });
    event("content_block_stop", { index });
    index++;
  };
  event("message_start", {
    message: {
      id,
      type: "message",
      role: "assistant",
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      ...(wish.no_usage
        ? {}
        : {
            usage: {
              ...usage(wish),
              output_tokens: 1,
              output_tokens_details: { thinking_tokens: 0 },
            },
          }),
    },
  });
  event("ping", {});
  if (wish.thinking !== undefined)
    block({ type: "thinking", thinking: "", signature: "" }, [
      ...pieces(wish.thinking, 3).map((thinking) => ({ type: "thinking_delta", thinking })),
      { type: "signature_delta", signature: signature(wish.thinking) },
    ]);
  if (replyText(wish) !== "")
    block(
      { type: "text", text: "" },
      replyChunks(wish).map((piece) => ({ type: "text_delta", text: piece })),
    );
  (wish.tools ?? []).forEach((tool, i) => {
    const args = tool.args === undefined ? [""] : pieces(toolArguments(tool), 3);
    block(
      { type: "tool_use", id: toolId(id, i, tool.id), name: tool.name, input: {} },
      args.map((partial_json) => ({ type: "input_json_delta", partial_json })),
    );
  });
  event("message_delta", {
    delta: stopMembers(wish),
    ...(wish.no_usage ? {} : { usage: usage(wish) }),
  });
  return out;
}

export function modelList(models: string[]): Json {
  const data = models.map((id) => ({
    type: "model",
    id,
    display_name: id,
    created_at: "2026-01-01T00:00:00Z",
  }));
  return { data, has_more: false, first_id: models[0] ?? null, last_id: models.at(-1) ?? null };
}
