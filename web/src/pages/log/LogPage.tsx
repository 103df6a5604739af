// What was asked and what it cost: one's own rows, for administrators everybody's.
import { ScrollText } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import type { Filter } from "../../components/table/Filters.tsx";
import { ListPage } from "../../components/table/ListPage.tsx";
import { useList } from "../../components/table/useList.ts";
import { Segments } from "../../components/Tabs.tsx";
import { useSession } from "../../context/session.tsx";
import { timeZone } from "../../helpers/format.ts";
import { withParam } from "../../helpers/params.ts";
import { LOG_TYPE } from "../../models/log.ts";
import { LogDrawer } from "./LogDrawer.tsx";
import { useLogColumns } from "./columns.tsx";

const OWN = [
  "type",
  "model_name",
  "token_name",
  "token_id",
  "request_id",
  "start_timestamp",
  "end_timestamp",
];
const ALL = [...OWN, "username", "user_id", "channel_id"];

function useFilters(everybody: boolean): Filter[] {
  const { t } = useTranslation();
  const types = Object.entries(LOG_TYPE).map(([name, value]) => ({
    value,
    label: t(`log.type_${name as keyof typeof LOG_TYPE}`),
  }));
  return [
    { kind: "period", from: "start_timestamp", to: "end_timestamp", label: t("log.period") },
    { name: "type", label: t("log.type"), choices: types },
    { name: "model_name", label: t("log.model"), kind: "text" },
    { name: "token_name", label: t("log.token"), kind: "text" },
    ...(everybody
      ? ([
          { name: "username", label: t("log.user"), kind: "text" },
          { name: "channel_id", label: t("log.channel_id"), kind: "number" },
        ] satisfies Filter[])
      : []),
    { name: "request_id", label: t("log.request_id"), kind: "text" },
  ];
}

export default function LogPage() {
  const { t } = useTranslation();
  const { isAdmin } = useSession();
  const [params, setParams] = useSearchParams();
  const own = !isAdmin || params.get("scope") === "own";
  const list = useList({
    operation: own ? "GET /api/log/self" : "GET /api/logs",
    filters: own ? OWN : ALL,
    paging: "cursor",
    ...(own ? {} : { search: "GET /api/log/search" as const }),
  });
  const columns = useLogColumns(!own);
  const filters = useFilters(!own);
  const set = (name: string, value?: string) =>
    setParams((before) => withParam(before, name, value), { replace: true });
  const id = Number(params.get("id")) || undefined;

  return (
    <>
      <ListPage
        id={own ? "log" : "log-all"}
        list={list}
        title={t("nav.log")}
        about={t("log.about", { zone: timeZone() })}
        icon={ScrollText}
        empty={{ title: t("log.empty"), text: t("log.empty_text") }}
        extra={
          isAdmin && (
            <Segments
              name={t("log.scope")}
              choices={[
                ["all", t("log.everybody")],
                ["own", t("log.mine")],
              ]}
              value={own ? "own" : "all"}
              onChange={(next) => set("scope", next === "own" ? next : undefined)}
            />
          )
        }
        {...(own ? {} : { search: t("log.search") })}
        filters={filters}
        columns={columns}
        nameOf={(row) => row.request_id || String(row.id)}
        onOpen={(row) => set("id", String(row.id))}
      />
      {id !== undefined && (
        <LogDrawer
          id={id}
          rows={list.rows}
          everybody={!own}
          onMove={(next) => set("id", String(next))}
          onClose={() => set("id")}
        />
      )}
    </>
  );
}
