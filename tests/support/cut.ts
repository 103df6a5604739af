// A TCP proxy that can be cut: what goes through it is lost at once, and nobody gets through until
// it is mended. It counts what it carries, and may be listened to.
import net from "node:net";

/** Told of all bytes that one connection's client sends. */
export type Listener = (bytes: Buffer) => void;

export class Cut {
  private readonly pairs = new Set<net.Socket>();
  private readonly server: net.Server;
  private open = true;
  port = 0;
  /** Bytes from clients, and back to them. */
  sent = 0;
  received = 0;

  private constructor(target: number, listen?: () => Listener) {
    this.server = net.createServer((near) => {
      if (!this.open) {
        near.destroy();
        return;
      }
      const far = net.connect(target, "127.0.0.1");
      const hear = listen?.();
      near.on("data", (bytes: Buffer) => {
        this.sent += bytes.length;
        hear?.(bytes);
      });
      far.on("data", (bytes) => (this.received += bytes.length));
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.pairs.add(from);
        from.on("data", (bytes) => to.write(bytes));
        from.on("error", () => undefined);
        from.on("close", () => {
          this.pairs.delete(from);
          to.destroy();
        });
      }
    });
  }

  /** `listen` is called for each connection. */
  static async before(target: number, listen?: () => Listener): Promise<Cut> {
    const cut = new Cut(target, listen);
    await new Promise<void>((resolve) => cut.server.listen(0, "127.0.0.1", resolve));
    cut.port = (cut.server.address() as net.AddressInfo).port;
    return cut;
  }

  cut(): void {
    this.open = false;
    for (const socket of this.pairs) socket.destroy();
  }

  mend(): void {
    this.open = true;
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}

/** The same address, through the proxy. */
export function through(url: string, cut: Cut): string {
  const changed = new URL(url);
  changed.port = String(cut.port);
  return changed.href;
}
