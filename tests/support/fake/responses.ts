// OpenAI's Responses API as the fake speaks it: what it refuses, and how its replies look.
import {
  anything,
  array,
  bool,
  type Check,
  imageProblem,
  integer,
  isObject,
  type Json,
  nullable,
  number,
  object,
  oneOf,
  Refusal,
  text,
} from "./check";
import {
  type Directives,
  finishOf,
  pieces,
  replyChunks,
  replyText,
  toolArguments,
  usageOf,
} from "./directives";
import { type Asked, onlyMembers, refuse, refuseUnknown } from "./openai";

const CREATE: Record<string, Check> = {
  model: text,
  input: anything,
  instructions: nullable(text),
  previous_response_id: nullable(text),
  store: nullable(bool),
  stream: nullable(bool),
  stream_options: nullable(object),
  background: nullable(bool),
  include: nullable(array),
  max_output_tokens: nullable(integer(16)),
  max_tool_calls: nullable(integer(1)),
  temperature: nullable(number(0, 2)),
  top_p: nullable(number(0, 1)),
  top_logprobs: nullable(integer(0, 20)),
  reasoning: nullable(object),
  text: object,
  tools: array,
  tool_choice: anything,
  parallel_tool_calls: nullable(bool),
  truncation: nullable(oneOf("auto", "disabled")),
  metadata: nullable(object),
  service_tier: nullable(oneOf("auto", "default", "flex", "priority")),
  user: text,
  safety_identifier: text,
  prompt_cache_key: text,
  prompt_cache_retention: nullable(text),
  client_metadata: nullable(object), // Codex
};

/** Members of each item besides type, id and status. */
const ITEMS: Record<string, string[]> = {
  message: ["role", "content", "phase"],
  function_call: ["call_id", "name", "arguments", "namespace"],
  function_call_output: ["call_id", "output"],
  custom_tool_call: ["call_id", "name", "input", "namespace"],
  custom_tool_call_output: ["call_id", "output"],
  reasoning: ["summary", "content", "encrypted_content"],
  item_reference: [],
};

const PARTS: Record<string, string[]> = {
  input_text: ["text"],
  input_image: ["image_url", "file_id", "detail"],
  input_file: ["filename", "file_data", "file_url", "file_id"],
  output_text: ["text", "annotations", "logprobs"],
  refusal: ["refusal"],
  summary_text: ["text"],
  reasoning_text: ["text"],
};

const REASONING = /^(o[1-9]|gpt-5(?!-chat))/;

export function checkResponses(body: Json): void {
  refuseUnknown(body, CREATE);
  const input = body["input"];
  if (typeof input !== "string" && !Array.isArray(input))
    refuse("Missing required parameter: 'input'.", "input", "missing_required_parameter");
  if (Array.isArray(input)) {
    input.forEach((item, i) => checkItem(item, `input[${i}]`));
    if (body["previous_response_id"] == null && !input.some(isReference))
      checkOrder(input as Json[]);
  }
  checkTools(body);
  checkReasoning(body);
  checkFormat(body);
}

function checkReasoning(body: Json): void {
  const reasons = REASONING.test(String(body["model"])) || String(body["model"]).startsWith("fake");
  const { reasoning, include } = body;
  if (isObject(reasoning)) {
    onlyMembers(reasoning, ["effort", "summary", "generate_summary", "context"], "reasoning");
    if (!reasons)
      refuse("Unsupported parameter: 'reasoning' is not supported with this model.", "reasoning");
  }
  if (Array.isArray(include) && include.includes("reasoning.encrypted_content") && !reasons)
    refuse("Encrypted content is not supported with this model.", "include");
  if (REASONING.test(String(body["model"])))
    for (const name of ["temperature", "top_p"])
      if (body[name] != null && body[name] !== 1)
        refuse(`Unsupported parameter: '${name}' is not supported with this model.`, name);
}

function checkFormat(body: Json): void {
  if (!isObject(body["text"])) return;
  onlyMembers(body["text"], ["format", "verbosity"], "text");
  const format = body["text"]["format"];
  if (!isObject(format)) return;
  onlyMembers(format, ["type", "name", "schema", "strict", "description"], "text.format");
  if (
    format["type"] === "json_schema" &&
    !(isObject(format["schema"]) && /^[\w-]{1,64}$/.test(String(format["name"])))
  )
    refuse("Missing required parameter: 'text.format.name'.", "text.format.name");
}

function checkTools(body: Json): void {
  const names = new Set<unknown>();
  const add = (tools: unknown[], where: string): void =>
    tools.forEach((tool: unknown, i) => {
      const at = `${where}[${i}]`;
      if (!isObject(tool)) refuse(`Invalid type for '${at}'.`, at);
      if (tool["type"] === "namespace" && Array.isArray(tool["tools"]))
        return add(tool["tools"], `${at}.tools`);
      if (tool["type"] !== "function") return void names.add(tool["name"]);
      onlyMembers(tool, ["type", "name", "description", "parameters", "strict"], at);
      if (!/^[\w-]{1,128}$/.test(String(tool["name"])))
        refuse(`Invalid '${at}.name': string does not match pattern.`, `${at}.name`);
      const parameters = tool["parameters"];
      if (!isObject(parameters) || parameters["type"] !== "object")
        refuse(`Invalid schema for function '${String(tool["name"])}'.`, `${at}.parameters`);
      if (tool["strict"] !== false && parameters["additionalProperties"] !== false)
        refuse(
          `Invalid schema for function '${String(tool["name"])}': 'additionalProperties' is ` +
            "required to be supplied and to be false.",
          `${at}.parameters`,
          "invalid_function_parameters",
        );
      names.add(tool["name"]);
    });
  if (Array.isArray(body["tools"])) add(body["tools"], "tools");
  const choice = body["tool_choice"];
  if (isObject(choice) && choice["type"] === "function" && !names.has(choice["name"]))
    refuse("Tool choice 'function' not found in 'tools' parameter.", "tool_choice");
}

function checkItem(item: unknown, where: string): void {
  if (!isObject(item)) refuse(`Invalid type for '${where}'.`, where, "invalid_type");
  const type = String(item["type"] ?? "message");
  const members = ITEMS[type];
  if (!members) {
    if (/_call(_output)?$/.test(type)) return;
    refuse(`Invalid value: '${type}'.`, `${where}.type`);
  }
  onlyMembers(item, ["type", "id", "status", ...members], where);
  for (const name of ["call_id", "name"])
    if (members.includes(name) && typeof item[name] !== "string")
      refuse(`Missing required parameter: '${where}.${name}'.`, `${where}.${name}`);
  if (typeof item["call_id"] === "string" && item["call_id"].length > 64)
    refuse(`Invalid '${where}.call_id': string too long.`, `${where}.call_id`);
  if (type === "reasoning") checkReasoningItem(item, where);
  if (type === "message") checkMessage(item, where);
  if (type.endsWith("_output")) checkContent(item["output"], /^input_/, `${where}.output`);
}

function checkReasoningItem(item: Json, where: string): void {
  if (!Array.isArray(item["summary"]))
    refuse(`Missing required parameter: '${where}.summary'.`, `${where}.summary`);
  checkContent(item["summary"], /^summary_text$/, `${where}.summary`);
  const state = item["encrypted_content"];
  if (state != null && !String(state).startsWith("gAAAA"))
    refuse(
      "The encrypted content could not be verified.",
      `${where}.encrypted_content`,
      "invalid_encrypted_content",
    );
}

function checkMessage(item: Json, where: string): void {
  const role = String(item["role"]);
  if (!["user", "assistant", "system", "developer"].includes(role))
    refuse(`Invalid value: '${role}'.`, `${where}.role`);
  const allowed = role === "assistant" ? /^(output_text|refusal)$/ : /^input_/;
  checkContent(item["content"], allowed, `${where}.content`);
}

function checkContent(content: unknown, allowed: RegExp, where: string): void {
  if (typeof content === "string") return;
  if (!Array.isArray(content)) refuse(`Invalid type for '${where}'.`, where, "invalid_type");
  content.forEach((part: unknown, i) => {
    const at = `${where}[${i}]`;
    const type = isObject(part) ? String(part["type"]) : "";
    const members = PARTS[type];
    if (!isObject(part) || !members || !allowed.test(type))
      refuse(`Invalid value: '${type}'.`, `${at}.type`);
    onlyMembers(part, ["type", ...members], at);
    if (members[0] === "text" && typeof part["text"] !== "string")
      refuse(`Missing required parameter: '${at}.text'.`, `${at}.text`);
    const data = /^data:([^;,]+);base64,(.*)$/s.exec(String(part["image_url"] ?? ""));
    const problem = data ? imageProblem(data[1] ?? "", data[2] ?? "") : undefined;
    if (problem) refuse(`Invalid image: ${problem}`, `${at}.image_url`, "invalid_image_url");
  });
}

/** Replies that were made with `store`, as each account has them. */
export class Kept {
  private readonly all = new Map<string, { reply: Json; input: Json[] }>();

  /** All that `body` says, with what was said before it and what it names; its order is checked. */
  said(key: string, body: Json): Json[] {
    const items = inputItems(body).map((item) => (isReference(item) ? this.item(key, item) : item));
    const id = body["previous_response_id"];
    const found = this.all.get(`${key} ${String(id)}`);
    if (id != null && !found)
      refuse(
        `Previous response with id '${String(id)}' not found.`,
        "previous_response_id",
        "previous_response_not_found",
      );
    const said = found ? [...found.input, ...(found.reply["output"] as Json[]), ...items] : items;
    checkOrder(said);
    return said;
  }

  private item(key: string, { id }: Json): Json {
    for (const [name, { reply }] of this.all)
      for (const item of name.startsWith(`${key} `) ? (reply["output"] as Json[]) : [])
        if (item["id"] === id) return item;
    throw new Refusal(404, `Item with id '${String(id)}' not found.`, "invalid_request_error");
  }

  add(key: string, body: Json, reply: Json): void {
    const input = this.said(key, body);
    if (body["store"] !== false) this.all.set(`${key} ${String(reply["id"])}`, { reply, input });
  }

  find(key: string, id: string): { reply: Json; input: Json[] } {
    const found = this.all.get(`${key} ${id}`);
    if (!found)
      throw new Refusal(404, `Response with id '${id}' not found.`, "invalid_request_error");
    return found;
  }

  remove(key: string, id: string): void {
    this.find(key, id);
    this.all.delete(`${key} ${id}`);
  }
}

function isReference(item: unknown): item is Json {
  return isObject(item) && item["type"] === "item_reference";
}

function inputItems(body: Json): Json[] {
  const { input } = body;
  if (Array.isArray(input)) return input as Json[];
  return [{ type: "message", role: "user", content: [{ type: "input_text", text: input }] }];
}

/** Every call has its output behind it, every output its call; reasoning leads to something. */
function checkOrder(items: Json[]): void {
  const open = new Set<unknown>();
  items.forEach((item, i) => {
    const type = String(item["type"] ?? "message");
    if (type === "function_call" || type === "custom_tool_call") open.add(item["call_id"]);
    if (/^(function|custom_tool)_call_output$/.test(type) && !open.delete(item["call_id"]))
      refuse(`No tool call found for function call output with call_id.`, `input[${i}]`, null);
    const next = items.slice(i + 1).find((other) => other["type"] !== "reasoning");
    if (
      type === "reasoning" &&
      !["function_call", "custom_tool_call"].includes(String(next?.["type"])) &&
      next?.["role"] !== "assistant"
    )
      refuse(
        "Item of type 'reasoning' was provided without its required following item.",
        `input[${i}]`,
        null,
      );
  });
  if (open.size > 0) refuse(`No tool output found for function call.`, "input", null);
}

export function textsOf(body: Json): string[] {
  if (typeof body["input"] === "string") return [body["input"]];
  const items = (Array.isArray(body["input"]) ? body["input"] : []) as Json[];
  return items
    .filter((item) => item["role"] === "user")
    .flatMap((item) => {
      const content = item["content"];
      if (typeof content === "string") return [content];
      return (content as Json[]).map((part) => String(part["text"] ?? ""));
    });
}

export function hasToolResult(body: Json): boolean {
  const items = Array.isArray(body["input"]) ? (body["input"] as Json[]) : [];
  return items.some((item) => /^(function|custom_tool)_call_output$/.test(String(item["type"])));
}

function usage(wish: Directives): Json {
  const u = usageOf(wish);
  const input = u.input + u.cached + u.write_5m + u.write_1h;
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: u.cached,
      cache_write_tokens: u.write_5m + u.write_1h,
    },
    output_tokens: u.output,
    output_tokens_details: { reasoning_tokens: u.reasoning },
    total_tokens: input + u.output,
  };
}

/** The encrypted content that belongs to a thought. */
export function state(thought: string): string {
  return `gAAAA${Buffer.from(thought).toString("base64url")}`;
}

const customs = (body: Json): unknown[] =>
  ((body["tools"] ?? []) as Json[])
    .filter((tool) => tool["type"] === "custom")
    .map((tool) => tool["name"]);

function items({ id, body, wish }: Asked): Json[] {
  const base = id.replace(/\W/g, "").slice(-16);
  const out: Json[] = [];
  const content = replyText(wish);
  const include = Array.isArray(body["include"]) ? body["include"] : [];
  if (wish.thinking !== undefined) {
    const sealed = include.includes("reasoning.encrypted_content");
    const asked = isObject(body["reasoning"]) && body["reasoning"]["summary"] != null;
    out.push({
      id: `rs_${base}`,
      type: "reasoning",
      summary: asked ? [{ type: "summary_text", text: wish.thinking }] : [],
      ...(sealed ? { encrypted_content: state(wish.thinking) } : {}),
    });
  }
  if (content !== "" || !wish.tools)
    out.push({
      id: `msg_${base}`,
      type: "message",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text: content, annotations: [], logprobs: [] }],
    });
  (wish.tools ?? []).forEach((tool, i) => {
    const custom = customs(body).includes(tool.name);
    out.push({
      id: `${custom ? "ctc" : "fc"}_${base}_${i}`,
      type: custom ? "custom_tool_call" : "function_call",
      status: "completed",
      call_id: tool.id ?? `call_${base}_${i}`,
      name: tool.name,
      [custom ? "input" : "arguments"]: toolArguments(tool),
    });
  });
  return out;
}

const INCOMPLETE: Partial<Record<string, string>> = {
  length: "max_output_tokens",
  filter: "content_filter",
};

function object_({ id, model, body, wish }: Asked, status: string, output: Json[]): Json {
  const reason = status === "in_progress" ? undefined : INCOMPLETE[finishOf(wish)];
  return {
    id: id.replace("chatcmpl-", "resp_"),
    object: "response",
    created_at: 1_780_000_000,
    status: reason === undefined ? status : "incomplete",
    background: false,
    error: null,
    incomplete_details: reason === undefined ? null : { reason },
    instructions: body["instructions"] ?? null,
    model,
    output,
    parallel_tool_calls: true,
    store: body["store"] ?? true,
    previous_response_id: body["previous_response_id"] ?? null,
    text: body["text"] ?? { format: { type: "text" } },
    tool_choice: body["tool_choice"] ?? "auto",
    tools: body["tools"] ?? [],
    usage: status === "in_progress" || wish.no_usage ? null : usage(wish),
    metadata: {},
    ...wish.extra,
  };
}

export function responseReply(asked: Asked): Json {
  return object_(asked, "completed", items(asked));
}

/** Of one item: what comes between its first event and its last. */
function itemEvents(asked: Asked, item: Json, output_index: number): Json[] {
  const at = { item_id: item["id"], output_index };
  if (item["type"] === "message") {
    const part = (item["content"] as Json[])[0] ?? {};
    const where = { ...at, content_index: 0 };
    return [
      { type: "response.content_part.added", ...where, part: { ...part, text: "" } },
      ...replyChunks(asked.wish).map((delta) => ({
        type: "response.output_text.delta",
        ...where,
        delta,
        logprobs: [],
      })),
      { type: "response.output_text.done", ...where, text: part["text"], logprobs: [] },
      { type: "response.content_part.done", ...where, part },
    ];
  }
  if (item["type"] === "reasoning") {
    return (item["summary"] as Json[]).flatMap((part, summary_index) => {
      const where = { ...at, summary_index };
      return [
        { type: "response.reasoning_summary_part.added", ...where, part: { ...part, text: "" } },
        ...pieces(String(part["text"]), 3).map((delta) => ({
          type: "response.reasoning_summary_text.delta",
          ...where,
          delta,
        })),
        { type: "response.reasoning_summary_text.done", ...where, text: part["text"] },
        { type: "response.reasoning_summary_part.done", ...where, part },
      ];
    });
  }
  const custom = item["type"] === "custom_tool_call";
  const member = custom ? "input" : "arguments";
  const name = custom ? "response.custom_tool_call_input" : "response.function_call_arguments";
  return [
    ...pieces(String(item[member]), 3).map((delta) => ({ type: `${name}.delta`, ...at, delta })),
    { type: `${name}.done`, ...at, [member]: item[member] },
  ];
}

function begun(item: Json): Json {
  const { type } = item;
  if (type === "message") return { ...item, status: "in_progress", content: [] };
  if (type === "reasoning") return { ...item, summary: [], encrypted_content: "gAAAAearly" };
  return {
    ...item,
    status: "in_progress",
    [type === "custom_tool_call" ? "input" : "arguments"]: "",
  };
}

export function responseEvents(asked: Asked): Json[] {
  const start = object_(asked, "in_progress", []);
  const output = items(asked);
  const last = object_(asked, "completed", output);
  const events: Json[] = [
    { type: "response.created", response: start },
    { type: "response.in_progress", response: start },
    ...output.flatMap((item, output_index) => [
      { type: "response.output_item.added", output_index, item: begun(item) },
      ...itemEvents(asked, item, output_index),
      { type: "response.output_item.done", output_index, item },
    ]),
    { type: `response.${String(last["status"])}`, response: last },
  ];
  return events.map(({ type, ...rest }, sequence_number) => ({
    type,
    sequence_number,
    ...asked.wish.extra,
    ...rest,
  }));
}

/** The two events of a failure, as recorded. */
export function failure(body: Json, id: string): string {
  const error = body["error"] as Json;
  const failed = { id, object: "response", status: "failed", error, output: [], usage: null };
  const events: Json[] = [
    { type: "error", sequence_number: 9, error },
    { type: "response.failed", sequence_number: 10, response: failed },
  ];
  return events
    .map((event) => `event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`)
    .join("");
}
