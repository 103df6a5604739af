// Accounts, for those who manage them: what each may do, has, and has used.
import {
  CircleSlash,
  Pencil,
  Power,
  ScrollText,
  ShieldCheck,
  Trash2,
  UserRound,
  Wallet,
} from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { PlainTag, StatusTag } from "../../components/basics.tsx";
import { idColumn, moneyColumn, textColumn, timeColumn } from "../../components/table/cells.tsx";
import type { Column } from "../../components/table/DataTable.tsx";
import {
  ListPage,
  type RowAction,
  useRowWork,
  useUsualBulk,
} from "../../components/table/ListPage.tsx";
import { useList } from "../../components/table/useList.ts";
import { useUser } from "../../context/session.tsx";
import { notify } from "../../helpers/notify.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { User } from "../../models/api.ts";
import { ROLE, roleName } from "../../models/roles.ts";
import { call } from "../../services/api.ts";
import { useGroupChoices } from "../../services/queries.ts";
import { QuotaSheet, UserSheet } from "./UserSheet.tsx";

const FILTERS = ["role", "status", "group"];
const ON = 1;
const OFF = 2;

function useColumns(): Column<User>[] {
  const { t } = useTranslation();
  const format = useFormat();
  return useMemo(() => {
    return [
      idColumn(),
      textColumn("username", t("auth.username"), {
        main: true,
        render: (user) => (
          <div>
            <div className="tf-strong tf-wrap">{user.username}</div>
            {user.display_name && user.display_name !== user.username && (
              <div className="tf-small tf-faint tf-wrap">{user.display_name}</div>
            )}
          </div>
        ),
      }),
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
      textColumn("group", t("token.group"), {
        render: (user) => <PlainTag>{user.group}</PlainTag>,
      }),
      moneyColumn("quota", t("layout.balance")),
      moneyColumn("used_quota", t("setting.used")),
      {
        key: "request_count",
        title: t("setting.requests"),
        align: "right",
        csv: (user) => user.request_count,
        render: (user) => <span className="tf-num">{format.number(user.request_count)}</span>,
      },
      textColumn("remark", t("channel.remark"), { extra: true }),
      timeColumn("last_login_at", t("user.last_login")),
      timeColumn("created_at", t("token.created"), { extra: true }),
    ];
  }, [t, format]);
}

interface Open {
  kind: "new" | "edit" | "quota";
  user?: User;
}

export default function UserPage() {
  const { t } = useTranslation();
  const me = useUser();
  const navigate = useNavigate();
  const groups = useGroupChoices();
  const [open, setOpen] = useState<Open>();
  const list = useList({
    operation: "GET /api/users",
    search: "GET /api/users/search",
    filters: FILTERS,
  });
  const { each, remove } = useRowWork(list);
  const columns = useColumns();
  // nobody manages his equals
  const below = (user: User) => user.role < me.role;
  const mayPay = (user: User) => below(user) || (user.id === me.id && me.role >= ROLE.root);

  const manage = (users: User[], action: string) =>
    each(users.filter(below), ({ id }) => call("POST /api/user/manage", { body: { id, action } }));
  const act = (user: User, action: string) => manage([user], action).catch(notify.failed);
  const removeAll = async (users: User[]) => {
    const gone = users.filter(below);
    if (gone.length === 0) return notify.info(t("user.not_below"));
    return remove(
      gone,
      {
        title: t("user.delete_title"),
        body: t("user.delete_body"),
        names: gone.map((user) => user.username),
        action: t("user.delete_action"),
        done: t("user.deleted"),
        ...(gone.length === 1 ? { typed: gone[0]!.username } : {}),
      },
      ({ id }) => call("DELETE /api/users/{id}", { params: { id } }),
    );
  };
  const bulk = useUsualBulk<User>(
    (users, on) => manage(users, on ? "enable" : "disable"),
    removeAll,
  );
  const onMenu = (user: User): RowAction[] => {
    const [power, powerName, PowerIcon] =
      user.status === ON
        ? ["disable", t("common.disable"), CircleSlash]
        : ["enable", t("common.enable"), Power];
    const [rank, rankName] =
      user.role >= ROLE.admin ? ["demote", t("user.demote")] : ["promote", t("user.promote")];
    return [
      { key: power, label: powerName, icon: PowerIcon, run: () => act(user, power) },
      ...(me.role >= ROLE.root
        ? [{ key: rank, label: rankName, icon: ShieldCheck, run: () => act(user, rank) }]
        : []),
      {
        key: "delete",
        label: t("common.delete"),
        icon: Trash2,
        danger: true,
        run: () => removeAll([user]),
      },
    ];
  };
  const actions = (user: User): RowAction[] => {
    const name = user.username;
    const quota: RowAction = {
      key: "quota",
      button: true,
      label: t("user.adjust_of", { name }),
      icon: Wallet,
      run: () => setOpen({ kind: "quota", user }),
    };
    const edit: RowAction = {
      key: "edit",
      button: true,
      label: t("token.edit", { name }),
      icon: Pencil,
      run: () => setOpen({ kind: "edit", user }),
    };
    const logs: RowAction = {
      key: "logs",
      label: t("token.logs"),
      icon: ScrollText,
      run: () => navigate(`/log?username=${encodeURIComponent(name)}`),
    };
    return [
      ...(mayPay(user) ? [quota] : []),
      ...(below(user) ? [edit] : []),
      logs,
      ...(below(user) ? onMenu(user) : []),
    ];
  };
  return (
    <>
      <ListPage
        id="user"
        list={list}
        title={t("nav.user")}
        about={t("user.about")}
        icon={UserRound}
        empty={{ title: t("user.empty"), text: t("user.about") }}
        create={{ label: t("user.create"), run: () => setOpen({ kind: "new" }) }}
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
          { name: "group", label: t("token.group"), choices: groups },
        ]}
        columns={columns}
        nameOf={(user) => user.username}
        actions={actions}
        bulk={bulk}
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
