// What every model costs, in each group.
import { CircleDollarSign } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import { CopyButton, None, PlainTag } from "../../components/basics.tsx";
import { ModelName } from "../../components/Logo.tsx";
import type { Column } from "../../components/table/DataTable.tsx";
import type { Filter } from "../../components/table/Filters.tsx";
import { ListPage } from "../../components/table/ListPage.tsx";
import { useLocalList } from "../../components/table/useList.ts";
import { PRICE_PARTS, pricesOf, TAGS, tagsOf, vendorOf } from "../../helpers/models.ts";
import { withParam } from "../../helpers/params.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { ModelPrice, Pricing } from "../../models/api.ts";
import { usePricing } from "../../services/queries.ts";
import { PriceSheet } from "./PriceSheet.tsx";

const FILTERS = ["keyword", "group", "vendor", "tag"];
type Row = ModelPrice & { id: number };

function fits(row: Row, given: Record<string, string>): boolean {
  const { keyword = "", group, vendor, tag } = given;
  const maker = vendorOf(row.model).name;
  const text = `${row.model} ${maker}`.toLowerCase();
  return (
    keyword
      .toLowerCase()
      .split(/\s+/)
      .every((word) => text.includes(word)) &&
    (!group || row.groups.includes(group)) &&
    (!vendor || vendor === maker) &&
    (!tag || tagsOf(row).includes(tag as never))
  );
}

/** What a column sorts by; what has no such price stands last. */
function valueOf(row: Row, column: string): string | number {
  if (column === "model") return row.model;
  if (column === "vendor") return vendorOf(row.model).name;
  if (column === "call") return row.per_call ? row.call_price : Infinity;
  if (!row.priced || row.per_call) return Infinity;
  return pricesOf(row)[column as (typeof PRICE_PARTS)[number]];
}

function useColumns(factor: number, perCall: boolean): Column<Row>[] {
  const { t } = useTranslation();
  const format = useFormat();
  return useMemo(() => {
    const usd = (value: number) => <span className="tf-num">{format.usd(value)}</span>;
    const none = <None />;
    const price = (name: (typeof PRICE_PARTS)[number]): Column<Row> => ({
      key: name,
      title: t(`pricing.${name}`),
      align: "right",
      sort: true,
      csv: (row) => (row.priced && !row.per_call ? pricesOf(row, factor)[name] : ""),
      render: (row) =>
        row.priced && !row.per_call ? (
          usd(pricesOf(row, factor)[name])
        ) : !row.priced && name === "input" ? (
          <span className="tf-faint">{t("model.unpriced")}</span>
        ) : (
          none
        ),
    });
    const call: Column<Row> = {
      key: "call",
      title: t("pricing.call"),
      align: "right",
      sort: true,
      csv: (row) => (row.per_call ? row.call_price * factor : ""),
      render: (row) => (row.per_call ? usd(row.call_price * factor) : none),
    };
    return [
      {
        key: "model",
        title: t("log.model"),
        main: true,
        sort: true,
        csv: (row) => row.model,
        render: (row) => (
          <span className="tf-row">
            <ModelName model={row.model} />
            <CopyButton text={row.model} what={t("model.name")} />
          </span>
        ),
      },
      {
        key: "vendor",
        title: t("pricing.vendor"),
        sort: true,
        extra: true,
        csv: (row) => vendorOf(row.model).name,
        render: (row) => <span className="tf-muted">{vendorOf(row.model).name || "–"}</span>,
      },
      ...PRICE_PARTS.map(price),
      ...(perCall ? [call] : []),
      {
        key: "groups",
        title: t("channel.groups"),
        csv: (row) => row.groups.join(" "),
        render: (row) => (
          <span className="tf-row tf-row-wrap">
            {row.groups.map((group) => (
              <PlainTag key={group}>{group}</PlainTag>
            ))}
          </span>
        ),
      },
    ];
  }, [t, format, factor, perCall]);
}

function useFilters(pricing: Pricing | undefined): Filter[] {
  const { t } = useTranslation();
  const format = useFormat();
  return useMemo(() => {
    const models = pricing?.models ?? [];
    const vendors = new Set(models.map(({ model }) => vendorOf(model).name).filter(Boolean));
    const tags = new Set(models.flatMap(tagsOf));
    return [
      {
        name: "group",
        label: t("token.group"),
        choices: Object.entries(pricing?.groups ?? {}).map(([value, { ratio }]) => ({
          value,
          label: `${value} · ${format.number(ratio, 3)}×`,
        })),
      },
      {
        name: "vendor",
        label: t("pricing.vendor"),
        choices: [...vendors].sort().map((value) => ({ value, label: value })),
      },
      {
        name: "tag",
        label: t("pricing.tag"),
        choices: TAGS.filter((tag) => tags.has(tag)).map((value) => ({
          value,
          label: t(`pricing.tag_${value}`),
        })),
      },
    ];
  }, [pricing, t, format]);
}

export default function PricingPage() {
  const { t } = useTranslation();
  const format = useFormat();
  const pricing = usePricing();
  const [params, setParams] = useSearchParams();
  const rows = useMemo(
    () => pricing.data?.models.map((model, i): Row => ({ ...model, id: i + 1 })),
    [pricing.data],
  );
  const list = useLocalList<Row>({
    rows,
    error: pricing.error,
    refresh: () => pricing.refetch(),
    filters: FILTERS,
    fits,
    value: valueOf,
  });
  const factor = pricing.data?.groups[list.filter("group")]?.ratio ?? 1;
  const columns = useColumns(factor, rows?.some((row) => row.per_call) ?? false);
  const filters = useFilters(pricing.data);
  const open = rows?.find((row) => row.model === params.get("model"));
  const show = (model?: string) =>
    setParams((before) => withParam(before, "model", model), { replace: true });
  return (
    <>
      <ListPage
        id="pricing"
        list={list}
        title={t("nav.pricing")}
        about={t("pricing.about", { factor: format.number(factor, 3) })}
        icon={CircleDollarSign}
        empty={{ title: t("home.no_models"), text: t("home.no_models_user") }}
        search={t("home.search_models")}
        filters={filters}
        columns={columns}
        nameOf={(row) => row.model}
        onOpen={(row) => show(row.model)}
      />
      {open && <PriceSheet model={open} groups={pricing.data!.groups} onClose={() => show()} />}
    </>
  );
}
