// The models one can ask for, with their prices.
import { Input } from "@douyinfe/semi-ui";
import { Boxes, Search } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Bars, CopyButton, Empty, Failure, PlainTag } from "../../components/basics.tsx";
import { ModelLogo } from "../../components/Logo.tsx";
import { useSession } from "../../context/session.tsx";
import { pricesOf, vendorOf } from "../../helpers/models.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { ModelPrice } from "../../models/api.ts";

const FIRST = 24;

function Price({ model }: { model: ModelPrice }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (!model.priced) return <span className="tf-faint">{t("model.unpriced")}</span>;
  if (model.per_call)
    return (
      <span>
        <b className="tf-num">{format.usd(model.call_price)}</b> {t("model.per_call")}
      </span>
    );
  const { input, output } = pricesOf(model);
  return (
    <>
      <span>
        {t("model.input")} <b className="tf-num">{format.usd(input)}</b>
      </span>
      <span>
        {t("model.output")} <b className="tf-num">{format.usd(output)}</b>
      </span>
      <span className="tf-faint">{t("model.per_million")}</span>
    </>
  );
}

function Card({ model }: { model: ModelPrice }) {
  const { t } = useTranslation();
  const vendor = vendorOf(model.model);
  return (
    <li className="tf-card tf-model">
      <div className="tf-row">
        <ModelLogo model={model.model} />
        <code className="tf-grow tf-ellipsis tf-strong" title={model.model}>
          {model.model}
        </code>
        <CopyButton text={model.model} what={t("model.name")} />
      </div>
      <div className="tf-model-price">
        <Price model={model} />
      </div>
      <div className="tf-row tf-row-wrap">
        {vendor.name && <span className="tf-small tf-muted">{vendor.name}</span>}
        {model.groups.map((group) => (
          <PlainTag key={group}>{group}</PlainTag>
        ))}
      </div>
    </li>
  );
}

interface Props {
  models: ModelPrice[];
  loading: boolean;
  error: Error | null;
}

export function ModelGrid({ models, loading, error }: Props) {
  const { t } = useTranslation();
  const { isAdmin } = useSession();
  const [search, setSearch] = useState("");
  const [all, setAll] = useState(false);
  const fitting = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    return models.filter((one) => {
      const text = `${one.model} ${vendorOf(one.model).name}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }, [models, search]);
  const shown = all || search ? fitting : fitting.slice(0, FIRST);
  return (
    <section aria-labelledby="models">
      <div className="tf-row tf-between tf-row-wrap tf-models-head">
        <h2 id="models">
          {t("home.models")}{" "}
          {models.length > 0 && <span className="tf-faint tf-num">{models.length}</span>}
        </h2>
        {models.length > 0 && (
          <Input
            className="tf-search"
            value={search}
            onChange={setSearch}
            placeholder={t("home.search_models")}
            aria-label={t("home.search_models")}
            prefix={<Search size={15} className="tf-search-icon" />}
            showClear
          />
        )}
      </div>
      {error && <Failure error={error} />}
      {loading && <Bars lines={4} />}
      {!loading && !error && models.length === 0 && (
        <div className="tf-card">
          <Empty
            icon={Boxes}
            title={t("home.no_models")}
            text={isAdmin ? t("home.no_models_admin") : t("home.no_models_user")}
          />
        </div>
      )}
      {models.length > 0 && fitting.length === 0 && (
        <p className="tf-muted">{t("common.nothing_found")}</p>
      )}
      <ul className="tf-models">
        {shown.map((model) => (
          <Card key={model.model} model={model} />
        ))}
      </ul>
      {shown.length < fitting.length && (
        <button type="button" className="tf-link-button" onClick={() => setAll(true)}>
          {t("home.all_models", { count: fitting.length })}
        </button>
      )}
    </section>
  );
}
