// A mix of callers who never rest: streams and whole replies, both dialects over both upstreams,
// patient clients and some that leave at any moment.
import { ask, type Directives } from "./fake";
import { PATHS, type Spoken } from "./shapes";
import { parseSse } from "./sse";

/** Somebody who calls; `poor` ones run dry, so that not everything they use can be collected. */
export interface Caller {
  name: string;
  key: string;
  poor?: boolean;
  /** His nodes lose their database: then, too, though he could pay. */
  cut?: boolean;
  /** The models he asks for, where they are not the load's. */
  models?: string[];
  /** Quota for an input token of them, in millionths. */
  price?: number;
}

/** What became of one request, as its client saw it. */
export interface Outcome {
  serial: number;
  caller: Caller;
  requestId: string;
  status: number;
  /** Everything came, the dialect's terminal event or the whole body included. */
  full: boolean;
  /** The client hung up on purpose. */
  left: boolean;
  stream: boolean;
  /** Billed when it was received in full. */
  quota: number;
  ms: number;
}

export interface LoadOptions {
  url: () => string;
  callers: Caller[];
  lanes: number;
  models?: string[];
  /** How long a lane rests after each request, on average. */
  rest_ms?: number;
  /** How many of a hundred clients leave before the end. */
  leavers?: number;
  /** Told of each request, also of those that failed to connect (status 0). */
  onOutcome: (outcome: Outcome) => void;
}

const CLIENTS: Spoken[] = ["openai", "claude"];
/** Serials are told by the input tokens that the upstream reports, beginning here. */
export const SERIAL_BASE = 1000;
const PATIENCE_MS = 60_000;

/** Rows of others, who ask for less input, say nothing about a load's serials. */
export const isOfLoad = (row: { prompt_tokens: number }) => row.prompt_tokens >= SERIAL_BASE;

/** At the gateway's usual prices two for each unit; rounded once, half up, and never nothing. */
const costOf = (units: number, { price = 2_000_000 }: Caller): number =>
  Math.max(1, Math.round((units * price) / 1_000_000));

export const below = (n: number): number => Math.floor(Math.random() * n);

/** The serial that a load has put into a request's text; undefined where there is none. */
export function serialIn(raw: string): number | undefined {
  const found = /load-(\d+)\./.exec(raw)?.[1];
  return found === undefined ? undefined : Number(found);
}

export class Load {
  private serial = 0;
  private stopped = false;
  private running: Promise<unknown> | undefined;

  constructor(private readonly options: LoadOptions) {}

  start(): void {
    this.stopped = false;
    this.running = Promise.all(Array.from({ length: this.options.lanes }, () => this.lane()));
  }

  /** No new requests; waits for those under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  get sent(): number {
    return this.serial;
  }

  private async lane(): Promise<void> {
    while (!this.stopped) {
      const outcome = await this.one(this.serial++);
      this.options.onOutcome(outcome);
      if (outcome.status === 0) await Bun.sleep(5);
      else if (outcome.status !== 200) await Bun.sleep(below(40));
      if (this.options.rest_ms) await Bun.sleep(below(2 * this.options.rest_ms));
    }
  }

  private async one(serial: number): Promise<Outcome> {
    const { callers, leavers = 15 } = this.options;
    const client = CLIENTS[below(2)] ?? "openai";
    const caller = callers[below(callers.length)] as Caller;
    const models = caller.models ?? this.options.models ?? ["fake-oa", "fake-cl"];
    const usage = { input: SERIAL_BASE + serial, output: 1 + below(9) };
    const wish: Directives = { usage, chunks: 1 + below(12), delay_ms: below(5) };
    const outcome: Outcome = {
      serial,
      caller,
      requestId: "",
      status: 0,
      full: false,
      left: false,
      stream: below(3) > 0,
      quota: costOf(usage.input + usage.output * 5, caller),
      ms: 0,
    };
    const body = {
      model: models[below(models.length)],
      ...(client === "claude" ? { max_tokens: 400 } : {}),
      messages: [{ role: "user", content: ask(wish, `load-${serial}.`) }],
      ...(outcome.stream ? { stream: true } : {}),
    };
    const began = performance.now();
    await this.converse(client, body, outcome, below(100) < leavers).catch(() => undefined);
    outcome.ms = performance.now() - began;
    return outcome;
  }

  private async converse(
    client: Spoken,
    body: object,
    outcome: Outcome,
    leaves: boolean,
  ): Promise<void> {
    const gone = new AbortController();
    const timer = setTimeout(() => gone.abort(), leaves ? below(60) : PATIENCE_MS);
    try {
      const auth: Record<string, string> =
        client === "claude"
          ? { "x-api-key": outcome.caller.key, "anthropic-version": "2023-06-01" }
          : { authorization: `Bearer ${outcome.caller.key}` };
      const response = await fetch(this.options.url() + PATHS[client], {
        method: "POST",
        headers: { "content-type": "application/json", ...auth },
        body: JSON.stringify(body),
        signal: gone.signal,
      });
      outcome.requestId = response.headers.get("x-request-id") ?? "";
      outcome.status = response.status;
      const text = await read(response, client, outcome);
      if (!outcome.stream && outcome.status === 200) outcome.full = isWhole(text);
    } finally {
      clearTimeout(timer);
      outcome.left = leaves && gone.signal.aborted;
    }
  }
}

/** Reads as far as it comes; a stream is full as soon as its terminal event is there. */
async function read(response: Response, client: Spoken, outcome: Outcome): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    if (outcome.stream && outcome.status === 200 && isTerminated(client, text)) outcome.full = true;
  }
  return text;
}

function isTerminated(client: Spoken, text: string): boolean {
  if (!text.includes(client === "openai" ? "[DONE]" : "message_stop")) return false;
  const last = parseSse(text).at(-1);
  return client === "openai" ? last?.data === "[DONE]" : last?.event === "message_stop";
}

function isWhole(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
