// Light, dark, or as the system has it. public/theme-init.js does the same before the first paint.
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";

export type Theme = "light" | "dark" | "auto";
const KEY = "tf.theme";

const ThemeContext = createContext<{
  theme: Theme;
  dark: boolean;
  setTheme: (theme: Theme) => void;
}>({ theme: "auto", dark: false, setTheme: () => {} });

export const useTheme = () => useContext(ThemeContext);

function stored(): Theme {
  try {
    const text = localStorage.getItem(KEY);
    return text === "light" || text === "dark" ? text : "auto";
  } catch {
    return "auto";
  }
}

function store(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // forbidden
  }
}

export function ThemeProvider({ children }: { children: ReactNode }) {
  const system = useMemo(() => matchMedia("(prefers-color-scheme: dark)"), []);
  const [theme, setTheme] = useState(stored);
  const [systemDark, setSystemDark] = useState(system.matches);
  const dark = theme === "dark" || (theme === "auto" && systemDark);

  useEffect(() => {
    const listen = () => setSystemDark(system.matches);
    system.addEventListener("change", listen);
    return () => system.removeEventListener("change", listen);
  }, [system]);

  useEffect(() => {
    document.documentElement.dataset["theme"] = dark ? "dark" : "light";
    if (dark) document.body.setAttribute("theme-mode", "dark");
    else document.body.removeAttribute("theme-mode");
  }, [dark]);

  const value = useMemo(
    () => ({
      theme,
      dark,
      setTheme: (next: Theme) => {
        store(next);
        setTheme(next);
      },
    }),
    [theme, dark],
  );
  return <ThemeContext.Provider value={value}>{children}</ThemeContext.Provider>;
}
