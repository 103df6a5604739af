// Short messages at the edge of the window, and what a failure is called in the reader's language.
import { Toast } from "@douyinfe/semi-ui";
import i18n from "../i18n/index.ts";
import { ApiError } from "../services/http.ts";

/** The program's own words where it speaks the language, ours for the same code elsewhere. */
export function messageOf(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const spoken = /^(zh|en)/.test(i18n.language);
  const known = i18n.exists(`error.${error.code}`);
  if (known && (!spoken || !error.message))
    return i18n.t(`error.${error.code}` as "error.internal", { field: error.field });
  return error.message || i18n.t("error.unknown", { status: error.status });
}

export const notify = {
  done: (text: string) => Toast.success({ content: text, duration: 3 }),
  failed: (error: unknown) => Toast.error({ content: messageOf(error), duration: 5 }),
  info: (text: string) => Toast.info({ content: text, duration: 4 }),
};
