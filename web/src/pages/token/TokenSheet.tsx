// Making a key, or changing what it may do.
import { DatePicker } from "@douyinfe/semi-ui";
import { useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { type Choice, NumberField, SelectField } from "../../components/form/choices.tsx";
import { SwitchField, TextAreaField, TextField } from "../../components/form/fields.tsx";
import { FormSheet } from "../../components/form/FormSheet.tsx";
import { LimitFields, limitRules, limitsOf } from "../../components/form/LimitFields.tsx";
import { type Form, useForm } from "../../components/form/useForm.ts";
import { ModelLogo } from "../../components/Logo.tsx";
import type { Limits } from "../../helpers/limits.ts";
import { quotaToUsd, usdToQuota } from "../../helpers/format.ts";
import { notify } from "../../helpers/notify.ts";
import { addressBlocks, atLeast, lengthBetween, required } from "../../helpers/rules.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Token, TokenInput } from "../../models/api.ts";
import { NEVER } from "../../models/token.ts";
import { call } from "../../services/api.ts";
import { useGroups, usePricing } from "../../services/queries.ts";

interface Values extends Limits {
  name: string;
  unlimited_quota: boolean;
  /** In USD here; quota where it is sent. */
  remain_quota: number | undefined;
  /** Unix seconds, or never. */
  expired_time: number;
  group: string;
  model_limits: string[];
  allow_ips: string;
}

const valuesOf = (token?: Token): Values => ({
  name: token?.name ?? "",
  unlimited_quota: token?.unlimited_quota ?? true,
  remain_quota: token ? quotaToUsd(token.remain_quota) : 10,
  expired_time: token?.expired_time ?? NEVER,
  group: token?.group ?? "",
  model_limits: token?.model_limits_enabled ? token.model_limits.split(",").filter(Boolean) : [],
  allow_ips: token?.allow_ips ?? "",
  ...limitsOf(token),
});

/** Without what was not touched: what was spent meanwhile must stay spent. */
function bodyOf(values: Values, before: Values): TokenInput {
  const quota = values.unlimited_quota ? undefined : usdToQuota(values.remain_quota ?? 0);
  const touched = values.remain_quota !== before.remain_quota || before.unlimited_quota;
  return {
    name: values.name.trim(),
    unlimited_quota: values.unlimited_quota,
    ...(quota !== undefined && touched ? { remain_quota: quota } : {}),
    expired_time: values.expired_time,
    group: values.group,
    model_limits_enabled: values.model_limits.length > 0,
    model_limits: values.model_limits.join(","),
    allow_ips: values.allow_ips
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean)
      .join("\n"),
    ...limitsOf(values),
  };
}

const HOUR = 3600;
const TERMS = [
  ["term_hour", HOUR],
  ["term_day", 24 * HOUR],
  ["term_month", 30 * 24 * HOUR],
  ["term_year", 365 * 24 * HOUR],
] as const;

function Expiry({ form }: { form: Form<Values> }) {
  const { t } = useTranslation();
  const at = form.values.expired_time;
  const set = (seconds: number) => form.set("expired_time", seconds);
  const now = () => Math.floor(Date.now() / 1000);
  return (
    <div className="tf-field">
      <span className="tf-label">{t("token.expires")}</span>
      <DatePicker
        type="dateTime"
        className="tf-full"
        aria-label={t("token.expires")}
        placeholder={t("token.never_expires")}
        {...(at > 0 ? { value: new Date(at * 1000) } : { value: "" })}
        onChange={(date) => set(date instanceof Date ? Math.floor(date.getTime() / 1000) : NEVER)}
      />
      <div className="tf-expiry">
        <button
          type="button"
          className="tf-chip"
          aria-pressed={at === NEVER}
          onClick={() => set(NEVER)}
        >
          {t("token.never_expires")}
        </button>
        {TERMS.map(([name, seconds]) => (
          <button key={name} type="button" className="tf-chip" onClick={() => set(now() + seconds)}>
            {t(`token.${name}`)}
          </button>
        ))}
      </div>
      {form.errors.expired_time && (
        <div className="tf-note tf-note-error" role="alert">
          {form.errors.expired_time}
        </div>
      )}
    </div>
  );
}

interface Props {
  token?: Token;
  onClose: () => void;
  onMade: (token: Token) => void;
}

export function TokenSheet({ token, onClose, onMade }: Props) {
  const { t } = useTranslation();
  const format = useFormat();
  const client = useQueryClient();
  const groups = useGroups();
  const pricing = usePricing();
  const initial = useMemo(() => valuesOf(token), [token]);
  const form = useForm<Values>({
    initial,
    rules: {
      name: [required(), lengthBetween(1, 50)],
      remain_quota: [
        (value, tr, all) =>
          (all as Values).unlimited_quota ? undefined : atLeast(0)(value, tr, all),
      ],
      allow_ips: [addressBlocks()],
      ...limitRules,
    },
    send: async (values) => {
      const body = bodyOf(values, initial);
      if (token) {
        await call("PUT /api/token", { body: { id: token.id, ...body } });
        notify.done(t("common.saved"));
      } else {
        onMade(await call("POST /api/token", { body }));
      }
      await client.invalidateQueries({ queryKey: ["list"] });
      onClose();
    },
  });
  const groupChoices: Choice[] = [
    { value: "", label: t("token.group_own") },
    ...Object.entries(groups.data ?? {}).map(([name, { desc, ratio }]) => ({
      value: name,
      label: `${name}${desc && desc !== name ? ` · ${desc}` : ""} · ${format.number(ratio, 3)}×`,
    })),
  ];
  const modelChoices = (pricing.data?.models ?? []).map(({ model }) => ({
    value: model,
    label: model,
    sign: <ModelLogo model={model} />,
  }));
  return (
    <FormSheet
      form={form}
      title={token ? t("token.edit_title") : t("token.create")}
      saveLabel={token ? t("common.save") : t("token.create")}
      onClose={onClose}
    >
      <TextField
        form={form}
        name="name"
        label={t("token.name")}
        help={t("token.name_help")}
        placeholder={t("token.name_example")}
        autoFocus
      />
      <SwitchField
        form={form}
        name="unlimited_quota"
        label={t("token.unlimited_label")}
        help={t("token.unlimited_help")}
      />
      {!form.values.unlimited_quota && (
        <NumberField
          form={form}
          name="remain_quota"
          label={t("token.limit")}
          help={t("token.limit_help")}
          prefix="$"
          min={0}
          step={1}
          precision={6}
        />
      )}
      <Expiry form={form} />
      <SelectField
        form={form}
        name="group"
        label={t("token.group")}
        help={t("token.group_help")}
        choices={groupChoices}
        loading={groups.isPending}
      />
      <SelectField
        form={form}
        name="model_limits"
        label={t("token.models")}
        help={t("token.models_help")}
        placeholder={t("token.all_models")}
        choices={modelChoices}
        loading={pricing.isPending}
        multiple
        free
        optional
      />
      <TextAreaField
        form={form}
        name="allow_ips"
        label={t("token.addresses")}
        help={t("token.addresses_help")}
        placeholder={"203.0.113.7\n10.0.0.0/8"}
        mono
        optional
      />
      <LimitFields form={form} help={t("token.limits_help")} />
    </FormSheet>
  );
}
