// A TCP proxy that can be cut: what goes through it is lost at once, and nobody gets through until
// it is mended.
import net from "node:net";

export class Cut {
  private readonly pairs = new Set<net.Socket>();
  private readonly server: net.Server;
  private open = true;
  port = 0;

  private constructor(target: number) {
    this.server = net.createServer((near) => {
      if (!this.open) {
        near.destroy();
        return;
      }
      const far = net.connect(target, "127.0.0.1");
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

  static async before(target: number): Promise<Cut> {
    const cut = new Cut(target);
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
