// What one request asks the fake to do, and how the wish is found in it.

export interface ToolCall {
  name: string;
  /** An object is serialised compactly; a string is sent as it is, valid JSON or not. */
  args?: unknown;
  id?: string;
}

export interface UsageNumbers {
  /** Input tokens without any cached ones. */
  input?: number;
  output?: number;
  cached?: number;
  write_5m?: number;
  write_1h?: number;
  /** Part of `output`. */
  reasoning?: number;
}

export type Finish = "stop" | "length" | "tool" | "filter" | "stop_sequence";

export interface Directives {
  // the reply
  reply?: string;
  /** The text's pieces, or into how many it is cut. */
  chunks?: string[] | number;
  thinking?: string;
  tools?: ToolCall[];
  finish?: Finish;
  usage?: UsageNumbers;
  no_usage?: boolean;
  /** OpenAI only: usage rides in the finish chunk instead of a chunk of its own. */
  usage_in_last_chunk?: boolean;
  /** Members the gateway does not know, added to the reply and to every event. */
  extra?: Record<string, unknown>;
  /** What to do instead once the conversation holds a tool result. */
  then?: Directives;
  /** What to do instead on the named route (`<url>/proxy/<name>`). */
  at?: Record<string, Directives>;

  // failures that are said
  status?: number;
  /** An error body: text is sent as it is, an object is the envelope's inner error. */
  error?: string | { type?: string; code?: string | null; message?: string };
  retry_after?: string;
  headers?: Record<string, string>;
  error_in_stream?: { after: number; type?: string; code?: string; message?: string };
  redirect?: string;

  // failures that just happen
  cut?: { after_bytes?: number; after_events?: number; how?: "rst" | "fin" };
  /** Content-Length says so many bytes more than will come; then FIN. */
  truncate?: number;
  /** Ends the HTTP body properly but without the dialect's terminal event. */
  no_end?: boolean;
  garbage?: "http" | "body";

  // timing
  delay_ms?: number;
  header_delay_ms?: number;
  /** Waits before the nth event (-1: before the headers) until `release(name)`, maybe for ever. */
  hold?: { after_events: number; name: string };
  /** Waits before each event, counted from 0, until `release("NAME-COUNT")`. */
  hold_each?: string;

  // framing
  dribble?: boolean;
  /** The whole text is one line of so many MiB. */
  huge_line?: number;
  gzip?: boolean | "force";
  crlf?: boolean;
  http10?: boolean;
  interim?: number;
  comments?: boolean;
  multiline?: boolean;
  no_space?: boolean;
  /** Announces `Connection: close`, or closes the idle connection without a word. */
  close?: "announced" | "silent";
}

const OPEN = "[[fake:";

/** The text that asks for `wish`, to be put into a user message. */
export function ask(wish: Directives, text = "Hi"): string {
  return `${text} ${OPEN}${JSON.stringify(wish)}]]`;
}

/** A model name that asks for `wish`, where there is no text to put it in. */
export function modelAsking(wish: Directives, model = "fake-model"): string {
  return `${model}+fake.${Buffer.from(JSON.stringify(wish)).toString("base64url")}`;
}

function inText(text: string): Directives | undefined {
  const start = text.indexOf(OPEN);
  if (start < 0) return undefined;
  const from = start + OPEN.length;
  for (let end = text.indexOf("]]", from); end >= 0; end = text.indexOf("]]", end + 1)) {
    try {
      return JSON.parse(text.slice(from, end)) as Directives;
    } catch {
      // "]]" may also occur inside the JSON
    }
  }
  throw new Error(`unreadable directive: ${text.slice(start, start + 200)}`);
}

function inModel(model: string): Directives | undefined {
  const match = /\+fake\.([A-Za-z0-9_-]+)$/.exec(model);
  return match?.[1] === undefined
    ? undefined
    : (JSON.parse(Buffer.from(match[1], "base64url").toString()) as Directives);
}

/** The directives of a request, given its texts in order. */
export function directivesOf(where: {
  model: string;
  texts: string[];
  route: string;
  answered: boolean;
}): Directives {
  const found = where.texts.toReversed().find((text) => text.includes(OPEN));
  let wish = (found === undefined ? undefined : inText(found)) ?? inModel(where.model) ?? {};
  if (where.answered && wish.then) wish = wish.then;
  return { ...wish, ...wish.at?.[where.route] };
}

const DEFAULT_REPLY = "Hello from the fake upstream.";

export function replyText(wish: Directives): string {
  if (wish.huge_line !== undefined) return "x".repeat(wish.huge_line * 1024 * 1024);
  if (Array.isArray(wish.chunks)) return wish.chunks.join("");
  return wish.reply ?? (wish.tools ? "" : DEFAULT_REPLY);
}

export function replyChunks(wish: Directives): string[] {
  if (wish.huge_line !== undefined) return [replyText(wish)];
  if (Array.isArray(wish.chunks)) return wish.chunks;
  return pieces(replyText(wish), wish.chunks ?? 4);
}

/** Cuts a text into at most `count` pieces, never inside a character. */
export function pieces(text: string, count: number): string[] {
  const chars = [...text];
  const size = Math.max(1, Math.ceil(chars.length / count));
  const out: string[] = [];
  for (let i = 0; i < chars.length; i += size) out.push(chars.slice(i, i + size).join(""));
  return out;
}

export function toolArguments(call: ToolCall): string {
  return typeof call.args === "string" ? call.args : JSON.stringify(call.args ?? {});
}

export function usageOf(wish: Directives): Required<UsageNumbers> {
  return { input: 10, output: 5, cached: 0, write_5m: 0, write_1h: 0, reasoning: 0, ...wish.usage };
}

export function finishOf(wish: Directives): Finish {
  return wish.finish ?? (wish.tools ? "tool" : "stop");
}
