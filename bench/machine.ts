// What the machine knows: CPU time and memory of processes, and how much of it others are using.
import { readdirSync, readFileSync } from "node:fs";

export const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

const TICKS_PER_SECOND = 100;
const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process or thread has just ended
  }
};

/** Fields of /proc/PID/stat after the name, which may hold blanks. */
const statFields = (pid: number): string[] => {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
};

/** The process and all that it has started. */
export function tree(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (/^\d+$/.test(name)) parents.set(Number(name), Number(statFields(Number(name))[1]));
  }
  const found = [pid];
  for (const member of found) {
    for (const [child, parent] of parents) if (parent === member) found.push(child);
  }
  return found;
}

/** CPU time of every thread of these processes, in microseconds. */
export function threadTimes(pids: number[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const pid of pids) {
    let threads: string[] = [];
    try {
      threads = readdirSync(`/proc/${pid}/task`);
    } catch {
      continue;
    }
    for (const thread of threads) {
      const text = read(`/proc/${pid}/task/${thread}/schedstat`);
      if (text) times.set(`${pid}/${thread}`, Number(text.split(" ")[0]) / 1000);
    }
  }
  return times;
}

export interface Spent {
  /** Microseconds of CPU, all threads together. */
  total: number;
  /** Of the busiest thread. */
  busiest: number;
}

export function spentSince(before: Map<string, number>, pids: number[]): Spent {
  const spent: Spent = { total: 0, busiest: 0 };
  for (const [thread, time] of threadTimes(pids)) {
    const used = time - (before.get(thread) ?? 0);
    spent.total += used;
    spent.busiest = Math.max(spent.busiest, used);
  }
  return spent;
}

/** Resident memory in KiB. */
export function rss(pids: number[]): number {
  let sum = 0;
  for (const pid of pids)
    sum += Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
  return sum;
}

/** Seconds in which any core was busy, stolen time included, since the machine was started. */
export function busySeconds(): number {
  const [user, nice, system, , , irq, softirq, steal] = read("/proc/stat")
    .split("\n")[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number) as number[];
  return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS_PER_SECOND;
}

export const coreCount = (): number => (read("/proc/stat").match(/^cpu\d+ /gm) ?? [1]).length;

const cores = coreCount();

/** Watches how much of the machine is used by others: 0 to 1. */
export class Foreign {
  private readonly busy = busySeconds();
  private readonly at = performance.now();
  private readonly self = process.cpuUsage();
  private readonly before: Map<string, number>;

  constructor(private readonly own: number[]) {
    this.before = threadTimes(own);
  }

  /** `gone`: CPU seconds of own processes that have ended since. */
  share(gone = 0): number {
    const seconds = (performance.now() - this.at) / 1000;
    const me = process.cpuUsage(this.self);
    const own = spentSince(this.before, this.own).total / 1e6 + (me.user + me.system) / 1e6 + gone;
    return Math.max(0, (busySeconds() - this.busy - own) / (seconds * cores));
  }
}

/** Waits until others leave the machine alone, or the time is up. */
export async function quiet(own: number[], limit: number, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    const foreign = new Foreign(own);
    await sleep(250);
    if (foreign.share() < limit) return;
  }
}

/** Waits until these processes do nothing any more; answers whether they came to that. */
export async function settled(pids: number[], patienceMs: number): Promise<boolean> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    const before = threadTimes(pids);
    await sleep(100);
    if (spentSince(before, pids).total < 2000) return true;
  }
  return false;
}
