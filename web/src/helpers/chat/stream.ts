// Server-sent events, however the bytes were cut; no answer may grow without bounds.

/** Characters of one event, and of all together. */
export const EVENT_MOST = 8 << 20;
export const STREAM_MOST = 64 << 20;

export class TooMuch extends Error {}

const dataOf = (block: string): string =>
  block
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).replace(/^ /, ""))
    .join("\n");

/** The data of each event. */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  { event = EVENT_MOST, stream = STREAM_MOST } = {},
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let all = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
      all += text.length;
      rest += text;
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = done ? "" : blocks.pop()!;
      if (all > stream || rest.length > event) throw new TooMuch();
      for (const data of blocks.map(dataOf)) if (data) yield data;
      if (done) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** A whole answer as text, cut off where it is too long. */
export async function wholeOf(response: Response, most = STREAM_MOST): Promise<string> {
  if (!response.body) return "";
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    text += done ? decoder.decode() : decoder.decode(value, { stream: true });
    if (done) return text;
    if (text.length > most) {
      await reader.cancel().catch(() => {});
      throw new TooMuch();
    }
  }
}
