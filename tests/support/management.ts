// The management API as its clients see it, with the envelope checked on every answer.
import { expect } from "bun:test";

export interface Page<T> {
  page: number;
  page_size: number;
  total: number;
  items: T[];
  next_cursor?: string | null;
}

export interface User {
  id: number;
  username: string;
  display_name: string;
  role: number;
  status: number;
  group: string;
  quota: number;
  used_quota: number;
}

export interface Token {
  id: number;
  name: string;
  key: string;
  status: number;
  remain_quota: number;
  used_quota: number;
  unlimited_quota: boolean;
  expired_time: number;
  group: string;
}

export interface Channel {
  id: number;
  type: number;
  name: string;
  base_url: string;
  models: string;
  group: string;
  priority: number;
  weight: number;
  status: number;
  tag: string;
  used_quota: number;
  model_mapping: string;
  proxy: string;
}

export interface Log {
  id: number;
  request_id: string;
  created_at: number;
  type: number;
  user_id: number;
  username: string;
  token_id: number;
  token_name: string;
  channel_id?: number;
  model_name: string;
  prompt_tokens: number;
  completion_tokens: number;
  quota: number;
  is_stream: boolean;
  group: string;
  content: string;
  other: string | Record<string, unknown>;
}

export interface Failure {
  status: number;
  code: string;
  message: string;
  headers: Headers;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

interface Envelope {
  success: boolean;
  message: string;
  data?: unknown;
  code?: string;
}

export class Management {
  constructor(
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  /** The same server with other headers, for another caller or another language. */
  with(headers: Record<string, string>): Management {
    return new Management(this.url, { ...this.headers, ...headers });
  }

  get<T>(path: string): Promise<T> {
    return this.succeed<T>("GET", path);
  }

  post<T>(path: string, body?: unknown): Promise<T> {
    return this.succeed<T>("POST", path, body);
  }

  put<T>(path: string, body?: unknown): Promise<T> {
    return this.succeed<T>("PUT", path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.succeed<T>("DELETE", path);
  }

  /** A call that must fail with `status`. */
  async fail(status: number, method: Method, path: string, body?: unknown): Promise<Failure> {
    const { response, envelope } = await this.call(method, path, body);
    expect({ call: `${method} ${path}`, status: response.status, envelope }).toMatchObject({
      status,
      envelope: { success: false },
    });
    expect(envelope.code).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(envelope.message).not.toBe("");
    expect(envelope.data ?? null).toBeNull();
    return {
      status,
      code: envelope.code ?? "",
      message: envelope.message,
      headers: response.headers,
    };
  }

  async call(
    method: Method,
    path: string,
    body?: unknown,
  ): Promise<{ response: Response; envelope: Envelope }> {
    const response = await this.send(method, path, body);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    expect(response.headers.get("x-request-id")).toBeTruthy();
    return { response, envelope: (await response.json()) as Envelope };
  }

  send(method: Method, path: string, body?: unknown): Promise<Response> {
    const init: RequestInit = { method, headers: { ...this.headers }, redirect: "manual" };
    if (body !== undefined) {
      init.headers = { "content-type": "application/json", ...this.headers };
      init.body = typeof body === "string" ? body : JSON.stringify(body);
    }
    return fetch(this.url + path, init);
  }

  private async succeed<T>(method: Method, path: string, body?: unknown): Promise<T> {
    const { response, envelope } = await this.call(method, path, body);
    expect({ call: `${method} ${path}`, status: response.status, envelope }).toMatchObject({
      status: 200,
      envelope: { success: true },
    });
    return envelope.data as T;
  }
}

/** Logs in with a name and a password; what comes back acts with the session's cookies. */
export async function login(url: string, username: string, password: string): Promise<Session> {
  const anonymous = new Management(url);
  const response = await anonymous.send("POST", "/api/user/login", { username, password });
  const envelope = (await response.json()) as Envelope;
  expect({ status: response.status, envelope }).toMatchObject({
    status: 200,
    envelope: { success: true },
  });
  return new Session(url, envelope.data as User, response.headers.getSetCookie());
}

export class Session {
  readonly cookie: string;
  readonly csrf: string;
  /** Acts with cookie and CSRF header. */
  readonly api: Management;
  /** Acts with the cookie alone. */
  readonly unprotected: Management;

  constructor(
    url: string,
    readonly user: User,
    readonly setCookies: string[],
  ) {
    const pairs = setCookies.map((line) => line.split(";")[0] ?? "");
    this.cookie = pairs.join("; ");
    this.csrf = pairs.find((pair) => pair.startsWith("tf_csrf="))?.slice("tf_csrf=".length) ?? "";
    this.unprotected = new Management(url, { cookie: this.cookie });
    this.api = this.unprotected.with({ "x-csrf-token": this.csrf });
  }
}

/** All pages of a list, by page number. */
export async function all<T>(api: Management, path: string): Promise<T[]> {
  const items: T[] = [];
  for (let p = 1; ; p++) {
    const separator = path.includes("?") ? "&" : "?";
    const page = await api.get<Page<T>>(`${path}${separator}p=${p}&page_size=100`);
    items.push(...page.items);
    if (page.items.length < 100) return items;
  }
}

/** All pages of a list of logs, by cursor. */
export async function allLogs(api: Management, path: string): Promise<Log[]> {
  const items: Log[] = [];
  let cursor = "";
  do {
    const separator = path.includes("?") ? "&" : "?";
    const page = await api.get<Page<Log>>(
      `${path}${separator}page_size=100&cursor=${encodeURIComponent(cursor)}`,
    );
    items.push(...page.items);
    cursor = page.next_cursor ?? "";
  } while (cursor !== "");
  return items;
}

/** How a log row explains its amount. */
export function explained(log: Log): Record<string, unknown> {
  return typeof log.other === "string"
    ? (JSON.parse(log.other || "{}") as Record<string, unknown>)
    : log.other;
}
