// What root can change while the program runs, by subject.
import { Button } from "@douyinfe/semi-ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import { Bars, Failure, PageHeader } from "../../components/basics.tsx";
import { NumberField } from "../../components/form/choices.tsx";
import { FormBox, SwitchField, TextAreaField, TextField } from "../../components/form/fields.tsx";
import { LimitField, LimitMapField } from "../../components/form/LimitMapField.tsx";
import { MapField } from "../../components/form/MapField.tsx";
import { type Form, useForm } from "../../components/form/useForm.ts";
import { panelOf, TabList } from "../../components/Tabs.tsx";
import { quotaToUsd, usdToQuota } from "../../helpers/format.ts";
import { jsonObject } from "../../helpers/json.ts";
import { limitsFit } from "../../helpers/limits.ts";
import { notify } from "../../helpers/notify.ts";
import type { Rule } from "../../helpers/rules.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Option } from "../../models/api.ts";
import { call } from "../../services/api.ts";
import { ApiError } from "../../services/http.ts";
import { type Known, OPTIONS, type Tab, TABS } from "./options.ts";
import { PriceTable } from "./PriceTable.tsx";
import "./operation.css";

type Value = string | number | boolean;
type Values = Record<string, Value>;

const editorOf = (known: Known) => ("editor" in known ? known.editor : undefined);

function valueOf(option: Option, known: Known, text = option.value): Value {
  if (option.type === "bool") return text === "true";
  if (editorOf(known) === "usd") return quotaToUsd(Number(text));
  return option.type === "int" ? Number(text) : text;
}

function textOf(option: Option, known: Known, value: Value): string {
  if (editorOf(known) === "usd") return String(usdToQuota(Number(value)));
  if (option.type === "json" && value === "") return "{}";
  return String(value);
}

interface FieldProps {
  form: Form<Values>;
  option: Option;
  known: Known;
}

function Field({ form, option, known }: FieldProps) {
  const { t } = useTranslation();
  const format = useFormat();
  const editor = editorOf(known);
  const standard =
    option.type === "int"
      ? t("option.default", {
          value:
            editor === "usd"
              ? format.quota(Number(option.default))
              : format.number(Number(option.default)),
        })
      : "";
  const shared = {
    form,
    name: option.key,
    label: t(`option.${known.name}`),
    help: [t(`option.${known.name}_help`), standard].filter(Boolean).join(" "),
  };
  if (option.type === "bool") return <SwitchField {...shared} />;
  if (option.type === "int")
    return (
      <NumberField
        {...shared}
        min={0}
        {...(editor === "usd" ? { prefix: "$", precision: 6 } : { precision: 0 })}
      />
    );
  if (editor === "numbers" || editor === "texts")
    return (
      <MapField
        {...shared}
        nameLabel={t("token.group")}
        valueLabel={editor === "numbers" ? t("option.factor") : t("option.description")}
        numbers={editor === "numbers"}
      />
    );
  if (editor === "limit_rows")
    return (
      <LimitMapField
        {...shared}
        nameLabel={known.name === "user_limits" ? t("token.group") : t("log.model")}
      />
    );
  if (editor === "limits") return <LimitField {...shared} />;
  if (editor === "request_limits") return <LimitField {...shared} names={["rpm", "rpd"]} />;
  if (editor === "json") return <TextAreaField {...shared} mono rows={5} />;
  if (editor === "lines") return <TextAreaField {...shared} rows={4} />;
  return <TextField {...shared} mono={"mono" in known} />;
}

const numeric = (): Rule<Value> => (value, t) =>
  Number.isFinite(value) ? undefined : t("form.required");

function Group({ tab, options }: { tab: Tab; options: Option[] }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const rows = OPTIONS.filter((known) => known.tab === tab)
    .map((known) => ({ known, option: options.find((one) => one.key === known.key) }))
    .filter((row): row is { known: Known; option: Option } => row.option !== undefined);
  const initial: Values = Object.fromEntries(
    rows.map(({ known, option }) => [option.key, valueOf(option, known)]),
  );
  const rules: Record<string, Rule<Value>[]> = {};
  for (const { option, known } of rows) {
    const limits = editorOf(known)?.includes("limit");
    if (option.type === "json")
      rules[option.key] = [
        jsonObject() as Rule<Value>,
        ...(limits ? [limitsFit(editorOf(known) === "limit_rows") as Rule<Value>] : []),
      ];
    if (option.type === "int") rules[option.key] = [numeric()];
  }
  const form = useForm<Values>({
    initial,
    rules,
    send: async (values) => {
      for (const { known, option } of rows) {
        if (values[option.key] === initial[option.key]) continue;
        const value = textOf(option, known, values[option.key]!);
        try {
          await call("PUT /api/option", { body: { key: option.key, value } });
        } catch (error) {
          // whatever was wrong with it, it was about this one
          throw error instanceof ApiError && error.status === 400
            ? new ApiError(400, error.code, error.message, option.key)
            : error;
        }
      }
      notify.done(t("common.saved"));
      await client.invalidateQueries({ queryKey: ["options"] });
      await client.invalidateQueries({ queryKey: ["status"] });
      await client.invalidateQueries({ queryKey: ["pricing"] });
      await client.invalidateQueries({ queryKey: ["groups"] });
    },
  });
  return (
    <FormBox form={form}>
      {rows.map(({ known, option }) => (
        <Field key={option.key} form={form} option={option} known={known} />
      ))}
      <div className="tf-row tf-end">
        {form.dirty && (
          <Button className="tf-outline" onClick={() => form.reset(initial)}>
            {t("form.discard")}
          </Button>
        )}
        <Button htmlType="submit" theme="solid" disabled={!form.dirty} loading={form.busy}>
          {t("common.save")}
        </Button>
      </div>
    </FormBox>
  );
}

const isTab = (text: string | null): text is Tab => TABS.includes(text as Tab);

export default function OperationPage() {
  const { t } = useTranslation();
  const [params, setParams] = useSearchParams();
  const wished = params.get("tab");
  const tab: Tab = isTab(wished) ? wished : "prices";
  const options = useQuery({ queryKey: ["options"], queryFn: () => call("GET /api/option") });
  return (
    <>
      <PageHeader title={t("nav.operation")} description={t("option.about")} />
      <div className="tf-operation">
        <TabList
          id="options"
          className="tf-operation-tabs"
          name={t("nav.operation")}
          tabs={TABS.map((one) => [one, t(`option.tab_${one}`)] as const)}
          value={tab}
          onChange={(one) => setParams(one === "prices" ? {} : { tab: one }, { replace: true })}
        />
        <section {...panelOf("options", tab)} className={`tf-card tf-options tf-options-${tab}`}>
          <h2>{t(`option.tab_${tab}`)}</h2>
          {options.error ? (
            <Failure error={options.error} retry={() => void options.refetch()} />
          ) : !options.data ? (
            <Bars lines={8} />
          ) : (
            <>
              {tab === "prices" && <PriceTable options={options.data} />}
              <Group key={tab} tab={tab} options={options.data} />
            </>
          )}
        </section>
      </div>
    </>
  );
}
