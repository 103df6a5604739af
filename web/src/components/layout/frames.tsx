// The frames around pages that need no login: a card in the middle, and a page with a header.
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useStatus } from "../../services/queries.ts";
import { Brand } from "./Brand.tsx";
import { LanguageChooser, ThemeChooser } from "./Choosers.tsx";
import "./layout.css";

function SkipLink() {
  const { t } = useTranslation();
  return (
    <a href="#main" className="tf-skip">
      {t("layout.skip")}
    </a>
  );
}

function Footer() {
  const status = useStatus();
  return status.data?.footer ? <footer className="tf-footer">{status.data.footer}</footer> : null;
}

export function BareFrame({ children }: { children: ReactNode }) {
  return (
    <div className="tf-bare">
      <SkipLink />
      <header className="tf-bare-header">
        <Brand />
        <div className="tf-row">
          <LanguageChooser />
          <ThemeChooser />
        </div>
      </header>
      <main id="main" className="tf-bare-main">
        <div className="tf-card tf-bare-card">{children}</div>
      </main>
      <Footer />
    </div>
  );
}

export function PublicFrame({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const status = useStatus();
  return (
    <div className="tf-public">
      <SkipLink />
      <header className="tf-header">
        <Brand />
        <div className="tf-row">
          <LanguageChooser />
          <ThemeChooser />
          <Link to="/login" className="tf-header-link">
            {t("auth.login")}
          </Link>
          {status.data?.register_enabled && (
            <Link to="/register" className="tf-header-link tf-header-call">
              {t("auth.register")}
            </Link>
          )}
        </div>
      </header>
      <main id="main" className="tf-main tf-main-public">
        {children}
      </main>
      <Footer />
    </div>
  );
}
