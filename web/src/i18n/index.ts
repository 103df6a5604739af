// Six languages; Chinese is the default and what is missing elsewhere falls back to it.
import i18n from "i18next";
import { initReactI18next } from "react-i18next";
import { recall, remember } from "../helpers/storage.ts";
import zh from "./locales/zh.json";

export const LANGUAGES = {
  zh: { name: "中文", locale: "zh-CN" },
  en: { name: "English", locale: "en-US" },
  fr: { name: "Français", locale: "fr-FR" },
  ru: { name: "Русский", locale: "ru-RU" },
  ja: { name: "日本語", locale: "ja-JP" },
  vi: { name: "Tiếng Việt", locale: "vi-VN" },
} as const;

export type Language = keyof typeof LANGUAGES;
export const isLanguage = (text: string): text is Language => text in LANGUAGES;

const loaders = import.meta.glob<{ default: object }>(["./locales/*.json", "!./locales/zh.json"]);

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: typeof zh };
  }
}

/** ?lang=, then what was chosen before, then what the browser prefers. */
function detect(): Language {
  const wishes = [
    new URLSearchParams(location.search).get("lang") ?? "",
    recall<string>("language", ""),
    ...navigator.languages,
  ];
  return wishes.map((wish) => wish.slice(0, 2).toLowerCase()).find(isLanguage) ?? "zh";
}

async function load(language: Language): Promise<void> {
  if (i18n.hasResourceBundle(language, "translation")) return;
  const file = await loaders[`./locales/${language}.json`]!();
  i18n.addResourceBundle(language, "translation", file.default);
}

export async function setLanguage(language: Language): Promise<void> {
  await load(language);
  await i18n.changeLanguage(language);
  document.documentElement.lang = LANGUAGES[language].locale;
  remember("language", language);
}

export const currentLanguage = (): Language => (isLanguage(i18n.language) ? i18n.language : "zh");

/** Keys that were asked for and exist nowhere; the tests want none. */
export const missingKeys: string[] = [];

export async function startI18n(): Promise<void> {
  await i18n.use(initReactI18next).init({
    resources: { zh: { translation: zh } },
    lng: "zh",
    fallbackLng: "zh",
    keySeparator: ".",
    interpolation: { escapeValue: false },
    returnNull: false,
    showSupportNotice: false,
    saveMissing: true,
    missingKeyHandler: (_, __, key) => {
      missingKeys.push(key);
      console.error(`i18n: no text for ${key}`);
    },
  });
  await setLanguage(detect());
}

export default i18n;
