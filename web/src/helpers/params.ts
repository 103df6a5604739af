// The parameters of a page's address.

/** The same with one of them set, or taken away; nothing else is lost. */
export function withParam(before: URLSearchParams, name: string, value?: string): URLSearchParams {
  const after = new URLSearchParams(before);
  if (value) after.set(name, value);
  else after.delete(name);
  return after;
}
