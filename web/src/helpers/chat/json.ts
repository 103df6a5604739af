// Looking into JSON that somebody else wrote: what is not there, or of another kind, is nothing.

export type Json = Record<string, unknown>;

export const objectOf = (value: unknown): Json =>
  value && typeof value === "object" && !Array.isArray(value) ? (value as Json) : {};
export const listOf = (value: unknown): Json[] => (Array.isArray(value) ? value.map(objectOf) : []);
export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
export const countOf = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) ? value : 0;
export const indexOf = (value: unknown, usual: number): number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 1024
    ? value
    : usual;

/** Without the members that are undefined. */
export const some = (object: Json): Json =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

/** An object as it is; any other text as the member `name`. */
export function argumentsOf(text: string, name: string): Json {
  try {
    const value: unknown = JSON.parse(text || "{}");
    if (value && typeof value === "object" && !Array.isArray(value)) return value as Json;
    return { [name]: value };
  } catch {
    return { [name]: text };
  }
}

/** Usage without what is nought. */
export function usageOf(input: unknown, output: unknown, cached: unknown, thinking: unknown) {
  return {
    input: countOf(input),
    output: countOf(output),
    ...(countOf(cached) ? { cached: countOf(cached) } : {}),
    ...(countOf(thinking) ? { thinking: countOf(thinking) } : {}),
  };
}
