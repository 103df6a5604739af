// Sends a conversation with one of the user's keys and gathers what comes back.
import { useCallback, useEffect, useRef, useState } from "react";
import {
  type Answer,
  type BuiltRequest,
  DIALECTS,
  NO_ANSWER,
  Refusal,
  requestOf,
  type Turn,
  type Wishes,
} from "../../helpers/chat/index.ts";
import { objectOf, textOf } from "../../helpers/chat/json.ts";
import { eventsOf, TooMuch, wholeOf } from "../../helpers/chat/stream.ts";
import { messageOf } from "../../helpers/notify.ts";
import i18n from "../../i18n/index.ts";
import { ApiError } from "../../services/http.ts";
import { reveal } from "../token/cells.tsx";

/** Characters of the raw answer that are kept to be looked at. */
const RAW_MOST = 2 << 20;

export interface Exchange {
  request: BuiltRequest;
  /** What came, as JSON: the events of a stream, or the answer. */
  raw: string;
  /** Events that came when there was no room any more. */
  omitted: number;
  requestId: string;
  failure?: string;
  stopped?: boolean;
  /** Milliseconds. */
  timing?: { first: number | undefined; total: number };
}

/** A turn, and for an answer how it came about. */
export interface Entry {
  turn: Turn;
  exchange?: Exchange;
}

export interface Live {
  answer: Answer;
  exchange: Exchange;
}

class Raw {
  private readonly events: string[] = [];
  private length = 0;
  omitted = 0;

  add(event: string): void {
    if (this.length + event.length > RAW_MOST) this.omitted++;
    else this.length += this.events.push(event) && event.length;
  }

  text(stream: boolean): string {
    return stream ? `[${this.events.join(",")}]` : (this.events[0] ?? "");
  }
}

/** A refusal in any protocol's form, or the status' name. */
function refusalOf(response: Response, raw: string): ApiError {
  let text = response.statusText || String(response.status);
  try {
    const value: unknown = JSON.parse(raw);
    const body = objectOf(Array.isArray(value) ? (value as unknown[])[0] : value);
    text = textOf(objectOf(body["error"])["message"]) || text;
  } catch {
    // no JSON: the status says what there is to say
  }
  return new ApiError(response.status, "relay", text);
}

function failureOf(error: unknown): string {
  if (error instanceof TooMuch) return i18n.t("playground.too_much");
  if (error instanceof Refusal) return error.message || i18n.t("playground.broken");
  if (error instanceof SyntaxError) return i18n.t("playground.broken");
  return messageOf(error instanceof TypeError ? new ApiError(0, "network", "") : error);
}

interface Sending {
  token: number;
  request: BuiltRequest;
  signal: AbortSignal;
  raw: Raw;
  onBegin: (requestId: string, stream: boolean) => void;
  onEvent: (event: unknown) => void;
}

async function exchange({ token, request, signal, raw, onBegin, onEvent }: Sending) {
  const key = await reveal(token);
  const response = await fetch(request.path, {
    method: "POST",
    headers: { ...DIALECTS[request.dialect].headers(key), "content-type": "application/json" },
    body: JSON.stringify(request.body),
    credentials: "omit",
    signal,
  });
  const stream = response.headers.get("content-type")?.includes("event-stream") ?? false;
  onBegin(response.headers.get("x-request-id") ?? "", stream);
  if (stream && response.body) {
    for await (const data of eventsOf(response.body)) {
      if (data === "[DONE]") continue;
      raw.add(data);
      onEvent(JSON.parse(data));
    }
    return;
  }
  const text = await wholeOf(response);
  raw.add(text);
  if (!response.ok) throw refusalOf(response, text);
  onEvent(JSON.parse(text));
}

const isEmpty = ({ text, thinking, tools }: Answer) => !text && !thinking && !tools.length;

export function useConversation() {
  const [entries, setEntries] = useState<Entry[]>([]);
  const [live, setLive] = useState<Live>();
  const control = useRef<AbortController | null>(null);
  useEffect(() => () => control.current?.abort(), []);

  const send = useCallback(async (token: number, wishes: Wishes, before: Entry[]) => {
    const request = requestOf(
      wishes,
      before.map((entry) => entry.turn),
    );
    const abort = new AbortController();
    control.current = abort;
    const reader = DIALECTS[request.dialect].reader();
    const raw = new Raw();
    const begin = performance.now();
    let first: number | undefined;
    let streamed = false;
    let now: Exchange = { request, raw: "", omitted: 0, requestId: "" };
    let planned = 0;
    const draw = () => {
      planned ||= requestAnimationFrame(() => {
        planned = 0;
        setLive({ answer: reader.answer(), exchange: now });
      });
    };
    setEntries(before);
    setLive({ answer: NO_ANSWER, exchange: now });
    try {
      await exchange({
        token,
        request,
        signal: abort.signal,
        raw,
        onBegin: (requestId, stream) => {
          streamed = stream;
          now = { ...now, requestId };
        },
        onEvent: (event) => {
          first ??= performance.now() - begin;
          reader.take(event);
          draw();
        },
      });
    } catch (error) {
      now = abort.signal.aborted
        ? { ...now, stopped: true }
        : { ...now, failure: failureOf(error) };
    }
    cancelAnimationFrame(planned);
    const whole = !now.stopped && !now.failure;
    // half a call cannot be answered, nor sent back
    const answer = whole ? reader.answer() : { ...reader.answer(), tools: [], native: undefined };
    const timing = { first, total: performance.now() - begin };
    const done = { ...now, raw: raw.text(streamed), omitted: raw.omitted, timing };
    const turn: Turn = { role: "assistant", dialect: request.dialect, answer };
    // one who left does not want to see it any more
    if (control.current === abort) {
      control.current = null;
      setLive(undefined);
      setEntries([...before, { turn, exchange: done }]);
    }
    return !isEmpty(answer);
  }, []);

  return {
    entries,
    live,
    busy: live !== undefined,
    send,
    stop: () => control.current?.abort(),
    clear: () => setEntries([]),
  };
}

/** What can be sent on: an answer of which nothing came is nobody's turn. */
export const said = (entries: Entry[]): Entry[] =>
  entries.filter(({ turn }) => turn.role !== "assistant" || !isEmpty(turn.answer));
