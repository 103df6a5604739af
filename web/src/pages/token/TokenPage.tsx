// One's own keys: what each may do, what it has used, and everything that can be done to it.
import { Button, Dropdown, Tooltip } from "@douyinfe/semi-ui";
import {
  CircleSlash,
  Ellipsis,
  KeyRound,
  Pencil,
  Plus,
  Power,
  ScrollText,
  Trash2,
} from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { Empty, Money, PageHeader, PlainTag, When } from "../../components/basics.tsx";
import { useConfirm } from "../../components/Confirm.tsx";
import { type BulkAction, type Column, DataTable } from "../../components/table/DataTable.tsx";
import { Filters } from "../../components/table/Filters.tsx";
import { useList } from "../../components/table/useList.ts";
import { notify } from "../../helpers/notify.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Token } from "../../models/api.ts";
import { TOKEN_STATUS } from "../../models/token.ts";
import { call } from "../../services/api.ts";
import { useGroups } from "../../services/queries.ts";
import { KeyCell, StatusCell, UsedCell } from "./cells.tsx";
import { KeyMade } from "./KeyMade.tsx";
import { TokenSheet } from "./TokenSheet.tsx";

const FILTERS = ["status", "group"];

function useColumns(): Column<Token>[] {
  const { t } = useTranslation();
  const format = useFormat();
  const models = (token: Token) =>
    token.model_limits_enabled ? token.model_limits.split(",").filter(Boolean) : [];
  return [
    {
      key: "name",
      title: t("token.name"),
      main: true,
      sort: true,
      csv: (token) => token.name,
      render: (token) => <span className="tf-strong tf-wrap">{token.name}</span>,
    },
    {
      key: "status",
      title: t("token.status"),
      main: true,
      sort: true,
      csv: (token) => token.status,
      render: (token) => <StatusCell token={token} />,
    },
    {
      key: "key",
      title: t("token.key"),
      csv: (token) => token.key,
      render: (token) => <KeyCell token={token} />,
    },
    {
      key: "used_quota",
      title: t("token.used"),
      sort: true,
      width: 160,
      csv: (token) => token.used_quota,
      render: (token) => <UsedCell token={token} />,
    },
    {
      key: "remain_quota",
      title: t("token.remaining"),
      align: "right",
      sort: true,
      extra: true,
      csv: (token) => (token.unlimited_quota ? "" : token.remain_quota),
      render: (token) =>
        token.unlimited_quota ? (
          <span className="tf-faint">{t("token.unlimited")}</span>
        ) : (
          <Money quota={token.remain_quota} />
        ),
    },
    {
      key: "group",
      title: t("token.group"),
      extra: true,
      csv: (token) => token.group,
      render: (token) =>
        token.group ? (
          <PlainTag>{token.group}</PlainTag>
        ) : (
          <span className="tf-faint">{t("token.group_own")}</span>
        ),
    },
    {
      key: "model_limits",
      title: t("token.models"),
      csv: (token) => models(token).join(" "),
      render: (token) =>
        token.model_limits_enabled ? (
          <Tooltip content={models(token).join(", ")}>
            <span>{t("token.model_count", { count: models(token).length })}</span>
          </Tooltip>
        ) : (
          <span className="tf-faint">{t("token.all_models")}</span>
        ),
    },
    {
      key: "allow_ips",
      title: t("token.addresses"),
      extra: true,
      csv: (token) => token.allow_ips.replaceAll("\n", " "),
      render: (token) =>
        token.allow_ips ? (
          <span className="tf-mono tf-small">{token.allow_ips.split("\n").join(", ")}</span>
        ) : (
          <span className="tf-faint">{t("token.any_address")}</span>
        ),
    },
    {
      key: "accessed_time",
      title: t("token.last_used"),
      sort: true,
      csv: (token) => (token.accessed_time ? format.time(token.accessed_time) : ""),
      render: (token) => <When at={token.accessed_time} />,
    },
    {
      key: "expired_time",
      title: t("token.expires"),
      sort: true,
      csv: (token) => (token.expired_time > 0 ? format.time(token.expired_time) : ""),
      render: (token) =>
        token.expired_time > 0 ? (
          <When at={token.expired_time} />
        ) : (
          <span className="tf-faint">{t("token.never_expires")}</span>
        ),
    },
    {
      key: "created_time",
      title: t("token.created"),
      sort: true,
      extra: true,
      csv: (token) => format.time(token.created_time),
      render: (token) => <When at={token.created_time} />,
    },
  ];
}

export default function TokenPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const groups = useGroups();
  const [params, setParams] = useSearchParams();
  const [editing, setEditing] = useState<Token>();
  const [made, setMade] = useState<Token>();
  const list = useList({
    operation: "GET /api/token",
    search: "GET /api/token/search",
    filters: FILTERS,
  });
  const columns = useColumns();
  const creating = params.get("new") === "1";

  const setCreating = (on: boolean) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (on) after.set("new", "1");
        else after.delete("new");
        return after;
      },
      { replace: true },
    );

  const remove = async (tokens: Token[]) => {
    const yes = await confirm({
      title: t("token.delete_title", { count: tokens.length }),
      body: t("token.delete_body"),
      names: tokens.map((token) => token.name),
      action: t("token.delete_action", { count: tokens.length }),
      danger: true,
    });
    if (!yes) return;
    try {
      for (const { id } of tokens) await call("DELETE /api/token/{id}", { params: { id } });
      notify.done(t("token.deleted", { count: tokens.length }));
    } catch (error) {
      notify.failed(error);
    }
    await list.refresh();
  };

  const setStatus = async (tokens: Token[], status: number) => {
    try {
      for (const { id } of tokens) await call("PUT /api/token", { body: { id, status } });
    } finally {
      await list.refresh();
    }
  };

  const bulk: BulkAction<Token>[] = [
    {
      key: "on",
      label: t("common.enable"),
      icon: Power,
      run: (tokens) => setStatus(tokens, TOKEN_STATUS.on),
    },
    {
      key: "off",
      label: t("common.disable"),
      icon: CircleSlash,
      run: (tokens) => setStatus(tokens, TOKEN_STATUS.off),
    },
    { key: "delete", label: t("common.delete"), icon: Trash2, danger: true, run: remove },
  ];

  const create = (
    <Button theme="solid" icon={<Plus size={16} />} onClick={() => setCreating(true)}>
      {t("token.create")}
    </Button>
  );

  return (
    <>
      <PageHeader title={t("nav.token")} description={t("token.about")} actions={create} />
      <DataTable
        id="token"
        list={list}
        columns={columns}
        bulk={bulk}
        nameOf={(token) => token.name}
        empty={
          <Empty
            icon={KeyRound}
            title={t("token.empty")}
            text={t("token.empty_text")}
            action={create}
          />
        }
        toolbar={
          <Filters
            list={list}
            search={t("token.search")}
            filters={[
              {
                name: "status",
                label: t("token.status"),
                choices: [
                  { value: TOKEN_STATUS.on, label: t("token.status_on") },
                  { value: TOKEN_STATUS.off, label: t("token.status_off") },
                ],
              },
              {
                name: "group",
                label: t("token.group"),
                choices: Object.keys(groups.data ?? {}).map((name) => ({
                  value: name,
                  label: name,
                })),
              },
            ]}
          />
        }
        actions={(token) => (
          <>
            <button
              type="button"
              className="tf-icon-button"
              aria-label={t("token.edit", { name: token.name })}
              onClick={() => setEditing(token)}
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
                    icon={<ScrollText size={15} />}
                    onClick={() => void navigate(`/log?token_id=${token.id}`)}
                  >
                    {t("token.logs")}
                  </Dropdown.Item>
                  <Dropdown.Divider />
                  <Dropdown.Item
                    type="danger"
                    icon={<Trash2 size={15} />}
                    onClick={() => void remove([token])}
                  >
                    {t("common.delete")}
                  </Dropdown.Item>
                </Dropdown.Menu>
              }
            >
              <button
                type="button"
                className="tf-icon-button"
                aria-label={t("common.more_for", { name: token.name })}
              >
                <Ellipsis size={16} />
              </button>
            </Dropdown>
          </>
        )}
      />
      {(creating || editing) && (
        <TokenSheet
          key={editing?.id ?? "new"}
          {...(editing ? { token: editing } : {})}
          onClose={() => {
            setEditing(undefined);
            setCreating(false);
          }}
          onMade={setMade}
        />
      )}
      {made && <KeyMade token={made} onClose={() => setMade(undefined)} />}
    </>
  );
}
