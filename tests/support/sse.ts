// Server-sent events as a strict client reads them, and as the raw bytes that came.

export interface SseEvent {
  event: string;
  data: string;
}

/** Every complete event in `text`; an unfinished tail is left out, as the standard says. */
export function parseSse(text: string): SseEvent[] {
  const out: SseEvent[] = [];
  let event = "";
  let data: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/).slice(0, -1)) {
    if (line === "") {
      if (data.length > 0) out.push({ event, data: data.join("\n") });
      event = "";
      data = [];
    } else if (!line.startsWith(":")) {
      const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (name === "event") event = value;
      if (name === "data") data.push(value);
    }
  }
  return out;
}

export interface Received {
  status: number;
  headers: Headers;
  bytes: Buffer;
  text: string;
  /** The connection broke inside the body. */
  broken: boolean;
}

/** Reads a reply to its end, however it ends. */
export async function receive(response: Response): Promise<Received> {
  const parts: Uint8Array[] = [];
  let broken = false;
  try {
    for await (const part of response.body ?? []) parts.push(part);
  } catch {
    broken = true;
  }
  const bytes = Buffer.concat(parts);
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    text: bytes.toString(),
    broken,
  };
}

/** Reads until `done` says so about the text so far, then hangs up. */
export async function receiveUntil(
  response: Response,
  done: (text: string) => boolean,
): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    if (done(text)) break;
  }
  return text;
}
