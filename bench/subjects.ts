// Who takes part: the mock upstream, nginx, the gateway under test, and whoever else is named.
import { type Subprocess } from "bun";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join, resolve } from "node:path";
import { sleep, tree } from "./machine.ts";

/** Of this process alone: several may run, if only to spoil each other's figures. */
export const FOLDER = resolve(`build/bench/${process.pid}`);
export const TOOLS = resolve("build/release/bench");
export const GATEWAY_CORE = process.env["GATEWAY_CORE"] ?? "0";
export const LOAD_CORE = process.env["LOAD_CORE"] ?? "1";

const MOCK_KEY = "mock-upstream-key";
const ROOT_ACCESS_TOKEN = "benchaccesstoken0123456789abcdef0";
const MODELS = ["json", "burst", "paced", "hold"].map((name) => `bench-${name}`);
const AMPLE = 500_000_000_000_000;

const running = new Set<Subprocess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGTERM")));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

function start(core: string, command: string[], env: Record<string, string> = {}): Subprocess {
  const log = openSync(join(FOLDER, "log.txt"), "a");
  const child = Bun.spawn(["taskset", "-c", core, ...command], {
    cwd: FOLDER,
    env: { ...process.env, ...env },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  running.add(child);
  void child.exited.then(() => running.delete(child));
  return child;
}

async function stop(child: Subprocess): Promise<void> {
  child.kill("SIGTERM");
  const ended = await Promise.race([child.exited.then(() => true), sleep(15_000)]);
  if (!ended) child.kill("SIGKILL");
  await child.exited;
}

async function freePort(): Promise<number> {
  const listener = net.createServer();
  await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
  const { port } = listener.address() as net.AddressInfo;
  await new Promise<void>((done) => listener.close(() => done()));
  return port;
}

async function answers(url: string, child: Subprocess): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (child.exitCode !== null) break;
    const response = await fetch(url).catch(() => undefined);
    if (response && response.status < 500) return;
    await sleep(100);
  }
  throw new Error(`${url} does not come up; see ${FOLDER}/log.txt`);
}

// --- the mock -------------------------------------------------------------------------------

export interface MockStats {
  served: number;
  refused: number;
  aborted: number;
  opened: number;
  why: string;
}

export interface Mock {
  port: number;
  tlsPort: number;
  ca: string;
  pid: number;
  stats(): Promise<MockStats>;
}

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { cwd: FOLDER, stdio: ["ignore", "ignore", "pipe"] });
  if ((await child.exited) !== 0) {
    throw new Error(`${command.join(" ")}: ${await new Response(child.stderr).text()}`);
  }
}

async function makeCertificates(): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  writeFileSync(join(FOLDER, "san.txt"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  await run(
    ["openssl", "req", "-x509", ...key, "-days", "3650", "-subj", "/CN=bench CA"].concat(
      "-keyout ca.key -out ca.pem".split(" "),
    ),
  );
  await run(
    ["openssl", "req", ...key, "-subj", "/CN=localhost"].concat(
      "-keyout mock.key -out mock.csr".split(" "),
    ),
  );
  await run(
    "openssl x509 -req -in mock.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650"
      .split(" ")
      .concat("-extfile san.txt -out mock.pem".split(" ")),
  );
}

export async function startMock(): Promise<Mock> {
  await makeCertificates();
  const [port, tlsPort] = [await freePort(), await freePort()];
  const child = start(LOAD_CORE, [
    join(TOOLS, "bench-mock"),
    ...["--port", `${port}`, "--tls-port", `${tlsPort}`],
    ...["--certificate", "mock.pem", "--key", "mock.key"],
  ]);
  const url = `http://127.0.0.1:${port}/stats`;
  await answers(url, child);
  const stats = async () => (await (await fetch(url, { keepalive: false })).json()) as MockStats;
  return { port, tlsPort, ca: join(FOLDER, "ca.pem"), pid: child.pid, stats };
}

// --- subjects ---------------------------------------------------------------------------------

export interface Subject {
  name: string;
  /** Ports for a plain and for a TLS upstream; 0: not on offer. */
  port: number;
  tlsPort: number;
  /** What a model is called when its upstream speaks TLS. */
  tlsModel(model: string): string;
  /** ... and when its upstream speaks Anthropic's dialect. */
  claudeModel(model: string): string;
  key: string;
  pids(): number[];
  /** Whose memory counts: without nginx's master. */
  memoryPids(): number[];
  stop(): Promise<void>;
}

const same = (model: string) => model;

export async function startNginx(mock: Mock): Promise<Subject> {
  const folder = join(FOLDER, "nginx");
  mkdirSync(folder, { recursive: true });
  const [port, tlsPort] = [await freePort(), await freePort()];
  const values: Record<string, string> = {
    FOLDER: folder,
    USER: process.getuid?.() === 0 ? "user root;" : "",
    PORT: `${port}`,
    TLS_PORT: `${tlsPort}`,
    MOCK: `${mock.port}`,
    MOCK_TLS: `${mock.tlsPort}`,
    CA: mock.ca,
  };
  const template = readFileSync(join(import.meta.dir, "nginx.conf"), "utf8");
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    template.replace(/@(\w+)@/g, (_, name: string) => values[name] ?? ""),
  );
  const nginx = Bun.which("nginx", { PATH: `${process.env["PATH"]}:/usr/sbin` });
  if (!nginx) throw new Error("nginx is not installed: run scripts/setup bench");
  const child = start(GATEWAY_CORE, [nginx, "-p", folder, "-c", file, "-e", `${folder}/error.log`]);
  await answers(`http://127.0.0.1:${port}/stats`, child);
  const pids = () => tree(child.pid);
  const memoryPids = () => pids().slice(1);
  const stopIt = () => stop(child);
  return {
    name: "nginx",
    port,
    tlsPort,
    tlsModel: same,
    claudeModel: same,
    key: MOCK_KEY,
    pids,
    memoryPids,
    stop: stopIt,
  };
}

// --- the gateway ----------------------------------------------------------------------------

class Management {
  constructor(readonly url: string) {}

  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${ROOT_ACCESS_TOKEN}`,
        "content-type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { success, message, data } = (await response.json()) as {
      success: boolean;
      message: string;
      data: T;
    };
    if (!success) throw new Error(`${method} ${path}: ${message}`);
    return data;
  }

  option(key: string, value: unknown): Promise<unknown> {
    return this.call("PUT", "/api/option/", { key, value: JSON.stringify(value) });
  }
}

export interface Gateway extends Subject {
  /** How many relays are in the books. */
  booked(): Promise<number>;
}

// A user with a balance, a key with a limit of its own, priced models, two channels.
async function configure(api: Management, mock: Mock): Promise<string> {
  const models = ["", "-tls", "-claude"].flatMap((end) => MODELS.map((model) => model + end));
  const all = (value: number) => Object.fromEntries(models.map((model) => [model, value]));
  await api.option("ModelRatio", all(1.25));
  await api.option("CompletionRatio", all(4));
  const channel = { key: MOCK_KEY, group: "default", status: 1, priority: 0, weight: 1 };
  await api.call("POST", "/api/channel/", {
    ...channel,
    type: "openai",
    name: "plain",
    models: MODELS.join(","),
    base_url: `http://127.0.0.1:${mock.port}`,
  });
  await api.call("POST", "/api/channel/", {
    ...channel,
    type: "openai",
    name: "tls",
    models: MODELS.map((model) => `${model}-tls`).join(","),
    base_url: `https://localhost:${mock.tlsPort}`,
  });
  await api.call("POST", "/api/channel/", {
    ...channel,
    type: "anthropic",
    name: "claude",
    models: MODELS.map((model) => `${model}-claude`).join(","),
    base_url: `http://127.0.0.1:${mock.port}`,
  });
  const { id } = await api.call<{ id: number }>("GET", "/api/user/self");
  const grant = { id, action: "add_quota", mode: "add", value: AMPLE };
  await api.call("POST", "/api/user/manage", grant);
  const limit = { unlimited_quota: false, remain_quota: AMPLE / 10, expired_time: -1 };
  const token = { name: "bench", ...limit };
  return (await api.call<{ key: string }>("POST", "/api/token/", token)).key;
}

interface Booked {
  items: { requests: number }[];
}

export async function startGateway(mock: Mock): Promise<Gateway> {
  const data = join(FOLDER, "data");
  rmSync(data, { recursive: true, force: true });
  const port = await freePort();
  const child = start(
    GATEWAY_CORE,
    [resolve(process.env["TF_BIN"] ?? "build/token-factory"), "serve"],
    {
      PORT: `${port}`,
      HOST: "127.0.0.1",
      DATA_DIR: data,
      WORKERS: "1",
      LOG_LEVEL: "info",
      SQL_DSN: "",
      REDIS_CONN_STRING: "",
      SSL_CERT_FILE: mock.ca,
      INITIAL_ROOT_PASSWORD: "correct horse battery staple",
      INITIAL_ROOT_ACCESS_TOKEN: ROOT_ACCESS_TOKEN,
    },
  );
  const url = `http://127.0.0.1:${port}`;
  await answers(`${url}/readyz`, child);
  const api = new Management(url);
  const key = await configure(api, mock);
  const pids = () => [child.pid];
  const booked = async () => {
    const { items } = await api.call<Booked>("GET", "/api/dashboard?all=1");
    return items.reduce((sum, item) => sum + item.requests, 0);
  };
  const tlsModel = (model: string) => `${model}-tls`;
  const claudeModel = (model: string) => `${model}-claude`;
  return {
    ...{ name: "gateway", port, tlsPort: port, tlsModel, claudeModel },
    ...{ key, pids, memoryPids: pids, booked },
    stop: async () => {
      await stop(child);
      rmSync(data, { recursive: true, force: true });
    },
  };
}

// --- others ---------------------------------------------------------------------------------

interface Other {
  name: string;
  command: string;
  url: string;
  tls_url?: string;
  key?: string;
}

const portOf = (url: string | undefined) => (url ? Number(new URL(url).port || 80) : 0);

async function startOther(other: Other, mock: Mock): Promise<Subject> {
  const child = start(GATEWAY_CORE, ["sh", "-c", `exec ${other.command}`], {
    MOCK_URL: `http://127.0.0.1:${mock.port}`,
    MOCK_TLS_URL: `https://localhost:${mock.tlsPort}`,
    MOCK_KEY,
    MOCK_CA: mock.ca,
  });
  await answers(other.url, child);
  const pids = () => tree(child.pid);
  return {
    ...{ name: other.name, port: portOf(other.url), tlsPort: portOf(other.tls_url) },
    ...{ tlsModel: same, claudeModel: same, key: other.key ?? MOCK_KEY, pids, memoryPids: pids },
    stop: () => stop(child),
  };
}

/** The subjects of the file that OTHERS names; see README.md. */
export async function startOthers(mock: Mock): Promise<Subject[]> {
  const file = process.env["OTHERS"];
  if (!file) return [];
  const others = JSON.parse(readFileSync(file, "utf8")) as Other[];
  return Promise.all(others.map((other) => startOther(other, mock)));
}

export function prepareFolder(): void {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
}
