// Builds requests in the chosen protocol, and shows them as curl.
import { completions } from "./completions.ts";
import { gemini } from "./gemini.ts";
import { listOf, objectOf, textOf } from "./json.ts";
import { messages } from "./messages.ts";
import { responses } from "./responses.ts";
import type { Ask, Dialect, DialectName, Tool, Turn, Wishes } from "./types.ts";

export * from "./types.ts";

export const DIALECTS: Record<DialectName, Dialect> = {
  chat: completions,
  responses,
  messages,
  gemini,
};
/** As their makers call them: not to be translated. */
export const DIALECT_NAMES: Record<DialectName, string> = {
  chat: "Chat Completions",
  responses: "Responses",
  messages: "Messages",
  gemini: "Gemini",
};

export const USUAL: Wishes = {
  dialect: "chat",
  model: "",
  system: "",
  stream: true,
  temperature: undefined,
  top_p: undefined,
  top_k: undefined,
  max_tokens: undefined,
  budget: undefined,
  effort: "",
  tools: "",
  extra: "",
};

function read(text: string): unknown {
  return text.trim() ? JSON.parse(text) : undefined;
}

/** A function in any protocol's form; undefined when it is a tool of the protocol's own. */
function toolOf(value: Record<string, unknown>): Tool | undefined {
  const inner = objectOf(value["function"]);
  const from = textOf(inner["name"]) ? inner : value;
  const name = textOf(from["name"]);
  const type = textOf(value["type"]);
  if (!name || (type && type !== "function" && type !== "custom")) return undefined;
  const parameters =
    from["parameters"] ?? from["input_schema"] ?? from["parametersJsonSchema"] ?? undefined;
  return {
    name,
    ...(textOf(from["description"]) && { description: textOf(from["description"]) }),
    ...(parameters !== undefined && { parameters }),
  };
}

/** What was written as JSON is something else than was asked for. */
export class Unfit extends Error {}

/** Tools as they were written: a list, or an object with a list in it. */
export function toolsOf(text: string): Pick<Ask, "tools" | "foreign"> {
  const value = read(text);
  if (value === undefined) return { tools: [], foreign: [] };
  const list = Array.isArray(value) ? value : (objectOf(value)["tools"] ?? [value]);
  if (!Array.isArray(list)) throw new Unfit();
  const all = listOf(list).flatMap((one) =>
    Array.isArray(one["functionDeclarations"]) ? listOf(one["functionDeclarations"]) : [one],
  );
  const known = all.map((one) => [one, toolOf(one)] as const);
  return {
    tools: known.flatMap(([, tool]) => tool ?? []),
    foreign: known.flatMap(([one, tool]) => (tool ? [] : one)),
  };
}

export function membersOf(text: string): Record<string, unknown> {
  const value = read(text) ?? {};
  if (typeof value !== "object" || Array.isArray(value)) throw new Unfit();
  return value as Record<string, unknown>;
}

export interface BuiltRequest {
  dialect: DialectName;
  path: string;
  body: Record<string, unknown>;
}

/** Throws when tools or extra members are no JSON. */
export function requestOf(wishes: Wishes, turns: Turn[]): BuiltRequest {
  const { dialect, model, stream } = wishes;
  const body = DIALECTS[dialect].request({ wishes, turns, ...toolsOf(wishes.tools) });
  return {
    dialect,
    path: DIALECTS[dialect].path(model, stream),
    body: { ...body, ...membersOf(wishes.extra) },
  };
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export function curlOf(base: string, { dialect, path, body }: BuiltRequest): string {
  const headers = {
    ...DIALECTS[dialect].headers("$TOKEN_FACTORY_KEY"),
    "Content-Type": "application/json",
  };
  return [
    `curl ${quoted(base + path)} \\`,
    ...Object.entries(headers).map(([name, value]) => `  -H "${name}: ${value}" \\`),
    `  -d ${quoted(JSON.stringify(body, null, 2))}`,
  ].join("\n");
}
