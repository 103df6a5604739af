// What upstreams do wrong, and what must come of it: one row each.
import type { Directives } from "../support/fake";
import {
  BODY,
  type Certificates,
  FRAMES,
  good,
  head,
  type Respond,
  type Socket,
  Upstream,
} from "./upstreams";

/** What a client must get. */
export type Wanted = "full" | "broken off" | "broken off or refused" | number[];

export interface Fault {
  name: string;
  /** Asked of the fake, behind channels of both dialects ... */
  wish?: Directives;
  /** ... or an upstream of its own, which speaks OpenAI's dialect ... */
  make?: (certificates: Certificates) => Promise<Upstream>;
  /** ... or just an address. */
  base_url?: string;
  stream?: Wanted;
  whole?: Wanted;
  /** Too slow or too large for the storm. */
  once?: boolean;
}

const tcp = (respond: Respond) => () => Upstream.tcp(respond);
const tlsWith = (which: keyof Omit<Certificates, "authority">) => (certificates: Certificates) =>
  Upstream.tls(certificates[which], (socket, stream) => void socket.write(good(stream)));
const nothing = [502];
const late = [504];
const early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
/** One event that never ends, as fast as it is taken. */
async function endlessLine(socket: Socket): Promise<void> {
  const piece = Buffer.alloc(1 << 20, "x");
  socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {"choices":[{"');
  for (let sent = 0; sent < 80 && !socket.destroyed; sent++)
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
  socket.destroy();
}
const never = 600_000;

export const FAULTS: Fault[] = [
  // connecting
  { name: "connection refused", base_url: "http://127.0.0.1:1", stream: nothing, whole: nothing },
  {
    name: "name not found",
    base_url: "http://no-such-host.invalid",
    stream: nothing,
    whole: nothing,
    once: true,
  },
  { name: "TLS, all well", make: tlsWith("trusted"), stream: "full", whole: "full" },
  { name: "TLS, self-signed", make: tlsWith("selfSigned"), stream: nothing, whole: nothing },
  { name: "TLS, expired", make: tlsWith("expired"), stream: nothing, whole: nothing },
  { name: "TLS, another host's", make: tlsWith("otherHost"), stream: nothing, whole: nothing },
  {
    name: "TLS asked of plain HTTP",
    make: () => Upstream.blunt("HTTP/1.1 400 Bad Request\r\n\r\n"),
    stream: nothing,
    whole: nothing,
    once: true,
  },
  // resets and early ends, at every stage
  {
    name: "reset before the head",
    wish: { cut: { after_bytes: 0 } },
    stream: nothing,
    whole: nothing,
  },
  {
    name: "closed before the head",
    wish: { cut: { after_bytes: 0, how: "fin" } },
    stream: nothing,
    whole: nothing,
  },
  {
    name: "reset inside the head",
    make: tcp(
      (socket) =>
        void socket.write("HTTP/1.1 200 OK\r\nContent-Ty", () => socket.resetAndDestroy()),
    ),
    stream: nothing,
    whole: nothing,
  },
  { name: "reset inside the body", wish: { cut: { after_bytes: 1000 } }, stream: "broken off" },
  { name: "reset inside the whole body", wish: { cut: { after_bytes: 60 } }, whole: nothing },
  { name: "reset between events", wish: { cut: { after_events: 5 } }, stream: "broken off" },
  {
    name: "closed between events",
    wish: { cut: { after_events: 5, how: "fin" } },
    stream: "broken off",
  },
  {
    name: "error inside the stream",
    wish: { error_in_stream: { after: 5 } },
    stream: "broken off",
  },
  { name: "error as the first event", wish: { error_in_stream: { after: 0 } }, stream: nothing },
  // lengths
  { name: "shorter than said", wish: { truncate: 50 }, whole: nothing },
  {
    name: "length said too short",
    make: tcp((socket, stream) => void socket.write(head(stream, 90) + (stream ? FRAMES : BODY))),
    whole: nothing,
    stream: nothing,
  },
  {
    name: "bytes behind the answer",
    make: tcp((socket, stream) => void socket.write(`${good(stream)}HTTP/1.1 200 OK\r\n\r\n`)),
    stream: "full",
    whole: "full",
  },
  {
    name: "bad chunk size",
    make: tcp(
      (socket) => void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    ),
    stream: nothing,
    whole: nothing,
  },
  // what is not what it should be
  { name: "not HTTP", wish: { garbage: "http" }, stream: nothing, whole: nothing },
  { name: "not JSON", wish: { garbage: "body" }, stream: nothing, whole: nothing },
  {
    name: "events that are not JSON",
    make: tcp((socket, stream) => void socket.write(head(stream, 14) + "data: {nope\n\n\n")),
    stream: "broken off or refused",
  },
  {
    name: "gzip that is not",
    make: tcp(
      (socket, stream) =>
        void socket.write(good(stream).replace("\r\n", "\r\nContent-Encoding: gzip\r\n")),
    ),
    stream: nothing,
    whole: nothing,
  },
  {
    name: "a redirect",
    wish: { redirect: "http://127.0.0.1:1/" },
    stream: nothing,
    whole: nothing,
  },
  { name: "one interim answer", wish: { interim: 103 }, stream: "full", whole: "full" },
  {
    name: "a storm of interim answers",
    make: tcp((socket, stream) => void socket.write(early.repeat(5000) + good(stream))),
    stream: nothing,
    whole: nothing,
  },
  {
    name: "a head of 8 MiB",
    make: tcp((socket) => void socket.write(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(8 << 20)}`)),
    stream: nothing,
    whole: nothing,
  },
  {
    name: "a line of 65 MiB",
    make: tcp(endlessLine),
    stream: nothing,
    once: true,
  },
  // time (STREAMING_TIMEOUT is 2)
  {
    name: "no first byte",
    wish: { header_delay_ms: never },
    stream: late,
    whole: late,
    once: true,
  },
  {
    name: "a late first byte",
    wish: { header_delay_ms: 900 },
    stream: "full",
    whole: "full",
    once: true,
  },
  {
    name: "a stream that stalls",
    wish: { hold: { after_events: 5, name: "never" } },
    stream: "broken off",
    once: true,
  },
  {
    name: "a body that stalls",
    make: tcp((socket, stream) => void socket.write(good(stream).slice(0, 150))),
    whole: late,
    stream: late,
    once: true,
  },
];
