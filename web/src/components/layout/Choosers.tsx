// Language and theme, in every frame's corner.
import { Languages, Monitor, Moon, Sun } from "lucide-react";
import { useTranslation } from "react-i18next";
import { type Theme, useTheme } from "../../context/theme.tsx";
import { type Language, LANGUAGES, setLanguage } from "../../i18n/index.ts";
import { Menu, tick } from "../Menu.tsx";

export function LanguageChooser() {
  const { t, i18n } = useTranslation();
  const items = Object.entries(LANGUAGES).map(([code, { name, locale }]) => ({
    key: code,
    label: <span lang={locale}>{name}</span>,
    icon: tick(i18n.language === code),
    run: () => setLanguage(code as Language),
  }));
  return (
    <Menu
      items={items}
      button={
        <button type="button" className="tf-icon-button" aria-label={t("layout.language")}>
          <Languages size={17} />
        </button>
      }
    />
  );
}

const ICONS = { light: Sun, dark: Moon, auto: Monitor };
const THEMES: Theme[] = ["light", "dark", "auto"];

export function ThemeChooser() {
  const { t } = useTranslation();
  const { theme, setTheme } = useTheme();
  const Icon = ICONS[theme];
  const items = THEMES.map((one) => ({
    key: one,
    label: t(`layout.theme_${one}`),
    icon: tick(theme === one),
    run: () => setTheme(one),
  }));
  return (
    <Menu
      items={items}
      button={
        <button type="button" className="tf-icon-button" aria-label={t("layout.theme")}>
          <Icon size={17} />
        </button>
      }
    />
  );
}
