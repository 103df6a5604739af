// Gemini's generateContent.
import { argumentsOf, type Json, listOf, objectOf, some, textOf, usageOf } from "./json.ts";
import {
  type Answer,
  type Dialect,
  type Reader,
  Refusal,
  type Turn,
  type Wishes,
} from "./types.ts";

function rebuilt({ text, tools }: Answer): Json[] {
  return [
    ...(text ? [{ text }] : []),
    ...tools.map(({ id, name, arguments: args }) => ({
      functionCall: { ...idOf(id), name, args: argumentsOf(args, "args") },
    })),
  ];
}

/** Calls that had no id are told apart by their place; that is ours, and not sent. */
const OWN = /^#\d+$/;
const idOf = (id: string) => (id && !OWN.test(id) ? { id } : {});

function contentOf(turn: Turn): Json {
  switch (turn.role) {
    case "user":
      return {
        role: "user",
        parts: [
          ...turn.images.map(({ type, data }) => ({ inlineData: { mimeType: type, data } })),
          ...(turn.text ? [{ text: turn.text }] : []),
        ],
      };
    case "assistant":
      return {
        role: "model",
        parts:
          turn.dialect === "gemini" && turn.answer.native
            ? turn.answer.native
            : rebuilt(turn.answer),
      };
    case "tool":
      return {
        role: "user",
        parts: turn.results.map(({ call, output }) => ({
          functionResponse: {
            ...idOf(call.id),
            name: call.name,
            response: argumentsOf(output, "result"),
          },
        })),
      };
  }
}

const isPlain = (part: Json | undefined): part is Json =>
  part !== undefined && typeof part["text"] === "string" && !part["thoughtSignature"];

class GeminiReader implements Reader {
  private readonly parts: Json[] = [];
  private finish = "";
  private usage: Json | undefined;

  /** Text goes on where the last part is of the same kind; a signature belongs to its own part. */
  private add(part: Json): void {
    const last = this.parts.at(-1);
    if (isPlain(last) && isPlain(part) && !!last["thought"] === !!part["thought"])
      last["text"] = textOf(last["text"]) + textOf(part["text"]);
    else this.parts.push({ ...part });
  }

  take(event: unknown): void {
    const chunk = objectOf(Array.isArray(event) ? (event as unknown[])[0] : event);
    if (chunk["error"]) throw new Refusal(textOf(objectOf(chunk["error"])["message"]));
    const candidate = listOf(chunk["candidates"])[0] ?? {};
    for (const part of listOf(objectOf(candidate["content"])["parts"])) this.add(part);
    this.finish =
      textOf(candidate["finishReason"]) ||
      textOf(objectOf(chunk["promptFeedback"])["blockReason"]) ||
      this.finish;
    if (chunk["usageMetadata"]) this.usage = objectOf(chunk["usageMetadata"]);
  }

  answer(): Answer {
    const { usage } = this;
    const said = (thought: boolean) =>
      this.parts
        .filter((part) => !!part["thought"] === thought)
        .map((part) => textOf(part["text"]))
        .join("");
    const calls = this.parts.filter((part) => part["functionCall"]);
    return {
      text: said(false),
      thinking: said(true),
      tools: calls.map((part, i) => {
        const { id, name, args } = objectOf(part["functionCall"]);
        return {
          id: textOf(id) || `#${i}`,
          name: textOf(name),
          arguments: JSON.stringify(args ?? {}),
        };
      }),
      finish: this.finish,
      ...(this.parts.length > 0 && { native: this.parts.map((part) => ({ ...part })) }),
      ...(usage && {
        usage: usageOf(
          usage["promptTokenCount"],
          (Number(usage["candidatesTokenCount"]) || 0) + (Number(usage["thoughtsTokenCount"]) || 0),
          usage["cachedContentTokenCount"],
          usage["thoughtsTokenCount"],
        ),
      }),
    };
  }
}

function thinkingOf({ budget, effort }: Wishes): Json | undefined {
  if (budget) return { includeThoughts: true, thinkingBudget: budget };
  return effort ? { includeThoughts: true, thinkingLevel: effort } : undefined;
}

export const gemini: Dialect = {
  path: (model, stream) =>
    `/v1beta/models/${model.split("/").map(encodeURIComponent).join("/")}` +
    (stream ? ":streamGenerateContent?alt=sse" : ":generateContent"),
  headers: (key) => ({ "x-goog-api-key": key }),
  knobs: ["temperature", "top_p", "top_k", "max_tokens", "budget", "effort"],
  reader: () => new GeminiReader(),
  request: ({ wishes, tools, foreign, turns }) => {
    const system = wishes.system.trim();
    const config = some({
      temperature: wishes.temperature,
      topP: wishes.top_p,
      topK: wishes.top_k,
      maxOutputTokens: wishes.max_tokens,
      thinkingConfig: thinkingOf(wishes),
    });
    const list = [...(tools.length ? [{ functionDeclarations: tools }] : []), ...foreign];
    return some({
      systemInstruction: system ? { parts: [{ text: system }] } : undefined,
      contents: turns.map(contentOf),
      generationConfig: Object.keys(config).length ? config : undefined,
      tools: list.length ? list : undefined,
    });
  },
};
