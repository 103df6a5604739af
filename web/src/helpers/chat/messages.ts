// Anthropic's Messages.
import {
  argumentsOf,
  indexOf,
  type Json,
  listOf,
  objectOf,
  some,
  textOf,
  usageOf,
} from "./json.ts";
import {
  type Answer,
  type Dialect,
  type Reader,
  Refusal,
  type Turn,
  type Wishes,
} from "./types.ts";

/** max_tokens is required there; thinking counts as output. */
const USUAL_MOST = 4096;

function rebuilt({ text, tools }: Answer): Json[] {
  return [
    ...(text ? [{ type: "text", text }] : []),
    ...tools.map(({ id, name, arguments: args }) => ({
      type: "tool_use",
      id,
      name,
      input: argumentsOf(args, "input"),
    })),
  ];
}

function messageOf(turn: Turn): Json {
  switch (turn.role) {
    case "user":
      return {
        role: "user",
        content: turn.images.length
          ? [
              ...turn.images.map(({ type, data }) => ({
                type: "image",
                source: { type: "base64", media_type: type, data },
              })),
              ...(turn.text ? [{ type: "text", text: turn.text }] : []),
            ]
          : turn.text,
      };
    case "assistant":
      return {
        role: "assistant",
        content:
          turn.dialect === "messages" && turn.answer.native
            ? turn.answer.native
            : rebuilt(turn.answer),
      };
    case "tool":
      return {
        role: "user",
        content: turn.results.map(({ call, output }) => ({
          type: "tool_result",
          tool_use_id: call.id,
          content: output,
        })),
      };
  }
}

/** Which member of a block each kind of delta lengthens. */
const DELTAS: Record<string, [from: string, to: string]> = {
  text_delta: ["text", "text"],
  thinking_delta: ["thinking", "thinking"],
  signature_delta: ["signature", "signature"],
  input_json_delta: ["partial_json", "input"],
};

class MessagesReader implements Reader {
  private readonly blocks: Json[] = [];
  private finish = "";
  private readonly usage: Json = {};

  private begin(place: number, block: Json): void {
    // the arguments are text until all of them are here
    const input = block["type"] === "tool_use" ? JSON.stringify(block["input"] ?? {}) : undefined;
    this.blocks[place] = some({ ...block, input: input === "{}" ? "" : input });
  }

  private grow(place: number, delta: Json): void {
    const [from, to] = DELTAS[textOf(delta["type"])] ?? [];
    const block = this.blocks[place];
    if (from && to && block) block[to] = textOf(block[to]) + textOf(delta[from]);
  }

  private count(usage: unknown): void {
    for (const [name, value] of Object.entries(objectOf(usage)))
      if (value !== null) this.usage[name] = value;
  }

  take(event: unknown): void {
    const one = objectOf(event);
    switch (one["type"]) {
      case "message_start":
        this.count(objectOf(one["message"])["usage"]);
        break;
      case "content_block_start":
        this.begin(indexOf(one["index"], 0), objectOf(one["content_block"]));
        break;
      case "content_block_delta":
        this.grow(indexOf(one["index"], 0), objectOf(one["delta"]));
        break;
      case "message_delta":
        this.finish = textOf(objectOf(one["delta"])["stop_reason"]) || this.finish;
        this.count(one["usage"]);
        break;
      case "message":
        listOf(one["content"]).forEach((block, i) => this.begin(i, block));
        this.finish = textOf(one["stop_reason"]);
        this.count(one["usage"]);
        break;
      case "error":
        throw new Refusal(textOf(objectOf(one["error"])["message"]));
    }
  }

  answer(): Answer {
    const blocks = this.blocks.filter(Boolean);
    const all = (type: string, member: string) =>
      blocks
        .filter((block) => block["type"] === type)
        .map((block) => textOf(block[member]))
        .join("");
    const { usage } = this;
    const read = Number(usage["cache_read_input_tokens"]) || 0;
    const written = Number(usage["cache_creation_input_tokens"]) || 0;
    const used = Object.keys(usage).length > 0;
    return {
      text: all("text", "text"),
      thinking: all("thinking", "thinking"),
      tools: blocks
        .filter((block) => block["type"] === "tool_use")
        .map((block) => ({
          id: textOf(block["id"]),
          name: textOf(block["name"]),
          arguments: textOf(block["input"]) || "{}",
        })),
      finish: this.finish,
      ...(blocks.length > 0 && {
        native: blocks.map((block) =>
          block["type"] === "tool_use"
            ? { ...block, input: argumentsOf(textOf(block["input"]), "input") }
            : block,
        ),
      }),
      // a cache's tokens are not among input_tokens
      ...(used && {
        usage: usageOf(
          (Number(usage["input_tokens"]) || 0) + read + written,
          usage["output_tokens"],
          read,
          objectOf(usage["output_tokens_details"])["thinking_tokens"],
        ),
      }),
    };
  }
}

function thinkingOf({ budget, effort }: Wishes): Json {
  if (budget) return { thinking: { type: "enabled", budget_tokens: budget } };
  return effort ? { thinking: { type: "adaptive" }, output_config: { effort } } : {};
}

export const messages: Dialect = {
  path: () => "/v1/messages",
  headers: (key) => ({ "x-api-key": key, "anthropic-version": "2023-06-01" }),
  knobs: ["temperature", "top_p", "top_k", "max_tokens", "budget", "effort"],
  reader: () => new MessagesReader(),
  request: ({ wishes, tools, foreign, turns }) => {
    const list = [
      ...tools.map(({ parameters, ...tool }) => ({
        ...tool,
        input_schema: parameters ?? { type: "object", properties: {} },
      })),
      ...foreign,
    ];
    return some({
      model: wishes.model,
      max_tokens: wishes.max_tokens ?? USUAL_MOST + (wishes.budget ?? 0),
      system: wishes.system.trim() || undefined,
      messages: turns.map(messageOf),
      stream: wishes.stream,
      temperature: wishes.temperature,
      top_p: wishes.top_p,
      top_k: wishes.top_k,
      ...thinkingOf(wishes),
      tools: list.length ? list : undefined,
    });
  },
};
