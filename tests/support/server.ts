// Starts the real binary on a fresh folder, listens to its log, and stops it in every way there is.
import { setDefaultTimeout } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import readline from "node:readline";
import { createDatabase, freePort } from "./databases";
import { eventually } from "./eventually";
import {
  type Channel,
  type Log,
  login,
  Management,
  type Page,
  type Session,
  type Token,
  type User,
} from "./management";

// Bun kills what a test has started when the test times out: no wait may outlast this.
setDefaultTimeout(60_000);

export const BINARY = resolve(process.env["TF_BIN"] ?? "build/token-factory");
export const ROOT_PASSWORD = "correct horse battery staple";
export const ROOT_ACCESS_TOKEN = "rootaccesstoken0123456789abcdef01";
export const ROOT_TOKEN = `sk-${"r".repeat(48)}`;

/** A test that fails half-way must not leave a server behind. */
const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

const START_MS = 45_000;
const REPORT = /(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:|^Assertion /;

export interface ServerOptions {
  env?: Record<string, string>;
  /** Make the root account at once; otherwise the program offers its set-up link. */
  root?: boolean;
  /** Serve on this database, which others may share, instead of one of its own. */
  dsn?: string;
}

export class TestServer {
  readonly dataDir = mkdtempSync(join(tmpdir(), "tf-api-"));
  /** What each user was given, by id; `books` compares it with what is there. */
  readonly granted = new Map<number, number>();
  readonly lines: string[] = [];
  /** Over those of the options, from the next start on. */
  readonly env: Record<string, string> = {};
  port = 0;
  private child: ChildProcess | undefined;
  private readonly announced: RegExp[] = [];
  private checked = 0;
  private serial = 0;
  private asked = false;
  /** With TF_TEST_DSN: a fresh one on that server, instead of SQLite. */
  private database: Awaited<ReturnType<typeof createDatabase>> | undefined;

  private constructor(private readonly options: ServerOptions) {}

  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(options);
    const dsn = process.env["TF_TEST_DSN"];
    if (dsn && !options.dsn) server.database = await createDatabase(dsn);
    await server.launch();
    if (options.root !== false) {
      const root = await server.admin.get<User>("/api/user/self");
      server.granted.set(root.id, root.quota + root.used_quota);
    }
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Its database, for another node beside it; undefined where that is SQLite. */
  get dsn(): string | undefined {
    return this.options.dsn ?? this.database?.dsn;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** The root account, by its access token. */
  get admin(): Management {
    return new Management(this.url, { authorization: `Bearer ${ROOT_ACCESS_TOKEN}` });
  }

  get anonymous(): Management {
    return new Management(this.url);
  }

  /** Announces error lines; without it each one fails the test. */
  expectLog(pattern: RegExp): void {
    this.announced.push(pattern);
  }

  /** Fails on error lines and sanitizer reports that came since the last call. */
  assertQuiet(): void {
    const bad = this.lines.slice(this.checked).filter((line) => this.isBad(line));
    this.checked = this.lines.length;
    this.announced.length = 0;
    if (bad.length > 0) throw new Error(`the server's log has errors:\n${bad.join("\n")}`);
  }

  /** SIGTERM; answers the exit status. */
  async stop(): Promise<number | null> {
    this.signal("SIGTERM");
    return this.exited();
  }

  async kill9(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited();
  }

  signal(name: NodeJS.Signals): void {
    this.asked = true;
    this.child?.kill(name);
  }

  /** Starts it again when it ended without being asked to; answers what had ended it. */
  async revive(): Promise<string | undefined> {
    const { child } = this;
    if (this.asked || !child || (child.exitCode === null && child.signalCode === null)) return;
    await this.restart();
    return `exit status ${child.exitCode}, signal ${child.signalCode}`;
  }

  async exited(): Promise<number | null> {
    const { child } = this;
    if (!child) return null;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.exitCode;
  }

  /** Starts again on the same data, after stop or kill9. */
  async restart(): Promise<void> {
    await this.launch();
  }

  /** Ends it however it is, and removes its data. */
  async dispose(): Promise<void> {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) {
      await this.stop();
    }
    rmSync(this.dataDir, { recursive: true, force: true });
    await this.database?.drop();
    this.assertQuiet();
  }

  async createUser(wish: Partial<User> & { password?: string } = {}): Promise<Account> {
    const username = wish.username ?? `user${++this.serial}_${Date.now() % 100_000}`;
    const password = wish.password ?? "a good password";
    const user = await this.admin.post<User>("/api/users", {
      quota: 10_000_000,
      ...wish,
      username,
      password,
    });
    this.granted.set(user.id, user.quota);
    return new Account(this, user, password);
  }

  /** Gives to (or, with a negative amount, takes from) a user. */
  async adjust(user: { id: number }, amount: number): Promise<void> {
    const mode = amount < 0 ? "subtract" : "add";
    const value = Math.abs(amount);
    await this.admin.post("/api/user/manage", { id: user.id, action: "add_quota", mode, value });
    this.granted.set(user.id, (this.granted.get(user.id) ?? 0) + amount);
  }

  createChannel(wish: Record<string, unknown>): Promise<Channel> {
    return this.admin.post<Channel>("/api/channel/", {
      name: `channel${++this.serial}`,
      group: "default",
      status: 1,
      priority: 0,
      weight: 1,
      ...wish,
    });
  }

  setOption(key: string, value: unknown): Promise<unknown> {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return this.admin.put("/api/option/", { key, value: text });
  }

  async option(key: string): Promise<string> {
    return (await this.admin.get<{ value: string }>(`/api/option/${key}`)).value;
  }

  async logs(filter: Record<string, string | number> = {}): Promise<Log[]> {
    const query = new URLSearchParams({ page_size: "100" });
    for (const [name, value] of Object.entries(filter)) query.set(name, String(value));
    return (await this.admin.get<Page<Log>>(`/api/logs?${query}`)).items;
  }

  /** The one consume log of a request, once it is booked. */
  logOf(requestId: string, type = 2): Promise<Log> {
    return eventually(async () => {
      const found = await this.logs({ request_id: requestId, type });
      const [log] = found;
      if (!log || found.length !== 1) throw new Error(`${found.length} logs of ${requestId}`);
      return log;
    });
  }

  async balance(user: { id: number }): Promise<number> {
    return (await this.admin.get<User>(`/api/users/${user.id}`)).quota;
  }

  async metric(name: string): Promise<number | undefined> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const lines = text.split("\n").filter((line) => /^[^#]/.test(line));
    const values = lines.filter((line) => line.split(/[{ ]/)[0] === name);
    if (values.length === 0) return undefined;
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  private async launch(): Promise<void> {
    this.asked = false;
    this.port = await freePort();
    const child = spawn(BINARY, ["serve"], {
      cwd: this.dataDir,
      env: { ...process.env, ...this.environment(), ...this.options.env, ...this.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    await once(child, "spawn");
    for (const stream of [child.stdout, child.stderr]) {
      readline.createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        if (process.env["TF_TEST_LOG"]) console.error(line);
      });
    }
    await this.ready(child);
  }

  private environment(): Record<string, string> {
    return {
      PORT: String(this.port),
      HOST: "127.0.0.1",
      DATA_DIR: this.dataDir,
      ...(this.database ? { SQL_DSN: this.database.dsn } : {}),
      ...(this.options.dsn ? { SQL_DSN: this.options.dsn } : {}),
      WORKERS: "2",
      JOURNAL_SYNC_MS: "5",
      LOG_FORMAT: "json",
      LOG_LEVEL: "info",
      HEADER_TIMEOUT_SECONDS: "1",
      BODY_TIMEOUT_SECONDS: "1",
      ...(this.options.root === false
        ? {}
        : {
            INITIAL_ROOT_PASSWORD: ROOT_PASSWORD,
            INITIAL_ROOT_ACCESS_TOKEN: ROOT_ACCESS_TOKEN,
            INITIAL_ROOT_TOKEN: ROOT_TOKEN,
          }),
    };
  }

  private async ready(child: ChildProcess): Promise<void> {
    await eventually(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const response = await fetch(`${this.url}/readyz`);
      if (!response.ok) throw new Error(`/readyz says ${response.status}`);
    }, START_MS);
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the server ended at its start:\n${this.lines.slice(-30).join("\n")}`);
    }
  }

  private isBad(line: string): boolean {
    if (REPORT.test(line)) return true;
    return isErrorLine(line) && !this.announced.some((pattern) => pattern.test(line));
  }
}

function isErrorLine(line: string): boolean {
  try {
    const { level } = JSON.parse(line) as { level?: string };
    return level === "error" || level === "fatal";
  } catch {
    return /\berror\b/i.test(line);
  }
}

/** A user of the server under test, acting for himself. */
export class Account {
  private accessToken: string | undefined;

  constructor(
    private readonly server: TestServer,
    readonly user: User,
    readonly password: string,
  ) {}

  get id(): number {
    return this.user.id;
  }

  /** By his own access token; the first call logs in to get it. */
  async api(): Promise<Management> {
    if (this.accessToken === undefined) {
      const session = await this.login();
      this.accessToken = await session.api.get<string>("/api/user/token");
    }
    return new Management(this.server.url, { authorization: `Bearer ${this.accessToken}` });
  }

  login(): Promise<Session> {
    return login(this.server.url, this.user.username, this.password);
  }

  async createToken(wish: Partial<Token> & Record<string, unknown> = {}): Promise<Token> {
    const api = await this.api();
    return api.post<Token>("/api/token/", {
      name: "test",
      unlimited_quota: true,
      remain_quota: 0,
      expired_time: -1,
      ...wish,
    });
  }
}
