// How the program serves its console: compressed, cached, careful; and that the types fit the API.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type OpenApi, write } from "../../web/scripts/api_types";
import { TestServer } from "../support/server";

let server: TestServer;
let script = "";
beforeAll(async () => {
  server = await TestServer.start();
  const page = await (await get("/", { accept: "text/html" })).text();
  script = /src="(\/assets\/[^"]+\.js)"/.exec(page)![1]!;
});
afterAll(() => server?.dispose());

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(server.url + path, { method, headers, decompress: false } as RequestInit);

test("a page for browsers, whatever the path", async () => {
  for (const path of ["/", "/token", "/some/where?x=1"]) {
    const answer = await get(path, { accept: "text/html,*/*" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("no-cache");
    expect(await answer.text()).toContain('<div id="root">');
  }
});

test("the API's paths and missing files stay what they are", async () => {
  for (const path of ["/api/nothing", "/v1/nothing", "/assets/nothing.js"]) {
    const answer = await get(path, { accept: "text/html" });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toContain("json");
  }
  expect((await get("/nothing")).status).toBe(404);
  expect((await get("/token", { accept: "text/html" }, "POST")).status).toBe(404);
});

test("the smallest variant that is accepted, each with its own tag", async () => {
  const plain = await get(script, { "accept-encoding": "identity" });
  const gzip = await get(script, { "accept-encoding": "gzip" });
  const br = await get(script, { "accept-encoding": "gzip, deflate, br" });
  const none = await get(script, { "accept-encoding": "br;q=0, gzip;q=0" });
  expect(plain.headers.get("content-encoding")).toBeNull();
  expect(none.headers.get("content-encoding")).toBeNull();
  expect(gzip.headers.get("content-encoding")).toBe("gzip");
  expect(br.headers.get("content-encoding")).toBe("br");
  const text = await plain.text();
  expect(Buffer.from(Bun.gunzipSync(new Uint8Array(await gzip.arrayBuffer()))).toString()).toBe(
    text,
  );
  expect((await br.arrayBuffer()).byteLength).toBeLessThan(text.length / 2);
  const tags = [plain, gzip, br].map((answer) => answer.headers.get("etag"));
  expect(new Set(tags).size).toBe(3);
  for (const answer of [plain, gzip, br]) {
    expect(answer.headers.get("vary")).toBe("Accept-Encoding");
    expect(answer.headers.get("cache-control")).toContain("immutable");
  }
});

test("what is known already is not sent again", async () => {
  const first = await get(script, { "accept-encoding": "br" });
  const tag = first.headers.get("etag")!;
  await first.arrayBuffer();
  for (const known of [tag, `"other", ${tag}`, `W/${tag}`, "*"]) {
    const again = await get(script, { "accept-encoding": "br", "if-none-match": known });
    expect(again.status).toBe(304);
    expect(again.headers.get("etag")).toBe(tag);
    expect((await again.arrayBuffer()).byteLength).toBe(0);
  }
  const other = await get(script, { "accept-encoding": "br", "if-none-match": '"other"' });
  expect(other.status).toBe(200);
  await other.arrayBuffer();
});

test("HEAD tells the length and sends nothing", async () => {
  const head = await get(script, { "accept-encoding": "identity" }, "HEAD");
  const whole = await get(script, { "accept-encoding": "identity" });
  const bytes = await whole.arrayBuffer();
  expect(Number(head.headers.get("content-length"))).toBe(bytes.byteLength);
  expect((await head.arrayBuffer()).byteLength).toBe(0);
});

test("no inline script, no eval, no framing", async () => {
  const answer = await get("/", { accept: "text/html" });
  const policy = answer.headers.get("content-security-policy")!;
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toContain("unsafe-eval");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(await answer.text()).not.toMatch(/<script(?![^>]*\bsrc=)/);
});

/** Adds up what a browser loads, compressed, with everything that is imported at once. */
async function loadOf(begin: string[]): Promise<{ files: number; total: number }> {
  const seen = new Set<string>();
  let total = 0;
  const load = async (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const answer = await get(path, { accept: "text/html,*/*", "accept-encoding": "br" });
    total += (await answer.arrayBuffer()).byteLength;
    if (!/\.js$|^\/login$/.test(path)) return;
    const text = await (
      await get(path, { accept: "text/html", "accept-encoding": "identity" })
    ).text();
    // static imports only; what is imported later is not part of it
    const names = path.endsWith(".js")
      ? [...text.matchAll(/(?:from|import)\s*"(\.\/[^"]+\.js)"/g)].map(
          (found) => `/assets/${found[1]!.slice(2)}`,
        )
      : [...text.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css|svg))"/g)].map((found) => found[1]!);
    for (const name of names) await load(name);
  };
  for (const path of begin) await load(path);
  return { files: seen.size, total };
}

test("the first load for logging in is small", async () => {
  const { files, total } = await loadOf(["/login"]);
  console.log(`first load: ${Math.round(total / 1024)} KB in ${files} files, without fonts`);
  expect(total).toBeLessThan(300 * 1024);
});

test("no page is large", async () => {
  const assets = readdirSync(join(import.meta.dir, "../../web/dist/assets"));
  const pages = assets.filter((name) => /Page-[\w-]+\.js$/.test(name));
  expect(pages.length).toBeGreaterThan(10);
  const frame = assets.filter((name) => /^ConsoleFrame-.*\.js$/.test(name));
  const styles = assets.filter((name) => name.endsWith(".css")).map((name) => `/assets/${name}`);
  for (const page of pages) {
    const scripts = [page, ...frame].map((name) => `/assets/${name}`);
    // all styles there are: more than any page has
    const { total } = await loadOf(["/login", ...scripts, ...styles]);
    expect({ page, fits: total < 500 * 1024 ? "" : `${total} bytes` }).toEqual({ page, fits: "" });
  }
}, 60_000);

test("the console's types are those of the program's own description", async () => {
  const api = (await (await fetch(`${server.url}/api/openapi.json`)).json()) as OpenApi;
  const path = join(import.meta.dir, "../../web/src/models/api.ts");
  expect(readFileSync(path, "utf8")).toBe(write(api));
});
