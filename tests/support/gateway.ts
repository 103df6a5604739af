// What most suites need: a server with the fake behind it, two channels, prices, and clients.
import Anthropic from "@anthropic-ai/sdk";
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { GoogleGenAI } from "@google/genai";
import { afterAll, afterEach, beforeAll } from "bun:test";
import { CohereClientV2 } from "cohere-ai";
import OpenAI from "openai";
import { books } from "./books";
import {
  AWS_ACCESS_KEY,
  AWS_REGION,
  AWS_SECRET,
  CLAUDE_KEY,
  COHERE_KEY,
  type Fake,
  GEMINI_KEY,
  OPENAI_KEY,
  startFake,
} from "./fake";
import type { Channel, Token } from "./management";
import { Account, ROOT_ACCESS_TOKEN, ROOT_TOKEN, type ServerOptions, TestServer } from "./server";

/** Served by the channel with OpenAI's dialect. */
export const OPENAI_MODELS = ["gpt-4o", "gpt-5", "fake-oa"];
/** Served by the channel with Anthropic's dialect. */
export const CLAUDE_MODELS = ["claude-sonnet-4-6", "claude-opus-5", "fake-cl"];
export const EMBEDDING_MODEL = "text-embedding-3-small";
export const LEGACY_MODEL = "gpt-3.5-turbo-instruct";

/** Quota per input token, so that amounts are easy to foresee. */
export const PRICES = {
  ModelRatio: {
    ...Object.fromEntries([...OPENAI_MODELS, ...CLAUDE_MODELS].map((model) => [model, 2])),
    [EMBEDDING_MODEL]: 1,
    [LEGACY_MODEL]: 1,
  },
  CompletionRatio: Object.fromEntries(
    [...OPENAI_MODELS, ...CLAUDE_MODELS].map((model) => [model, 5]),
  ),
  CacheRatio: Object.fromEntries([...OPENAI_MODELS, ...CLAUDE_MODELS].map((model) => [model, 0.1])),
  CreateCacheRatio: Object.fromEntries(
    [...OPENAI_MODELS, ...CLAUDE_MODELS].map((model) => [model, 1.25]),
  ),
};

export interface PostOptions {
  key?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export class Gateway {
  fake!: Fake;
  server!: TestServer;
  owner!: Account;
  token!: Token;
  openaiChannel!: Channel;
  claudeChannel!: Channel;
  private refusalsAllowed = false;

  async open(options: ServerOptions): Promise<void> {
    this.fake = await startFake();
    for (const secret of [ROOT_TOKEN, ROOT_ACCESS_TOKEN]) this.fake.forbid(secret);
    this.server = await TestServer.start(options);
    await this.setPrices();
    this.openaiChannel = await this.addOpenai("oa", {
      models: [...OPENAI_MODELS, EMBEDDING_MODEL, LEGACY_MODEL].join(","),
    });
    this.claudeChannel = await this.addClaude("cl", { models: CLAUDE_MODELS.join(",") });
    this.owner = await this.server.createUser();
    this.token = await this.newToken();
  }

  async close(): Promise<void> {
    await this.server.dispose();
    await this.fake.close();
  }

  /** The fake may refuse what it is sent during this test. */
  allowRefusals(): void {
    this.refusalsAllowed = true;
  }

  /** After each test: the server lives, logged no error, and the upstream had no complaint. */
  async assertGood(): Promise<void> {
    const ended = await this.server.revive();
    const refused = this.fake.refusals();
    const allowed = this.refusalsAllowed;
    this.refusalsAllowed = false;
    this.server.assertQuiet();
    if (ended !== undefined) throw new Error(`the server ended by itself: ${ended}`);
    if (allowed) return;
    if (refused.length > 0) {
      const list = refused.map((seen) => `${seen.path}: ${seen.refusal}\n  ${seen.raw}`);
      throw new Error(`the upstream refused what the gateway sent:\n${list.join("\n")}`);
    }
  }

  async setPrices(change: Record<string, Record<string, number>> = {}): Promise<void> {
    for (const [key, value] of Object.entries(PRICES)) {
      await this.server.setOption(key, { ...value, ...change[key] });
    }
    for (const [key, value] of Object.entries(change)) {
      if (!(key in PRICES)) await this.server.setOption(key, value);
    }
  }

  addOpenai(route: string, wish: Record<string, unknown>): Promise<Channel> {
    const base_url = `${this.fake.url}/proxy/${route}`;
    return this.server.createChannel({ type: "openai", key: OPENAI_KEY, base_url, ...wish });
  }

  addClaude(route: string, wish: Record<string, unknown>): Promise<Channel> {
    const base_url = `${this.fake.url}/proxy/${route}`;
    return this.server.createChannel({ type: "anthropic", key: CLAUDE_KEY, base_url, ...wish });
  }

  addGemini(route: string, wish: Record<string, unknown>): Promise<Channel> {
    const base_url = `${this.fake.url}/proxy/${route}`;
    return this.server.createChannel({ type: "gemini", key: GEMINI_KEY, base_url, ...wish });
  }

  addCohere(route: string, wish: Record<string, unknown>): Promise<Channel> {
    const base_url = `${this.fake.url}/proxy/${route}`;
    return this.server.createChannel({ type: "cohere", key: COHERE_KEY, base_url, ...wish });
  }

  addBedrock(route: string, wish: Record<string, unknown>): Promise<Channel> {
    const base_url = `${this.fake.url}/proxy/${route}`;
    const key = `${AWS_ACCESS_KEY}|${AWS_SECRET}|${AWS_REGION}`;
    return this.server.createChannel({ type: "aws", key, base_url, ...wish });
  }

  /** A token whose key the fake must never see. */
  async newToken(wish: Record<string, unknown> = {}, owner = this.owner): Promise<Token> {
    const token = await owner.createToken(wish);
    this.fake.forbid(token.key);
    return token;
  }

  get openai(): OpenAI {
    return this.openaiAs(this.token.key);
  }

  get claude(): Anthropic {
    return this.claudeAs(this.token.key);
  }

  get google(): GoogleGenAI {
    return new GoogleGenAI({ apiKey: this.token.key, httpOptions: { baseUrl: this.server.url } });
  }

  get cohere(): CohereClientV2 {
    return new CohereClientV2({
      token: this.token.key,
      environment: this.server.url,
      maxRetries: 0,
    });
  }

  get bedrock(): BedrockRuntimeClient {
    return this.bedrockAs(this.token.key);
  }

  /** As with AWS_BEARER_TOKEN_BEDROCK in the environment; of itself it would speak HTTP/2. */
  bedrockAs(token: string): BedrockRuntimeClient {
    return new BedrockRuntimeClient({
      region: AWS_REGION,
      endpoint: this.server.url,
      token: { token },
      authSchemePreference: ["httpBearerAuth"],
      requestHandler: new NodeHttpHandler(),
      maxAttempts: 1,
    });
  }

  openaiAs(apiKey: string): OpenAI {
    return new OpenAI({ apiKey, baseURL: `${this.server.url}/v1`, maxRetries: 0 });
  }

  claudeAs(apiKey: string): Anthropic {
    return new Anthropic({ apiKey, baseURL: this.server.url, maxRetries: 0 });
  }

  /** A relay call without an SDK. */
  post(path: string, body: unknown, options: PostOptions = {}): Promise<Response> {
    const key = options.key ?? this.token.key;
    const auth: Record<string, string> = path.includes("/messages")
      ? { "x-api-key": key, "anthropic-version": "2023-06-01" }
      : { authorization: `Bearer ${key}` };
    return fetch(this.server.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...auth, ...options.headers },
      body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  }

  /** The request that went upstream last. */
  get lastSeen(): Fake["requests"][number] {
    const seen = this.fake.requests.at(-1);
    if (!seen) throw new Error("the upstream was never asked");
    return seen;
  }
}

/** Opens a gateway for a suite, watches it after every test, and balances its books at the end. */
export function gateway(options: ServerOptions = {}): Gateway {
  const made = new Gateway();
  beforeAll(() => made.open(options), 120_000);
  afterEach(() => made.assertGood());
  afterAll(async () => {
    if (!made.server) return;
    await books(made.server);
    await made.close();
  }, 120_000);
  return made;
}
