// A stream that is silent for long gets signs of life, between two frames and not before the
// upstream has answered.
import type { ReadableStreamDefaultReader } from "node:stream/web";
import { beforeAll, expect, test } from "bun:test";
import { until } from "../support/eventually";
import { ask } from "../support/fake";
import { parseSse } from "../support/sse";
import { gatewayToAll, UPSTREAMS } from "../support/upstreams";

const gw = gatewayToAll();
beforeAll(() => gw.server.setOption("StreamKeepAliveSeconds", "1"));

const COMMENT = ": keep-alive\n\n";
const said = (content: string) => [{ role: "user", content }];
interface Client {
  client: string;
  path: (model: string) => string;
  body: (model: string, text: string) => object;
}
const CLIENTS: (Client & { sign: string })[] = [
  {
    client: "openai",
    sign: COMMENT,
    path: () => "/v1/chat/completions",
    body: (model: string, text: string) => ({ model, stream: true, messages: said(text) }),
  },
  {
    client: "responses",
    sign: COMMENT,
    path: () => "/v1/responses",
    body: (model: string, text: string) => ({ model, stream: true, input: text }),
  },
  {
    client: "claude",
    sign: 'event: ping\ndata: {"type": "ping"}\n\n',
    path: () => "/v1/messages",
    body: (model: string, text: string) => ({
      model,
      stream: true,
      max_tokens: 900,
      messages: said(text),
    }),
  },
  {
    client: "gemini",
    sign: "\n",
    path: (model: string) => `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
    body: (_: string, text: string) => ({ contents: [{ role: "user", parts: [{ text }] }] }),
  },
  {
    client: "cohere",
    sign: COMMENT,
    path: () => "/v2/chat",
    body: (model: string, text: string) => ({ model, stream: true, messages: said(text) }),
  },
];

type Reader = ReadableStreamDefaultReader<Uint8Array>;
const reading = (response: Response): Reader =>
  (response.body as ReadableStream<Uint8Array>).getReader();

/** Reads until `enough` says so, or the end. */
async function readUntil(reader: Reader, enough: (text: string) => boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (!enough(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  return text;
}

async function livesOn(
  { client, sign, path, body }: (typeof CLIENTS)[number],
  { upstream, model }: (typeof UPSTREAMS)[number],
): Promise<void> {
  const name = `silence-${client}-${upstream}`;
  const wish = { chunks: ["One", " two", " three", " four"], hold: { after_events: 3, name } };
  const response = await gw.post(path(model), body(model, ask(wish)));
  expect(response.status).toBe(200);
  const reader = reading(response);
  const signs = sign.repeat(sign === "\n" ? 4 : 2); // lines that end a frame end here, too
  const living = await readUntil(reader, (text) => text.replaceAll("\r", "").endsWith(signs));
  gw.fake.release(name);
  const rest = await readUntil(reader, () => false);
  const said = parseSse(living + rest).map((event) => event.data);
  for (const data of said) if (data !== "[DONE]") JSON.parse(data);
  expect(said.length).toBeGreaterThan(1);
  expect(said.join("")).toContain("four");
}

test.each(CLIENTS)("a $client client is told that it lives", async (client) => {
  await Promise.all(UPSTREAMS.map((upstream) => livesOn(client, upstream)));
});

const BEDROCK: Client = {
  client: "bedrock",
  path: (model: string) => `/model/${encodeURIComponent(model)}/converse-stream`,
  body: (_: string, text: string) => ({ messages: [{ role: "user", content: [{ text }] }] }),
};

/** Each frame leaves the upstream only when the client has the words of the one before. */
async function atOnce(
  { client, path, body }: Client,
  { upstream, model }: (typeof UPSTREAMS)[number],
): Promise<void> {
  const name = `step-${client}-${upstream}`;
  const words = ["Alpha", "Beta", "Gamma", "Omega"];
  const asked = gw.post(path(model), body(model, ask({ chunks: words, hold_each: name })));
  const isOurs = (seen: (typeof gw.fake.requests)[number]) =>
    JSON.stringify(seen.body).includes(name);
  await until("the upstream is asked", () => Promise.resolve(gw.fake.requests.some(isOurs)));
  const seen = gw.fake.requests.findLast(isOurs);
  if (!seen) throw new Error("not asked");
  let [sent, got, at] = [0, "", 0];
  let reader: Reader | undefined;
  for (let frame = 0; at < words.length; frame++) {
    gw.fake.release(`${name}-${frame}`);
    await until("it has left", () => Promise.resolve(seen.sent.length > sent));
    sent = seen.sent.length;
    while (at < words.length && seen.sent.includes(words[at] ?? "")) {
      const word = words[at++] ?? "";
      reader ??= reading(await asked);
      got += await within(
        readUntil(reader, (text) => (got + text).includes(word)),
        `${word} of ${upstream}`,
      );
    }
  }
  for (let frame = 0; frame < 100; frame++) gw.fake.release(`${name}-${frame}`);
  if (reader) await readUntil(reader, () => false);
}

async function within(reading: Promise<string>, what: string): Promise<string> {
  const late = Bun.sleep(3000).then(() => Promise.reject(new Error(`${what} was held back`)));
  return Promise.race([reading, late]);
}

test.each([...CLIENTS, BEDROCK])("no frame for a $client client is held back", async (client) => {
  for (const upstream of UPSTREAMS) await atOnce(client, upstream);
});

test("nothing is said before the upstream has answered: its refusal keeps its status", async () => {
  const wish = { hold: { after_events: -1, name: "late" }, status: 400, error: { message: "no" } };
  const asked = gw.post("/v1/chat/completions", {
    model: "fake-cu",
    stream: true,
    messages: said(ask(wish)),
  });
  await Bun.sleep(1500);
  gw.fake.release("late");
  expect((await asked).status).toBe(400);
});

test("an upstream that fails after a sign of life says so in the stream", async () => {
  const wish = { hold: { after_events: 0, name: "broken" }, cut: { after_events: 0 } };
  const response = await gw.post("/v1/chat/completions", {
    model: "fake-cu",
    stream: true,
    messages: said(ask(wish)),
  });
  expect(response.status).toBe(200);
  const reader = reading(response);
  await readUntil(reader, (text) => text.includes(COMMENT));
  gw.fake.release("broken");
  expect(await readUntil(reader, () => false)).toContain('"error"');
});

test("none is given where that is switched off", async () => {
  await gw.server.setOption("StreamKeepAliveSeconds", "0");
  const wish = { chunks: ["One", " two"], hold: { after_events: 2, name: "off" } };
  const response = await gw.post("/v1/chat/completions", {
    model: "fake-cu",
    stream: true,
    messages: said(ask(wish)),
  });
  const reader = reading(response);
  setTimeout(() => gw.fake.release("off"), 2500);
  expect(await readUntil(reader, () => false)).not.toContain(COMMENT);
});
