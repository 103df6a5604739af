// How the console talks to the program: same-origin JSON, one kind of failure, the CSRF header on changes.

/** What the program said, or that it said nothing: code "network". */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field?: string,
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

interface Envelope {
  success: boolean;
  message: string;
  code?: string;
  field?: string;
  data?: unknown;
}

const listeners = new Set<() => void>();

/** Called when an answer says that nobody is logged in any more. */
export function onLoggedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function cookie(name: string): string {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

function headersOf(method: string, body: unknown): Headers {
  const headers = new Headers({
    accept: "application/json",
    // the program speaks English and Chinese
    "accept-language": document.documentElement.lang.startsWith("zh") ? "zh" : "en",
  });
  if (body !== undefined) headers.set("content-type", "application/json");
  if (method !== "GET") headers.set("x-csrf-token", cookie("tf_csrf"));
  return headers;
}

async function read(response: Response): Promise<Envelope> {
  try {
    return (await response.json()) as Envelope;
  } catch {
    return { success: false, message: response.statusText, code: "unreadable" };
  }
}

export async function request(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: headersOf(method, body),
      body: body === undefined ? null : JSON.stringify(body),
      credentials: "same-origin",
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "network", "");
  }
  const envelope = await read(response);
  if (response.ok && envelope.success) return envelope.data;
  const code = envelope.code ?? "unknown";
  if (response.status === 401 && code === "login_required") for (const tell of listeners) tell();
  const retryAfter = Number(response.headers.get("retry-after")) || undefined;
  throw new ApiError(response.status, code, envelope.message, envelope.field, retryAfter);
}
