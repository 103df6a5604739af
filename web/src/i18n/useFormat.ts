// The formats of helpers/format.ts in the language that is shown.
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import * as format from "../helpers/format.ts";
import { isLanguage, LANGUAGES } from "./index.ts";

export function useFormat() {
  const { i18n } = useTranslation();
  return useMemo(() => {
    const locale = LANGUAGES[isLanguage(i18n.language) ? i18n.language : "zh"].locale;
    return {
      locale,
      number: (value: number, digits?: number) => format.formatNumber(locale, value, digits),
      compact: (value: number) => format.formatCompact(locale, value),
      usd: (value: number, digits?: number) => format.formatUsd(locale, value, digits),
      quota: (value: number, digits?: number) => format.formatQuota(locale, value, digits),
      percent: (value: number) => format.formatPercent(locale, value),
      duration: (ms: number) => format.formatDuration(locale, ms),
      time: (seconds: number) => format.formatTime(locale, seconds),
      timeShort: (seconds: number) => format.formatTimeShort(locale, seconds),
      relative: (seconds: number) => format.formatRelative(locale, seconds),
    };
  }, [i18n.language]);
}

export type Format = ReturnType<typeof useFormat>;
