// The upstreams: which models they serve, how well they do, and everything that can be done to them.
import { Button, Dropdown, Input, Modal, Tooltip } from "@douyinfe/semi-ui";
import {
  Cable,
  CircleSlash,
  Copy,
  Ellipsis,
  Gauge,
  Pencil,
  Plus,
  Power,
  ScrollText,
  Tag,
  Trash2,
} from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { Empty, Money, PageHeader, PlainTag, When } from "../../components/basics.tsx";
import { useConfirm } from "../../components/Confirm.tsx";
import { type BulkAction, type Column, DataTable } from "../../components/table/DataTable.tsx";
import { Filters } from "../../components/table/Filters.tsx";
import { useList } from "../../components/table/useList.ts";
import { notify } from "../../helpers/notify.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Channel } from "../../models/api.ts";
import { CHANNEL_STATUS, listOf } from "../../models/channel.ts";
import { call } from "../../services/api.ts";
import { useGroups } from "../../services/queries.ts";
import {
  InlineNumber,
  KeysCell,
  LatencyCell,
  ProviderCell,
  StatusCell,
  useTypes,
} from "./cells.tsx";
import { ChannelSheet } from "./ChannelSheet.tsx";
import { TestSheet } from "./TestSheet.tsx";
import "./channel.css";

const FILTERS = ["status", "type", "group", "model", "tag"];

function useColumns(): Column<Channel>[] {
  const { t } = useTranslation();
  const format = useFormat();
  return [
    {
      key: "id",
      title: "ID",
      sort: true,
      extra: true,
      csv: (channel) => channel.id,
      render: (channel) => <code>{channel.id}</code>,
    },
    {
      key: "name",
      title: t("channel.name"),
      main: true,
      sort: true,
      csv: (channel) => channel.name,
      render: (channel) => (
        <span className="tf-row tf-row-wrap">
          <span className="tf-strong tf-wrap">{channel.name}</span>
          {channel.tag && <PlainTag>{channel.tag}</PlainTag>}
        </span>
      ),
    },
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
    {
      key: "models",
      title: t("channel.models"),
      csv: (channel) => listOf(channel.models).join(" "),
      render: (channel) => (
        <Tooltip content={listOf(channel.models).slice(0, 40).join(", ")}>
          <span>{t("token.model_count", { count: listOf(channel.models).length })}</span>
        </Tooltip>
      ),
    },
    {
      key: "group",
      title: t("channel.groups"),
      extra: true,
      csv: (channel) => channel.group,
      render: (channel) => (
        <span className="tf-row tf-row-wrap">
          {listOf(channel.group).map((group) => (
            <PlainTag key={group}>{group}</PlainTag>
          ))}
        </span>
      ),
    },
    {
      key: "response_time",
      title: t("channel.latency"),
      sort: true,
      csv: (channel) => (channel.test_time ? channel.response_time : ""),
      render: (channel) => <LatencyCell channel={channel} />,
    },
    {
      key: "priority",
      title: t("channel.priority"),
      align: "right",
      sort: true,
      csv: (channel) => channel.priority,
      render: (channel) => (
        <InlineNumber channel={channel} name="priority" label={t("channel.priority")} />
      ),
    },
    {
      key: "weight",
      title: t("channel.weight"),
      align: "right",
      sort: true,
      csv: (channel) => channel.weight,
      render: (channel) => (
        <InlineNumber channel={channel} name="weight" label={t("channel.weight")} />
      ),
    },
    {
      key: "used_quota",
      title: t("channel.used"),
      align: "right",
      sort: true,
      csv: (channel) => channel.used_quota,
      render: (channel) => <Money quota={channel.used_quota} />,
    },
    {
      key: "key_count",
      title: t("channel.keys"),
      extra: true,
      csv: (channel) => channel.key_count,
      render: (channel) => <KeysCell channel={channel} />,
    },
    {
      key: "base_url",
      title: t("channel.base_url"),
      extra: true,
      csv: (channel) => channel.base_url,
      render: (channel) =>
        channel.base_url ? (
          <code className="tf-wrap">{channel.base_url}</code>
        ) : (
          <span className="tf-faint">{t("channel.base_url_default")}</span>
        ),
    },
    {
      key: "remark",
      title: t("channel.remark"),
      extra: true,
      csv: (channel) => channel.remark,
      render: (channel) => <span className="tf-wrap">{channel.remark}</span>,
    },
    {
      key: "created_time",
      title: t("token.created"),
      sort: true,
      extra: true,
      csv: (channel) => format.time(channel.created_time),
      render: (channel) => <When at={channel.created_time} />,
    },
  ];
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
    <Modal
      visible
      centered
      width={420}
      title={t("channel.set_tag")}
      onCancel={onClose}
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
    </Modal>
  );
}

interface Open {
  kind: "new" | "edit" | "copy" | "test";
  channel?: Channel;
}

export default function ChannelPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const groups = useGroups();
  const types = useTypes();
  const [open, setOpen] = useState<Open>();
  const [tagging, setTagging] = useState<Channel[]>();
  const list = useList({
    operation: "GET /api/channel/search",
    search: "GET /api/channel/search",
    filters: FILTERS,
  });
  const columns = useColumns();

  const remove = async (channels: Channel[]) => {
    const yes = await confirm({
      title: t("channel.delete_title"),
      body: t("channel.delete_body"),
      names: channels.map((channel) => channel.name),
      action: t("channel.delete_action"),
      danger: true,
    });
    if (!yes) return;
    try {
      for (const { id } of channels) await call("DELETE /api/channel/{id}", { params: { id } });
      notify.done(t("channel.deleted"));
    } catch (error) {
      notify.failed(error);
    }
    await list.refresh();
  };
  const setStatus = async (channels: Channel[], status: number) => {
    try {
      for (const { id } of channels) await call("PUT /api/channel", { body: { id, status } });
    } finally {
      await list.refresh();
    }
  };
  const test = async (channels: Channel[]) => {
    const failed: string[] = [];
    for (const { id, name } of channels) {
      const result = await call("POST /api/channel/test", { body: { id } }).catch(() => undefined);
      if (!result?.ok) failed.push(name);
    }
    if (failed.length) notify.info(t("channel.tests_failed", { names: failed.join(", ") }));
    else notify.done(t("channel.tests_passed"));
    await list.refresh();
  };
  const bulk: BulkAction<Channel>[] = [
    {
      key: "on",
      label: t("common.enable"),
      icon: Power,
      run: (all) => setStatus(all, CHANNEL_STATUS.on),
    },
    {
      key: "off",
      label: t("common.disable"),
      icon: CircleSlash,
      run: (all) => setStatus(all, CHANNEL_STATUS.off),
    },
    { key: "test", label: t("channel.test"), icon: Gauge, run: test },
    {
      key: "tag",
      label: t("channel.set_tag"),
      icon: Tag,
      run: (all) => Promise.resolve(setTagging(all)),
    },
    { key: "delete", label: t("common.delete"), icon: Trash2, danger: true, run: remove },
  ];
  const create = (
    <Button theme="solid" icon={<Plus size={16} />} onClick={() => setOpen({ kind: "new" })}>
      {t("channel.create")}
    </Button>
  );
  return (
    <>
      <PageHeader title={t("nav.channel")} description={t("channel.about")} actions={create} />
      <DataTable
        id="channel"
        list={list}
        columns={columns}
        bulk={bulk}
        nameOf={(channel) => channel.name}
        empty={
          <Empty
            icon={Cable}
            title={t("channel.empty")}
            text={t("channel.empty_text")}
            action={create}
          />
        }
        toolbar={
          <Filters
            list={list}
            search={t("channel.search")}
            filters={[
              {
                name: "status",
                label: t("channel.status"),
                choices: [
                  { value: CHANNEL_STATUS.on, label: t("channel.status_on") },
                  { value: CHANNEL_STATUS.off, label: t("channel.status_off") },
                  { value: CHANNEL_STATUS.auto, label: t("channel.status_auto") },
                ],
              },
              {
                name: "type",
                label: t("channel.type"),
                choices: (types.data ?? []).map((one) => ({ value: one.type, label: one.name })),
              },
              {
                name: "group",
                label: t("channel.groups"),
                choices: Object.keys(groups.data ?? {}).map((value) => ({ value, label: value })),
              },
              { name: "model", kind: "text", label: t("log.model") },
            ]}
          />
        }
        actions={(channel) => (
          <>
            <Tooltip content={t("channel.test")}>
              <button
                type="button"
                className="tf-icon-button"
                aria-label={t("channel.test_one", { name: channel.name })}
                onClick={() => setOpen({ kind: "test", channel })}
              >
                <Gauge size={15} />
              </button>
            </Tooltip>
            <button
              type="button"
              className="tf-icon-button"
              aria-label={t("token.edit", { name: channel.name })}
              onClick={() => setOpen({ kind: "edit", channel })}
            >
              <Pencil size={15} />
            </button>
            <Dropdown
              trigger="click"
              position="bottomRight"
              clickToHide
              render={
                <Dropdown.Menu>
                  <Dropdown.Item
                    icon={<Copy size={15} />}
                    onClick={() => setOpen({ kind: "copy", channel })}
                  >
                    {t("channel.copy")}
                  </Dropdown.Item>
                  <Dropdown.Item
                    icon={<ScrollText size={15} />}
                    onClick={() => void navigate(`/log?channel_id=${channel.id}`)}
                  >
                    {t("token.logs")}
                  </Dropdown.Item>
                  <Dropdown.Divider />
                  <Dropdown.Item
                    type="danger"
                    icon={<Trash2 size={15} />}
                    onClick={() => void remove([channel])}
                  >
                    {t("common.delete")}
                  </Dropdown.Item>
                </Dropdown.Menu>
              }
            >
              <button
                type="button"
                className="tf-icon-button"
                aria-label={t("common.more_for", { name: channel.name })}
              >
                <Ellipsis size={16} />
              </button>
            </Dropdown>
          </>
        )}
      />
      {open && open.kind !== "test" && (
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
      {tagging && (
        <TagDialog channels={tagging} onClose={() => setTagging(undefined)} onDone={list.refresh} />
      )}
    </>
  );
}
