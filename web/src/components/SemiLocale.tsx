// Semi's own words in the language that is shown.
import LocaleProvider from "@douyinfe/semi-ui/lib/es/locale/localeProvider";
import zh from "@douyinfe/semi-ui/lib/es/locale/source/zh_CN";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

type Locale = typeof zh;

const loaders: Record<string, () => Promise<{ default: unknown }>> = {
  en: () => import("@douyinfe/semi-ui/lib/es/locale/source/en_US"),
  fr: () => import("@douyinfe/semi-ui/lib/es/locale/source/fr"),
  ru: () => import("@douyinfe/semi-ui/lib/es/locale/source/ru_RU"),
  ja: () => import("@douyinfe/semi-ui/lib/es/locale/source/ja_JP"),
  vi: () => import("@douyinfe/semi-ui/lib/es/locale/source/vi_VN"),
};

export function SemiLocale({ children }: { children: ReactNode }) {
  const { i18n } = useTranslation();
  const [locale, setLocale] = useState<Locale>(zh);
  useEffect(() => {
    let wanted = true;
    const load = loaders[i18n.language];
    if (!load) setLocale(zh);
    else
      void load().then((file) => {
        if (wanted) setLocale(file.default as Locale);
      });
    return () => {
      wanted = false;
    };
  }, [i18n.language]);
  return <LocaleProvider locale={locale}>{children}</LocaleProvider>;
}
