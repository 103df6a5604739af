// The console's frame: the sidebar by role (a drawer on a phone), and the header with one's balance and menus.
import { SideSheet } from "@douyinfe/semi-ui";
import { LogOut, Menu as MenuIcon, PanelLeftClose, PanelLeftOpen, Settings } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { NavLink, useLocation, useNavigate } from "react-router";
import { useSession, useUser } from "../../context/session.tsx";
import { recall, remember } from "../../helpers/storage.ts";
import { PHONE, useMedia } from "../../helpers/useMedia.ts";
import { roleName } from "../../models/roles.ts";
import { ROWS, SECTIONS } from "../../routes/table.ts";
import { Money } from "../basics.tsx";
import { ConfirmProvider } from "../Confirm.tsx";
import { Menu } from "../Menu.tsx";
import { Brand } from "./Brand.tsx";
import { LanguageChooser, ThemeChooser } from "./Choosers.tsx";
import "./layout.css";

function Nav({ small }: { small?: boolean }) {
  const { t } = useTranslation();
  const { role } = useUser();
  const rows = ROWS.filter((row) => row.nav && role >= row.role);
  return (
    <nav className="tf-nav" aria-label={t("layout.navigation")}>
      {SECTIONS.map((section) => {
        const own = rows.filter((row) => row.nav!.section === section);
        if (own.length === 0) return null;
        return (
          <div key={section} className="tf-nav-section">
            <h2 className={small ? "tf-visually-hidden" : ""}>{t(`nav.section_${section}`)}</h2>
            {own.map(({ path, nav }) => {
              const label = t(`nav.${nav!.name}`);
              const Icon = nav!.icon;
              return (
                <NavLink key={path} to={path} end={path === "/"} title={small ? label : undefined}>
                  <Icon size={17} strokeWidth={1.8} aria-hidden />
                  <span className={small ? "tf-visually-hidden" : "tf-ellipsis"}>{label}</span>
                </NavLink>
              );
            })}
          </div>
        );
      })}
    </nav>
  );
}

function UserMenu() {
  const { t } = useTranslation();
  const user = useUser();
  const { logOut } = useSession();
  const navigate = useNavigate();
  const name = user.display_name || user.username;
  return (
    <Menu
      title={`${name} · ${t(`role.${roleName(user.role)}`)}`}
      items={[
        {
          key: "setting",
          label: t("nav.setting"),
          icon: <Settings size={15} />,
          run: () => navigate("/setting"),
        },
        { key: "logout", label: t("auth.logout"), icon: <LogOut size={15} />, run: logOut },
      ]}
      button={
        <button type="button" className="tf-user" aria-label={t("layout.user_menu", { name })}>
          <span className="tf-avatar" aria-hidden>
            {[...name][0]?.toUpperCase()}
          </span>
        </button>
      }
    />
  );
}

/** g and a letter go to a page. */
function useGoKeys() {
  const navigate = useNavigate();
  useEffect(() => {
    let since = 0;
    const listen = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest?.(
        "input, textarea, select, [contenteditable]",
      );
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const row = ROWS.find((one) => one.nav?.key === event.key);
      if (row && Date.now() - since < 1000) void navigate(row.path);
      since = event.key === "g" ? Date.now() : 0;
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [navigate]);
}

function Sidebar() {
  const { t } = useTranslation();
  const [small, setSmall] = useState(() => recall("sidebar_small", false));
  const toggle = () => {
    remember("sidebar_small", !small);
    setSmall(!small);
  };
  const Icon = small ? PanelLeftOpen : PanelLeftClose;
  return (
    <aside className={small ? "tf-sidebar tf-sidebar-small" : "tf-sidebar"}>
      <div className="tf-sidebar-top">
        <Brand small={small} />
      </div>
      <Nav small={small} />
      <button
        type="button"
        className="tf-icon-button tf-sidebar-toggle"
        aria-label={small ? t("layout.expand") : t("layout.collapse")}
        aria-expanded={!small}
        onClick={toggle}
      >
        <Icon size={17} />
      </button>
    </aside>
  );
}

function Drawer() {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [pathname]);
  return (
    <>
      <button
        type="button"
        className="tf-icon-button"
        aria-label={t("layout.navigation")}
        aria-expanded={open}
        onClick={() => setOpen(true)}
      >
        <MenuIcon size={19} />
      </button>
      <SideSheet
        visible={open}
        placement="left"
        width={272}
        title={<Brand />}
        onCancel={() => setOpen(false)}
        className="tf-drawer"
      >
        <Nav />
      </SideSheet>
    </>
  );
}

export default function ConsoleFrame({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const { user } = useSession();
  const phone = useMedia(PHONE);
  useGoKeys();
  if (!user) return null;
  return (
    <ConfirmProvider>
      <div className="tf-console">
        <a href="#main" className="tf-skip">
          {t("layout.skip")}
        </a>
        {!phone && <Sidebar />}
        <div className="tf-console-body">
          <header className="tf-header">
            {phone ? (
              <div className="tf-row">
                <Drawer />
                <Brand small />
              </div>
            ) : (
              <span />
            )}
            <div className="tf-row">
              <span className="tf-balance">
                <span className="tf-faint">{t("layout.balance")}</span>
                <Money quota={user.quota} digits={2} />
              </span>
              <LanguageChooser />
              <ThemeChooser />
              <UserMenu />
            </div>
          </header>
          <main id="main" className="tf-main">
            {children}
          </main>
        </div>
      </div>
    </ConfirmProvider>
  );
}
