// What every model costs, in each group.
import { Input, Select } from "@douyinfe/semi-ui";
import { CircleDollarSign, Search } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import {
  Bars,
  CopyButton,
  Empty,
  Failure,
  PageHeader,
  PlainTag,
} from "../../components/basics.tsx";
import { pricesOf, vendorOf } from "../../helpers/models.ts";
import { withParam } from "../../helpers/params.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { ModelPrice } from "../../models/api.ts";
import { usePricing } from "../../services/queries.ts";
import "./pricing.css";

function Row({ model, factor }: { model: ModelPrice; factor: number }) {
  const { t } = useTranslation();
  const format = useFormat();
  const price = pricesOf(model, factor);
  const written = price.input * model.create_cache_ratio;
  return (
    <tr>
      <td>
        <span className="tf-row">
          <code className="tf-wrap">{model.model}</code>
          <CopyButton text={model.model} what={t("model.name")} />
        </span>
      </td>
      <td className="tf-muted">{vendorOf(model.model) || "–"}</td>
      {!model.priced ? (
        <td colSpan={4} className="tf-right tf-faint">
          {t("model.unpriced")}
        </td>
      ) : model.per_call ? (
        <td colSpan={4} className="tf-right tf-num">
          {format.usd(model.call_price * factor)}{" "}
          <span className="tf-faint">{t("model.per_call")}</span>
        </td>
      ) : (
        [price.input, price.output, price.cached, written].map((usd, i) => (
          <td key={i} className="tf-right tf-num">
            {format.usd(usd)}
          </td>
        ))
      )}
      <td>
        <span className="tf-row tf-row-wrap">
          {model.groups.map((group) => (
            <PlainTag key={group}>{group}</PlainTag>
          ))}
        </span>
      </td>
    </tr>
  );
}

export default function PricingPage() {
  const { t } = useTranslation();
  const format = useFormat();
  const pricing = usePricing();
  const [params, setParams] = useSearchParams();
  const keyword = params.get("keyword") ?? "";
  const group = params.get("group") ?? "";
  const put = (name: string, value: string) =>
    setParams((before) => withParam(before, name, value), { replace: true });
  const models = useMemo(() => {
    const word = keyword.toLowerCase();
    return (pricing.data?.models ?? [])
      .filter((one) => !group || one.groups.includes(group))
      .filter((one) => `${one.model} ${vendorOf(one.model)}`.toLowerCase().includes(word));
  }, [pricing.data, keyword, group]);
  const groups = pricing.data?.groups ?? {};
  const factor = groups[group]?.ratio ?? 1;
  return (
    <>
      <PageHeader
        title={t("nav.pricing")}
        description={t("pricing.about", { factor: format.number(factor, 3) })}
      />
      <section className="tf-card tf-prices">
        <div className="tf-row tf-row-wrap" role="search">
          <Input
            className="tf-search"
            aria-label={t("home.search_models")}
            placeholder={t("home.search_models")}
            prefix={<Search size={15} className="tf-search-icon" />}
            value={keyword}
            onChange={(value) => put("keyword", value)}
            showClear
          />
          <Select
            className="tf-filter"
            data-name={t("token.group")}
            placeholder={t("token.group")}
            value={group || undefined}
            onChange={(value) => put("group", (value as string | undefined) ?? "")}
            optionList={Object.entries(groups).map(([value, { ratio }]) => ({
              value,
              label: `${value} · ${format.number(ratio, 3)}×`,
            }))}
            showClear
          />
          <span className="tf-faint tf-small">
            {t("token.model_count", { count: models.length })}
          </span>
        </div>
        {pricing.error ? (
          <Failure error={pricing.error} retry={() => void pricing.refetch()} />
        ) : pricing.isPending ? (
          <Bars lines={8} />
        ) : models.length === 0 ? (
          <Empty
            icon={CircleDollarSign}
            title={pricing.data.models.length ? t("common.nothing_found") : t("home.no_models")}
            {...(pricing.data.models.length ? {} : { text: t("home.no_models_user") })}
          />
        ) : (
          <div className="tf-scroll" tabIndex={0} role="region" aria-label={t("nav.pricing")}>
            <table className="tf-plain">
              <thead>
                <tr>
                  <th>{t("log.model")}</th>
                  <th>{t("pricing.vendor")}</th>
                  <th className="tf-right">{t("model.input")}</th>
                  <th className="tf-right">{t("model.output")}</th>
                  <th className="tf-right">{t("pricing.cached")}</th>
                  <th className="tf-right">{t("pricing.written")}</th>
                  <th>{t("channel.groups")}</th>
                </tr>
              </thead>
              <tbody>
                {models.map((model) => (
                  <Row key={model.model} model={model} factor={factor} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </>
  );
}
