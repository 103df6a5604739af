// One reply of the fake in one dialect: the good ones, and the ways in which they go wrong.
import type net from "node:net";
import type { Json, Refusal } from "./check";
import * as bedrock from "./bedrock";
import * as claude from "./claude";
import * as cohere from "./cohere";
import type { Directives } from "./directives";
import * as gemini from "./gemini";
import * as openai from "./openai";
import * as responses from "./responses";
import { Reply, type WireRequest } from "./wire";

export type Dialect = "openai" | "claude" | "azure" | "gemini" | "cohere" | "bedrock";

export const isBedrock = (dialect: Dialect): boolean => dialect === "bedrock";
export const isGemini = (dialect: Dialect): boolean => dialect === "gemini";

export const isResponses = (path: string): boolean => /\/responses(\/|$)/.test(path);
export const isClaude = (dialect: Dialect): boolean => dialect === "claude";

/** One request that the fake received, and what became of it. */
export interface Seen {
  n: number;
  /** The id that the reply carried, so that a client's replies can be found again. */
  id: string;
  connection: number;
  method: string;
  path: string;
  query: string;
  route: string;
  dialect: Dialect;
  headers: Record<string, string>;
  rawHeaders: [string, string][];
  raw: Buffer;
  body: Json;
  wish: Directives;
  status: number;
  /** The bytes of the reply's body, before compression and framing. */
  readonly sent: Buffer;
  /** Its pieces, as they are written. */
  parts: Buffer[];
  refusal?: string;
  outcome: "running" | "complete" | "cut" | "gone";
}

const FAILURE = "the fake was asked to fail";

export class Answer extends Reply {
  constructor(
    socket: net.Socket,
    request: WireRequest,
    private readonly seen: Seen,
    /** Resolves when the named hold is released, or the peer has left. */
    private readonly released: (name: string) => Promise<void>,
  ) {
    super(socket, request, {});
    seen.parts = this.sent;
  }

  get target(): string {
    return `${this.seen.path}?${this.seen.query}`;
  }

  get dialect(): Dialect {
    return this.seen.dialect;
  }

  private get idHeaders(): Record<string, string> {
    if (isBedrock(this.seen.dialect)) return { "x-amzn-requestid": this.seen.id };
    return isClaude(this.seen.dialect)
      ? { "request-id": `req_${this.seen.id}`, "anthropic-organization-id": "org-fake" }
      : {
          "x-request-id": `req_${this.seen.id}`,
          "openai-processing-ms": "7",
          "openai-organization": "org-fake",
        };
  }

  async json(status: number, body: Json | string): Promise<void> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    await this.whole(
      status,
      { "content-type": "application/json", ...this.idHeaders, ...this.errorHeaders(status) },
      text,
    );
  }

  private errorHeaders(status: number, type?: string): Record<string, string> {
    return isBedrock(this.seen.dialect) && status >= 400
      ? { "x-amzn-errortype": bedrock.errorType(status, type) }
      : {};
  }

  async refuse(error: Refusal): Promise<void> {
    this.wish = {};
    await this.json(
      error.status,
      this.envelope({
        message: error.message,
        type: error.type,
        code: error.code,
        param: error.param,
        status: error.status,
      }),
    );
  }

  envelope(error: {
    message: string;
    type?: string | undefined;
    code?: string | null | undefined;
    param?: string | null;
    status?: number;
  }): string {
    if (isBedrock(this.seen.dialect)) return bedrock.errorBody(error);
    if (isGemini(this.seen.dialect)) return gemini.errorBody(error, error.status);
    if (this.seen.dialect === "cohere") return cohere.errorBody(error, this.seen.id);
    return isClaude(this.seen.dialect)
      ? claude.errorBody(error, `req_${this.seen.id}`)
      : openai.errorBody(error);
  }

  /** Does what the wish wants to happen instead of a good reply, if anything. */
  async misbehaved(): Promise<boolean> {
    const { wish } = this;
    if (wish.header_delay_ms !== undefined) await delay(wish.header_delay_ms);
    if (wish.hold?.after_events === -1) await this.released(wish.hold.name);
    if (wish.cut?.after_bytes === 0) this.cut(wish.cut.how);
    if (wish.garbage === "http") await this.raw(Buffer.from("\0\x01\x02 this is not HTTP\r\n\r\n"));
    else if (wish.garbage === "body") await this.json(200, "<html>not json</html>");
    else if (wish.redirect !== undefined) await this.whole(302, { location: wish.redirect }, "");
    else if (wish.status !== undefined) await this.fail(wish.status, wish.error);
    else return false;
    return true;
  }

  private async fail(status: number, error: Directives["error"]): Promise<void> {
    const type = typeof error === "string" ? "text/plain" : "application/json";
    const body =
      typeof error === "string" ? error : this.envelope({ message: FAILURE, ...error, status });
    const headers = { ...this.idHeaders, ...this.errorHeaders(status) };
    await this.whole(status, { "content-type": type, ...headers }, body);
  }

  /** A stream of frames, closed by the dialect's own last frame. */
  async frames(
    frames: (string | Buffer)[],
    last: string | Buffer,
    type = "text/event-stream; charset=utf-8",
  ): Promise<void> {
    const { wish } = this;
    await this.stream(200, {
      "content-type": type,
      "cache-control": "no-cache",
      ...this.idHeaders,
    });
    for (const [i, frame] of frames.entries()) {
      if (wish.hold?.after_events === i) await this.released(wish.hold.name);
      if (wish.hold_each !== undefined) await this.released(`${wish.hold_each}-${i}`);
      if (wish.cut?.after_events === i) this.cut(wish.cut.how);
      if (wish.error_in_stream?.after === i) return this.errorFrame(wish.error_in_stream);
      if (i > 0 && wish.delay_ms !== undefined) await delay(wish.delay_ms);
      if (wish.comments) await this.chunk(this.shaped(": keep-alive\n\n"));
      await this.chunk(this.shaped(frame));
    }
    if (wish.hold?.after_events === frames.length) await this.released(wish.hold.name);
    if (wish.cut?.after_events === frames.length) this.cut(wish.cut.how);
    if (wish.error_in_stream !== undefined && wish.error_in_stream.after >= frames.length)
      return this.errorFrame(wish.error_in_stream);
    if (!wish.no_end && last.length > 0) await this.chunk(this.shaped(last));
    await this.end();
  }

  private async errorFrame(error: {
    type?: string;
    code?: string;
    message?: string;
  }): Promise<void> {
    if (isBedrock(this.seen.dialect)) {
      const type = error.type ?? "serviceUnavailableException";
      await this.chunk(bedrock.exception(type, error.message ?? FAILURE));
      return this.end();
    }
    const body = this.envelope({
      message: error.message ?? FAILURE,
      type: error.type,
      code: error.code,
      status: 503,
    });
    const frame = isResponses(this.seen.path)
      ? responses.failure(JSON.parse(body) as Json, this.seen.id)
      : isClaude(this.seen.dialect)
        ? `event: error\ndata: ${body}\n\n`
        : this.seen.dialect === "cohere"
          ? cohere.errorFrame({ message: error.message ?? FAILURE })
          : `data: ${body}\n\n`;
    await this.chunk(this.shaped(frame));
    await this.end();
  }

  /** The same event in another legal spelling. */
  private shaped(frame: string | Buffer): string | Buffer {
    if (typeof frame !== "string") return frame;
    let out = frame;
    if (this.wish.multiline) out = out.replace(/^data: \{"([^"]+)":/m, 'data: {"$1":\ndata: ');
    if (this.wish.no_space) out = out.replace(/^(data|event): /gm, "$1:");
    return this.wish.crlf ? out.replaceAll("\n", "\r\n") : out;
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
