// Upstreams that answer with any bytes, over TCP or TLS, and certificates nobody should trust.
import { mkdtempSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";

export type Socket = net.Socket | tls.TLSSocket;
export type Respond = (socket: Socket, stream: boolean) => void | Promise<void>;

/** What `GOOD` reports: 10 tokens in, 5 out. */
const USAGE = '"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}';
const ID = '"id":"chatcmpl-raw","created":1780000000,"model":"m"';
export const BODY = `{${ID},"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],${USAGE}}`;
const CHUNK = `{${ID},"object":"chat.completion.chunk",`;
export const FRAMES =
  `data: ${CHUNK}"choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}\n\n` +
  `data: ${CHUNK}"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n` +
  `data: ${CHUNK}"choices":[],${USAGE}}\n\n` +
  "data: [DONE]\n\n";

/** A good answer's head for so many bytes of body. */
export function head(stream: boolean, length: number): string {
  const type = stream ? "text/event-stream" : "application/json";
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;
}

export function good(stream: boolean): string {
  const body = stream ? FRAMES : BODY;
  return head(stream, body.length) + body;
}

export class Upstream {
  port = 0;
  private readonly sockets = new Set<net.Socket>();

  private constructor(
    private readonly server: net.Server,
    private readonly scheme: string,
  ) {
    server.on("connection", (socket: net.Socket) => {
      this.sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => this.sockets.delete(socket));
    });
  }

  static async tcp(respond: Respond): Promise<Upstream> {
    const server = net.createServer({ noDelay: true }, (socket) => converse(socket, respond));
    return new Upstream(server, "http").listen();
  }

  static async tls(certificate: Certificate, respond: Respond): Promise<Upstream> {
    const server = tls.createServer({ cert: certificate.cert, key: certificate.key }, (socket) =>
      converse(socket, respond),
    );
    server.on("tlsClientError", () => undefined);
    return new Upstream(server, "https").listen();
  }

  /** Says the same to whoever comes, whatever he says, and calls itself https. */
  static blunt(words: string): Promise<Upstream> {
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined).once("data", () => socket.end(words));
    });
    return new Upstream(server, "https").listen();
  }

  get url(): string {
    return `${this.scheme}://localhost:${this.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.port = (this.server.address() as net.AddressInfo).port;
    return this;
  }
}

/** Answers every whole request on the connection. */
function converse(socket: Socket, respond: Respond): void {
  let held = "";
  socket.on("error", () => undefined);
  socket.on("data", (bytes: Buffer) => {
    held += bytes.toString("latin1");
    const end = held.indexOf("\r\n\r\n");
    const length = Number(/content-length: *(\d+)/i.exec(held)?.[1] ?? 0);
    if (end < 0 || held.length < end + 4 + length) return;
    const stream = /"stream": ?true/.test(held);
    held = "";
    void respond(socket, stream);
  });
}

export interface Certificate {
  cert: string;
  key: string;
}

export interface Certificates {
  /** What the gateway is told to trust. */
  authority: string;
  trusted: Certificate;
  expired: Certificate;
  otherHost: Certificate;
  selfSigned: Certificate;
}

/** Made by the openssl program, which every system with our libraries has. */
export async function certificates(): Promise<Certificates> {
  const folder = mkdtempSync(join(tmpdir(), "tf-certs-"));
  const path = (name: string): string => join(folder, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const openssl = (...args: string[]): void => {
    const done = Bun.spawnSync(["openssl", ...args], { cwd: folder });
    if (!done.success) throw new Error(`openssl ${args[0]}: ${done.stderr.toString()}`);
  };
  const read = async (name: string): Promise<Certificate> => ({
    cert: await Bun.file(path(`${name}.crt`)).text(),
    key: await Bun.file(path(`${name}.key`)).text(),
  });
  const signed = async (name: string, host: string, days: string): Promise<Certificate> => {
    writeFileSync(path("names"), `subjectAltName=${host}`);
    openssl("req", "-new", ...key, "-subj", "/CN=test", "-keyout", `${name}.key`, "-out", "asked");
    const by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
    openssl("x509", "-req", "-in", "asked", ...by, "-days", days, "-out", `${name}.crt`);
    return read(name);
  };
  openssl(
    "req",
    "-x509",
    ...key,
    "-subj",
    "/CN=ca",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "9",
  );
  const alone = ["-addext", "subjectAltName=DNS:localhost"];
  openssl(
    "req",
    "-x509",
    ...key,
    ...alone,
    "-subj",
    "/CN=x",
    "-keyout",
    "self.key",
    "-out",
    "self.crt",
  );
  return {
    authority: path("ca.crt"),
    trusted: await signed("good", "DNS:localhost", "9"),
    expired: await signed("old", "DNS:localhost", "-1"),
    otherHost: await signed("other", "DNS:elsewhere.example", "9"),
    selfSigned: await read("self"),
  };
}
