// Channels by their tags: each tag is one row, and is switched and changed as a whole.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Pencil, Tag } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { StatusTag } from "../../components/basics.tsx";
import { SelectField } from "../../components/form/choices.tsx";
import { TextField } from "../../components/form/fields.tsx";
import { FormSheet } from "../../components/form/FormSheet.tsx";
import { MapField } from "../../components/form/MapField.tsx";
import { useForm } from "../../components/form/useForm.ts";
import { ModelLogo } from "../../components/Logo.tsx";
import { moneyColumn, StatusSwitch, textColumn } from "../../components/table/cells.tsx";
import type { Column } from "../../components/table/DataTable.tsx";
import { ListPage } from "../../components/table/ListPage.tsx";
import { useLocalList } from "../../components/table/useList.ts";
import { jsonObject } from "../../helpers/json.ts";
import { notify } from "../../helpers/notify.ts";
import { lengthBetween, required, type Rule } from "../../helpers/rules.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { ChannelTag } from "../../models/api.ts";
import { call } from "../../services/api.ts";
import { useGroupChoices, usePricing } from "../../services/queries.ts";

export const useTags = () =>
  useQuery({ queryKey: ["list", "tags"], queryFn: () => call("GET /api/channel/tags") });

type Row = ChannelTag & { id: number };

function StatusCell({ row }: { row: Row }) {
  const { t } = useTranslation();
  const { tag, on, off, auto_off } = row;
  return (
    <StatusSwitch
      on={on > 0}
      label={t("channel.switch", { name: tag })}
      set={(wished) =>
        wished
          ? call("POST /api/channel/tag/enabled", { body: { tag } })
          : call("POST /api/channel/tag/disabled", { body: { tag } })
      }
    >
      {() => (
        <span className="tf-row tf-row-wrap tf-small">
          {on > 0 && <StatusTag tone="good">{t("channel.count_on", { value: on })}</StatusTag>}
          {off > 0 && <StatusTag tone="quiet">{t("channel.count_off", { value: off })}</StatusTag>}
          {auto_off > 0 && (
            <StatusTag tone="bad">{t("channel.count_auto", { value: auto_off })}</StatusTag>
          )}
        </span>
      )}
    </StatusSwitch>
  );
}

function useColumns(): Column<Row>[] {
  const { t } = useTranslation();
  const format = useFormat();
  return useMemo(() => {
    const number = (key: "channels" | "models", title: string): Column<Row> => ({
      key,
      title,
      align: "right",
      sort: true,
      csv: (row) => row[key],
      render: (row) => <span className="tf-num">{format.number(row[key])}</span>,
    });
    const range = (key: "priority" | "weight"): Column<Row> => {
      const text = (row: Row) => {
        const [min, max] = [row[`${key}_min`], row[`${key}_max`]];
        return min === max ? format.number(min) : `${format.number(min)} – ${format.number(max)}`;
      };
      return {
        key,
        title: t(`channel.${key}`),
        align: "right",
        csv: text,
        render: (row) => <span className="tf-num">{text(row)}</span>,
      };
    };
    return [
      textColumn("tag", t("channel.tag"), {
        main: true,
        sort: true,
        render: (row) => (
          <Link to={`/channel?tag=${encodeURIComponent(row.tag)}`} className="tf-strong tf-wrap">
            {row.tag}
          </Link>
        ),
      }),
      {
        key: "on",
        title: t("channel.status"),
        main: true,
        sort: true,
        csv: (row) => row.on,
        render: (row) => <StatusCell row={row} />,
      },
      number("channels", t("channel.view_channels")),
      number("models", t("channel.models")),
      range("priority"),
      range("weight"),
      moneyColumn("used_quota", t("channel.used"), { sort: true }),
    ];
  }, [t, format]);
}

interface Values {
  new_tag: string;
  priority: string;
  weight: string;
  models: string[];
  group: string[];
  model_mapping: string;
}

/** A whole number, or nothing at all. */
const whole = (): Rule<string> => (value, t) =>
  /^-?\d{0,7}$/.test(value.trim()) ? undefined : t("form.invalid");

function TagSheet({ tag, onClose }: { tag: string; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const pricing = usePricing();
  const none = { priority: "", weight: "", models: [], group: [], model_mapping: "" };
  const initial = useMemo<Values>(() => ({ new_tag: tag, ...none }), [tag]); // eslint-disable-line
  const form = useForm<Values>({
    initial,
    rules: {
      new_tag: [required(), lengthBetween(1, 64)],
      priority: [whole()],
      weight: [whole()],
      model_mapping: [jsonObject()],
    },
    send: async ({ new_tag, priority, weight, models, group, model_mapping }) => {
      const { channels } = await call("PUT /api/channel/tag", {
        body: {
          tag,
          new_tag: new_tag.trim(),
          ...(priority.trim() ? { priority: Number(priority) } : {}),
          ...(weight.trim() ? { weight: Number(weight) } : {}),
          ...(models.length ? { models: models.join(",") } : {}),
          ...(group.length ? { group: group.join(",") } : {}),
          ...(model_mapping.trim() ? { model_mapping } : {}),
        },
      });
      notify.done(t("channel.tag_changed", { count: channels }));
      await client.invalidateQueries({ queryKey: ["list"] });
      await client.invalidateQueries({ queryKey: ["pricing"] });
      onClose();
    },
  });
  const groups = useGroupChoices(form.values.group);
  const known = [...new Set([...(pricing.data?.models ?? []).map((one) => one.model)])];
  const same = t("channel.tag_same");
  return (
    <FormSheet form={form} title={t("channel.tag_edit", { name: tag })} onClose={onClose}>
      <p className="tf-muted">{t("channel.tag_edit_text")}</p>
      <TextField form={form} name="new_tag" label={t("channel.tag")} autoFocus />
      <div className="tf-form-two">
        <TextField
          form={form}
          name="priority"
          label={t("channel.priority")}
          placeholder={same}
          optional
        />
        <TextField
          form={form}
          name="weight"
          label={t("channel.weight")}
          placeholder={same}
          optional
        />
      </div>
      <SelectField
        form={form}
        name="models"
        label={t("channel.models")}
        placeholder={same}
        choices={known.map((value) => ({
          value,
          label: value,
          sign: <ModelLogo model={value} />,
        }))}
        multiple
        free
        optional
      />
      <SelectField
        form={form}
        name="group"
        label={t("channel.groups")}
        placeholder={same}
        choices={groups}
        multiple
        free
        optional
      />
      <MapField
        form={form}
        name="model_mapping"
        label={t("channel.mapping")}
        help={same}
        nameLabel={t("channel.mapping_from")}
        valueLabel={t("channel.mapping_to")}
      />
    </FormSheet>
  );
}

export function Tags({ extra }: { extra: ReactNode }) {
  const { t } = useTranslation();
  const tags = useTags();
  const [editing, setEditing] = useState<string>();
  const rows = useMemo(() => tags.data?.map((tag, i): Row => ({ ...tag, id: i + 1 })), [tags.data]);
  const list = useLocalList<Row>({
    rows,
    error: tags.error,
    refresh: () => tags.refetch(),
    filters: ["keyword"],
    fits: (row, { keyword = "" }) => row.tag.toLowerCase().includes(keyword.toLowerCase()),
    value: (row, column) => row[column as keyof Row],
  });
  const columns = useColumns();
  return (
    <>
      <ListPage
        id="channel-tag"
        list={list}
        title={t("nav.channel")}
        about={t("channel.tags_about")}
        icon={Tag}
        empty={{ title: t("channel.tags_empty"), text: t("channel.tags_empty_text") }}
        extra={extra}
        search={t("channel.tags_search")}
        filters={[]}
        columns={columns}
        nameOf={(row) => row.tag}
        actions={(row) => [
          {
            key: "edit",
            button: true,
            label: t("token.edit", { name: row.tag }),
            icon: Pencil,
            run: () => setEditing(row.tag),
          },
        ]}
      />
      {editing !== undefined && <TagSheet tag={editing} onClose={() => setEditing(undefined)} />}
    </>
  );
}
