// What is measured: one row per kind of exchange, plain and with TLS to the upstream.

export interface Row {
  name: string;
  model: string;
  tls: boolean;
  stream: boolean;
  /** Events that each reply must have. */
  frames: number;
  body: number;
  connections: number;
  /** CPU time is told per event instead of per request, and the load is what time allows. */
  paced: boolean;
  /** CPU of the gateway as a share of nginx's that must not be exceeded. */
  target?: number;
  /** What the client speaks, where it is not chat completions. */
  path?: string;
  /** The gateway's upstream speaks the other dialect; nginx passes the client's own through. */
  translates?: "to openai" | "to claude";
  /** The row whose CPU of the gateway is compared with this one's. */
  beside?: string;
}

const burst = { model: "bench-burst", stream: true, frames: 102 };
const basic = { model: "bench-json", stream: false, frames: 0, body: 1024, connections: 64 };

const kinds: Omit<Row, "tls">[] = [
  { ...basic, name: "json", paced: false, target: 0.9 },
  { ...basic, name: "sse", ...burst, paced: false, target: 0.6 },
  { ...basic, name: "body200k", body: 200_000, paced: false, target: 1.1 },
  {
    ...{ ...basic, name: "paced", model: "bench-paced", stream: true, frames: 52 },
    ...{ connections: 600, paced: true, target: 1.0 },
  },
];

// Translated beside untranslated: the same reply, told to the client in its own dialect.
const claude = { path: "/v1/messages", translates: "to openai" } as const;
const turned: Omit<Row, "tls" | "paced">[] = [
  { ...basic, name: "claude-to-openai", ...claude, beside: "json" },
  { ...basic, name: "openai-to-claude", translates: "to claude", beside: "json" },
  { ...basic, ...burst, name: "claude-to-openai-sse", ...claude, frames: 0, beside: "sse" },
  {
    ...basic,
    ...burst,
    name: "openai-to-claude-sse",
    translates: "to claude",
    frames: 0,
    beside: "sse",
  },
];

export const ROWS: Row[] = [
  ...kinds.map((row) => ({ ...row, tls: false })),
  ...turned.map((row) => ({ ...row, tls: false, paced: false })),
  ...kinds.map(({ target: _, ...row }) => ({ ...row, name: `${row.name}-tls`, tls: true })),
];

export const TARGETS = { idleMiB: 16, streamKiB: 8, translated: 2 };
