// Numbers, money and time, as the reader's language writes them.

export const QUOTA_PER_USD = 500_000;

const kept = new Map<string, Intl.NumberFormat>();

function numberFormat(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale + JSON.stringify(options);
  let format = kept.get(key);
  if (!format) kept.set(key, (format = new Intl.NumberFormat(locale, options)));
  return format;
}

export const formatNumber = (locale: string, value: number, digits = 0): string =>
  numberFormat(locale, { maximumFractionDigits: digits }).format(value);

export const formatCompact = (locale: string, value: number): string =>
  numberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }).format(value);

/** Small amounts keep the digits that make them more than nothing. */
function digitsFor(usd: number): number {
  const size = Math.abs(usd);
  if (size === 0 || size >= 1) return 2;
  return size >= 0.01 ? 4 : 6;
}

/** With as many digits as are asked for, so that columns line up; else as many as matter. */
export const formatUsd = (locale: string, usd: number, digits?: number): string =>
  numberFormat(locale, {
    style: "currency",
    currency: "USD",
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits ?? 2,
    maximumFractionDigits: digits ?? digitsFor(usd),
  }).format(usd);

/** Quota as money: 500000 are 1 USD. */
export const formatQuota = (locale: string, quota: number, digits?: number): string =>
  formatUsd(locale, quota / QUOTA_PER_USD, digits);

export const quotaToUsd = (quota: number): number => quota / QUOTA_PER_USD;
export const usdToQuota = (usd: number): number => Math.round(usd * QUOTA_PER_USD);

export const formatPercent = (locale: string, share: number): string =>
  numberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(share);

/** 850 ms, 1.4 s, 2 min 3 s: without words, so the same in every language. */
export function formatDuration(locale: string, ms: number): string {
  if (ms < 1000) return `${formatNumber(locale, ms)} ms`;
  if (ms < 60_000) return `${formatNumber(locale, ms / 1000, ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export const formatTime = (locale: string, seconds: number): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }).format(
    seconds * 1000,
  );

/** As narrow as a table wants it: the year only when it is another one. */
export function formatTimeShort(locale: string, seconds: number, now = Date.now()): string {
  const date = new Date(seconds * 1000);
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale, {
    ...(sameYear ? {} : { year: "numeric" }),
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).format(date);
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

export function formatRelative(locale: string, seconds: number, now = Date.now()): string {
  const difference = seconds - now / 1000;
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const step = STEPS.find(([, size]) => Math.abs(difference) >= size);
  return step
    ? format.format(Math.round(difference / step[1]), step[0])
    : format.format(0, "second");
}

export const timeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
