// OpenAI's Chat Completions.
import { indexOf, type Json, listOf, objectOf, some, textOf, usageOf } from "./json.ts";
import { type Answer, type Dialect, type Reader, Refusal, type Turn } from "./types.ts";

const imageOf = (type: string, data: string) => ({
  type: "image_url",
  image_url: { url: `data:${type};base64,${data}` },
});

function rebuilt({ text, tools }: Answer): Json {
  const calls = tools.map(({ id, name, arguments: args }) => ({
    id,
    type: "function",
    function: { name, arguments: args || "{}" },
  }));
  return some({
    role: "assistant",
    content: text || null,
    tool_calls: calls.length ? calls : undefined,
  });
}

function messagesOf(turn: Turn): Json[] {
  switch (turn.role) {
    case "user": {
      const { text, images } = turn;
      if (images.length === 0) return [{ role: "user", content: text }];
      const parts = images.map(({ type, data }) => imageOf(type, data));
      return [{ role: "user", content: [...parts, ...(text ? [{ type: "text", text }] : [])] }];
    }
    case "assistant":
      return [
        turn.dialect === "chat" && turn.answer.native
          ? objectOf(turn.answer.native)
          : rebuilt(turn.answer),
      ];
    case "tool":
      return turn.results.map(({ call, output }) => ({
        role: "tool",
        tool_call_id: call.id,
        content: output,
      }));
  }
}

// Members that come in pieces; all others come whole.
const GROWS = new Set([
  "content",
  "reasoning_content",
  "reasoning",
  "refusal",
  "arguments",
  "text",
  "summary",
]);

/** One more delta. Lists are told apart by `index`. */
function merge(into: Json, delta: Json): void {
  for (const [name, value] of Object.entries(delta)) {
    // a member of that name would be everybody's
    if (name === "__proto__") continue;
    const before = into[name];
    if (value === null || value === undefined) into[name] ??= value;
    else if (typeof value === "string" && GROWS.has(name)) into[name] = textOf(before) + value;
    else if (Array.isArray(value)) {
      const list = (Array.isArray(before) ? before : (into[name] = [])) as Json[];
      listOf(value).forEach((one, i) => {
        const { index, ...rest } = one;
        merge((list[indexOf(index, i)] ??= {}), rest);
      });
    } else if (typeof value === "object") {
      const inner = objectOf(before);
      into[name] = inner;
      merge(inner, value as Json);
    } else if (value !== "" || before === undefined) into[name] = value;
  }
}

class CompletionsReader implements Reader {
  private readonly message: Json = {};
  private finish = "";
  private usage: Json | undefined;

  take(event: unknown): void {
    const chunk = objectOf(event);
    if (chunk["error"]) throw new Refusal(textOf(objectOf(chunk["error"])["message"]));
    const choice = listOf(chunk["choices"])[0] ?? {};
    merge(this.message, objectOf(choice["delta"] ?? choice["message"]));
    this.finish = textOf(choice["finish_reason"]) || this.finish;
    if (chunk["usage"]) this.usage = objectOf(chunk["usage"]);
  }

  answer(): Answer {
    const calls = listOf(this.message["tool_calls"]).filter(Boolean);
    const { usage } = this;
    return {
      text: textOf(this.message["content"]),
      thinking: textOf(this.message["reasoning_content"]) || textOf(this.message["reasoning"]),
      tools: calls.map((call) => {
        const { name, arguments: args } = objectOf(call["function"]);
        return { id: textOf(call["id"]), name: textOf(name), arguments: textOf(args) };
      }),
      finish: this.finish,
      native: { ...this.message, role: "assistant" },
      ...(usage && {
        usage: usageOf(
          usage["prompt_tokens"],
          usage["completion_tokens"],
          objectOf(usage["prompt_tokens_details"])["cached_tokens"],
          objectOf(usage["completion_tokens_details"])["reasoning_tokens"],
        ),
      }),
    };
  }
}

export const completions: Dialect = {
  path: () => "/v1/chat/completions",
  headers: (key) => ({ Authorization: `Bearer ${key}` }),
  knobs: ["temperature", "top_p", "max_tokens", "effort"],
  reader: () => new CompletionsReader(),
  request: ({ wishes, tools, foreign, turns }) => {
    const system = wishes.system.trim();
    const list = [...tools.map((tool) => ({ type: "function", function: tool })), ...foreign];
    return some({
      model: wishes.model,
      messages: [
        ...(system ? [{ role: "system", content: system }] : []),
        ...turns.flatMap(messagesOf),
      ],
      stream: wishes.stream,
      stream_options: wishes.stream ? { include_usage: true } : undefined,
      temperature: wishes.temperature,
      top_p: wishes.top_p,
      max_tokens: wishes.max_tokens,
      reasoning_effort: wishes.effort || undefined,
      tools: list.length ? list : undefined,
    });
  },
};
