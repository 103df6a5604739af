// HTTP/1.1 by hand: reads requests strictly, and writes replies in every broken way there is.
import net from "node:net";
import zlib from "node:zlib";
import type { Directives } from "./directives";

export interface WireRequest {
  method: string;
  target: string;
  version: string;
  /** In order, as sent. */
  rawHeaders: [string, string][];
  /** Lower-case names; repeated ones are joined by ", ". */
  headers: Record<string, string>;
  body: Buffer;
}

export class BadRequest extends Error {}

/** The reply was given up on purpose, or the peer left: nothing more can be written. */
export class Ended extends Error {
  constructor(readonly why: "cut" | "gone") {
    super(why);
  }
}

const HEADER_LIMIT = 256 * 1024;

/** Hands out a socket's bytes by line and by count. */
export class Reader {
  private held: Buffer = Buffer.alloc(0);
  private ended = false;
  private wake: (() => void) | undefined;

  constructor(socket: net.Socket) {
    socket.on("data", (bytes) => {
      this.held = Buffer.concat([this.held, bytes as Buffer]);
      this.wake?.();
    });
    const end = (): void => {
      this.ended = true;
      this.wake?.();
    };
    socket.on("end", end).on("close", end).on("error", end);
  }

  /** One line without its CRLF; undefined at the end of the connection. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const at = this.held.indexOf("\n");
      if (at >= 0) {
        const line = this.take(at + 1).toString("latin1");
        if (!line.endsWith("\r\n")) throw new BadRequest("line without CR");
        return line.slice(0, -2);
      }
      if (this.held.length > HEADER_LIMIT) throw new BadRequest("line too long");
      if (!(await this.more())) {
        if (this.held.length > 0) throw new BadRequest("connection ended inside a line");
        return undefined;
      }
    }
  }

  async bytes(count: number): Promise<Buffer> {
    while (this.held.length < count)
      if (!(await this.more())) throw new BadRequest("body shorter than announced");
    return this.take(count);
  }

  private take(count: number): Buffer {
    const out = this.held.subarray(0, count);
    this.held = this.held.subarray(count);
    return out;
  }

  private async more(): Promise<boolean> {
    if (this.ended) return false;
    const before = this.held.length;
    await new Promise<void>((resolve) => (this.wake = resolve));
    return this.held.length > before || !this.ended;
  }
}

export async function readRequest(reader: Reader): Promise<WireRequest | undefined> {
  const first = await reader.line();
  if (first === undefined) return undefined;
  const match = /^([A-Z]+) (\S+) (HTTP\/1\.[01])$/.exec(first);
  if (!match) throw new BadRequest(`request line: ${first}`);
  const [, method = "", target = "", version = ""] = match;
  const rawHeaders = await readHeaders(reader);
  const headers: Record<string, string> = {};
  for (const [name, value] of rawHeaders) {
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  if (rawHeaders.filter(([name]) => name.toLowerCase() === "host").length !== 1)
    throw new BadRequest("exactly one Host");
  return { method, target, version, rawHeaders, headers, body: await readBody(reader, headers) };
}

async function readHeaders(reader: Reader): Promise<[string, string][]> {
  const out: [string, string][] = [];
  for (;;) {
    const line = await reader.line();
    if (line === undefined) throw new BadRequest("connection ended inside the headers");
    if (line === "") return out;
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*$/.exec(line);
    if (!match) throw new BadRequest(`header line: ${line}`);
    out.push([match[1] ?? "", match[2] ?? ""]);
  }
}

async function readBody(reader: Reader, headers: Record<string, string>): Promise<Buffer> {
  const length = headers["content-length"];
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (length !== undefined) throw new BadRequest("both Content-Length and Transfer-Encoding");
    if (coding !== "chunked") throw new BadRequest(`Transfer-Encoding ${coding}`);
    return readChunked(reader);
  }
  if (length === undefined) return Buffer.alloc(0);
  if (!/^\d+$/.test(length)) throw new BadRequest(`Content-Length ${length}`);
  return reader.bytes(Number(length));
}

async function readChunked(reader: Reader): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (;;) {
    const size = await reader.line();
    if (size === undefined || !/^[0-9A-Fa-f]+$/.test(size))
      throw new BadRequest(`chunk size ${size}`);
    const count = parseInt(size, 16);
    if (count === 0) {
      if ((await reader.line()) !== "") throw new BadRequest("trailers");
      return Buffer.concat(parts);
    }
    parts.push(await reader.bytes(count));
    if ((await reader.line()) !== "") throw new BadRequest("chunk without CRLF");
  }
}

const REASONS: Record<number, string> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
};

/** One reply on a socket. `sent` keeps the body as it was before compression and framing. */
export class Reply {
  readonly sent: Buffer[] = [];
  status = 0;
  private framing: "sized" | "chunked" | "close" = "sized";
  private zip: zlib.Gzip | undefined;
  private written = 0;

  constructor(
    private readonly socket: net.Socket,
    private readonly request: WireRequest,
    public wish: Directives,
  ) {}

  /** A whole reply with a known length. */
  async whole(status: number, headers: Record<string, string>, body: string): Promise<void> {
    const bytes = this.compressed(Buffer.from(body));
    this.framing = this.wish.http10 ? "close" : "sized";
    const length = bytes.length + (this.wish.truncate ?? 0);
    await this.head(status, {
      ...headers,
      ...(this.wish.http10 ? {} : { "content-length": String(length) }),
    });
    await this.body(Buffer.from(body), bytes);
    if (this.wish.truncate) this.cut("fin");
  }

  /** Starts a reply whose length is not known. */
  async stream(status: number, headers: Record<string, string>): Promise<void> {
    if (this.wantsGzip()) this.zip = zlib.createGzip();
    this.framing = this.wish.http10 ? "close" : "chunked";
    await this.head(status, {
      ...headers,
      ...(this.wish.http10 ? {} : { "transfer-encoding": "chunked" }),
    });
  }

  async chunk(text: string | Buffer): Promise<void> {
    const bytes = Buffer.from(text as string);
    await this.body(bytes, this.zip ? await flushed(this.zip, bytes) : bytes);
  }

  async end(): Promise<void> {
    if (this.zip) await this.body(Buffer.alloc(0), await finished(this.zip));
    if (this.framing === "chunked") await this.write(Buffer.from("0\r\n\r\n"));
  }

  /** Bytes that are not HTTP at all. */
  async raw(bytes: Buffer): Promise<void> {
    await this.write(bytes);
    this.cut("fin");
  }

  cut(how: "rst" | "fin" = "rst"): never {
    if (how === "rst") this.socket.resetAndDestroy();
    else this.socket.end();
    throw new Ended("cut");
  }

  get closes(): boolean {
    return (
      this.framing === "close" ||
      this.wish.close !== undefined ||
      this.request.version === "HTTP/1.0" ||
      this.request.headers["connection"]?.toLowerCase() === "close"
    );
  }

  private async head(status: number, headers: Record<string, string>): Promise<void> {
    this.status = status;
    const version = this.wish.http10 ? "HTTP/1.0" : "HTTP/1.1";
    const lines = [`${version} ${status} ${REASONS[status] ?? "Whatever"}`];
    const all: Record<string, string> = { ...headers, ...this.wish.headers };
    if (this.wish.retry_after !== undefined) all["retry-after"] = this.wish.retry_after;
    if (this.wantsGzip()) all["content-encoding"] = "gzip";
    if (this.wish.close === "announced") all["connection"] = "close";
    for (const [name, value] of Object.entries(all)) lines.push(`${name}: ${value}`);
    const interim = this.wish.interim
      ? `HTTP/1.1 ${this.wish.interim} Early\r\nlink: </x>\r\n\r\n`
      : "";
    await this.write(Buffer.from(`${interim}${lines.join("\r\n")}\r\n\r\n`));
  }

  private async body(plain: Buffer, bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    const room = (this.wish.cut?.after_bytes ?? Infinity) - this.written;
    const kept = bytes.length > room ? bytes.subarray(0, room) : bytes;
    this.sent.push(plain.subarray(0, kept.length < bytes.length ? kept.length : plain.length));
    this.written += kept.length;
    if (kept.length > 0)
      await this.write(
        this.framing === "chunked"
          ? Buffer.concat([
              Buffer.from(`${kept.length.toString(16)}\r\n`),
              kept,
              Buffer.from("\r\n"),
            ])
          : kept,
      );
    if (kept.length < bytes.length) this.cut(this.wish.cut?.how);
  }

  private async write(bytes: Buffer): Promise<void> {
    if (this.wish.dribble)
      for (let i = 0; i < bytes.length; i++) {
        await this.put(bytes.subarray(i, i + 1));
        await new Promise(setImmediate);
      }
    else await this.put(bytes);
  }

  private async put(bytes: Buffer): Promise<void> {
    if (this.socket.destroyed || !this.socket.writable) throw new Ended("gone");
    if (this.socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.socket.once("drain", resolve);
      this.socket.once("close", resolve);
    });
    if (this.socket.destroyed) throw new Ended("gone");
  }

  private wantsGzip(): boolean {
    if (this.wish.gzip === "force") return true;
    return (
      this.wish.gzip === true && /\bgzip\b/.test(this.request.headers["accept-encoding"] ?? "")
    );
  }

  private compressed(bytes: Buffer): Buffer {
    return this.wantsGzip() ? zlib.gzipSync(bytes) : bytes;
  }
}

/** What a gzip stream gives out for `bytes` when it is flushed after them. */
function flushed(zip: zlib.Gzip, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    zip.once("error", reject);
    zip.write(bytes, () =>
      zip.flush(zlib.constants.Z_SYNC_FLUSH, () =>
        resolve((zip.read() as Buffer | null) ?? Buffer.alloc(0)),
      ),
    );
  });
}

function finished(zip: zlib.Gzip): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    zip.on("data", (part: Buffer) => parts.push(part)).once("error", reject);
    zip.once("end", () => resolve(Buffer.concat(parts))).end();
  });
}
