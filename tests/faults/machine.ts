// What the machine does wrong: a full disk, a locked database, no file descriptors, a wall clock
// that jumps. Each has a gateway of its own.
import { Database } from "bun:sqlite";
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { books } from "../support/books";
import { until } from "../support/eventually";
import type { ServerOptions } from "../support/server";
import { type Got, type Line, Stage, summary } from "./stage";

const MODELS = ["fake-oa", "fake-cl"];
const HELD = 6;

const env = { LOG_LEVEL: "warn" };

/** Runs one fault on a fresh gateway; the books must balance at its end. */
async function withStage(
  lines: Line[],
  fault: string,
  options: ServerOptions,
  play: (stage: Stage, line: Line) => Promise<void>,
): Promise<void> {
  const stage = new Stage();
  const line: Line = { fault, got: "", billed: "", recovered: "", wrong: [] };
  lines.push(line);
  try {
    await stage.open(options);
    await some(stage);
    await play(stage, line);
    const rows = await books(stage.gw.server, stage.served);
    line.billed = `all ${stage.served.length} of ${rows.length} rows`;
    const ended = await stage.gw.server.stop();
    if (ended !== 0) line.wrong.push(`ended with status ${ended}`);
  } catch (error) {
    line.wrong.push(String(error));
  } finally {
    await stage.gw.close().catch((error: unknown) => line.wrong.push(String(error)));
  }
}

/** A few good requests of every kind. */
async function some(stage: Stage, key?: string): Promise<Got[]> {
  return Promise.all(
    MODELS.flatMap((model) =>
      [true, false].flatMap((stream) => [
        stage.ask(model, "openai", stream, key),
        stage.ask(model, "claude", stream, key),
      ]),
    ),
  );
}

/** Streams that have begun and wait; `end` lets them finish. */
async function hold(stage: Stage): Promise<() => Promise<Got[]>> {
  const name = `held-${Math.random()}`;
  const before = stage.gw.fake.stats.requests;
  const hold = { after_events: 3, name };
  const routes = ["oa", "cl"];
  for (const route of routes) stage.gw.fake.behave(route, { hold });
  const held = Array.from({ length: HELD }, (_, i) =>
    stage.ask(MODELS[i % 2] ?? "", i % 3 ? "openai" : "claude", true),
  );
  await until("the streams have begun", () => stage.gw.fake.stats.requests >= before + HELD);
  await Bun.sleep(200); // the first events pass
  for (const route of routes) stage.gw.fake.behave(route, undefined);
  return async () => {
    stage.gw.fake.release(name);
    return Promise.all(held);
  };
}

function mustBeFull(line: Line, what: string, gots: Got[]): void {
  if (!gots.every((got) => got.full)) line.wrong.push(`${what}: ${summary(gots)}`);
}

/** Only these statuses, or full. */
function mustBe(line: Line, what: string, gots: Got[], statuses: number[]): void {
  const odd = gots.filter((got) => !got.full && !statuses.includes(got.status));
  if (odd.length > 0) line.wrong.push(`${what}: ${summary(odd)}`);
}

async function recovers(stage: Stage, line: Line, key?: string): Promise<void> {
  await until("everything is served again", async () =>
    (await some(stage, key)).every((got) => got.full),
  );
  line.recovered = "serves again";
}

// --- the disk -----------------------------------------------------------------------

const DISK_MIB = 200;

async function fullDisk(lines: Line[], killed: boolean): Promise<void> {
  const disk = mkdtempSync(join(tmpdir(), "tf-disk-"));
  const size = `size=${DISK_MIB}m`;
  if (!Bun.spawnSync(["mount", "-t", "tmpfs", "-o", size, "tmpfs", disk]).success) {
    rmSync(disk, { recursive: true });
    console.log("skipped: a full disk needs root, who may mount a small one");
    return;
  }
  try {
    const options = { env: { ...env, DATA_DIR: disk } };
    const fault = killed ? "disk full, then killed" : "disk full";
    await withStage(lines, fault, options, (stage, line) => fill(stage, line, disk, killed));
  } finally {
    Bun.spawnSync(["umount", "--lazy", disk]);
    rmSync(disk, { recursive: true, force: true });
  }
}

async function fill(stage: Stage, line: Line, disk: string, killed: boolean): Promise<void> {
  stage.gw.server.expectLog(/journal|bookkeeper|SQLite|disk|database/i);
  const end = await hold(stage);
  const filler = join(disk, "filler");
  const { bavail, bsize } = statfsSync(disk);
  const blocks = Math.ceil((bavail * bsize) / 65_536) + 1;
  Bun.spawnSync(["dd", "if=/dev/zero", `of=${filler}`, "bs=64k", `count=${blocks}`]);
  const left = statfsSync(disk).bavail;
  if (left > 0) line.wrong.push(`the disk is not full: ${left} blocks are left`);
  await until("new work is refused", async () => {
    const got = await stage.ask("fake-oa", "openai", true);
    return got.status === 503 && got.text.includes("journal_full");
  });
  const refused = await some(stage);
  const finished = await end();
  mustBeFull(line, "what was under way", finished);
  mustBe(line, "new work", refused, [503]);
  if (refused.some((got) => got.full)) line.wrong.push("new work was served on a full disk");
  line.got = `under way: ${summary(finished)}; new: ${summary(refused)}`;
  if (killed) await stage.gw.server.kill9();
  const starts = killed && (await stage.gw.server.restart().then(...bothWays));
  rmSync(filler);
  if (killed && !starts) await stage.gw.server.restart();
  await recovers(stage, line);
  if (killed)
    line.recovered += starts ? "; starts on the full disk" : "; starts when there is room";
}

const bothWays: [() => boolean, () => boolean] = [() => true, () => false];

// --- the database -------------------------------------------------------------------

const LOCKED_MS = 8000;

async function lockedDatabase(stage: Stage, line: Line): Promise<void> {
  stage.gw.server.expectLog(/busy|locked/i);
  const owner = await stage.gw.server.createUser();
  const token = await stage.gw.newToken({}, owner); // nothing is leased for him yet
  const other = new Database(join(stage.gw.server.dataDir, "token-factory.db"));
  other.exec("BEGIN EXCLUSIVE");
  let locked = true;
  const [known, fresh, name] = await Promise.all([
    some(stage).then((gots) => {
      if (!locked) line.wrong.push("whose quota is leased had to wait for the database");
      return gots;
    }),
    some(stage, token.key),
    rename(stage),
    Bun.sleep(LOCKED_MS).then(() => {
      locked = false;
      other.exec("ROLLBACK");
      other.close();
    }),
  ]);
  mustBeFull(line, "whose quota is leased", known);
  mustBe(line, "who needs the database", fresh, [503]);
  if (![200, 503].includes(name)) line.wrong.push(`management answers ${name}`);
  line.got = `leased: ${summary(known)}; not yet: ${summary(fresh)}; management: ${name}`;
  await recovers(stage, line, token.key);
}

async function rename(stage: Stage): Promise<number> {
  const { status } = await stage.gw.server.admin.send("PUT", "/api/option/", {
    key: "SystemName",
    value: "locked",
  });
  return status;
}

// --- descriptors ----------------------------------------------------------------------

async function noDescriptors(stage: Stage, line: Line): Promise<void> {
  stage.gw.server.expectLog(/files|descriptor|open/i);
  const end = await hold(stage);
  const pid = String(stage.gw.server.pid);
  const limit = (soft: number): void => {
    const set = Bun.spawnSync(["prlimit", "--pid", pid, `--nofile=${soft}:`]);
    if (!set.success) throw new Error(set.stderr.toString());
  };
  limit(stage.openFiles + 2);
  const crowd = await Promise.all(Array.from({ length: 8 }, () => some(stage)));
  const finished = await end();
  limit(4096);
  mustBeFull(line, "what was under way", finished);
  mustBe(line, "the crowd", crowd.flat(), [0, 500, 502, 503]);
  line.got = `under way: ${summary(finished)}; new: ${summary(crowd.flat())}`;
  await recovers(stage, line);
}

// --- the clock --------------------------------------------------------------------------

const STEP_SECONDS = 7200;

async function steppedClock(lines: Line[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tf-clock-"));
  const library = join(folder, "clock.so");
  const source = join(import.meta.dir, "clock.c");
  const built = Bun.spawnSync([
    "cc",
    "-shared",
    "-fPIC",
    "-O1",
    "-D_GNU_SOURCE",
    "-o",
    library,
    source,
  ]);
  if (!built.success) throw new Error(built.stderr.toString());
  const shift = join(folder, "shift");
  const step = (seconds: number): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    writeFileSync(shift, bytes, { flag: existsSync(shift) ? "r+" : "w" });
  };
  step(0);
  const options = { env: { ...env, LD_PRELOAD: library, CLOCK_SHIFT: shift } };
  await withStage(lines, "clock stepped back", options, (stage, line) => jump(stage, line, step));
  rmSync(folder, { recursive: true });
}

async function jump(stage: Stage, line: Line, step: (seconds: number) => void): Promise<void> {
  const end = await hold(stage);
  const before = await some(stage);
  step(-STEP_SECONDS);
  const after = await some(stage);
  step(STEP_SECONDS);
  const ahead = await some(stage);
  step(0);
  const all = [...(await end()), ...before, ...after, ...ahead];
  mustBeFull(line, "all of them", all);
  const ids = new Set(all.map((got) => got.requestId));
  if (ids.size !== all.length) line.wrong.push("a request id came twice");
  await checkShift(stage, line, before, after);
  line.got = summary(all);
  await recovers(stage, line);
}

/** The rows tell whether the clock was moved at all: a fault that does nothing proves nothing. */
async function checkShift(stage: Stage, line: Line, before: Got[], after: Got[]): Promise<void> {
  await stage.settled();
  const [one] = before;
  const [two] = after;
  const early = one && (await stage.billed(one.requestId));
  const late = two && (await stage.billed(two.requestId));
  if (!early || !late || early.created_at - late.created_at < STEP_SECONDS / 2)
    line.wrong.push(`the clock did not move: ${early?.created_at} to ${late?.created_at}`);
}

export async function machineFaults(lines: Line[]): Promise<void> {
  await fullDisk(lines, false);
  await fullDisk(lines, true);
  await withStage(lines, "database locked", { env }, lockedDatabase);
  await withStage(lines, "no file descriptors", { env }, noDescriptors);
  await steppedClock(lines);
}
