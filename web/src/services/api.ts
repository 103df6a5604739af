// One typed function for every operation of the management API:
//   await call("GET /api/token/{id}", { params: { id: 7 } })
import type { Operations } from "../models/api.ts";
import { request } from "./http.ts";

export type Operation = keyof Operations;
export type Data<K extends Operation> = Operations[K]["data"];
export type Query<K extends Operation> = NonNullable<Operations[K]["query"]>;
export type Body<K extends Operation> = Operations[K]["body"];

type Given<Name extends string, T> = T extends undefined ? unknown : { [name in Name]: T };
type Optional<Name extends string, T> = T extends undefined ? unknown : { [name in Name]?: T };

export type CallOptions<K extends Operation> = Given<"params", Operations[K]["params"]> &
  Given<"body", Operations[K]["body"]> &
  Optional<"query", Operations[K]["query"]> & { signal?: AbortSignal };

interface Loose {
  params?: Record<string, string | number>;
  query?: Record<string, unknown>;
  body?: unknown;
  signal?: AbortSignal;
}

export function pathOf(operation: Operation, options: Loose): string {
  const path = operation
    .slice(operation.indexOf(" ") + 1)
    .replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(options.params?.[name] ?? ""));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {}))
    if (value !== undefined && value !== null && (value !== "" || name === "cursor"))
      query.set(name, String(value));
  return query.size ? `${path}?${query}` : path;
}

export function call<K extends Operation>(
  operation: K,
  ...[options]: object extends CallOptions<K> ? [CallOptions<K>?] : [CallOptions<K>]
): Promise<Data<K>> {
  const loose = (options ?? {}) as Loose;
  const method = operation.slice(0, operation.indexOf(" "));
  return request(method, pathOf(operation, loose), loose.body, loose.signal) as Promise<Data<K>>;
}
