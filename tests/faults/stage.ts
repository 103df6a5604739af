// A gateway to be mistreated: what each caller got, what was billed, and what the process holds.
import { readdirSync, readFileSync } from "node:fs";
import { eventually } from "../support/eventually";
import { ask } from "../support/fake";
import { Gateway } from "../support/gateway";
import { explained, type Log } from "../support/management";
import type { ServerOptions } from "../support/server";
import { PATHS, type Spoken } from "../support/shapes";
import { parseSse, receive } from "../support/sse";

export interface Got {
  client: Spoken;
  stream: boolean;
  requestId: string;
  /** 0: not even an answer. */
  status: number;
  full: boolean;
  /** A stream that ended in the dialect's error event, its HTTP body whole. */
  brokenOff: boolean;
  text: string;
}

/** One line of the table. */
export interface Line {
  fault: string;
  got: string;
  billed: string;
  recovered: string;
  wrong: string[];
}

export class Stage {
  readonly gw = new Gateway();
  /** Request ids of what came in full. */
  readonly served: string[] = [];

  async open(options: ServerOptions): Promise<void> {
    await this.gw.open(options);
  }

  async ask(model: string, client: Spoken, stream: boolean, key?: string): Promise<Got> {
    const body = {
      model,
      ...(client === "claude" ? { max_tokens: 400 } : {}),
      messages: [{ role: "user", content: ask({ chunks: 6 }) }],
      ...(stream ? { stream: true } : {}),
    };
    const got: Got = {
      client,
      stream,
      requestId: "",
      status: 0,
      full: false,
      brokenOff: false,
      text: "",
    };
    try {
      const options = key === undefined ? {} : { key };
      const signal = AbortSignal.timeout(40_000);
      const reply = await receive(await this.gw.post(PATHS[client], body, { ...options, signal }));
      got.requestId = reply.headers.get("x-request-id") ?? "";
      got.status = reply.status;
      got.text = reply.text;
      if (reply.broken) return { ...got, status: 0 };
    } catch {
      return got;
    }
    if (got.status !== 200) return got;
    if (stream) judgeStream(got);
    else got.full = typeof JSON.parse(got.text) === "object";
    if (got.full) this.served.push(got.requestId);
    return got;
  }

  /** Waits until everything is booked; the consume row of a request, if there is one. */
  async billed(requestId: string): Promise<Log | undefined> {
    const rows = await this.gw.server.logs({ request_id: requestId, type: 2 });
    if (rows.length > 1) throw new Error(`${requestId} is billed ${rows.length} times`);
    return rows[0];
  }

  settled(): Promise<void> {
    return eventually(async () => {
      const pending = await this.gw.server.metric("tf_journal_pending_records");
      if (pending !== 0) throw new Error(`${pending} records are not booked`);
    });
  }

  /** Resident memory in KiB. */
  get rss(): number {
    const status = readFileSync(`/proc/${this.gw.server.pid}/status`, "utf8");
    return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  }

  get openFiles(): number {
    return readdirSync(`/proc/${this.gw.server.pid}/fd`).length;
  }
}

function judgeStream(got: Got): void {
  const last = parseSse(got.text).at(-1);
  const openai = got.client === "openai";
  got.full = openai ? last?.data === "[DONE]" : last?.event === "message_stop";
  got.brokenOff = openai ? /^\{"error":/.test(last?.data ?? "") : last?.event === "error";
}

/** "502 x4, 200 broken off x4". */
export function summary(gots: Got[]): string {
  const counts = new Map<string, number>();
  for (const got of gots) {
    const how = got.full
      ? "200"
      : got.brokenOff
        ? "200 then error"
        : `${got.status || "no answer"}`;
    counts.set(how, (counts.get(how) ?? 0) + 1);
  }
  return [...counts].map(([how, n]) => `${how} x${n}`).join(", ");
}

export function endOf(log: Log | undefined): string {
  return log ? `${String(explained(log)["usage_source"])}` : "-";
}

export function print(lines: Line[]): void {
  const columns: (keyof Omit<Line, "wrong">)[] = ["fault", "got", "billed", "recovered"];
  const titles = {
    fault: "fault",
    got: "clients got",
    billed: "billed",
    recovered: "afterwards",
    wrong: [],
  };
  const widths = columns.map((name) =>
    Math.max(...[titles, ...lines].map((line) => line[name].length)),
  );
  for (const line of [titles, ...lines])
    console.log(
      columns
        .map((name, i) => line[name].padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}
