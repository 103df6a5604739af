// A throw-away Redis for a test, from Debian's package, on a free port, in memory. It can be
// stopped and come back under the same address, as Redis does in real life.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./databases";
import { eventually } from "./eventually";

const PASSWORD = "p@ss/w:rd%?#&";

const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export class Redis {
  private readonly folder = mkdtempSync(join(tmpdir(), "tf-redis-"));
  private child: ChildProcess | undefined;

  private constructor(readonly port: number) {}

  static async start(): Promise<Redis> {
    const redis = new Redis(await freePort());
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}/1`;
  }

  /** With what it knows how to find nothing in logs. */
  get password(): string {
    return PASSWORD;
  }

  async start(): Promise<void> {
    const options = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder];
    const memory = ["--save", "", "--appendonly", "no", "--requirepass", PASSWORD];
    const child = spawn("redis-server", [...options, ...memory], { stdio: "ignore" });
    this.child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    await once(child, "spawn");
    await eventually(() => this.answers());
  }

  /** Ends at once, with everything it knew. */
  async stop(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Stays connected and says nothing. */
  freeze(frozen: boolean): void {
    this.child?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async answers(): Promise<void> {
    const socket = net.connect(this.port, "127.0.0.1");
    socket.on("error", () => undefined); // `once` hears of the first one only
    try {
      await once(socket, "connect");
    } finally {
      socket.destroy();
    }
  }
}
