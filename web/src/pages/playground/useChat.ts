// Sends a conversation with one of the user's keys and gathers what comes back.
import { useCallback, useEffect, useRef, useState } from "react";
import { type Answer, type Chunk, eventsOf, NO_ANSWER, withChunk } from "../../helpers/chat.ts";
import { messageOf } from "../../helpers/notify.ts";
import { ApiError } from "../../services/http.ts";
import { reveal } from "../token/cells.tsx";

export interface Timing {
  first: number | undefined;
  total: number;
}

export interface Exchange {
  busy: boolean;
  answer: Answer | undefined;
  /** Everything that came, as JSON. */
  raw: string;
  failure: string | undefined;
  stopped: boolean;
  timing: Timing | undefined;
  requestId: string;
}

const NOTHING: Exchange = {
  busy: false,
  answer: undefined,
  raw: "",
  failure: undefined,
  stopped: false,
  timing: undefined,
  requestId: "",
};

interface Failed {
  error?: { message?: string; code?: string; type?: string };
}

async function refusal(response: Response): Promise<{ error: ApiError; raw: string }> {
  const raw = await response.text();
  let text = response.statusText;
  try {
    text = (JSON.parse(raw) as Failed).error?.message ?? text;
  } catch {
    // no JSON: the status says what there is to say
  }
  return { error: new ApiError(response.status, "relay", text), raw };
}

export function useChat() {
  const [exchange, setExchange] = useState(NOTHING);
  const control = useRef<AbortController | null>(null);
  useEffect(() => () => control.current?.abort(), []);

  const send = useCallback(async (token: number, request: Record<string, unknown>) => {
    const abort = new AbortController();
    control.current = abort;
    const begin = performance.now();
    let first: number | undefined;
    let answer = NO_ANSWER;
    const chunks: Chunk[] = [];
    const show = (change: Partial<Exchange>) => setExchange((before) => ({ ...before, ...change }));
    const timing = () => ({ first, total: performance.now() - begin });
    setExchange({ ...NOTHING, busy: true, answer });
    let planned = 0;
    const draw = () => {
      planned ||= requestAnimationFrame(() => {
        planned = 0;
        show({ answer });
      });
    };
    const take = (chunk: Chunk) => {
      first ??= performance.now() - begin;
      chunks.push(chunk);
      if (chunk.error) throw new ApiError(502, "relay", chunk.error.message ?? "");
      answer = withChunk(answer, chunk);
      draw();
    };
    try {
      const key = await reveal(token);
      const response = await fetch("/v1/chat/completions", {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify(request),
        credentials: "omit",
        signal: abort.signal,
      });
      show({ requestId: response.headers.get("x-request-id") ?? "" });
      if (!response.ok) {
        const { error, raw } = await refusal(response);
        show({ raw });
        throw error;
      }
      if (response.headers.get("content-type")?.includes("event-stream") && response.body) {
        for await (const data of eventsOf(response.body))
          if (data !== "[DONE]") take(JSON.parse(data) as Chunk);
      } else take((await response.json()) as Chunk);
    } catch (error) {
      if (abort.signal.aborted) show({ stopped: true });
      else
        show({
          failure: messageOf(error instanceof TypeError ? new ApiError(0, "network", "") : error),
        });
    } finally {
      cancelAnimationFrame(planned);
      const raw = chunks.length === 1 ? chunks[0] : chunks;
      show({
        busy: false,
        answer,
        timing: timing(),
        ...(chunks.length ? { raw: JSON.stringify(raw) } : {}),
      });
    }
    return answer;
  }, []);

  return {
    exchange,
    send,
    stop: () => control.current?.abort(),
    clear: () => setExchange(NOTHING),
  };
}
