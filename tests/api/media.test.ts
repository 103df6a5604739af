// Pictures and documents that a request only names: fetched where the provider wants the bytes.
import type { Server } from "bun";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask } from "../support/fake";
import { gateway } from "../support/gateway";
import { PNG } from "../support/png";
import { receive } from "../support/sse";

const gw = gateway();
let files: Server<undefined>;
let base: string;
const asked: string[] = [];

const COHERE = "command-a-03-2025";
const BEDROCK = "anthropic.claude-sonnet-4-5-20250929-v1:0";

const BODIES: Record<string, [type: string, body: Buffer | string]> = {
  "/a.png": ["image/png", Buffer.from(PNG, "base64")],
  "/wrong-type": ["image/jpeg", Buffer.from(PNG, "base64")],
  "/slow.png": ["image/png", Buffer.from(PNG, "base64")],
  "/a.pdf": ["application/pdf", "%PDF-1.4 fake"],
  "/notes": ["text/markdown", "# Grüße"],
  "/page": ["text/html", "<html>not a picture</html>"],
  "/noise": ["application/octet-stream", Buffer.from([0xff, 0xfe, 0x00, 0x01])],
  "/huge": ["image/png", Buffer.alloc(3 << 20, Buffer.from(PNG, "base64"))],
};

beforeAll(async () => {
  files = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (pathname === "/to-a") return Response.redirect("/a.png", 302);
      if (pathname.startsWith("/slow")) await Bun.sleep(300);
      const found = BODIES[pathname.replace(/\d+/, "")];
      if (!found) return new Response("no", { status: 404 });
      return new Response(found[0] === "" ? null : found[1], {
        headers: { "content-type": found[0] },
      });
    },
  });
  base = `http://127.0.0.1:${files.port}`;
  const models = ["gemini-1.5-pro", "fake-cu", "kimi-k2.6", COHERE, BEDROCK];
  await gw.setPrices({ ModelRatio: Object.fromEntries(models.map((model) => [model, 2])) });
  await gw.addGemini("ge", { models: "gemini-1.5-pro" });
  await gw.addBedrock("be", { models: BEDROCK });
  await gw.addCohere("co", { models: COHERE });
  await gw.addOpenai("ki", { type: "moonshot", models: "kimi-k2.6" });
  await gw.addOpenai("cu", { type: "custom", models: "fake-cu" });
  await gw.server.setOption("MediaFetchPrivateAddresses", true);
});

afterAll(() => files.stop(true));

const chat = (...urls: string[]): unknown => ({
  model: "gemini-1.5-pro",
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: ask({ reply: "Seen." }) },
        ...urls.map((url) => ({ type: "image_url", image_url: { url } })),
      ],
    },
  ],
});

const sent = (): string => JSON.stringify(gw.lastSeen.body);

describe("pictures", () => {
  test.each(["/a.png", "/wrong-type", "/to-a"])(
    "%s goes up as bytes, by what they are",
    async (path) => {
      const reply = await receive(await gw.post("/v1/chat/completions", chat(base + path)));
      expect(reply.status).toBe(200);
      expect(sent()).toContain(`{"inlineData":{"mimeType":"image/png","data":"${PNG}"}}`);
      expect(sent()).not.toContain(base);
    },
  );

  test("several are fetched side by side, each address once", async () => {
    const urls = [1, 2, 3, 4, 5, 1].map((i) => `${base}/slow${i}.png`);
    const began = Date.now();
    asked.length = 0;
    const reply = await receive(await gw.post("/v1/chat/completions", chat(...urls)));
    expect(reply.status).toBe(200);
    expect(Date.now() - began).toBeLessThan(1200);
    expect(asked).toHaveLength(5);
    expect(sent().split(PNG)).toHaveLength(7);
  });

  test("those of a Claude client too, also in a tool's result", async () => {
    const source = { type: "url", url: `${base}/a.png` };
    const request = {
      model: "gemini-1.5-pro",
      max_tokens: 100,
      tools: [{ name: "look", input_schema: { type: "object", properties: {} } }],
      messages: [
        { role: "user", content: [{ type: "image", source }] },
        { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "look", input: {} }] },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "t1", content: [{ type: "image", source }] },
            { type: "text", text: ask({}) },
          ],
        },
      ],
    };
    const reply = await receive(await gw.post("/v1/messages", request));
    expect(reply.status).toBe(200);
    expect(sent().split(PNG)).toHaveLength(3);
  });

  test("Bedrock gets the bytes", async () => {
    const request = chat(`${base}/a.png`) as { model: string };
    request.model = BEDROCK;
    const reply = await receive(await gw.post("/v1/chat/completions", request));
    expect(reply.status).toBe(200);
    expect(sent()).toContain(`{"image":{"format":"png","source":{"bytes":"${PNG}"}}}`);
  });

  test("so does Moonshot, which looks at no address", async () => {
    const source = { type: "url", url: `${base}/a.png` };
    const content = [
      { type: "image", source },
      { type: "text", text: ask({}) },
    ];
    const request = { model: "kimi-k2.6", max_tokens: 100, messages: [{ role: "user", content }] };
    expect((await receive(await gw.post("/v1/messages", request))).status).toBe(200);
    expect(sent()).toContain(`{"url":"data:image/png;base64,${PNG}"}`);
  });

  test("where the provider looks itself, nothing is fetched", async () => {
    asked.length = 0;
    const request = chat(`${base}/a.png`) as { model: string };
    request.model = "claude-sonnet-4-6";
    await receive(await gw.post("/v1/chat/completions", request));
    expect(sent()).toContain(`${base}/a.png`);
    expect(asked).toEqual([]);
  });
});

describe("documents", () => {
  const document = (path: string, model = "fake-cu"): unknown => ({
    model,
    store: false,
    input: [
      {
        role: "user",
        content: [
          { type: "input_text", text: ask({}) },
          { type: "input_file", file_url: base + path },
        ],
      },
    ],
  });

  test("a PDF goes up as bytes", async () => {
    const reply = await receive(await gw.post("/v1/responses", document("/a.pdf")));
    expect(reply.status).toBe(200);
    const pdf = Buffer.from("%PDF-1.4 fake").toString("base64");
    expect(sent()).toContain(`data:application/pdf;base64,${pdf}`);
  });

  test("a text is read", async () => {
    const reply = await receive(await gw.post("/v1/responses", document("/notes")));
    expect(reply.status).toBe(200);
    expect(sent()).toContain("# Grüße");
  });

  const PDF = Buffer.from("%PDF-1.4 fake").toString("base64");

  test("a PDF goes up as bytes to Bedrock, whoever names it", async () => {
    const source = { type: "url", url: `${base}/a.pdf` };
    const content = [
      { type: "document", source, title: "Report" },
      { type: "text", text: ask({}) },
    ];
    const request = { model: BEDROCK, max_tokens: 100, messages: [{ role: "user", content }] };
    for (const [path, body] of [
      ["/v1/messages", request],
      ["/v1/responses", document("/a.pdf", BEDROCK)],
    ] as const) {
      expect((await receive(await gw.post(path, body))).status).toBe(200);
      expect(sent()).toContain(`"source":{"bytes":"${PDF}"}`);
    }
  });

  test("to an older Gemini too", async () => {
    const reply = await receive(
      await gw.post("/v1/responses", document("/a.pdf", "gemini-1.5-pro")),
    );
    expect(reply.status).toBe(200);
    expect(sent()).toContain(`{"inlineData":{"mimeType":"application/pdf","data":"${PDF}"}}`);
  });

  test("a text is one of Cohere's documents; a PDF it cannot be shown", async () => {
    const text = await receive(await gw.post("/v1/responses", document("/notes", COHERE)));
    expect(text.status).toBe(200);
    expect(gw.lastSeen.body["documents"]).toMatchObject([{ data: { text: "# Grüße" } }]);
    const pdf = await receive(await gw.post("/v1/responses", document("/a.pdf", COHERE)));
    expect(pdf.status).toBe(200);
    expect(pdf.headers.get("x-token-factory-dropped")).toContain("file");
  });

  test("noise is refused", async () => {
    const reply = await receive(await gw.post("/v1/responses", document("/noise")));
    expect(reply.status).toBe(400);
    expect(reply.text).toContain("media_failed");
  });
});

describe("what cannot be had is refused, by its host alone", () => {
  const refused = async (path: string, body: unknown): Promise<string> => {
    const before = gw.fake.requests.length;
    const reply = await receive(await gw.post(path, body));
    expect(reply.status).toBe(400);
    expect(gw.fake.requests.length).toBe(before);
    expect(reply.text).toContain("127.0.0.1");
    expect(reply.text).not.toContain(String(files.port));
    return reply.text;
  };

  test.each(["/missing", "/page", "/noise"])("%s", async (path) => {
    const text = await refused("/v1/chat/completions", chat(`${base}/a.png`, base + path));
    expect(text).toContain('"code":"media_failed"');
  });

  test("in the words of the caller's dialect", async () => {
    const request = {
      model: "gemini-1.5-pro",
      max_tokens: 100,
      messages: [
        {
          role: "user",
          content: [{ type: "image", source: { type: "url", url: `${base}/missing` } }],
        },
      ],
    };
    const text = await refused("/v1/messages", request);
    expect(text).toContain('"type":"invalid_request_error"');
  });

  test("what is too large", async () => {
    await gw.server.setOption("MediaFetchMegabytes", 2);
    await refused("/v1/chat/completions", chat(`${base}/huge`));
    await gw.server.setOption("MediaFetchMegabytes", 20);
  });

  test("what is not on the public net, unless that is allowed", async () => {
    await gw.server.setOption("MediaFetchPrivateAddresses", false);
    asked.length = 0;
    await refused("/v1/chat/completions", chat(`${base}/a.png`));
    expect(asked).toEqual([]);
    await gw.server.setOption("MediaFetchPrivateAddresses", true);
  });
});

test("a client that leaves while it is fetched harms nobody", async () => {
  const leaving = new AbortController();
  const reply = gw.post("/v1/chat/completions", chat(`${base}/slow1.png`), {
    signal: leaving.signal,
  });
  await Bun.sleep(50);
  leaving.abort();
  expect(await reply.catch(() => "left")).toBe("left");
  await Bun.sleep(500);
  const after = await receive(await gw.post("/v1/chat/completions", chat(`${base}/a.png`)));
  expect(after.status).toBe(200);
});

test("switched off, the name is all the model hears", async () => {
  await gw.server.setOption("MediaFetchEnabled", false);
  asked.length = 0;
  const reply = await receive(await gw.post("/v1/chat/completions", chat(`${base}/a.png`)));
  expect(reply.status).toBe(200);
  expect(asked).toEqual([]);
  await gw.server.setOption("MediaFetchEnabled", true);
});
