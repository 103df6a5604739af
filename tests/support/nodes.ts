// Several nodes on one database, with Redis or without.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase } from "./databases";
import { question } from "./shapes";
import { type ServerOptions, TestServer } from "./server";

/** What all nodes of an installation have in common. */
export const SECRETS = {
  CRYPTO_SECRET: "what the nodes have in common",
  SESSION_SECRET: "what the nodes have in common, too",
};

export interface Shared {
  dsn: string;
  drop: () => Promise<void>;
}

/** A fresh database for them: on the server of TF_TEST_DSN, else a file of SQLite. */
export async function sharedDatabase(): Promise<Shared> {
  const server = process.env["TF_TEST_DSN"];
  if (server) return createDatabase(server);
  const folder = mkdtempSync(join(tmpdir(), "tf-nodes-"));
  const drop = async () => rmSync(folder, { recursive: true, force: true });
  return { dsn: `sqlite:${folder}/nodes.db`, drop };
}

/** The options of one node; its name must be its own. */
export function nodeOptions(shared: Shared, name: string, redis?: string): ServerOptions {
  const env = { ...SECRETS, NODE_NAME: name };
  return { dsn: shared.dsn, env: redis ? { ...env, REDIS_CONN_STRING: redis } : env };
}

export interface Reply {
  status: number;
  requestId: string;
  text: string;
}

/** One relayed request to this node. */
export async function relay(node: TestServer, key: string, model = "fake-oa"): Promise<Reply> {
  const response = await fetch(`${node.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify(question("openai", model, { usage: { input: 100, output: 10 } })),
  });
  const requestId = response.headers.get("x-request-id") ?? "";
  return { status: response.status, requestId, text: await response.text() };
}

/** What `relay` costs at the gateway's prices. */
export const RELAY_COST = (100 + 10 * 5) * 2;
