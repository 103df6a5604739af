// The upstreams: which models they serve, how well they do, and everything that can be done to them.
import { Button, Input } from "@douyinfe/semi-ui";
import { Cable, Copy, Gauge, KeyRound, Pencil, ScrollText, Tag, Trash2 } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "../../components/Sheet.tsx";
import { useNavigate, useSearchParams } from "react-router";
import { PlainTag } from "../../components/basics.tsx";
import { idColumn, moneyColumn, textColumn, timeColumn } from "../../components/table/cells.tsx";
import type { BulkAction, Column } from "../../components/table/DataTable.tsx";
import {
  ListPage,
  type RowAction,
  useRowWork,
  useUsualBulk,
} from "../../components/table/ListPage.tsx";
import { useList } from "../../components/table/useList.ts";
import { Segments } from "../../components/Tabs.tsx";
import { notify } from "../../helpers/notify.ts";
import type { Channel } from "../../models/api.ts";
import { CHANNEL_STATUS, listOf } from "../../models/channel.ts";
import { call } from "../../services/api.ts";
import { useGroupChoices } from "../../services/queries.ts";
import {
  InlineNumber,
  KeysCell,
  LatencyCell,
  ProviderCell,
  StatusCell,
  useTypes,
} from "./cells.tsx";
import { ChannelSheet } from "./ChannelSheet.tsx";
import { KeySheet } from "./KeySheet.tsx";
import { Tags, useTags } from "./Tags.tsx";
import { TestSheet } from "./TestSheet.tsx";
import "./channel.css";

const FILTERS = ["status", "type", "group", "model", "tag"];

function useColumns(): Column<Channel>[] {
  const { t } = useTranslation();
  return useMemo(() => {
    return [
      idColumn(),
      textColumn("name", t("channel.name"), {
        main: true,
        sort: true,
        render: (channel) => (
          <span className="tf-row tf-row-wrap">
            <span className="tf-strong tf-wrap">{channel.name}</span>
            {channel.tag && <PlainTag>{channel.tag}</PlainTag>}
          </span>
        ),
      }),
      {
        key: "status",
        title: t("channel.status"),
        main: true,
        sort: true,
        csv: (channel) => channel.status,
        render: (channel) => <StatusCell channel={channel} />,
      },
      {
        key: "type",
        title: t("channel.type"),
        sort: true,
        csv: (channel) => channel.type,
        render: (channel) => <ProviderCell type={channel.type} />,
      },
      textColumn("models", t("channel.models"), {
        csv: (channel) => listOf(channel.models).join(" "),
        render: (channel) => (
          <span data-tip={listOf(channel.models).slice(0, 40).join(", ")}>
            {t("token.model_count", { count: listOf(channel.models).length })}
          </span>
        ),
      }),
      textColumn("group", t("channel.groups"), {
        extra: true,
        render: (channel) => (
          <span className="tf-row tf-row-wrap">
            {listOf(channel.group).map((group) => (
              <PlainTag key={group}>{group}</PlainTag>
            ))}
          </span>
        ),
      }),
      {
        key: "response_time",
        title: t("channel.latency"),
        sort: true,
        csv: (channel) => (channel.test_time ? channel.response_time : ""),
        render: (channel) => <LatencyCell channel={channel} />,
      },
      ...(["priority", "weight"] as const).map((name): Column<Channel> => ({
        key: name,
        title: t(`channel.${name}`),
        align: "right",
        sort: true,
        csv: (channel) => channel[name],
        render: (channel) => (
          <InlineNumber channel={channel} name={name} label={t(`channel.${name}`)} />
        ),
      })),
      moneyColumn("used_quota", t("channel.used"), { sort: true }),
      {
        key: "key_count",
        title: t("channel.keys"),
        extra: true,
        csv: (channel) => channel.key_count,
        render: (channel) => <KeysCell channel={channel} />,
      },
      textColumn("base_url", t("channel.base_url"), {
        extra: true,
        render: (channel) =>
          channel.base_url ? (
            <code className="tf-wrap">{channel.base_url}</code>
          ) : (
            <span className="tf-faint">{t("channel.base_url_default")}</span>
          ),
      }),
      textColumn("remark", t("channel.remark"), { extra: true }),
      timeColumn("created_time", t("token.created"), { sort: true, extra: true }),
    ];
  }, [t]);
}

interface TagProps {
  channels: Channel[];
  onClose: () => void;
  onDone: () => Promise<unknown>;
}

function TagDialog({ channels, onClose, onDone }: TagProps) {
  const { t } = useTranslation();
  const [tag, setTag] = useState(channels[0]?.tag ?? "");
  const [busy, setBusy] = useState(false);
  const send = async () => {
    setBusy(true);
    try {
      for (const { id } of channels)
        await call("PUT /api/channel", { body: { id, tag: tag.trim() } });
      onClose();
    } catch (error) {
      notify.failed(error);
    } finally {
      setBusy(false);
      await onDone();
    }
  };
  return (
    <Dialog
      width={420}
      title={t("channel.set_tag")}
      onClose={onClose}
      footer={
        <div className="tf-row tf-end">
          <Button className="tf-outline" onClick={onClose}>
            {t("common.cancel")}
          </Button>
          <Button theme="solid" loading={busy} onClick={() => void send()}>
            {t("common.save")}
          </Button>
        </div>
      }
    >
      <div className="tf-stack tf-confirm">
        <p className="tf-muted">{t("channel.set_tag_text")}</p>
        <Input
          aria-label={t("channel.tag")}
          value={tag}
          maxLength={64}
          onChange={setTag}
          onEnterPress={() => void send()}
          autoFocus
        />
      </div>
    </Dialog>
  );
}

interface Open {
  kind: "new" | "edit" | "copy" | "test" | "keys";
  channel?: Channel;
}

function Channels({ extra }: { extra: ReactNode }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const groups = useGroupChoices();
  const types = useTypes();
  const tags = useTags();
  const [open, setOpen] = useState<Open>();
  const [tagging, setTagging] = useState<Channel[]>();
  const list = useList({
    operation: "GET /api/channel/search",
    search: "GET /api/channel/search",
    filters: FILTERS,
  });
  const { each, remove } = useRowWork(list);
  const columns = useColumns();

  const removeAll = (channels: Channel[]) =>
    remove(
      channels,
      {
        title: t("channel.delete_title"),
        body: t("channel.delete_body"),
        names: channels.map((channel) => channel.name),
        action: t("channel.delete_action"),
        done: t("channel.deleted"),
      },
      ({ id }) => call("DELETE /api/channel/{id}", { params: { id } }),
    );
  const test = async (channels: Channel[]) => {
    const failed: string[] = [];
    await each(channels, async ({ id, name }) => {
      const result = await call("POST /api/channel/test", { body: { id } }).catch(() => undefined);
      if (!result?.ok) failed.push(name);
    });
    if (failed.length) notify.info(t("channel.tests_failed", { names: failed.join(", ") }));
    else notify.done(t("channel.tests_passed"));
  };
  const [on, off, gone] = useUsualBulk<Channel>((channels, wished) => {
    const status = wished ? CHANNEL_STATUS.on : CHANNEL_STATUS.off;
    return each(channels, ({ id }) => call("PUT /api/channel", { body: { id, status } }));
  }, removeAll);
  const bulk: BulkAction<Channel>[] = [
    on,
    off,
    { key: "test", label: t("channel.test"), icon: Gauge, run: test },
    {
      key: "tag",
      label: t("channel.set_tag"),
      icon: Tag,
      run: (channels) => Promise.resolve(setTagging(channels)),
    },
    gone,
  ];
  const actions = (channel: Channel): RowAction[] => [
    {
      key: "test",
      button: true,
      label: t("channel.test_one", { name: channel.name }),
      icon: Gauge,
      run: () => setOpen({ kind: "test", channel }),
    },
    {
      key: "edit",
      button: true,
      label: t("token.edit", { name: channel.name }),
      icon: Pencil,
      run: () => setOpen({ kind: "edit", channel }),
    },
    {
      key: "copy",
      label: t("channel.copy"),
      icon: Copy,
      run: () => setOpen({ kind: "copy", channel }),
    },
    {
      key: "keys",
      label: t("channel.keys"),
      icon: KeyRound,
      run: () => setOpen({ kind: "keys", channel }),
    },
    {
      key: "logs",
      label: t("token.logs"),
      icon: ScrollText,
      run: () => navigate(`/log?channel_id=${channel.id}`),
    },
    {
      key: "delete",
      label: t("common.delete"),
      icon: Trash2,
      danger: true,
      run: () => removeAll([channel]),
    },
  ];
  return (
    <>
      <ListPage
        id="channel"
        list={list}
        title={t("nav.channel")}
        about={t("channel.about")}
        icon={Cable}
        empty={{ title: t("channel.empty"), text: t("channel.empty_text") }}
        extra={extra}
        create={{ label: t("channel.create"), run: () => setOpen({ kind: "new" }) }}
        search={t("channel.search")}
        filters={[
          {
            name: "status",
            label: t("channel.status"),
            choices: (["on", "off", "auto"] as const).map((name) => ({
              value: CHANNEL_STATUS[name],
              label: t(`channel.status_${name}`),
            })),
          },
          {
            name: "type",
            label: t("channel.type"),
            choices: (types.data ?? []).map((one) => ({ value: one.type, label: one.name })),
          },
          { name: "group", label: t("channel.groups"), choices: groups },
          {
            name: "tag",
            label: t("channel.tag"),
            choices: (tags.data ?? []).map(({ tag }) => ({ value: tag, label: tag })),
          },
          { name: "model", kind: "text", label: t("log.model") },
        ]}
        columns={columns}
        nameOf={(channel) => channel.name}
        actions={actions}
        bulk={bulk}
      />
      {open && open.kind !== "test" && open.kind !== "keys" && (
        <ChannelSheet
          key={`${open.kind} ${open.channel?.id ?? ""}`}
          channel={open.channel}
          copy={open.kind === "copy"}
          onClose={() => setOpen((now) => (now === open ? undefined : now))}
          onMade={(channel) => setOpen({ kind: "test", channel })}
        />
      )}
      {open?.kind === "test" && open.channel && (
        <TestSheet channel={open.channel} onClose={() => setOpen(undefined)} />
      )}
      {open?.kind === "keys" && open.channel && (
        <KeySheet channel={open.channel} onClose={() => setOpen(undefined)} />
      )}
      {tagging && (
        <TagDialog channels={tagging} onClose={() => setTagging(undefined)} onDone={list.refresh} />
      )}
    </>
  );
}

export default function ChannelPage() {
  const { t } = useTranslation();
  const [params, setParams] = useSearchParams();
  const view = params.get("view") === "tags" ? "tags" : "channels";
  const extra = (
    <Segments
      name={t("channel.view")}
      choices={[
        ["channels", t("channel.view_channels")],
        ["tags", t("channel.view_tags")],
      ]}
      value={view}
      onChange={(next) => setParams(next === "tags" ? { view: next } : {}, { replace: true })}
    />
  );
  return view === "tags" ? <Tags extra={extra} /> : <Channels extra={extra} />;
}
