// Google's side of the fake: what it refuses, and how its replies look.
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
  contents: array,
  systemInstruction: object,
  tools: array,
  toolConfig: object,
  generationConfig: object,
  safetySettings: array,
  cachedContent: text,
  labels: object,
  serviceTier: oneOf("flex", "priority", "standard"),
};

const CONFIG: Record<string, Check> = {
  temperature: number(0, 2),
  topP: number(0, 1),
  topK: number(1, 1000),
  maxOutputTokens: integer(1),
  stopSequences: (v) => (Array.isArray(v) && v.length <= 5 ? undefined : "should have 1 to 5"),
  candidateCount: integer(1, 8),
  seed: integer(-(2 ** 31), 2 ** 31 - 1),
  presencePenalty: number(-2, 2),
  frequencyPenalty: number(-2, 2),
  responseLogprobs: bool,
  logprobs: integer(0, 20),
  responseMimeType: oneOf("text/plain", "application/json", "text/x.enum"),
  responseSchema: object,
  responseJsonSchema: object,
  responseModalities: array,
  thinkingConfig: object,
  speechConfig: object,
  imageConfig: object,
  mediaResolution: text,
};

const THINKING: Record<string, Check> = {
  includeThoughts: bool,
  thinkingBudget: integer(-1, 32768),
  thinkingLevel: oneOf("MINIMAL", "LOW", "MEDIUM", "HIGH"),
};

const PART: Record<string, Check> = {
  text,
  thought: bool,
  thoughtSignature: (v) =>
    typeof v === "string" && /^([A-Za-z0-9+/_-]+={0,2}|skip_thought_signature_validator)$/.test(v)
      ? undefined
      : "should be base64",
  inlineData: object,
  fileData: object,
  functionCall: object,
  functionResponse: object,
  executableCode: object,
  codeExecutionResult: object,
};

const DATA = Object.keys(PART).filter((name) => !name.startsWith("thought"));

function fail(message: string): never {
  throw new Refusal(400, message, "INVALID_ARGUMENT");
}

function members(where: string, value: unknown, known: Record<string, Check>): Json {
  if (!isObject(value)) fail(`Invalid value at '${where}'`);
  for (const [name, member] of Object.entries(value)) {
    const check = known[name];
    if (!check) fail(`Invalid JSON payload received. Unknown name "${name}" at '${where}'`);
    const wrong = check(member);
    if (wrong !== undefined) fail(`Invalid value at '${where}.${name}': ${wrong}`);
  }
  return value;
}

function base64(where: string, value: unknown): void {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]+={0,2}$/.test(value))
    fail(`Invalid value at '${where}' (TYPE_BYTES), Base64 decoding failed`);
}

function checkPart(where: string, part: unknown): Json {
  const known = members(where, part, PART);
  if (DATA.filter((name) => name in known).length !== 1)
    fail(`${where}: required oneof field 'data' must have one initialized field`);
  const inline = known["inlineData"];
  if (isObject(inline)) {
    members(`${where}.inlineData`, inline, { mimeType: text, data: text, displayName: text });
    base64(`${where}.inlineData.data`, inline["data"]);
    if (typeof inline["mimeType"] !== "string") fail(`${where}: mimeType is required`);
  }
  const call = known["functionCall"];
  if (isObject(call))
    members(`${where}.functionCall`, call, { id: text, name: text, args: object });
  const response = known["functionResponse"];
  if (isObject(response))
    members(`${where}.functionResponse`, response, {
      id: text,
      name: text,
      response: object,
      parts: array,
    });
  return known;
}

interface Turn {
  role: string;
  parts: Json[];
}

const count = (turn: Turn | undefined, member: string): number =>
  turn?.parts.filter((part) => member in part).length ?? 0;

function checkTurns(turns: Turn[], model: string): void {
  turns.forEach((turn, i) => {
    const before = turns[i - 1];
    const calls = count(turn, "functionCall");
    const responses = count(turn, "functionResponse");
    if (calls > 0 && before?.role !== "user")
      fail("Please ensure that function call turn comes immediately after a user turn");
    if (responses !== count(before, "functionCall"))
      fail(
        "Please ensure that the number of function response parts is equal to the number of " +
          "function call parts of the function call turn",
      );
    const first = turn.parts.find((part) => "functionCall" in part);
    if (first && model.startsWith("gemini-3") && !("thoughtSignature" in first))
      fail(`Function call is missing a thought_signature in functionCall parts (contents[${i}])`);
  });
}

function checkContents(value: unknown, model: string): void {
  if (!Array.isArray(value) || value.length === 0) fail("contents is not specified");
  const turns = value.map((content: unknown, i): Turn => {
    const known = members(`contents[${i}]`, content, {
      role: oneOf("user", "model"),
      parts: array,
    });
    const parts = known["parts"];
    if (!Array.isArray(parts) || parts.length === 0) fail(`contents[${i}].parts must not be empty`);
    return {
      role: String(known["role"] ?? "user"),
      parts: parts.map((part, k) => checkPart(`contents[${i}].parts[${k}]`, part)),
    };
  });
  checkTurns(turns, model);
}

const JSON_SCHEMA =
  "$schema,$id,$defs,$ref,$anchor,type,format,title,description,enum,items,prefixItems,minItems,maxItems," +
  "minimum,maximum,anyOf,oneOf,properties,additionalProperties,required,propertyOrdering,nullable";

function checkSchema(where: string, schema: unknown): void {
  if (!isObject(schema)) return;
  for (const [name, value] of Object.entries(schema)) {
    if (!JSON_SCHEMA.split(",").includes(name)) fail(`Unknown name "${name}" at '${where}'`);
    if (name === "properties" || name === "$defs")
      for (const [key, inner] of Object.entries(value as Json))
        checkSchema(`${where}.${key}`, inner);
    else if (Array.isArray(value) && name !== "required" && name !== "enum")
      value.forEach((inner) => checkSchema(where, inner));
    else checkSchema(where, value);
  }
}

function checkTools(value: unknown): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) fail("tools");
  for (const tool of value as unknown[]) {
    if (!isObject(tool)) fail("tools");
    const functions = tool["functionDeclarations"];
    if (functions === undefined) continue;
    if (!Array.isArray(functions) || functions.length === 0) fail("functionDeclarations is empty");
    for (const declaration of functions as unknown[]) {
      const known = members("tools.functionDeclarations", declaration, {
        name: text,
        description: text,
        parameters: object,
        parametersJsonSchema: object,
      });
      if (!/^[A-Za-z_][\w.:-]{0,63}$/.test(String(known["name"]))) fail("Invalid function name");
      checkSchema("parametersJsonSchema", known["parametersJsonSchema"]);
    }
  }
}

/** What generateContent takes; `model` comes from the path. */
export function checkGenerate(body: Json): void {
  const { "@model": model, ...rest } = body;
  members("", rest, REQUEST);
  checkContents(rest["contents"], String(model));
  checkTools(rest["tools"]);
  const config = members("generation_config", rest["generationConfig"] ?? {}, CONFIG);
  const thinking = members("thinking_config", config["thinkingConfig"] ?? {}, THINKING);
  if ("thinkingBudget" in thinking && "thinkingLevel" in thinking)
    fail("You can only set only one of thinking budget and thinking level.");
  if (Object.keys(thinking).length > 0 && !/gemini-(2\.5|3)/.test(String(model)))
    fail("Thinking is not enabled for this model");
  checkSchema("responseJsonSchema", config["responseJsonSchema"]);
}

const partsOf = (body: Json): Json[] =>
  (Array.isArray(body["contents"]) ? (body["contents"] as Json[]) : []).flatMap((content) =>
    Array.isArray(content["parts"]) ? (content["parts"] as Json[]) : [],
  );

export function textsOf(body: Json): string[] {
  return partsOf(body).map((part) => (typeof part["text"] === "string" ? part["text"] : ""));
}

export function hasToolResult(body: Json): boolean {
  return partsOf(body).some((part) => "functionResponse" in part);
}

const STATUS: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  503: "UNAVAILABLE",
};

export function errorBody(
  error: { message: string; code?: string | null | undefined },
  status = 500,
): string {
  return JSON.stringify({
    error: {
      code: status,
      message: error.message,
      status: STATUS[status] ?? "INTERNAL",
      ...(status === 429
        ? {
            details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "7.5s" }],
          }
        : {}),
    },
  });
}

const FINISH: Record<Finish, string> = {
  stop: "STOP",
  length: "MAX_TOKENS",
  tool: "STOP",
  filter: "SAFETY",
  stop_sequence: "STOP",
};

/** The signature that the fake gives to the first call of a turn. */
export function callSignature(name: string): string {
  return Buffer.from(`signed:${name}`).toString("base64");
}

function usage(wish: Directives): Json {
  const u = usageOf(wish);
  const prompt = u.input + u.cached;
  return {
    promptTokenCount: prompt,
    candidatesTokenCount: u.output - u.reasoning,
    totalTokenCount: prompt + u.output,
    ...(u.reasoning > 0 ? { thoughtsTokenCount: u.reasoning } : {}),
    ...(u.cached > 0 ? { cachedContentTokenCount: u.cached } : {}),
    promptTokensDetails: [{ modality: "TEXT", tokenCount: prompt }],
  };
}

function callParts(wish: Directives): Json[] {
  return (wish.tools ?? []).map((tool, i) => ({
    functionCall: {
      ...(tool.id === undefined ? {} : { id: tool.id }),
      name: tool.name,
      args: JSON.parse(toolArguments(tool) || "{}") as unknown,
    },
    ...(i === 0 ? { thoughtSignature: callSignature(tool.name) } : {}),
  }));
}

function chunk({ id, model, wish }: Asked, parts: Json[], last: boolean): Json {
  return {
    candidates: [
      {
        content: { role: "model", parts },
        ...(last ? { finishReason: FINISH[finishOf(wish)] } : {}),
        index: 0,
      },
    ],
    ...(wish.no_usage ? {} : { usageMetadata: usage(wish) }),
    modelVersion: model,
    responseId: id,
    ...wish.extra,
  };
}

export function generateReply(asked: Asked): Json {
  const { wish } = asked;
  const parts: Json[] = [];
  if (wish.thinking !== undefined) parts.push({ text: wish.thinking, thought: true });
  if (replyText(wish) !== "") parts.push({ text: replyText(wish) });
  return chunk(asked, [...parts, ...callParts(wish)], true);
}

/** The chunks of a stream; nothing follows the last one. */
export function generateEvents(asked: Asked): string[] {
  const { wish } = asked;
  const out: Json[] = [];
  if (wish.thinking !== undefined)
    for (const piece of pieces(wish.thinking, 3))
      out.push(chunk(asked, [{ text: piece, thought: true }], false));
  if (replyText(wish) !== "")
    for (const piece of replyChunks(wish)) out.push(chunk(asked, [{ text: piece }], false));
  if (wish.tools) out.push(chunk(asked, callParts(wish), false));
  out.push(chunk(asked, [{ text: "" }], true));
  return out.map((event) => JSON.stringify(event));
}

export function modelList(models: string[]): Json {
  return { models: models.map((name) => ({ name: `models/${name}`, displayName: name })) };
}
