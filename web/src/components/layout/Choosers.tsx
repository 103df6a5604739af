// Language and theme, in every frame's corner.
import { Dropdown } from "@douyinfe/semi-ui";
import { Check, Languages, Monitor, Moon, Sun } from "lucide-react";
import { useTranslation } from "react-i18next";
import { type Theme, useTheme } from "../../context/theme.tsx";
import { type Language, LANGUAGES, setLanguage } from "../../i18n/index.ts";

const tick = (on: boolean) => (on ? <Check size={15} /> : <span className="tf-no-tick" />);

export function LanguageChooser() {
  const { t, i18n } = useTranslation();
  return (
    <Dropdown
      trigger="click"
      position="bottomRight"
      clickToHide
      render={
        <Dropdown.Menu>
          {Object.entries(LANGUAGES).map(([code, { name, locale }]) => (
            <Dropdown.Item
              key={code}
              icon={tick(i18n.language === code)}
              onClick={() => void setLanguage(code as Language)}
            >
              <span lang={locale}>{name}</span>
            </Dropdown.Item>
          ))}
        </Dropdown.Menu>
      }
    >
      <button type="button" className="tf-icon-button" aria-label={t("layout.language")}>
        <Languages size={17} />
      </button>
    </Dropdown>
  );
}

const ICONS = { light: Sun, dark: Moon, auto: Monitor };
const THEMES: Theme[] = ["light", "dark", "auto"];

export function ThemeChooser() {
  const { t } = useTranslation();
  const { theme, setTheme } = useTheme();
  const Icon = ICONS[theme];
  return (
    <Dropdown
      trigger="click"
      position="bottomRight"
      clickToHide
      render={
        <Dropdown.Menu>
          {THEMES.map((one) => (
            <Dropdown.Item key={one} icon={tick(theme === one)} onClick={() => setTheme(one)}>
              {t(`layout.theme_${one}`)}
            </Dropdown.Item>
          ))}
        </Dropdown.Menu>
      }
    >
      <button type="button" className="tf-icon-button" aria-label={t("layout.theme")}>
        <Icon size={17} />
      </button>
    </Dropdown>
  );
}
