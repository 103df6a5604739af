// A conversation with a model, whichever protocol it is spoken in.

export interface Image {
  name: string;
  /** "image/png" … */
  type: string;
  /** Base64, without the "data:" before it. */
  data: string;
}

export interface ToolCall {
  id: string;
  name: string;
  /** JSON as text; a stream brings it piece by piece. */
  arguments: string;
}

export interface Usage {
  input: number;
  output: number;
  cached?: number;
  thinking?: number;
}

export interface Answer {
  text: string;
  thinking: string;
  tools: ToolCall[];
  finish: string;
  usage?: Usage;
  /** What the protocol wants back with the next turn, with everything that has no place above. */
  native?: unknown;
}

export const NO_ANSWER: Answer = { text: "", thinking: "", tools: [], finish: "" };

export interface ToolResult {
  call: ToolCall;
  output: string;
}

export type Turn =
  | { role: "user"; text: string; images: Image[] }
  | { role: "assistant"; dialect: DialectName; answer: Answer }
  | { role: "tool"; results: ToolResult[] };

export interface Tool {
  name: string;
  description?: string;
  parameters?: unknown;
}

export type DialectName = "chat" | "responses" | "messages" | "gemini";

/** What one may ask of a model; undefined and "" leave it to the model. */
export interface Wishes {
  dialect: DialectName;
  model: string;
  system: string;
  stream: boolean;
  temperature: number | undefined;
  top_p: number | undefined;
  top_k: number | undefined;
  max_tokens: number | undefined;
  /** Tokens for thinking. */
  budget: number | undefined;
  effort: string;
  /** A JSON list of tools, in any protocol's form. */
  tools: string;
  /** A JSON object whose members are put into the request as they are. */
  extra: string;
}

export type Knob = "temperature" | "top_p" | "top_k" | "max_tokens" | "budget" | "effort";

/** What is asked for, read and checked. */
export interface Ask {
  wishes: Wishes;
  tools: Tool[];
  /** Tools of the protocol's own kinds (a search, say): sent as they are. */
  foreign: unknown[];
  turns: Turn[];
}

/** Gathers an answer from the events of a stream; a whole answer is one event. */
export interface Reader {
  take(event: unknown): void;
  answer(): Answer;
}

export interface Dialect {
  path(model: string, stream: boolean): string;
  /** As curl writes them. */
  headers(key: string): Record<string, string>;
  knobs: readonly Knob[];
  request(ask: Ask): Record<string, unknown>;
  reader(): Reader;
}

/** The upstream's or the program's own word, in the midst of an answer. */
export class Refusal extends Error {}
