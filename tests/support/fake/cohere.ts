// Cohere's side of the fake: what /v2/chat refuses, and how its replies look.
import {
  array,
  bool,
  type Check,
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

const REQUEST: Record<string, Check> = {
  model: text,
  messages: array,
  stream: bool,
  tools: array,
  strict_tools: bool,
  tool_choice: oneOf("REQUIRED", "NONE"),
  documents: array,
  citation_options: object,
  response_format: object,
  safety_mode: oneOf("CONTEXTUAL", "STRICT", "OFF"),
  max_tokens: integer(1),
  stop_sequences: (v) => (Array.isArray(v) && v.length <= 5 ? undefined : "should have up to 5"),
  temperature: number(0, 1),
  p: number(0.01, 0.99),
  k: integer(0, 500),
  seed: integer(0),
  frequency_penalty: number(0, 1),
  presence_penalty: number(0, 1),
  logprobs: bool,
  thinking: object,
  priority: integer(0, 999),
};

const ITEMS: Record<string, Record<string, Record<string, Check>>> = {
  system: { text: { type: text, text } },
  user: { text: { type: text, text }, image_url: { type: text, image_url: object } },
  assistant: { text: { type: text, text }, thinking: { type: text, thinking: text } },
  tool: { text: { type: text, text }, document: { type: text, document: object } },
};

const MESSAGE: Record<string, Record<string, Check>> = {
  system: { role: text },
  user: { role: text },
  assistant: { role: text, tool_plan: text, tool_calls: array, citations: array },
  tool: { role: text, tool_call_id: text },
};

function fail(message: string, status = 400): never {
  throw new Refusal(status, message, "bad_request");
}

function members(where: string, value: unknown, known: Record<string, Check>): Json {
  if (!isObject(value)) fail(`invalid type: ${where} is not an object`);
  for (const [name, member] of Object.entries(value)) {
    const check = known[name];
    if (!check) fail(`invalid request: unknown field "${name}" in ${where}`, 422);
    const wrong = check(member);
    if (wrong !== undefined) fail(`invalid request: ${where}.${name} ${wrong}`);
  }
  return value;
}

function checkContent(where: string, role: string, content: unknown): void {
  if (typeof content === "string") {
    if (content === "" && role === "user") fail(`invalid request: ${where} must not be empty`);
    return;
  }
  if (!Array.isArray(content) || content.length === 0)
    fail(`invalid request: ${where} must be a text or a list`);
  for (const item of content as unknown[]) {
    const known = ITEMS[role]?.[String(isObject(item) ? item["type"] : "")];
    if (!known) fail(`invalid request: ${where} has an item of an unknown type`);
    const { text: said } = members(where, item, known);
    if (said === "") fail(`invalid request: ${where} must not have empty texts`);
  }
}

function checkCalls(where: string, calls: unknown): string[] {
  if (calls === undefined) return [];
  if (!Array.isArray(calls) || calls.length === 0) fail(`invalid request: ${where} is empty`);
  return (calls as unknown[]).map((call) => {
    const {
      id,
      type,
      function: f,
    } = members(where, call, { id: text, type: text, function: object });
    const { name, arguments: args } = members(where, f, { name: text, arguments: text });
    if (type !== "function" || typeof name !== "string") fail(`invalid request: ${where}`);
    if (!isObject(JSON.parse(String(args)))) fail(`invalid request: ${where} arguments`);
    return String(id);
  });
}

/** Results follow their calls directly, each call has one. */
function checkMessages(value: unknown): void {
  if (!Array.isArray(value) || value.length === 0) fail("invalid request: messages are required");
  let open: string[] = [];
  (value as unknown[]).forEach((message, i) => {
    const where = `messages[${i}]`;
    const role = String(isObject(message) ? message["role"] : "");
    const own = MESSAGE[role];
    if (!own) fail(`invalid request: ${where} has the unknown role "${role}"`);
    const said = members(where, message, { ...own, content: () => undefined });
    if (role === "tool") {
      const at = open.indexOf(String(said["tool_call_id"]));
      if (at < 0) fail(`invalid request: ${where} answers no call`);
      open.splice(at, 1);
    } else if (open.length > 0) fail(`invalid request: calls ${open.join(", ")} have no results`);
    const calls = checkCalls(`${where}.tool_calls`, said["tool_calls"]);
    if (calls.length > 0) open = calls;
    if (calls.length > 0 ? said["content"] !== undefined : said["tool_plan"] !== undefined)
      fail(`invalid request: ${where} must have content or a plan with calls`);
    if (calls.length === 0) checkContent(`${where}.content`, role, said["content"]);
  });
  if (open.length > 0) fail(`invalid request: calls ${open.join(", ")} have no results`);
}

function checkTools(body: Json): void {
  const { tools } = body;
  if (tools === undefined) {
    if (body["tool_choice"] !== undefined) fail("invalid request: tool_choice without tools");
    return;
  }
  if (!Array.isArray(tools) || tools.length === 0) fail("invalid request: tools is empty");
  for (const tool of tools as unknown[]) {
    const { function: f } = members("tools", tool, {
      type: oneOf("function"),
      function: object,
    });
    const { name, parameters } = members("tools.function", f, {
      name: text,
      description: text,
      parameters: object,
    });
    if (!/^\w+$/.test(String(name))) fail(`invalid request: tool name "${String(name)}"`);
    if (!isObject(parameters) || parameters["type"] !== "object")
      fail("invalid request: parameters must be a schema of an object");
  }
}

const LIMITED = "minimum,maximum,minLength,maxLength,minItems,maxItems,uniqueItems,$id".split(",");

function checkFormat(body: Json): void {
  const format = body["response_format"];
  if (format === undefined) return;
  const { type, json_schema: schema } = members("response_format", format, {
    type: oneOf("text", "json_object"),
    json_schema: object,
  });
  if (body["tools"] !== undefined || body["documents"] !== undefined)
    fail("invalid request: response_format cannot be used with tools or documents");
  if (type !== "json_object" || schema === undefined) return;
  const { type: root, required } = schema as Json;
  if (root !== "object" || !Array.isArray(required) || required.length === 0)
    fail("invalid request: json_schema must be an object with a required property");
  const bad = LIMITED.find((name) => JSON.stringify(schema).includes(`"${name}":`));
  if (bad !== undefined) fail(`invalid request: json_schema must not have ${bad}`);
}

export function checkChat(body: Json): void {
  members("the request", body, REQUEST);
  if (typeof body["model"] !== "string") fail("invalid request: model is required");
  checkMessages(body["messages"]);
  checkTools(body);
  checkFormat(body);
  if (body["thinking"] !== undefined) {
    if (!/reasoning/.test(body["model"])) fail("thinking is not supported by this model");
    members("thinking", body["thinking"], {
      type: oneOf("enabled", "disabled"),
      token_budget: integer(1),
    });
  }
  if (body["citation_options"] !== undefined)
    members("citation_options", body["citation_options"], {
      mode: oneOf("FAST", "ACCURATE", "OFF", "ENABLED", "DISABLED"),
    });
}

export function errorBody(error: { message: string }, id: string): string {
  return JSON.stringify({ id, message: error.message });
}

/** What ends a stream that failed. */
export function errorFrame(error: { message: string }): string {
  const end = { type: "message-end", delta: { finish_reason: "ERROR", error: error.message } };
  return `event: message-end\ndata: ${JSON.stringify(end)}\n\n`;
}

const FINISH: Record<Finish, string> = {
  stop: "COMPLETE",
  length: "MAX_TOKENS",
  tool: "TOOL_CALL",
  filter: "ERROR_TOXIC",
  stop_sequence: "STOP_SEQUENCE",
};

/** The hidden template is counted in tokens, not in billed units. */
const TEMPLATE = 500;

function usage(wish: Directives): Json {
  const u = usageOf(wish);
  return {
    billed_units: { input_tokens: u.input + u.cached, output_tokens: u.output },
    tokens: { input_tokens: u.input + u.cached + TEMPLATE, output_tokens: u.output + 3 },
    cached_tokens: u.cached > 0 ? u.cached + TEMPLATE : 0,
  };
}

function calls(wish: Directives, id: string): Json[] {
  return (wish.tools ?? []).map((tool, i) => ({
    id: tool.id ?? `${tool.name}_${id.slice(-10)}${i}`,
    type: "function",
    function: { name: tool.name, arguments: toolArguments(tool) },
  }));
}

/** Every document is cited once, by the first word of the reply. */
function citations(body: Json, reply: string, index: number): Json[] {
  const documents = Array.isArray(body["documents"]) ? (body["documents"] as unknown[]) : [];
  const word = reply.split(" ")[0] ?? "";
  return documents.map((document, i) => {
    const { id = `doc:${i}`, data } = isObject(document) ? document : { data: { text: document } };
    return {
      start: 0,
      end: [...word].length,
      text: word,
      sources: [{ type: "document", id, document: { id, ...(data as Json) } }],
      content_index: index,
      type: "TEXT_CONTENT",
    };
  });
}

export function chatReply({ id, body, wish }: Asked): Json {
  const said = replyText(wish);
  const content: Json[] = [];
  if (wish.thinking !== undefined) content.push({ type: "thinking", thinking: wish.thinking });
  if (!wish.tools) content.push({ type: "text", text: said });
  const cited = wish.tools ? [] : citations(body, said, content.length - 1);
  return {
    id,
    finish_reason: FINISH[finishOf(wish)],
    message: {
      role: "assistant",
      ...(content.length > 0 ? { content } : {}),
      ...(wish.tools ? { tool_plan: said, tool_calls: calls(wish, id) } : {}),
      ...(cited.length > 0 ? { citations: cited } : {}),
    },
    ...(wish.no_usage ? {} : { usage: usage(wish) }),
    ...wish.extra,
  };
}

const delta = (message: Json): Json => ({ delta: { message } });

function contentEvents(index: number, type: string, chunks: string[], inside: Json[] = []): Json[] {
  return [
    { type: "content-start", index, ...delta({ content: { type, [type]: "" } }) },
    ...chunks.map((piece) => ({
      type: "content-delta",
      index,
      ...delta({ content: { [type]: piece } }),
    })),
    ...inside,
    { type: "content-end", index },
  ];
}

function callEvents(call: Json, index: number): Json[] {
  const f = call["function"] as Json;
  const start = { ...call, function: { ...f, arguments: "" } };
  // a call without arguments has no delta at all
  const args = f["arguments"] === "{}" ? [] : pieces(String(f["arguments"]), 3);
  return [
    { type: "tool-call-start", index, ...delta({ tool_calls: start }) },
    ...args.map((piece) => ({
      type: "tool-call-delta",
      index,
      ...delta({ tool_calls: { function: { arguments: piece } } }),
    })),
    { type: "tool-call-end", index },
  ];
}

/** The frames of a stream, and what ends it. */
export function chatFrames({ id, body, wish }: Asked): string[] {
  const said = replyText(wish);
  const empty = { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] };
  const events: Json[] = [{ type: "message-start", id, ...delta(empty) }];
  let index = 0;
  if (wish.thinking !== undefined)
    events.push(...contentEvents(index++, "thinking", pieces(wish.thinking, 3)));
  if (wish.tools) {
    for (const piece of replyChunks(wish).filter((p) => p !== ""))
      events.push({ type: "tool-plan-delta", ...delta({ tool_plan: piece }) });
    calls(wish, id).forEach((call, i) => events.push(...callEvents(call, i)));
  } else {
    const cited = citations(body, said, index).flatMap((citation, i): Json[] => [
      { type: "citation-start", index: i, ...delta({ citations: citation }) },
      { type: "citation-end", index: i },
    ]);
    events.push(...contentEvents(index, "text", replyChunks(wish), cited));
  }
  events.push({
    type: "message-end",
    delta: {
      finish_reason: FINISH[finishOf(wish)],
      ...(wish.no_usage ? {} : { usage: usage(wish) }),
    },
  });
  return events.map(
    (event) =>
      `event: ${String(event["type"])}\ndata: ${JSON.stringify({ ...event, ...wish.extra })}\n\n`,
  );
}

export function modelList(models: string[]): Json {
  return { models: models.map((name) => ({ name, endpoints: ["chat"] })) };
}
