// Throw-away database servers for the tests, from Debian's packages, without root, on free ports:
//   bun tests/support/databases.ts start|stop
// prints their DSNs, a line each: "postgres DSN" and "mysql DSN", or "postgres missing".
import { SQL } from "bun";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Database {
  name: "postgres" | "mysql";
  title: string;
  /** Of a user who may make databases; "" where the server is not installed. */
  dsn: string;
  /** Of the server; 0 where there is none. */
  pid: number;
}

/** Numbers are used again, soon on a busy machine: when it began tells whether it is this one. */
interface Process {
  pid: number;
  since: string;
}

interface State {
  folder: string;
  processes?: Process[];
  databases: Database[];
}

const stateFile = join(import.meta.dir, "../../build/databases/state.json");
const START_MS = 60_000;

/** The second one is not in the certificate. */
const ADDRESSES = "127.0.0.1,127.0.0.2";

/** Every character of it must find its way through the DSN. */
const PASSWORD = "p@ss/w:rd%?#&";
const login = `tf:${encodeURIComponent(PASSWORD)}`;

/** The servers refuse to run as root. */
const root = process.getuid?.() === 0;
const nobody = root ? ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] : [];
const idOf = (kind: "-u" | "-g") => Number(spawnSync("id", [kind, "nobody"]).stdout.toString());

function readState(): State | undefined {
  if (!existsSync(stateFile)) return undefined;
  return JSON.parse(readFileSync(stateFile, "utf8")) as State;
}

/** "" when there is none; see proc(5), field 22 of stat. */
function sinceOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

const alive = ({ pid, since }: Process) => since !== "" && sinceOf(pid) === since;

export async function freePort(): Promise<number> {
  const listener = net.createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as net.AddressInfo;
  await new Promise<void>((resolve) => listener.close(() => resolve()));
  return port;
}

/** Runs to the end, as nobody, in the folder; throws what it said if it fails. */
function run(folder: string, command: string[]): void {
  const [program, ...args] = [...nobody, ...command];
  const env = { ...process.env, HOME: folder };
  const done = spawnSync(program!, args, { cwd: folder, env, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command.join(" ")}:\n${done.stdout}${done.stderr}`);
}

/** Runs for as long as nobody ends it. */
export function serve(folder: string, log: string, command: string[]): number {
  const [program, ...args] = [...nobody, ...command];
  const out = openSync(join(folder, log), "a");
  const env = { ...process.env, HOME: folder };
  const stdio: ["ignore", number, number] = ["ignore", out, out];
  const child = spawn(program!, args, { cwd: folder, env, stdio, detached: true });
  child.unref();
  if (!child.pid) throw new Error(`${program} did not start`);
  return child.pid;
}

/** A certificate authority, and the servers' certificate from it. */
function makeCertificates(folder: string): void {
  const openssl = (...args: string[]) => run(folder, ["openssl", ...args]);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  for (const ca of ["ca", "other-ca"]) {
    const out = ["-keyout", `${ca}.key`, "-out", `${ca}.pem`];
    openssl("req", "-x509", ...key, "-subj", `/CN=${ca}`, "-days", "30", ...out);
  }
  writeFileSync(join(folder, "names"), names);
  const request = ["-keyout", "server.key", "-out", "server.csr"];
  openssl("req", ...key, "-subj", "/CN=localhost", ...request);
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
  openssl("x509", "-req", "-in", "server.csr", "-days", "30", ...signed, "-out", "server.pem");
  chmodSync(join(folder, "server.key"), 0o600);
}

export async function reachable(dsn: string): Promise<void> {
  const until = Date.now() + START_MS;
  for (;;) {
    const sql = new SQL(dsn, { max: 1, connectionTimeout: 5 });
    try {
      await sql.unsafe("SELECT 1");
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
    } finally {
      await sql.close({ timeout: 0 });
    }
    await Bun.sleep(100);
  }
}

/** What one kind of server is: put into a folder once, then started on a port, also again. */
export interface Kind {
  name: Database["name"];
  title: string;
  /** False where the server is not installed. */
  install: (folder: string) => boolean;
  /** `safe`: what was committed survives a kill of the server. */
  command: (folder: string, port: number, safe: boolean) => string[];
  dsn: (port: number) => string;
}

const postgresBin = () => spawnSync("pg_config", ["--bindir"]).stdout?.toString().trim() ?? "";

function installPostgres(folder: string): boolean {
  const bin = postgresBin();
  if (!existsSync(join(bin, "initdb"))) return false;
  writeFileSync(join(folder, "password"), PASSWORD);
  const initdb = [join(bin, "initdb"), "-D", "pg", "-U", "tf", "-A", "scram-sha-256"];
  run(folder, [...initdb, "--pwfile=password", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]);
  return true;
}

function postgresCommand(folder: string, port: number, safe: boolean): string[] {
  const settings = {
    listen_addresses: ADDRESSES,
    port,
    unix_socket_directories: folder,
    fsync: "off",
    synchronous_commit: safe ? "on" : "off",
    full_page_writes: "off",
    max_connections: 300,
    deadlock_timeout: "200ms",
    ssl: "on",
    ssl_cert_file: join(folder, "server.pem"),
    ssl_key_file: join(folder, "server.key"),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return [join(postgresBin(), "postgres"), "-D", "pg", ...options];
}

const mariadbd = () =>
  ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd"].find((path) => existsSync(path));

function installMariadb(folder: string): boolean {
  if (!mariadbd()) return false;
  const install = [
    "mariadb-install-db",
    "--no-defaults",
    `--datadir=${folder}/my`,
    "--skip-test-db",
  ];
  run(folder, [...install, "--auth-root-authentication-method=normal", "--skip-name-resolve"]);
  const quoted = `'${PASSWORD}'`;
  writeFileSync(
    join(folder, "init.sql"),
    `CREATE USER IF NOT EXISTS tf@'127.0.0.1' IDENTIFIED BY ${quoted};\n` +
      "GRANT ALL ON *.* TO tf@'127.0.0.1' WITH GRANT OPTION;\n",
  );
  return true;
}

function mariadbCommand(folder: string, port: number, safe: boolean): string[] {
  const options = [
    "--datadir=" + join(folder, "my"),
    "--tmpdir=" + folder, // goes with it, also when the server is killed
    "--socket=" + join(folder, "my.sock"),
    "--pid-file=" + join(folder, "my.pid"),
    "--init-file=" + join(folder, "init.sql"),
    `--port=${port}`,
    `--bind-address=${ADDRESSES}`,
    `--innodb-flush-log-at-trx-commit=${safe ? 2 : 0}`,
    "--innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
    "--sync-frm=0",
    "--innodb-buffer-pool-size=64M",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--max-connections=300",
    "--ssl-cert=" + join(folder, "server.pem"),
    "--ssl-key=" + join(folder, "server.key"),
  ];
  return [mariadbd() ?? "", "--no-defaults", ...options];
}

export const kinds: Kind[] = [
  {
    name: "postgres",
    title: "PostgreSQL",
    install: installPostgres,
    command: postgresCommand,
    dsn: (port) => `postgres://${login}@127.0.0.1:${port}/postgres?sslmode=disable`,
  },
  {
    name: "mysql",
    title: "MariaDB",
    install: installMariadb,
    command: mariadbCommand,
    dsn: (port) => `mysql://${login}@127.0.0.1:${port}/mysql`,
  },
];

/** A folder that the servers may write to, with certificates for them. */
export function serverFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tf-databases-"));
  if (root) chownSync(folder, idOf("-u"), idOf("-g"));
  chmodSync(folder, 0o755);
  makeCertificates(folder);
  return folder;
}

async function launch(): Promise<State> {
  const folder = serverFolder();
  const processes: Process[] = [];
  const state: State = { folder, processes, databases: [] };
  const note = () => writeFileSync(stateFile, JSON.stringify(state)); // so that stop finds them
  mkdirSync(join(stateFile, ".."), { recursive: true });
  note();
  for (const { name, title, install, command, dsn } of kinds) {
    const installed = install(folder);
    const port = await freePort(); // last: others look for one, too
    const pid = installed ? serve(folder, `${name}.log`, command(folder, port, false)) : 0;
    state.databases.push({ name, title, dsn: pid ? dsn(port) : "", pid });
    if (pid) processes.push({ pid, since: sinceOf(pid) });
    note();
  }
  await Promise.all(state.databases.map(({ dsn }) => dsn && reachable(dsn)));
  return state;
}

/** Those that run already, or new ones. The folder holds ca.pem and, not theirs, other-ca.pem. */
export async function startDatabases(): Promise<{ databases: Database[]; folder: string }> {
  const before = readState();
  if (before?.databases.length === kinds.length && before.processes?.every(alive)) return before;
  await stopDatabases();
  return launch().catch(async (error: unknown) => {
    await stopDatabases();
    throw error;
  });
}

export async function stopDatabases(): Promise<void> {
  const state = readState();
  if (!state) return;
  const running = (state.processes ?? []).filter(alive);
  // PostgreSQL calls this an immediate shutdown; there is nothing that anybody will want to keep
  for (const { pid } of running) process.kill(pid, "SIGQUIT");
  const until = Date.now() + 2_000;
  while (running.some(alive) && Date.now() < until) await Bun.sleep(20);
  for (const { pid } of running.filter(alive)) process.kill(pid, "SIGKILL");
  rmSync(state.folder, { recursive: true, force: true });
  rmSync(stateFile);
}

let made = 0;

/** A fresh database on the server of this DSN; `drop` removes it. */
export async function createDatabase(
  dsn: string,
): Promise<{ dsn: string; drop: () => Promise<void> }> {
  const name = `tf_${process.pid}_${Date.now().toString(36)}_${++made}`;
  const url = new URL(dsn);
  const command = async (text: string) => {
    const sql = new SQL(dsn, { max: 1 });
    await sql.unsafe(text).finally(() => sql.close());
  };
  await command(`CREATE DATABASE ${name}`);
  url.pathname = `/${name}`;
  const force = url.protocol === "postgres:" ? " WITH (FORCE)" : "";
  return { dsn: url.href, drop: () => command(`DROP DATABASE ${name}${force}`) };
}

if (import.meta.main) {
  const [verb] = process.argv.slice(2);
  if (verb === "start") {
    const { databases, folder } = await startDatabases();
    for (const { name, dsn } of databases) console.log(name, dsn || "missing");
    console.log("certificates", folder);
  } else if (verb === "stop") {
    await stopDatabases();
  } else {
    console.error("usage: bun tests/support/databases.ts start|stop");
    process.exit(2);
  }
}
