// Making a channel, or changing one: from a provider's preset to keys, models and overrides.
import { Button } from "@douyinfe/semi-ui";
import { useQueryClient } from "@tanstack/react-query";
import { CloudDownload, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { NumberField, SelectField } from "../../components/form/choices.tsx";
import { SwitchField, TextAreaField, TextField } from "../../components/form/fields.tsx";
import { FormSheet } from "../../components/form/FormSheet.tsx";
import { LimitFields, limitRules, limitsOf } from "../../components/form/LimitFields.tsx";
import { MapField } from "../../components/form/MapField.tsx";
import { type Form, useForm } from "../../components/form/useForm.ts";
import { Logo, ModelLogo } from "../../components/Logo.tsx";
import type { Limits } from "../../helpers/limits.ts";
import { jsonObject } from "../../helpers/json.ts";
import { messageOf, notify } from "../../helpers/notify.ts";
import { lengthBetween, required, type Rule } from "../../helpers/rules.ts";
import type { Channel, ChannelType } from "../../models/api.ts";
import { listOf } from "../../models/channel.ts";
import { call } from "../../services/api.ts";
import { useGroupChoices } from "../../services/queries.ts";
import { useTypes } from "./cells.tsx";
import "./channel.css";

interface Values extends Limits {
  type: number;
  name: string;
  key: string;
  mode: string;
  base_url: string;
  models: string[];
  group: string[];
  priority: number;
  weight: number;
  auto_ban: boolean;
  tag: string;
  remark: string;
  model_mapping: string;
  header_override: string;
  param_override: string;
  system_prompt: string;
  test_model: string;
  proxy: string;
}

const valuesOf = (channel?: Channel): Values => ({
  type: channel?.type ?? 1,
  name: channel?.name ?? "",
  key: "",
  mode: "multi_to_single",
  base_url: channel?.base_url ?? "",
  models: listOf(channel?.models ?? ""),
  group: listOf(channel?.group ?? "default"),
  priority: channel?.priority ?? 0,
  weight: channel?.weight ?? 1,
  auto_ban: channel?.auto_ban ?? true,
  tag: channel?.tag ?? "",
  remark: channel?.remark ?? "",
  model_mapping: channel?.model_mapping ?? "",
  header_override: channel?.header_override ?? "",
  param_override: channel?.param_override ?? "",
  system_prompt: channel?.system_prompt ?? "",
  test_model: channel?.test_model ?? "",
  proxy: channel?.proxy ?? "",
  ...limitsOf(channel),
});

const some = (): Rule<string[]> => (value, t) => (value.length ? undefined : t("form.required"));
/** A list that one would take as a whole. */
const TAKEN_MOST = 50;

const lines = (text: string) => text.split("\n").filter((line) => line.trim()).length;

/** What the upstream says it has, to be taken over by a click. */
function Fetched({ form, id }: { form: Form<Values>; id: number | undefined }) {
  const { t } = useTranslation();
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<string[]>();
  const [failure, setFailure] = useState<string>();
  const { type, base_url, key, proxy, models } = form.values;
  const more = (found ?? []).filter((model) => !models.includes(model));
  const ask = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      const body = { ...(id ? { id } : {}), type, base_url: base_url.trim(), key, proxy };
      const names = await call("POST /api/channel/fetch/models", { body });
      setFound(names);
      if (models.length === 0 && names.length <= TAKEN_MOST) form.set("models", names);
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="tf-fetched">
      <div className="tf-row tf-row-wrap">
        <Button
          className="tf-outline"
          icon={<CloudDownload size={15} />}
          loading={busy}
          disabled={!id && !key.trim()}
          onClick={() => void ask()}
        >
          {t("channel.fetch")}
        </Button>
        {more.length > 0 && (
          <Button
            theme="borderless"
            icon={<Plus size={14} />}
            onClick={() => form.set("models", [...models, ...more])}
          >
            {t("channel.fetch_all", { count: more.length })}
          </Button>
        )}
      </div>
      {failure && (
        <div className="tf-note tf-note-error" role="alert">
          {failure}
        </div>
      )}
      {found && (
        <div className="tf-note" role="status">
          {t("channel.fetched", { count: found.length, more: more.length })}
        </div>
      )}
      {more.length > 0 && (
        <div className="tf-fetched-models">
          {more.map((model) => (
            <button
              key={model}
              type="button"
              className="tf-chip"
              onClick={() => form.set("models", [...models, model])}
            >
              + {model}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

interface Props {
  channel?: Channel | undefined;
  /** Another one like it is to be made; its keys cannot be read. */
  copy?: boolean;
  onClose: () => void;
  onMade: (channel: Channel) => void;
}

export function ChannelSheet({ channel, copy = false, onClose, onMade }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const types = useTypes();
  const id = copy ? undefined : channel?.id;
  const initial = useMemo(() => {
    const values = valuesOf(channel);
    return copy ? { ...values, name: t("channel.copy_name", { name: values.name }) } : values;
  }, [channel, copy, t]);
  const preset = (type: number): ChannelType | undefined =>
    types.data?.find((one) => one.type === type);
  const form = useForm<Values>({
    initial,
    rules: {
      name: [required(), lengthBetween(1, 128)],
      key: id ? [] : [required()],
      base_url: [
        (value, tr, all) =>
          !value.trim() && preset((all as Values).type)?.needs_base_url
            ? tr("form.required")
            : value.trim() && !/^https?:\/\/\S+$/.test(value.trim())
              ? tr("form.url")
              : undefined,
      ],
      models: [some()],
      group: [some()],
      model_mapping: [jsonObject()],
      header_override: [jsonObject()],
      param_override: [jsonObject()],
      ...limitRules,
    },
    send: async ({ mode, key, ...values }) => {
      const row = {
        ...values,
        name: values.name.trim(),
        base_url: values.base_url.trim(),
        models: values.models.join(","),
        group: values.group.join(","),
        ...(key.trim() ? { key } : {}),
      };
      if (id) {
        await call("PUT /api/channel", { body: { id, ...row } });
        notify.done(t("common.saved"));
      } else {
        const several = lines(key) > 1;
        const made = await call("POST /api/channel", {
          body: { mode: several ? mode : "single", channel: row },
        });
        if (!Array.isArray(made)) onMade(made);
      }
      await client.invalidateQueries({ queryKey: ["list"] });
      await client.invalidateQueries({ queryKey: ["pricing"] });
      onClose();
    },
  });
  const chosen = preset(form.values.type);
  const known = [...new Set([...listOf(chosen?.models ?? ""), ...form.values.models])];
  const choose = (type: number) => {
    const before = listOf(preset(form.values.type)?.models ?? "").join();
    const untouched = !form.values.models.length || form.values.models.join() === before;
    form.set("type", type);
    if (untouched) form.set("models", listOf(preset(type)?.models ?? ""));
  };
  const groups = useGroupChoices(form.values.group);
  return (
    <FormSheet
      form={form}
      title={copy ? t("channel.copy_title") : id ? t("channel.edit_title") : t("channel.create")}
      saveLabel={id ? t("common.save") : t("channel.create")}
      width={620}
      onClose={onClose}
    >
      <SelectField
        form={{ ...form, set: (_, value) => choose(value as number) }}
        name="type"
        label={t("channel.type")}
        loading={types.isPending}
        choices={(types.data ?? []).map(({ type, name, logo }) => ({
          value: type,
          label: name,
          sign: <Logo logo={logo} name={name} />,
        }))}
      />
      <TextField
        form={form}
        name="name"
        label={t("channel.name")}
        placeholder={chosen?.name ?? ""}
        autoFocus
      />
      <TextField
        form={form}
        name="base_url"
        label={t("channel.base_url")}
        help={chosen?.needs_base_url ? t("channel.base_url_needed") : t("channel.base_url_help")}
        placeholder={chosen?.base_url || "https://"}
        mono
        optional={!chosen?.needs_base_url}
      />
      <TextAreaField
        form={form}
        name="key"
        label={t("channel.key")}
        help={
          id
            ? t("channel.key_keep", { count: channel?.key_count ?? 1 })
            : t(chosen?.name === "AWS" ? "channel.key_aws" : "channel.key_help")
        }
        rows={3}
        mono
      />
      {!id && lines(form.values.key) > 1 && (
        <SelectField
          form={form}
          name="mode"
          label={t("channel.mode")}
          choices={[
            { value: "multi_to_single", label: t("channel.mode_one") },
            { value: "batch", label: t("channel.mode_batch") },
          ]}
        />
      )}
      <SelectField
        form={form}
        name="models"
        label={t("channel.models")}
        help={t("channel.models_help")}
        choices={known.map((value) => ({
          value,
          label: value,
          sign: <ModelLogo model={value} />,
        }))}
        multiple
        free
      />
      <Fetched form={form} id={id} />
      <SelectField
        form={form}
        name="group"
        label={t("channel.groups")}
        help={t("channel.groups_help")}
        choices={groups}
        multiple
        free
      />
      <div className="tf-form-two">
        <NumberField
          form={form}
          name="priority"
          label={t("channel.priority")}
          help={t("channel.priority_help")}
        />
        <NumberField
          form={form}
          name="weight"
          label={t("channel.weight")}
          help={t("channel.weight_help")}
          min={0}
        />
      </div>
      <SwitchField
        form={form}
        name="auto_ban"
        label={t("channel.auto_ban")}
        help={t("channel.auto_ban_help")}
      />
      <LimitFields form={form} help={t("channel.limits_help")} />
      <section className="tf-form tf-form-section">
        <h3>{t("channel.advanced")}</h3>
        <MapField
          form={form}
          name="model_mapping"
          label={t("channel.mapping")}
          help={t("channel.mapping_help")}
          nameLabel={t("channel.mapping_from")}
          valueLabel={t("channel.mapping_to")}
        />
        <MapField
          form={form}
          name="header_override"
          label={t("channel.headers")}
          help={t("channel.headers_help")}
          nameLabel={t("channel.header_name")}
          valueLabel={t("channel.header_value")}
        />
        <TextAreaField
          form={form}
          name="param_override"
          label={t("channel.params")}
          help={t("channel.params_help")}
          placeholder={'{"temperature": 0}'}
          mono
          optional
        />
        <TextAreaField
          form={form}
          name="system_prompt"
          label={t("channel.system_prompt")}
          help={t("channel.system_prompt_help")}
          optional
        />
        <SelectField
          form={form}
          name="test_model"
          label={t("channel.test_model")}
          placeholder={t("channel.test_model_first")}
          choices={[
            { value: "", label: t("channel.test_model_first") },
            ...form.values.models.map((value) => ({ value, label: value })),
          ]}
        />
        <TextField
          form={form}
          name="proxy"
          label={t("channel.proxy")}
          placeholder="socks5://127.0.0.1:1080"
          mono
          optional
        />
        <div className="tf-form-two">
          <TextField form={form} name="tag" label={t("channel.tag")} optional />
          <TextField form={form} name="remark" label={t("channel.remark")} optional />
        </div>
      </section>
    </FormSheet>
  );
}
