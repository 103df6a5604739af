// OpenAI's side of the fake: what it refuses, and how its replies look.
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
  type Finish,
  finishOf,
  pieces,
  replyChunks,
  replyText,
  toolArguments,
  usageOf,
} from "./directives";

const INT64 = integer(-(2 ** 63), 2 ** 63);

const CHAT: Record<string, Check> = {
  model: text,
  messages: array,
  max_completion_tokens: nullable(integer(1)),
  max_tokens: nullable(integer(1)),
  temperature: nullable(number(0, 2)),
  top_p: nullable(number(0, 1)),
  n: nullable(integer(1, 128)),
  stop: anything,
  presence_penalty: nullable(number(-2, 2)),
  frequency_penalty: nullable(number(-2, 2)),
  logit_bias: nullable(object),
  logprobs: nullable(bool),
  top_logprobs: nullable(integer(0, 20)),
  seed: nullable(INT64),
  stream: nullable(bool),
  stream_options: nullable(object),
  tools: array,
  tool_choice: anything,
  parallel_tool_calls: bool,
  functions: array,
  function_call: anything,
  response_format: object,
  reasoning_effort: nullable(oneOf("none", "minimal", "low", "medium", "high", "xhigh", "max")),
  verbosity: nullable(oneOf("low", "medium", "high")),
  modalities: nullable(array),
  audio: nullable(object),
  prediction: nullable(object),
  web_search_options: object,
  service_tier: nullable(oneOf("auto", "default", "flex", "scale", "priority", "fast")),
  store: nullable(bool),
  metadata: nullable(object),
  user: text,
  safety_identifier: text,
  prompt_cache_key: text,
  prompt_cache_retention: nullable(oneOf("in_memory", "24h")),
  prompt_cache_options: object,
  moderation: object,
};

const COMPLETION: Record<string, Check> = {
  model: text,
  prompt: anything,
  suffix: nullable(text),
  max_tokens: nullable(integer(0)),
  temperature: nullable(number(0, 2)),
  top_p: nullable(number(0, 1)),
  n: nullable(integer(1, 128)),
  best_of: nullable(integer(0, 20)),
  logprobs: nullable(integer(0, 5)),
  echo: nullable(bool),
  stop: anything,
  presence_penalty: nullable(number(-2, 2)),
  frequency_penalty: nullable(number(-2, 2)),
  logit_bias: nullable(object),
  seed: nullable(INT64),
  stream: nullable(bool),
  stream_options: nullable(object),
  user: text,
};

const EMBEDDING: Record<string, Check> = {
  model: text,
  input: anything,
  encoding_format: nullable(oneOf("float", "base64")),
  dimensions: integer(1),
  user: text,
};

/** Members of each role's message; `x_` members pass, as vendors' extensions do. */
const MESSAGE: Record<string, string[]> = {
  developer: ["content", "name"],
  system: ["content", "name"],
  user: ["content", "name"],
  assistant: [
    "content",
    "name",
    "refusal",
    "tool_calls",
    "audio",
    "function_call",
    "annotations",
    "reasoning_content",
  ],
  tool: ["content", "tool_call_id", "name"], // the name is taken and not looked at
  function: ["content", "name"],
};

const PARTS: Record<string, string[]> = {
  developer: ["text"],
  system: ["text"],
  user: ["text", "image_url", "input_audio", "file"],
  assistant: ["text", "refusal"],
  tool: ["text"],
  function: [],
};

const REASONING = /^(o[1-9]|gpt-5(?!-chat)(?!\.[1-4](-mini|-nano)?$))/;
/** Takes an effort though it does not reason by default. */
const MAY_REASON = /^gpt-5\.[1-4]/;

export function refuseUnknown(body: Json, known: Record<string, Check>): void {
  for (const [name, value] of Object.entries(body)) {
    if (name.startsWith("x_")) continue;
    const check = known[name];
    if (!check) throw new Refusal(400, `Unrecognized request argument supplied: ${name}`);
    const problem = check(value);
    if (problem)
      throw new Refusal(
        400,
        `Invalid value for '${name}': ${problem}`,
        "invalid_request_error",
        "invalid_value",
        name,
      );
  }
  if (!("model" in body)) throw new Refusal(400, "you must provide a model parameter");
}

export function onlyMembers(value: Json, allowed: string[], where: string): void {
  for (const name of Object.keys(value))
    if (!allowed.includes(name) && !name.startsWith("x_"))
      throw new Refusal(
        400,
        `Unknown parameter: '${where}.${name}'.`,
        "invalid_request_error",
        "unknown_parameter",
        `${where}.${name}`,
      );
}

export function refuse(
  message: string,
  param: string,
  code: string | null = "invalid_value",
): never {
  throw new Refusal(400, message, "invalid_request_error", code, param);
}

export function checkChat(body: Json): void {
  const compatible = String(body["model"]).endsWith("-compatible"); // not OpenAI's own
  refuseUnknown(body, compatible ? { ...CHAT, top_k: nullable(integer(0)) } : CHAT);
  checkSampling(body);
  checkTools(body);
  const messages = body["messages"];
  if (!Array.isArray(messages))
    refuse("Missing required parameter: 'messages'.", "messages", "missing_required_parameter");
  if (messages.length === 0) refuse("Invalid 'messages': empty array.", "messages", "empty_array");
  messages.forEach((message, i) => checkMessage(message, `messages[${i}]`));
  checkToolOrder(messages as Json[]);
}

function checkSampling(body: Json): void {
  const model = String(body["model"]);
  if (body["stream_options"] != null && body["stream"] !== true)
    refuse(
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      "stream_options",
      null,
    );
  if (isObject(body["stream_options"]))
    onlyMembers(body["stream_options"], ["include_usage", "include_obfuscation"], "stream_options");
  if (
    Array.isArray(body["stop"]) &&
    (body["stop"].length > 4 || body["stop"].some((s) => typeof s !== "string"))
  )
    refuse("Invalid 'stop': at most 4 strings.", "stop");
  if (body["max_tokens"] != null && body["max_completion_tokens"] != null)
    refuse(
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      "max_tokens",
    );
  if (REASONING.test(model)) {
    if (body["max_tokens"] != null)
      refuse(
        "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "max_tokens",
        "unsupported_parameter",
      );
    for (const name of ["temperature", "top_p"])
      if (body[name] != null && body[name] !== 1)
        refuse(
          `Unsupported value: '${name}' does not support ${body[name]} with this model.`,
          name,
          "unsupported_value",
        );
    for (const name of ["presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "stop"])
      if (body[name] != null && body[name] !== 0 && body[name] !== false)
        refuse(
          `Unsupported parameter: '${name}' is not supported with this model.`,
          name,
          "unsupported_parameter",
        );
  } else if (
    body["reasoning_effort"] != null &&
    !MAY_REASON.test(model) &&
    !model.startsWith("fake-")
  )
    refuse("Unrecognized request argument supplied: reasoning_effort", "reasoning_effort", null);
}

function checkTools(body: Json): void {
  const tools = body["tools"];
  if (tools === undefined) {
    if (body["tool_choice"] !== undefined && body["tool_choice"] !== "none")
      refuse("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice", null);
    if (body["parallel_tool_calls"] !== undefined)
      refuse(
        "'parallel_tool_calls' is only allowed when 'tools' are specified.",
        "parallel_tool_calls",
        null,
      );
    return;
  }
  if (!Array.isArray(tools) || tools.length === 0)
    refuse("[] is too short - 'tools'", "tools", null);
  const names = new Set<unknown>();
  tools.forEach((tool: unknown, i) => {
    const where = `tools[${i}]`;
    if (!isObject(tool) || tool["type"] !== "function") {
      if (isObject(tool) && tool["type"] === "custom") return;
      refuse(`Invalid value for '${where}.type'.`, `${where}.type`);
    }
    onlyMembers(tool, ["type", "function"], where);
    const f = tool["function"];
    if (!isObject(f))
      refuse(
        `Missing required parameter: '${where}.function'.`,
        where,
        "missing_required_parameter",
      );
    onlyMembers(f, ["name", "description", "parameters", "strict"], `${where}.function`);
    if (typeof f["name"] !== "string" || !/^[a-zA-Z0-9_-]{1,64}$/.test(f["name"]))
      refuse(
        `Invalid '${where}.function.name': string does not match pattern.`,
        `${where}.function.name`,
      );
    if (
      f["parameters"] !== undefined &&
      (!isObject(f["parameters"]) || f["parameters"]["type"] !== "object")
    )
      refuse(
        `Invalid schema for function '${f["name"]}': schema must be of type "object".`,
        `${where}.function.parameters`,
        "invalid_function_parameters",
      );
    names.add(f["name"]);
  });
  const choice = body["tool_choice"];
  if (choice === undefined || choice === null) return;
  if (typeof choice === "string") {
    if (!["none", "auto", "required"].includes(choice))
      refuse("Invalid value for 'tool_choice'.", "tool_choice");
  } else if (isObject(choice) && choice["type"] === "function") {
    if (!isObject(choice["function"]) || !names.has(choice["function"]["name"]))
      refuse("Tool choice names a function that is not in 'tools'.", "tool_choice");
  } else if (!isObject(choice) || !["custom", "allowed_tools"].includes(String(choice["type"])))
    refuse("Invalid value for 'tool_choice'.", "tool_choice");
}

function checkMessage(message: unknown, where: string): void {
  if (!isObject(message))
    refuse(`Invalid type for '${where}': expected an object.`, where, "invalid_type");
  const role = message["role"];
  const members = MESSAGE[String(role)];
  const partTypes = PARTS[String(role)];
  if (!members || !partTypes)
    refuse(
      `Invalid value: '${String(role)}'. Supported values are: ${Object.keys(MESSAGE).join(", ")}.`,
      `${where}.role`,
    );
  onlyMembers(message, ["role", ...members], where);
  checkContent(message, String(role), partTypes, where);
  if (role === "tool" && typeof message["tool_call_id"] !== "string")
    refuse(
      `Missing required parameter: '${where}.tool_call_id'.`,
      `${where}.tool_call_id`,
      "missing_required_parameter",
    );
  if (role === "assistant" && message["tool_calls"] !== undefined)
    checkCalls(message["tool_calls"], where);
}

function checkContent(message: Json, role: string, partTypes: string[], where: string): void {
  const content = message["content"];
  if (content === undefined || content === null) {
    const other =
      role === "assistant" &&
      ["tool_calls", "function_call", "audio", "refusal"].some((m) => message[m] != null);
    if (other || (role === "function" && content === null)) return;
    refuse(`Invalid value for 'content': expected a string, got null.`, `${where}.content`, null);
  }
  if (typeof content === "string") return;
  if (!Array.isArray(content) || content.length === 0)
    refuse(`Invalid type for '${where}.content'.`, `${where}.content`, "invalid_type");
  content.forEach((part: unknown, i) => checkPart(part, partTypes, `${where}.content[${i}]`));
}

function checkPart(part: unknown, allowed: string[], where: string): void {
  if (!isObject(part) || !allowed.includes(String(part["type"])))
    refuse(
      `Invalid value: ${JSON.stringify(part)}. Supported values are: ${allowed.join(", ")}.`,
      `${where}.type`,
    );
  const type = String(part["type"]);
  onlyMembers(part, ["type", type, "prompt_cache_breakpoint"], where);
  if (type === "text" || type === "refusal") {
    if (typeof part[type] !== "string")
      refuse(
        `Missing required parameter: '${where}.${type}'.`,
        where,
        "missing_required_parameter",
      );
  } else if (type === "image_url") checkImage(part["image_url"], `${where}.image_url`);
  else if (!isObject(part[type]))
    refuse(`Missing required parameter: '${where}.${type}'.`, where, "missing_required_parameter");
}

function checkImage(image: unknown, where: string): void {
  if (!isObject(image) || typeof image["url"] !== "string")
    refuse(`Invalid type for '${where}': expected an object with a url.`, where, "invalid_type");
  onlyMembers(image, ["url", "detail"], where);
  const url = image["url"];
  if (/^https?:\/\/[^/\s]+/.test(url)) return;
  const match = /^data:([^;,]+);base64,(.*)$/s.exec(url);
  const problem = match
    ? imageProblem(match[1] ?? "", match[2] ?? "")
    : "expected a URL or a base64 data URL";
  if (problem) refuse(`Invalid image: ${problem}`, `${where}.url`, "invalid_image_url");
}

function checkCalls(calls: unknown, where: string): void {
  if (!Array.isArray(calls) || calls.length === 0)
    refuse(`Invalid '${where}.tool_calls': empty array.`, `${where}.tool_calls`, "empty_array");
  calls.forEach((call: unknown, i) => {
    const at = `${where}.tool_calls[${i}]`;
    if (
      !isObject(call) ||
      typeof call["id"] !== "string" ||
      (call["type"] !== "function" && call["type"] !== "custom")
    )
      refuse(`Missing required parameter: '${at}'.`, at, "missing_required_parameter");
    onlyMembers(call, ["id", "type", "function", "custom"], at);
    if (call["id"].length > 40)
      refuse(
        `Invalid '${at}.id': string too long. Expected a string with maximum length 40.`,
        `${at}.id`,
        "string_above_max_length",
      );
    const f = call["function"];
    if (
      call["type"] === "function" &&
      (!isObject(f) || typeof f["name"] !== "string" || typeof f["arguments"] !== "string")
    )
      refuse(
        `Invalid '${at}.function': name and arguments must be strings.`,
        `${at}.function`,
        "invalid_type",
      );
  });
}

/** Every call must be answered directly after it, and nothing else may be answered. */
function checkToolOrder(messages: Json[]): void {
  let open = new Set<unknown>();
  messages.forEach((message, i) => {
    if (message["role"] === "tool") {
      if (!open.delete(message["tool_call_id"]))
        refuse(
          "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          `messages[${i}].role`,
          null,
        );
      return;
    }
    refuseOpen(open);
    const calls = message["tool_calls"];
    open = new Set(Array.isArray(calls) ? calls.map((call: Json) => call["id"]) : []);
  });
  refuseOpen(open);
}

function refuseOpen(open: Set<unknown>): void {
  if (open.size > 0)
    refuse(
      `An assistant message with 'tool_calls' must be followed by tool messages responding to ` +
        `each 'tool_call_id'. These did not have response messages: ${[...open].join(", ")}`,
      "messages",
      null,
    );
}

export function checkCompletion(body: Json): void {
  refuseUnknown(body, COMPLETION);
  if (body["stream_options"] != null && body["stream"] !== true)
    refuse(
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      "stream_options",
      null,
    );
  checkTextOrTokens(body["prompt"], "prompt");
}

export function checkEmbedding(body: Json): void {
  refuseUnknown(body, EMBEDDING);
  checkTextOrTokens(body["input"], "input");
}

function checkTextOrTokens(value: unknown, param: string): void {
  const tokens = (v: unknown): boolean =>
    Array.isArray(v) && v.length > 0 && v.every((t) => Number.isInteger(t));
  const fine =
    (typeof value === "string" && value !== "") ||
    tokens(value) ||
    (Array.isArray(value) &&
      value.length > 0 &&
      value.every((v) => (typeof v === "string" && v !== "") || tokens(v)));
  if (!fine) refuse(`'$.${param}' is invalid.`, param, null);
}

/** The texts a directive may be in, in order. */
export function textsOf(body: Json): string[] {
  const out: string[] = [];
  const add = (value: unknown): void => {
    if (typeof value === "string") out.push(value);
    else if (Array.isArray(value))
      for (const item of value) add(isObject(item) ? item["text"] : item);
  };
  if (Array.isArray(body["messages"]))
    for (const message of body["messages"])
      if (isObject(message) && message["role"] === "user") add(message["content"]);
  add(body["prompt"]);
  add(body["input"]);
  return out;
}

export function hasToolResult(body: Json): boolean {
  return (
    Array.isArray(body["messages"]) &&
    body["messages"].some((m) => isObject(m) && m["role"] === "tool")
  );
}

export function errorBody(error: {
  message: string;
  type?: string | undefined;
  code?: string | null | undefined;
  param?: string | null;
}): string {
  return JSON.stringify({
    error: {
      message: error.message,
      type: error.type ?? "server_error",
      param: error.param ?? null,
      code: error.code ?? null,
    },
  });
}

const FINISH: Record<Finish, string> = {
  stop: "stop",
  length: "length",
  tool: "tool_calls",
  filter: "content_filter",
  stop_sequence: "stop",
};

function usage(wish: Directives): Json {
  const u = usageOf(wish);
  const prompt = u.input + u.cached + u.write_5m + u.write_1h;
  return {
    prompt_tokens: prompt,
    completion_tokens: u.output,
    total_tokens: prompt + u.output,
    prompt_tokens_details: {
      cached_tokens: u.cached,
      audio_tokens: 0,
      cache_write_tokens: u.write_5m + u.write_1h,
    },
    completion_tokens_details: {
      reasoning_tokens: u.reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function calls(wish: Directives, id: string): Json[] {
  return (wish.tools ?? []).map((tool, i) => ({
    id: tool.id ?? `call_${id.replace(/\W/g, "").slice(-16)}_${i}`,
    type: "function",
    function: { name: tool.name, arguments: toolArguments(tool) },
  }));
}

export interface Asked {
  id: string;
  model: string;
  body: Json;
  wish: Directives;
  /** The credential: what is kept is the account's. */
  key: string;
}

const CREATED = 1_780_000_000;

export function chatReply({ id, model, wish }: Asked): Json {
  const content = replyText(wish);
  const message = {
    role: "assistant",
    content: wish.tools && content === "" ? null : content,
    refusal: null,
    annotations: [],
    ...(wish.thinking === undefined ? {} : { reasoning_content: wish.thinking }),
    ...(wish.tools ? { tool_calls: calls(wish, id) } : {}),
  };
  return {
    id,
    object: "chat.completion",
    created: CREATED,
    model,
    service_tier: "default",
    system_fingerprint: null,
    choices: [{ index: 0, finish_reason: FINISH[finishOf(wish)], logprobs: null, message }],
    ...(wish.no_usage ? {} : { usage: usage(wish) }),
    ...wish.extra,
  };
}

/** The data of every frame, in order, without the closing [DONE]. */
export function chatEvents({ id, model, body, wish }: Asked): string[] {
  const asked =
    isObject(body["stream_options"]) && body["stream_options"]["include_usage"] === true;
  const separate = asked && !wish.no_usage && !wish.usage_in_last_chunk;
  const chunk = (delta: Json, finish: string | null = null): Json => ({
    id,
    object: "chat.completion.chunk",
    created: CREATED,
    model,
    service_tier: "default",
    system_fingerprint: null,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(asked ? { usage: null } : {}),
    ...wish.extra,
  });
  const out: Json[] = [
    chunk({
      role: "assistant",
      content: wish.tools && replyText(wish) === "" ? null : "",
      refusal: null,
    }),
  ];
  if (wish.thinking !== undefined)
    for (const piece of pieces(wish.thinking, 3)) out.push(chunk({ reasoning_content: piece }));
  for (const piece of replyChunks(wish)) out.push(chunk({ content: piece }));
  calls(wish, id).forEach((call, index) => {
    const f = call["function"] as Json;
    out.push(
      chunk({
        tool_calls: [
          { index, id: call["id"], type: "function", function: { name: f["name"], arguments: "" } },
        ],
      }),
    );
    for (const piece of pieces(String(f["arguments"]), 3))
      out.push(chunk({ tool_calls: [{ index, function: { arguments: piece } }] }));
  });
  const last = chunk({}, FINISH[finishOf(wish)]);
  out.push(wish.usage_in_last_chunk ? { ...last, usage: usage(wish) } : last);
  if (separate) out.push({ ...last, choices: [], usage: usage(wish) });
  return out.map((event) => JSON.stringify(event));
}

export function completionReply({ id, model, wish }: Asked): Json {
  return {
    id,
    object: "text_completion",
    created: CREATED,
    model,
    choices: [
      { text: replyText(wish), index: 0, logprobs: null, finish_reason: FINISH[finishOf(wish)] },
    ],
    ...(wish.no_usage ? {} : { usage: usage(wish) }),
    ...wish.extra,
  };
}

export function completionEvents({ id, model, body, wish }: Asked): string[] {
  const asked =
    isObject(body["stream_options"]) &&
    body["stream_options"]["include_usage"] === true &&
    !wish.no_usage;
  const frame = (choices: Json[]): Json => ({
    id,
    object: "text_completion",
    created: CREATED,
    model,
    choices,
    ...(asked ? { usage: null } : {}),
    ...wish.extra,
  });
  const out = replyChunks(wish).map((piece) =>
    frame([{ text: piece, index: 0, logprobs: null, finish_reason: null }]),
  );
  out.push(frame([{ text: "", index: 0, logprobs: null, finish_reason: FINISH[finishOf(wish)] }]));
  if (asked) out.push({ ...frame([]), usage: usage(wish) });
  return out.map((event) => JSON.stringify(event));
}

export function embeddingReply({ model, body, wish }: Asked): Json {
  const input = body["input"];
  const count = Array.isArray(input) && typeof input[0] !== "number" ? input.length : 1;
  const vector = Float32Array.from(
    { length: typeof body["dimensions"] === "number" ? body["dimensions"] : 8 },
    (_, i) => (i + 1) / 16,
  );
  const embedding =
    body["encoding_format"] === "base64"
      ? Buffer.from(vector.buffer).toString("base64")
      : [...vector];
  const tokens = usageOf(wish).input;
  return {
    object: "list",
    model,
    data: Array.from({ length: count }, (_, index) => ({ object: "embedding", index, embedding })),
    ...(wish.no_usage ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } }),
    ...wish.extra,
  };
}

export function modelList(models: string[]): Json {
  return {
    object: "list",
    data: models.map((id) => ({ id, object: "model", created: CREATED, owned_by: "fake" })),
  };
}
