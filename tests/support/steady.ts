// Does a process grow? Its memory and its open files, looked at from time to time.
import { readdirSync, readFileSync } from "node:fs";

export interface Sample {
  /** KiB. */
  rss: number;
  files: number;
}

/** This part of the samples only warms up. */
const WARM = 0.35;
/** What the end may have more than the beginning. */
const GROWTH = 1.15;
const FILES_SPARE = 12;

export function look(pid: number): Sample {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rss = Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  return { rss, files: readdirSync(`/proc/${pid}/fd`).length };
}

/** What grew after the warm-up: the last third against the first, by their medians. */
export function unsteady(samples: Sample[]): string[] {
  const steady = samples.slice(Math.ceil(samples.length * WARM));
  const third = Math.max(1, Math.floor(steady.length / 3));
  if (steady.length < 2) return ["too short a run to tell whether anything grows"];
  const [first, last] = [steady.slice(0, third), steady.slice(-third)];
  const out: string[] = [];
  const [rss, rssLast] = [median(first, "rss"), median(last, "rss")];
  const [files, filesLast] = [median(first, "files"), median(last, "files")];
  if (rssLast > rss * GROWTH) out.push(`RSS grew from ${rss} to ${rssLast} KiB`);
  if (filesLast > files * GROWTH + FILES_SPARE)
    out.push(`open files grew from ${files} to ${filesLast}`);
  return out;
}

function median(samples: Sample[], of: keyof Sample): number {
  const sorted = samples.map((sample) => sample[of]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
