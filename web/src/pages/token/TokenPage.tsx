// One's own keys: what each may do, what it has used, and everything that can be done to it.
import { KeyRound, Pencil, ScrollText, Trash2 } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { Money, PlainTag } from "../../components/basics.tsx";
import { moneyColumn, textColumn, timeColumn } from "../../components/table/cells.tsx";
import type { Column } from "../../components/table/DataTable.tsx";
import {
  ListPage,
  type RowAction,
  useRowWork,
  useUsualBulk,
} from "../../components/table/ListPage.tsx";
import { useList } from "../../components/table/useList.ts";
import { withParam } from "../../helpers/params.ts";
import type { Token } from "../../models/api.ts";
import { TOKEN_STATUS } from "../../models/token.ts";
import { call } from "../../services/api.ts";
import { useGroupChoices } from "../../services/queries.ts";
import { KeyCell, StatusCell, UsedCell } from "./cells.tsx";
import { KeyMade } from "./KeyMade.tsx";
import { TokenSheet } from "./TokenSheet.tsx";

const FILTERS = ["status", "group"];

const modelsOf = (token: Token) =>
  token.model_limits_enabled ? token.model_limits.split(",").filter(Boolean) : [];

function useColumns(): Column<Token>[] {
  const { t } = useTranslation();
  return useMemo(() => {
    const faint = (text: string) => <span className="tf-faint">{text}</span>;
    return [
      textColumn("name", t("token.name"), {
        main: true,
        sort: true,
        render: (token) => <span className="tf-strong tf-wrap">{token.name}</span>,
      }),
      {
        key: "status",
        title: t("token.status"),
        main: true,
        sort: true,
        csv: (token) => token.status,
        render: (token) => <StatusCell token={token} />,
      },
      textColumn("key", t("token.key"), { render: (token) => <KeyCell token={token} /> }),
      moneyColumn("used_quota", t("token.used"), {
        align: undefined,
        sort: true,
        width: 160,
        render: (token) => <UsedCell token={token} />,
      }),
      moneyColumn("remain_quota", t("token.remaining"), {
        sort: true,
        extra: true,
        csv: (token) => (token.unlimited_quota ? "" : token.remain_quota),
        render: (token) =>
          token.unlimited_quota ? (
            faint(t("token.unlimited"))
          ) : (
            <Money quota={token.remain_quota} />
          ),
      }),
      textColumn("group", t("token.group"), {
        extra: true,
        render: (token) =>
          token.group ? <PlainTag>{token.group}</PlainTag> : faint(t("token.group_own")),
      }),
      textColumn("model_limits", t("token.models"), {
        csv: (token) => modelsOf(token).join(" "),
        render: (token) =>
          token.model_limits_enabled ? (
            <span data-tip={modelsOf(token).slice(0, 40).join(", ")}>
              {t("token.model_count", { count: modelsOf(token).length })}
            </span>
          ) : (
            faint(t("token.all_models"))
          ),
      }),
      textColumn("allow_ips", t("token.addresses"), {
        extra: true,
        csv: (token) => token.allow_ips.replaceAll("\n", " "),
        render: (token) =>
          token.allow_ips ? (
            <span className="tf-mono tf-small">{token.allow_ips.split("\n").join(", ")}</span>
          ) : (
            faint(t("token.any_address"))
          ),
      }),
      timeColumn("accessed_time", t("token.last_used"), { sort: true }),
      timeColumn("expired_time", t("token.expires"), {
        sort: true,
        none: t("token.never_expires"),
      }),
      timeColumn("created_time", t("token.created"), { sort: true, extra: true }),
    ];
  }, [t]);
}

export default function TokenPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const groups = useGroupChoices();
  const [params, setParams] = useSearchParams();
  const [editing, setEditing] = useState<Token>();
  const [made, setMade] = useState<Token>();
  const list = useList({
    operation: "GET /api/token",
    search: "GET /api/token/search",
    filters: FILTERS,
  });
  const { each, remove } = useRowWork(list);
  const columns = useColumns();
  const creating = params.get("new") === "1";

  const setCreating = (on: boolean) =>
    setParams((before) => withParam(before, "new", on ? "1" : undefined), { replace: true });
  const removeAll = (tokens: Token[]) =>
    remove(
      tokens,
      {
        title: t("token.delete_title", { count: tokens.length }),
        body: t("token.delete_body"),
        names: tokens.map((token) => token.name),
        action: t("token.delete_action", { count: tokens.length }),
        done: t("token.deleted", { count: tokens.length }),
      },
      ({ id }) => call("DELETE /api/token/{id}", { params: { id } }),
    );
  const bulk = useUsualBulk<Token>((tokens, on) => {
    const status = on ? TOKEN_STATUS.on : TOKEN_STATUS.off;
    return each(tokens, ({ id }) => call("PUT /api/token", { body: { id, status } }));
  }, removeAll);
  const actions = (token: Token): RowAction[] => [
    {
      key: "edit",
      button: true,
      label: t("token.edit", { name: token.name }),
      icon: Pencil,
      run: () => setEditing(token),
    },
    {
      key: "logs",
      label: t("token.logs"),
      icon: ScrollText,
      run: () => navigate(`/log?token_id=${token.id}`),
    },
    {
      key: "delete",
      label: t("common.delete"),
      icon: Trash2,
      danger: true,
      run: () => removeAll([token]),
    },
  ];

  return (
    <>
      <ListPage
        id="token"
        list={list}
        title={t("nav.token")}
        about={t("token.about")}
        icon={KeyRound}
        empty={{ title: t("token.empty"), text: t("token.empty_text") }}
        create={{ label: t("token.create"), run: () => setCreating(true) }}
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
          { name: "group", label: t("token.group"), choices: groups },
        ]}
        columns={columns}
        nameOf={(token) => token.name}
        actions={actions}
        bulk={bulk}
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
