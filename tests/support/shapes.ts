// The same question in both dialects, and the same look at the answers.
import { expect } from "bun:test";
import { ask, type Directives } from "./fake";
import { parseSse, type Received } from "./sse";

export type Spoken = "openai" | "claude";

export const PATHS: Record<Spoken, string> = {
  openai: "/v1/chat/completions",
  claude: "/v1/messages",
};

/** A request that asks the fake for `wish`, in the caller's dialect. */
export function question(
  dialect: Spoken,
  model: string,
  wish: Directives,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    model,
    ...(dialect === "claude" ? { max_tokens: 4000 } : {}),
    messages: [{ role: "user", content: ask(wish) }],
    ...more,
  };
}

export interface DialectError {
  type: string;
  message: string;
  code?: string | null;
}

/** Checks that a body is the dialect's error envelope, and answers its inside. */
export function errorOf(dialect: Spoken, body: unknown): DialectError {
  const { type, error, request_id } = body as {
    type?: string;
    error: DialectError;
    request_id?: string;
  };
  expect(typeof error?.message).toBe("string");
  expect(typeof error.type).toBe("string");
  expect(error.message).not.toBe("");
  if (dialect === "claude") {
    expect(type).toBe("error");
    expect(typeof request_id).toBe("string");
  } else {
    expect(error).toHaveProperty("param");
    expect(error).toHaveProperty("code");
  }
  return error;
}

/** Checks a failed reply: status, JSON, request id, envelope, nothing of the upstream in it. */
export function failed(dialect: Spoken, reply: Received, ...statuses: number[]): DialectError {
  expect(statuses).toContain(reply.status);
  expect(reply.headers.get("content-type")).toMatch(/^application\/json/);
  expect(reply.headers.get("x-request-id")).toBeTruthy();
  expectNoSecrets(reply.text);
  return errorOf(dialect, JSON.parse(reply.text));
}

/** No answer may tell an upstream's address or key. */
export function expectNoSecrets(text: string): void {
  expect(text).not.toContain("sk-fake-");
  expect(text).not.toContain("sk-ant-fake-");
  expect(text).not.toMatch(/127\.0\.0\.1:\d+|\/proxy\//);
}

/** The text that a streamed reply has brought. */
export function streamedText(dialect: Spoken, reply: Received): string {
  return parseSse(reply.text)
    .filter((event) => event.data !== "[DONE]")
    .map((event) => {
      const data = JSON.parse(event.data) as {
        choices?: { delta: { content?: string | null } }[];
        delta?: { text?: string };
      };
      return (dialect === "openai" ? data.choices?.[0]?.delta.content : data.delta?.text) ?? "";
    })
    .join("");
}

/** Checks that a stream broke as it should: an error event last, and a proper end of the body. */
export function brokeOff(dialect: Spoken, reply: Received): DialectError {
  expect(reply.status).toBe(200);
  expect(reply.broken).toBe(false);
  const events = parseSse(reply.text);
  const last = events.at(-1);
  expect(last?.event).toBe(dialect === "claude" ? "error" : "");
  expect(events.map((event) => event.data)).not.toContain("[DONE]");
  expect(events.map((event) => event.event)).not.toContain("message_stop");
  expectNoSecrets(reply.text);
  const body = JSON.parse(last?.data ?? "{}") as Record<string, unknown>;
  return errorOf(dialect, dialect === "claude" ? { request_id: "", ...body } : body);
}
