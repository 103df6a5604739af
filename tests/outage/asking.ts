// What somebody is told while the database is away, and how soon: relays in their dialect,
// management, and balancers.
import { failed, PATHS, question, type Spoken } from "../support/shapes";
import { receive } from "../support/sse";
import { ROOT_ACCESS_TOKEN, ROOT_PASSWORD, type TestServer } from "../support/server";

interface Look {
  /** Answers of management that said 503. */
  told: number;
  wrong: string[];
}

const SPOKEN: Spoken[] = ["openai", "claude"];
const CODE = "db_unavailable";
const LOGIN = { username: "root", password: ROOT_PASSWORD };
const NEW_KEY = { name: "while it is away", unlimited_quota: true };

export class Asking {
  /** Valid, and no node has seen it. */
  stranger = "";

  /** Its lease will be spent. */
  constructor(private readonly spent: string) {}

  /** The database is away: whoever needs it is told so, in time. */
  async unavailable(node: TestServer, within: number): Promise<Look> {
    const look: Look = { told: 0, wrong: [] };
    const expect = async (name: string, ask: (signal: AbortSignal) => Promise<void>) => {
      const began = performance.now();
      await ask(AbortSignal.timeout(within)).catch((error: Error) => {
        const ms = Math.round(performance.now() - began);
        look.wrong.push(`${name}, after ${ms} ms: ${error.message.split("\n").join(" ")}`);
      });
    };
    const management = (method: string, path: string, body?: object) =>
      expect(`${method} ${path}`, async (signal) => {
        await unavailable(await manage(node, method, path, signal, body));
        look.told++;
      });
    const relays = SPOKEN.flatMap((dialect) => [
      expect(`a stranger's ${dialect}`, async (signal) => {
        const reply = await relay(node, dialect, this.stranger, signal);
        said(failed(dialect, reply, 503));
      }),
      expect(`a spender's ${dialect}`, async (signal) => {
        const reply = await relay(node, dialect, this.spent, signal);
        if (reply.status !== 200) said(failed(dialect, reply, 503));
      }),
    ]);
    await Promise.all([
      ...relays,
      management("GET", "/api/user/self"),
      management("POST", "/api/token/", NEW_KEY),
      management("GET", "/api/logs?cursor="),
      management("POST", "/api/user/login", LOGIN),
      expect("/readyz", async (signal) => {
        await unavailable(await fetch(`${node.url}/readyz`, { signal }));
      }),
      expect("/healthz", async (signal) => {
        const { status } = await fetch(`${node.url}/healthz`, { signal });
        if (status !== 200) throw new Error(`status ${status}`);
      }),
    ]);
    return look;
  }

  /** All of them are served. */
  async fine(node: TestServer): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    for (const key of [this.spent, this.stranger])
      for (const dialect of SPOKEN) is200(await relay(node, dialect, key, signal));
    is200(await manage(node, "GET", "/api/user/self", signal));
    is200(await fetch(`${node.url}/readyz`, { signal }));
  }
}

function manage(
  node: TestServer,
  method: string,
  path: string,
  signal: AbortSignal,
  body?: object,
): Promise<Response> {
  const headers = {
    "content-type": "application/json",
    authorization: `Bearer ${ROOT_ACCESS_TOKEN}`,
  };
  const sent = body ? { body: JSON.stringify(body) } : {};
  return fetch(node.url + path, { method, headers, signal, ...sent });
}

async function relay(node: TestServer, dialect: Spoken, key: string, signal: AbortSignal) {
  const auth: Record<string, string> =
    dialect === "claude"
      ? { "x-api-key": key, "anthropic-version": "2023-06-01" }
      : { authorization: `Bearer ${key}` };
  const usage = { input: 100, output: 10 };
  const response = await fetch(node.url + PATHS[dialect], {
    method: "POST",
    headers: { "content-type": "application/json", ...auth },
    body: JSON.stringify(question(dialect, "fake-oa", { usage })),
    signal,
  });
  return receive(response);
}

async function unavailable(response: Response): Promise<void> {
  const { code } = (await response.json()) as { code?: string };
  if (response.status !== 503 || code !== CODE)
    throw new Error(`${response.status} ${code}, not 503 ${CODE}`);
}

/** In OpenAI's dialect there is a code; Anthropic's has a type only. */
function said({ code }: { code?: string | null }): void {
  if (code !== undefined && code !== CODE) throw new Error(`code ${code}, not ${CODE}`);
}

function is200({ status }: { status: number }): void {
  if (status !== 200) throw new Error(`status ${status}`);
}
