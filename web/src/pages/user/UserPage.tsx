// Accounts, for those who manage them: what each may do, has, and has used.
import { Button, Dropdown } from "@douyinfe/semi-ui";
import {
  CircleSlash,
  Ellipsis,
  Pencil,
  Plus,
  Power,
  ScrollText,
  ShieldCheck,
  Trash2,
  UserRound,
  Wallet,
} from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { Empty, Money, PageHeader, PlainTag, StatusTag, When } from "../../components/basics.tsx";
import { useConfirm } from "../../components/Confirm.tsx";
import { type BulkAction, type Column, DataTable } from "../../components/table/DataTable.tsx";
import { Filters } from "../../components/table/Filters.tsx";
import { useList } from "../../components/table/useList.ts";
import { useUser } from "../../context/session.tsx";
import { notify } from "../../helpers/notify.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { User } from "../../models/api.ts";
import { ROLE, roleName } from "../../models/roles.ts";
import { call } from "../../services/api.ts";
import { useGroups } from "../../services/queries.ts";
import { QuotaSheet, UserSheet } from "./UserSheet.tsx";

const FILTERS = ["role", "status", "group"];
const ON = 1;
const OFF = 2;

function useColumns(): Column<User>[] {
  const { t } = useTranslation();
  const format = useFormat();
  return [
    {
      key: "id",
      title: "ID",
      sort: true,
      extra: true,
      csv: (user) => user.id,
      render: (user) => <code>{user.id}</code>,
    },
    {
      key: "username",
      title: t("auth.username"),
      main: true,
      csv: (user) => user.username,
      render: (user) => (
        <div>
          <div className="tf-strong tf-wrap">{user.username}</div>
          {user.display_name && user.display_name !== user.username && (
            <div className="tf-small tf-faint tf-wrap">{user.display_name}</div>
          )}
        </div>
      ),
    },
    {
      key: "status",
      title: t("token.status"),
      main: true,
      csv: (user) => user.status,
      render: (user) =>
        user.status === ON ? (
          <StatusTag tone="good">{t("user.status_on")}</StatusTag>
        ) : (
          <StatusTag tone="bad">{t("user.status_off")}</StatusTag>
        ),
    },
    {
      key: "role",
      title: t("setting.role"),
      csv: (user) => user.role,
      render: (user) => (
        <PlainTag
          tone={user.role >= ROLE.root ? "violet" : user.role >= ROLE.admin ? "info" : "quiet"}
        >
          {t(`role.${roleName(user.role)}`)}
        </PlainTag>
      ),
    },
    {
      key: "group",
      title: t("token.group"),
      csv: (user) => user.group,
      render: (user) => <PlainTag>{user.group}</PlainTag>,
    },
    {
      key: "quota",
      title: t("layout.balance"),
      align: "right",
      csv: (user) => user.quota,
      render: (user) => <Money quota={user.quota} />,
    },
    {
      key: "used_quota",
      title: t("setting.used"),
      align: "right",
      csv: (user) => user.used_quota,
      render: (user) => <Money quota={user.used_quota} />,
    },
    {
      key: "request_count",
      title: t("setting.requests"),
      align: "right",
      csv: (user) => user.request_count,
      render: (user) => <span className="tf-num">{format.number(user.request_count)}</span>,
    },
    {
      key: "remark",
      title: t("channel.remark"),
      extra: true,
      csv: (user) => user.remark ?? "",
      render: (user) => <span className="tf-wrap">{user.remark}</span>,
    },
    {
      key: "last_login_at",
      title: t("user.last_login"),
      csv: (user) => (user.last_login_at ? format.time(user.last_login_at) : ""),
      render: (user) => <When at={user.last_login_at} />,
    },
    {
      key: "created_at",
      title: t("token.created"),
      extra: true,
      csv: (user) => format.time(user.created_at),
      render: (user) => <When at={user.created_at} />,
    },
  ];
}

interface Open {
  kind: "new" | "edit" | "quota";
  user?: User;
}

export default function UserPage() {
  const { t } = useTranslation();
  const me = useUser();
  const navigate = useNavigate();
  const confirm = useConfirm();
  const groups = useGroups();
  const [open, setOpen] = useState<Open>();
  const list = useList({
    operation: "GET /api/users",
    search: "GET /api/users/search",
    filters: FILTERS,
  });
  const columns = useColumns();
  // nobody manages his equals
  const below = (user: User) => user.role < me.role;
  const mayPay = (user: User) => below(user) || (user.id === me.id && me.role >= ROLE.root);

  const manage = async (users: User[], action: string) => {
    try {
      for (const { id } of users.filter(below))
        await call("POST /api/user/manage", { body: { id, action } });
    } finally {
      await list.refresh();
    }
  };
  const act = (user: User, action: string) => manage([user], action).catch(notify.failed);
  const remove = async (users: User[]) => {
    const gone = users.filter(below);
    if (gone.length === 0) return notify.info(t("user.not_below"));
    const yes = await confirm({
      title: t("user.delete_title"),
      body: t("user.delete_body"),
      names: gone.map((user) => user.username),
      action: t("user.delete_action"),
      danger: true,
      ...(gone.length === 1 ? { typed: gone[0]!.username } : {}),
    });
    if (!yes) return;
    try {
      for (const { id } of gone) await call("DELETE /api/users/{id}", { params: { id } });
      notify.done(t("user.deleted"));
    } catch (error) {
      notify.failed(error);
    }
    await list.refresh();
  };
  const bulk: BulkAction<User>[] = [
    { key: "on", label: t("common.enable"), icon: Power, run: (all) => manage(all, "enable") },
    {
      key: "off",
      label: t("common.disable"),
      icon: CircleSlash,
      run: (all) => manage(all, "disable"),
    },
    { key: "delete", label: t("common.delete"), icon: Trash2, danger: true, run: remove },
  ];
  const create = (
    <Button theme="solid" icon={<Plus size={16} />} onClick={() => setOpen({ kind: "new" })}>
      {t("user.create")}
    </Button>
  );
  return (
    <>
      <PageHeader title={t("nav.user")} description={t("user.about")} actions={create} />
      <DataTable
        id="user"
        list={list}
        columns={columns}
        bulk={bulk}
        nameOf={(user) => user.username}
        empty={
          <Empty icon={UserRound} title={t("user.empty")} text={t("user.about")} action={create} />
        }
        toolbar={
          <Filters
            list={list}
            search={t("user.search")}
            filters={[
              {
                name: "role",
                label: t("setting.role"),
                choices: [ROLE.user, ROLE.admin, ROLE.root].map((value) => ({
                  value,
                  label: t(`role.${roleName(value)}`),
                })),
              },
              {
                name: "status",
                label: t("token.status"),
                choices: [
                  { value: ON, label: t("user.status_on") },
                  { value: OFF, label: t("user.status_off") },
                ],
              },
              {
                name: "group",
                label: t("token.group"),
                choices: Object.keys(groups.data ?? {}).map((value) => ({ value, label: value })),
              },
            ]}
          />
        }
        actions={(user) => (
          <>
            {mayPay(user) && (
              <button
                type="button"
                className="tf-icon-button"
                aria-label={t("user.adjust_of", { name: user.username })}
                onClick={() => setOpen({ kind: "quota", user })}
              >
                <Wallet size={15} />
              </button>
            )}
            {below(user) && (
              <button
                type="button"
                className="tf-icon-button"
                aria-label={t("token.edit", { name: user.username })}
                onClick={() => setOpen({ kind: "edit", user })}
              >
                <Pencil size={15} />
              </button>
            )}
            <Dropdown
              trigger="click"
              position="bottomRight"
              clickToHide
              render={
                <Dropdown.Menu>
                  <Dropdown.Item
                    icon={<ScrollText size={15} />}
                    onClick={() =>
                      void navigate(`/log?username=${encodeURIComponent(user.username)}`)
                    }
                  >
                    {t("token.logs")}
                  </Dropdown.Item>
                  {below(user) && (
                    <>
                      <Dropdown.Item
                        icon={user.status === ON ? <CircleSlash size={15} /> : <Power size={15} />}
                        onClick={() => void act(user, user.status === ON ? "disable" : "enable")}
                      >
                        {user.status === ON ? t("common.disable") : t("common.enable")}
                      </Dropdown.Item>
                      {me.role >= ROLE.root && (
                        <Dropdown.Item
                          icon={<ShieldCheck size={15} />}
                          onClick={() =>
                            void act(user, user.role >= ROLE.admin ? "demote" : "promote")
                          }
                        >
                          {user.role >= ROLE.admin ? t("user.demote") : t("user.promote")}
                        </Dropdown.Item>
                      )}
                      <Dropdown.Divider />
                      <Dropdown.Item
                        type="danger"
                        icon={<Trash2 size={15} />}
                        onClick={() => void remove([user])}
                      >
                        {t("common.delete")}
                      </Dropdown.Item>
                    </>
                  )}
                </Dropdown.Menu>
              }
            >
              <button
                type="button"
                className="tf-icon-button"
                aria-label={t("common.more_for", { name: user.username })}
              >
                <Ellipsis size={16} />
              </button>
            </Dropdown>
          </>
        )}
      />
      {open && open.kind !== "quota" && (
        <UserSheet user={open.user} onClose={() => setOpen(undefined)} />
      )}
      {open?.kind === "quota" && open.user && (
        <QuotaSheet user={open.user} onClose={() => setOpen(undefined)} />
      )}
    </>
  );
}
