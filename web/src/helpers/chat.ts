// A conversation with a model: what is sent, and what comes back piece by piece.

export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
}

export interface Answer {
  text: string;
  thinking: string;
  tools: ToolCall[];
  finish: string;
  usage?: Usage;
}

export const NO_ANSWER: Answer = { text: "", thinking: "", tools: [], finish: "" };

interface Piece {
  content?: unknown;
  reasoning_content?: unknown;
  reasoning?: unknown;
  tool_calls?: { index?: number; id?: string; function?: { name?: string; arguments?: string } }[];
}

export interface Chunk {
  choices?: { delta?: Piece; message?: Piece; finish_reason?: string | null }[];
  usage?: Usage | null;
  error?: { message?: string };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The answer with one more piece; a whole answer is one piece. */
export function withChunk(answer: Answer, chunk: Chunk): Answer {
  const choice = chunk.choices?.[0];
  const piece = choice?.delta ?? choice?.message ?? {};
  const tools = answer.tools.map((tool) => ({ ...tool }));
  (piece.tool_calls ?? []).forEach((call, i) => {
    const place = call.index ?? i;
    const tool = (tools[place] ??= { id: "", name: "", arguments: "" });
    tool.id ||= call.id ?? "";
    tool.name += call.function?.name ?? "";
    tool.arguments += call.function?.arguments ?? "";
  });
  return {
    text: answer.text + textOf(piece.content),
    thinking: answer.thinking + (textOf(piece.reasoning_content) || textOf(piece.reasoning)),
    tools,
    finish: choice?.finish_reason ?? answer.finish,
    ...(chunk.usage ? { usage: chunk.usage } : answer.usage ? { usage: answer.usage } : {}),
  };
}

/** The data of server-sent events, however the bytes were cut. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = done ? "" : blocks.pop()!;
      for (const block of blocks) {
        const data = block
          .split(/\r?\n/)
          .filter((line) => line.startsWith("data:"))
          .map((line) => line.slice(5).replace(/^ /, ""))
          .join("\n");
        if (data) yield data;
      }
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

export interface Message {
  role: "user" | "assistant";
  content: string;
}

export interface Wishes {
  model: string;
  system: string;
  stream: boolean;
  temperature: number | undefined;
  top_p: number | undefined;
  max_tokens: number | undefined;
  effort: string;
  /** JSON list of tools, as text. */
  tools: string;
}

export function requestOf(wishes: Wishes, messages: Message[]): Record<string, unknown> {
  const tools: unknown = wishes.tools.trim() ? JSON.parse(wishes.tools) : undefined;
  const whole = {
    model: wishes.model,
    messages: [
      ...(wishes.system.trim() ? [{ role: "system", content: wishes.system.trim() }] : []),
      ...messages,
    ],
    stream: wishes.stream,
    stream_options: wishes.stream ? { include_usage: true } : undefined,
    temperature: wishes.temperature,
    top_p: wishes.top_p,
    max_tokens: wishes.max_tokens,
    reasoning_effort: wishes.effort || undefined,
    tools,
  };
  return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export const curlOf = (base: string, key: string, request: object): string =>
  [
    `curl ${base}/v1/chat/completions \\`,
    `  -H "Authorization: Bearer ${key}" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d ${quoted(JSON.stringify(request, null, 2))}`,
  ].join("\n");
