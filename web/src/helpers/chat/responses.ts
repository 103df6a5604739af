// OpenAI's Responses, without anything kept at the provider: every request has the whole conversation.
import { type Json, listOf, objectOf, some, textOf, usageOf } from "./json.ts";
import {
  type Answer,
  type Dialect,
  type Reader,
  Refusal,
  type ToolCall,
  type Turn,
} from "./types.ts";

function rebuilt({ text, tools }: Answer): Json[] {
  return [
    ...(text
      ? [{ type: "message", role: "assistant", content: [{ type: "output_text", text }] }]
      : []),
    ...tools.map(({ id, name, arguments: args }) => ({
      type: "function_call",
      call_id: id,
      name,
      arguments: args || "{}",
    })),
  ];
}

/** Reasoning that was not sealed cannot be found again by its id: it is left out. */
const canBeSent = (item: Json) => item["type"] !== "reasoning" || !!item["encrypted_content"];

function itemsOf(turn: Turn): Json[] {
  switch (turn.role) {
    case "user":
      return [
        {
          role: "user",
          content: [
            ...turn.images.map(({ type, data }) => ({
              type: "input_image",
              image_url: `data:${type};base64,${data}`,
            })),
            ...(turn.text ? [{ type: "input_text", text: turn.text }] : []),
          ],
        },
      ];
    case "assistant":
      return turn.dialect === "responses" && turn.answer.native
        ? listOf(turn.answer.native).filter(canBeSent)
        : rebuilt(turn.answer);
    case "tool":
      return turn.results.map(({ call, output }) => ({
        type: "function_call_output",
        call_id: call.id,
        output,
      }));
  }
}

interface Growing {
  text: string;
  thinking: string;
  call?: ToolCall;
}

const callOf = (item: Json): ToolCall => ({
  id: textOf(item["call_id"]),
  name: textOf(item["name"]),
  arguments: textOf(item["arguments"]),
});

const joined = (parts: unknown) =>
  listOf(parts)
    .map((part) => textOf(part["text"]))
    .join("");

/** An item as it is when it is complete. */
function whole(item: Json): Growing {
  switch (item["type"]) {
    case "message":
      return { text: joined(item["content"]), thinking: "" };
    case "reasoning":
      return { text: "", thinking: joined(item["summary"]) || joined(item["content"]) };
    case "function_call":
      return { text: "", thinking: "", call: callOf(item) };
    default:
      return { text: "", thinking: "" };
  }
}

class ResponsesReader implements Reader {
  private readonly growing = new Map<number, Growing>();
  private readonly items = new Map<number, Json>();
  private end: Json = {};

  private at(event: Json): Growing {
    const place = Number(event["output_index"]) || 0;
    const found = this.growing.get(place) ?? { text: "", thinking: "" };
    this.growing.set(place, found);
    return found;
  }

  private complete(place: number, item: Json): void {
    this.items.set(place, item);
    this.growing.set(place, whole(item));
  }

  private finish(response: Json): void {
    this.end = response;
    listOf(response["output"]).forEach((item, i) => this.complete(i, item));
    const error = objectOf(response["error"]);
    if (response["status"] === "failed" || error["message"])
      throw new Refusal(textOf(error["message"]));
  }

  take(event: unknown): void {
    const one = objectOf(event);
    const delta = textOf(one["delta"]);
    switch (one["type"]) {
      case "response.output_item.added":
        Object.assign(this.at(one), whole(objectOf(one["item"])));
        break;
      case "response.output_item.done":
        this.complete(Number(one["output_index"]) || 0, objectOf(one["item"]));
        break;
      case "response.output_text.delta":
      case "response.refusal.delta":
        this.at(one).text += delta;
        break;
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        this.at(one).thinking += delta;
        break;
      case "response.function_call_arguments.delta": {
        const { call } = this.at(one);
        if (call) call.arguments += delta;
        break;
      }
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        this.finish(objectOf(one["response"]));
        break;
      case "error":
        throw new Refusal(textOf(one["message"]) || textOf(objectOf(one["error"])["message"]));
      default:
        if (one["error"] && !one["output"])
          throw new Refusal(textOf(objectOf(one["error"])["message"]));
        if (one["object"] === "response") this.finish(one);
    }
  }

  answer(): Answer {
    const places = [...this.growing.keys()].sort((a, b) => a - b);
    const parts = places.map((place) => this.growing.get(place)!);
    const usage = objectOf(this.end["usage"]);
    return {
      text: parts.map((part) => part.text).join(""),
      thinking: parts.map((part) => part.thinking).join(""),
      tools: parts.flatMap((part) => (part.call ? [{ ...part.call }] : [])),
      finish:
        textOf(objectOf(this.end["incomplete_details"])["reason"]) || textOf(this.end["status"]),
      ...(this.items.size > 0 && {
        native: places.flatMap((place) => this.items.get(place) ?? []),
      }),
      ...(this.end["usage"] !== undefined && {
        usage: usageOf(
          usage["input_tokens"],
          usage["output_tokens"],
          objectOf(usage["input_tokens_details"])["cached_tokens"],
          objectOf(usage["output_tokens_details"])["reasoning_tokens"],
        ),
      }),
    };
  }
}

export const responses: Dialect = {
  path: () => "/v1/responses",
  headers: (key) => ({ Authorization: `Bearer ${key}` }),
  knobs: ["temperature", "top_p", "max_tokens", "effort"],
  reader: () => new ResponsesReader(),
  request: ({ wishes, tools, foreign, turns }) => {
    const list = [...tools.map((tool) => ({ type: "function", ...tool })), ...foreign];
    return some({
      model: wishes.model,
      instructions: wishes.system.trim() || undefined,
      input: turns.flatMap(itemsOf),
      stream: wishes.stream,
      store: false,
      temperature: wishes.temperature,
      top_p: wishes.top_p,
      max_output_tokens: wishes.max_tokens,
      reasoning: wishes.effort ? { effort: wishes.effort, summary: "auto" } : undefined,
      // models that do not reason refuse it
      include: wishes.effort ? ["reasoning.encrypted_content"] : undefined,
      tools: list.length ? list : undefined,
    });
  },
};
