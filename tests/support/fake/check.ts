// How a provider says no, and the small checks that its rules are made of.

export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly type = "invalid_request_error",
    readonly code: string | null = null,
    readonly param: string | null = null,
  ) {
    super(message);
  }
}

export type Json = Record<string, unknown>;

/** A check answers what is wrong, or nothing. */
export type Check = (value: unknown) => string | undefined;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const text: Check = (v) => (typeof v === "string" ? undefined : "should be a valid string");
export const bool: Check = (v) =>
  typeof v === "boolean" ? undefined : "should be a valid boolean";
export const object: Check = (v) => (isObject(v) ? undefined : "should be an object");
export const array: Check = (v) => (Array.isArray(v) ? undefined : "should be a valid list");
export const anything: Check = () => undefined;

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check {
  return (v) =>
    Number.isInteger(v) && (v as number) >= min && (v as number) <= max
      ? undefined
      : `should be an integer from ${min} to ${max}`;
}

export function number(min: number, max: number): Check {
  return (v) =>
    typeof v === "number" && v >= min && v <= max
      ? undefined
      : `should be a number from ${min} to ${max}`;
}

export function oneOf(...allowed: string[]): Check {
  return (v) =>
    allowed.includes(v as string) ? undefined : `should be one of ${allowed.join(", ")}`;
}

export function nullable(check: Check): Check {
  return (v) => (v === null ? undefined : check(v));
}

/** Data and media type of a base64 image must agree with what its first bytes say. */
export function imageProblem(mediaType: string, data: string): string | undefined {
  if (!["image/png", "image/jpeg", "image/gif", "image/webp"].includes(mediaType))
    return `unsupported media type ${mediaType}`;
  if (data === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(data) || data.length % 4 !== 0)
    return "invalid base64 data";
  const seen = sniff(Buffer.from(data, "base64"));
  return seen === mediaType
    ? undefined
    : `image was specified using ${mediaType} but appears to be ${seen}`;
}

function sniff(bytes: Buffer): string {
  if (bytes.subarray(1, 4).toString("latin1") === "PNG") return "image/png";
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return "image/jpeg";
  if (bytes.subarray(0, 3).toString("latin1") === "GIF") return "image/gif";
  if (bytes.subarray(8, 12).toString("latin1") === "WEBP") return "image/webp";
  return "unknown";
}
