// A raw TCP client, for what no HTTP library would send.
import net from "node:net";

export interface RawReply {
  version: string;
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

export class RawConnection {
  private held = Buffer.alloc(0);
  private over = false;
  private wake: (() => void) | undefined;

  private constructor(private readonly socket: net.Socket) {
    socket.on("data", (bytes) => {
      this.held = Buffer.concat([this.held, bytes as Buffer]);
      this.wake?.();
    });
    const end = (): void => {
      this.over = true;
      this.wake?.();
    };
    socket.on("end", end).on("close", end).on("error", end);
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new RawConnection(socket);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** One final reply; interim ones go to `onInterim`. Undefined when the peer closed instead. */
  async reply(
    options: { head?: boolean; onInterim?: (status: number) => void } = {},
  ): Promise<RawReply | undefined> {
    for (;;) {
      const head = await this.until("\r\n\r\n");
      if (head === undefined) return undefined;
      const [first = "", ...lines] = head.split("\r\n");
      const [, version = "", status = "0"] = /^(HTTP\/1\.[01]) (\d{3})/.exec(first) ?? [];
      if (version === "") throw new Error(`not a status line: ${first}`);
      const headers: Record<string, string> = {};
      for (const line of lines) {
        const colon = line.indexOf(":");
        if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      if (status.startsWith("1")) {
        options.onInterim?.(Number(status));
        continue;
      }
      const body = options.head || status === "204" ? Buffer.alloc(0) : await this.body(headers);
      return { version, status: Number(status), headers, body };
    }
  }

  /** True once the peer has closed and nothing is left to read. */
  async closed(): Promise<boolean> {
    while (!this.over) await this.more();
    return true;
  }

  /** All that comes until the peer closes. */
  async rest(): Promise<Buffer> {
    await this.closed();
    return this.take(this.held.length);
  }

  close(): void {
    this.socket.destroy();
  }

  private async body(headers: Record<string, string>): Promise<Buffer> {
    if (headers["transfer-encoding"] !== "chunked") {
      const length = headers["content-length"];
      return length === undefined ? this.rest() : this.exactly(Number(length));
    }
    const parts: Buffer[] = [];
    for (;;) {
      const size = parseInt((await this.until("\r\n")) ?? "0", 16);
      if (size === 0) {
        await this.until("\r\n");
        return Buffer.concat(parts);
      }
      parts.push(await this.exactly(size));
      await this.until("\r\n");
    }
  }

  private async until(mark: string): Promise<string | undefined> {
    for (;;) {
      const at = this.held.indexOf(mark);
      if (at >= 0)
        return this.take(at + mark.length)
          .subarray(0, at)
          .toString("latin1");
      if (this.over) return undefined;
      await this.more();
    }
  }

  private async exactly(count: number): Promise<Buffer> {
    while (this.held.length < count) {
      if (this.over) throw new Error(`the peer closed ${count - this.held.length} bytes early`);
      await this.more();
    }
    return this.take(count);
  }

  private take(count: number): Buffer {
    const out = this.held.subarray(0, count);
    this.held = this.held.subarray(count);
    return out;
  }

  private async more(): Promise<void> {
    if (!this.over) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}
