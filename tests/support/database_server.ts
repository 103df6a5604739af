// A database server of a test's own, which is stopped, killed, frozen and started again under the
// same address, as happens in real life. What was committed survives.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { until } from "./eventually";
import { freePort, type Kind, kinds, reachable, serve, serverFolder } from "./databases";

const running = new Set<DatabaseServer>();
process.once("exit", () => running.forEach((server) => server.signal("SIGKILL")));

export class DatabaseServer {
  private pid = 0;

  private constructor(
    private readonly kind: Kind,
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /** Undefined where the server is not installed. */
  static async start(name: Kind["name"]): Promise<DatabaseServer | undefined> {
    const kind = kinds.find((one) => one.name === name);
    const folder = serverFolder();
    if (!kind?.install(folder)) {
      rmSync(folder, { recursive: true, force: true });
      return undefined;
    }
    const server = new DatabaseServer(kind, folder, await freePort());
    await server.start();
    return server;
  }

  get title(): string {
    return this.kind.title;
  }

  get dsn(): string {
    return this.kind.dsn(this.port);
  }

  async start(): Promise<void> {
    running.add(this);
    const command = this.kind.command(this.folder, this.port, true);
    this.pid = serve(this.folder, "server.log", command);
    await reachable(this.dsn);
  }

  /** SIGTERM lets clients finish in PostgreSQL, so: SIGINT (fast) there, SIGTERM in MariaDB. */
  async stop(): Promise<void> {
    await this.end(this.kind.name === "postgres" ? "SIGINT" : "SIGTERM");
  }

  /** As if the machine had failed: every process of it is gone at once. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** All its processes stand still: connections stay, and nobody answers. */
  freeze(frozen: boolean): void {
    this.signal(frozen ? "SIGSTOP" : "SIGCONT");
  }

  async dispose(): Promise<void> {
    this.freeze(false);
    await this.kill();
    running.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** To all its processes, when it is not one that only the first of them must get. */
  signal(name: NodeJS.Signals): void {
    const pids =
      name === "SIGINT" || name === "SIGTERM" ? [this.pid].filter(Boolean) : this.processes();
    for (const pid of pids) if (isRunning(pid)) process.kill(pid, name);
  }

  private async end(name: NodeJS.Signals): Promise<void> {
    const pids = this.processes();
    this.signal(name);
    await until("the database server ends", () => !pids.some(isRunning));
    this.pid = 0; // numbers are used again
  }

  /** The server's, and those that it has started. */
  private processes(): number[] {
    if (!this.pid) return [];
    const children = readdirSync("/proc").filter(
      (name) => /^\d+$/.test(name) && statusOf(Number(name)).includes(`\nPPid:\t${this.pid}\n`),
    );
    return [this.pid, ...children.map(Number)];
  }
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return ""; // it has ended
  }
}

/** What has ended and was not waited for yet does not run. */
function isRunning(pid: number): boolean {
  const status = statusOf(pid);
  return status !== "" && !status.includes("\nState:\tZ");
}
