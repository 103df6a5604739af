// JSON objects as people edit them: text, and rows of names and values.
import type { Rule } from "./rules.ts";

export type Entry = [name: string, value: string];

export function readObject(text: string): Record<string, unknown> | undefined {
  if (!text.trim()) return {};
  try {
    const value: unknown = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Rows of an object of texts or numbers; undefined if it is something else. */
export function entriesOf(text: string): Entry[] | undefined {
  const object = readObject(text);
  const entries = object && Object.entries(object);
  return entries?.every(([, value]) => typeof value === "string" || typeof value === "number")
    ? entries.map(([name, value]) => [name, String(value)])
    : undefined;
}

/** Text of what the rows say; rows without a name are still being written. */
export function textOf(entries: Entry[], numbers: boolean): string {
  const named = entries.filter(([name]) => name.trim());
  if (named.length === 0) return numbers ? "{}" : "";
  return JSON.stringify(
    Object.fromEntries(
      named.map(([name, value]) => [name.trim(), numbers ? Number(value || 0) : value.trim()]),
    ),
    null,
    2,
  );
}

export const jsonObject = (): Rule<string> => (value, t) =>
  readObject(value) ? undefined : t("form.json_object");

export const numbersOf = (text: string): Record<string, number> =>
  Object.fromEntries(
    Object.entries(readObject(text) ?? {}).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    ),
  );
