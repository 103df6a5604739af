// Every page: where it is, who may see it, how it is framed, and its place in the sidebar. A new page is a row.
import { House, KeyRound, type LucideIcon, ScrollText, Settings } from "lucide-react";
import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import { ROLE } from "../models/roles.ts";

export type Section = "chat" | "console" | "personal" | "admin";
export const SECTIONS: Section[] = ["chat", "console", "personal", "admin"];

/** Texts of the sidebar: `nav.<name>` in the locale files. */
export type NavName = "home" | "token" | "log" | "setting";

export interface Row {
  path: string;
  page: LazyExoticComponent<ComponentType>;
  /** ROLE.guest: everybody. */
  role: number;
  /** console: sidebar and header; public: a header; bare: a card in the middle; auto: console once logged in. */
  frame: "console" | "public" | "bare" | "auto";
  nav?: {
    name: NavName;
    section: Section;
    icon: LucideIcon;
    /** after g on the keyboard */ key: string;
  };
}

export const ROWS: Row[] = [
  {
    path: "/",
    page: lazy(() => import("../pages/home/HomePage.tsx")),
    role: ROLE.guest,
    frame: "auto",
    nav: { name: "home", section: "console", icon: House, key: "h" },
  },
  {
    path: "/token",
    page: lazy(() => import("../pages/token/TokenPage.tsx")),
    role: ROLE.user,
    frame: "console",
    nav: { name: "token", section: "console", icon: KeyRound, key: "t" },
  },
  {
    path: "/log",
    page: lazy(() => import("../pages/log/LogPage.tsx")),
    role: ROLE.user,
    frame: "console",
    nav: { name: "log", section: "console", icon: ScrollText, key: "l" },
  },
  {
    path: "/setting",
    page: lazy(() => import("../pages/setting/SettingPage.tsx")),
    role: ROLE.user,
    frame: "console",
    nav: { name: "setting", section: "personal", icon: Settings, key: "s" },
  },
  {
    path: "/setup",
    page: lazy(() => import("../pages/auth/SetupPage.tsx")),
    role: ROLE.guest,
    frame: "bare",
  },
  {
    path: "/login",
    page: lazy(() => import("../pages/auth/LoginPage.tsx")),
    role: ROLE.guest,
    frame: "bare",
  },
  {
    path: "/register",
    page: lazy(() => import("../pages/auth/RegisterPage.tsx")),
    role: ROLE.guest,
    frame: "bare",
  },
  {
    path: "/forget",
    page: lazy(() => import("../pages/auth/ForgotPage.tsx")),
    role: ROLE.guest,
    frame: "bare",
  },
];
