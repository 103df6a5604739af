// The address, the first request, the models and the announcement: what one needs to begin.
import { ArrowRight, KeyRound, Megaphone } from "lucide-react";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { CopyBox, useTitle } from "../../components/basics.tsx";
import { Snippets } from "../../components/Snippets.tsx";
import { useSession } from "../../context/session.tsx";
import { useBase, usePricing, useStatus } from "../../services/queries.ts";
import { ModelGrid } from "./ModelGrid.tsx";
import "./home.css";

const Markdown = lazy(() => import("../../components/Markdown.tsx"));

function Steps() {
  const { t } = useTranslation();
  const { user } = useSession();
  return (
    <ol className="tf-steps">
      <li>
        <h3>{t("home.step_key")}</h3>
        <p className="tf-muted">{t("home.step_key_text")}</p>
        <Link to={user ? "/token?new=1" : "/login?next=%2Ftoken%3Fnew%3D1"}>
          <KeyRound size={14} aria-hidden /> {t("home.step_key_action")}
        </Link>
      </li>
      <li>
        <h3>{t("home.step_address")}</h3>
        <p className="tf-muted">{t("home.step_address_text")}</p>
      </li>
      <li>
        <h3>{t("home.step_watch")}</h3>
        <p className="tf-muted">{t("home.step_watch_text")}</p>
        <Link to="/log">
          {t("home.step_watch_action")} <ArrowRight size={14} aria-hidden />
        </Link>
      </li>
    </ol>
  );
}

export default function HomePage() {
  const { t } = useTranslation();
  const pricing = usePricing();
  useTitle("");
  const status = useStatus();
  const base = useBase();
  const models = pricing.data?.models ?? [];
  const model = models.find((one) => one.priced && !one.per_call)?.model ?? models[0]?.model;
  return (
    <div className="tf-home">
      {status.data?.notice && (
        <section className="tf-card tf-notice" aria-label={t("home.announcement")}>
          <Megaphone size={17} aria-hidden />
          <div className="tf-grow">
            <Suspense fallback={null}>
              <Markdown text={status.data.notice} />
            </Suspense>
          </div>
        </section>
      )}
      <section className="tf-hero">
        <div className="tf-hero-text">
          <h1>{t("home.title")}</h1>
          <p>{t("home.subtitle")}</p>
          <div className="tf-hero-address">
            <span className="tf-small tf-faint">{t("home.address")}</span>
            <CopyBox text={base} what={t("home.address")} />
          </div>
        </div>
        <Snippets base={base} model={model ?? "gpt-4o"} />
      </section>
      <Steps />
      <ModelGrid models={models} loading={pricing.isPending} error={pricing.error} />
    </div>
  );
}
