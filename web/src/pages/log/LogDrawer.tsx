// One row of the log in full: how the amount came about, the channels that were tried, how long it took.
import { useQuery } from "@tanstack/react-query";
import { ChevronDown, ChevronUp } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Bars, CopyButton, Facts, Failure, Money } from "../../components/basics.tsx";
import { JsonView } from "../../components/JsonView.tsx";
import { Sheet } from "../../components/Sheet.tsx";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Log } from "../../models/api.ts";
import { type LogOther, readOther } from "../../models/log.ts";
import { call } from "../../services/api.ts";
import { Bill } from "./Bill.tsx";
import { TypeTag } from "./columns.tsx";

interface Props {
  id: number;
  /** Those of the table, for going up and down. */
  rows: Log[];
  everybody: boolean;
  onMove: (id: number) => void;
  onClose: () => void;
}

const ENDINGS = ["done", "cut", "error", "timeout", "client_gone", "shutdown", "quota"] as const;
const SOURCES = ["upstream", "counted", "mixed"] as const;

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="tf-part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** Waiting for the first byte, then receiving: to scale. */
function Timing({ row }: { row: Log }) {
  const { t } = useTranslation();
  const format = useFormat();
  const first = row.first_token_ms || row.use_time_ms;
  const rest = Math.max(0, row.use_time_ms - first);
  const speed = rest > 0 ? row.completion_tokens / (rest / 1000) : 0;
  return (
    <>
      <div className="tf-timing" aria-hidden>
        <span style={{ flexGrow: first }} />
        <span style={{ flexGrow: rest }} />
      </div>
      <Facts
        rows={[
          [t("log.first_byte"), format.duration(first)],
          [t("log.receiving"), format.duration(rest)],
          [t("log.duration"), format.duration(row.use_time_ms)],
          ...(row.is_stream && speed > 0
            ? ([
                [t("log.speed"), t("log.tokens_per_second", { value: format.number(speed, 1) })],
              ] as [ReactNode, ReactNode][])
            : []),
        ]}
      />
    </>
  );
}

function Route({ row, other }: { row: Log; other: LogOther }) {
  const { t } = useTranslation();
  const tried = other.admin_info?.use_channel ?? [];
  const ending = ENDINGS.find((one) => one === other.stream_end);
  const source = SOURCES.find((one) => one === other.usage_source);
  const rows: [ReactNode, ReactNode][] = [];
  if (tried.length)
    rows.push([
      t("log.tried"),
      <ol key="tried" className="tf-tried">
        {tried.map((id, i) => (
          <li key={i} className={i < tried.length - 1 || other.error ? "tf-tried-failed" : ""}>
            #{id}
          </li>
        ))}
      </ol>,
    ]);
  if (other.request_conversion && other.request_conversion.length > 1)
    rows.push([t("log.conversion"), other.request_conversion.join(" → ")]);
  if (other.upstream_model_name)
    rows.push([t("log.upstream_model"), <code key="m">{other.upstream_model_name}</code>]);
  if (row.is_stream && ending) rows.push([t("log.stream_end"), t(`log.end_${ending}`)]);
  if (source) rows.push([t("log.usage_source"), t(`log.source_${source}`)]);
  if (other.error) rows.push([t("log.error"), <code key="e">{other.error}</code>]);
  if (other.admin_info?.detail) rows.push([t("log.error_detail"), other.admin_info.detail]);
  return rows.length ? (
    <Part title={t("log.route")}>
      <Facts rows={rows} />
    </Part>
  ) : null;
}

function Details({ row, everybody }: { row: Log; everybody: boolean }) {
  const { t } = useTranslation();
  const format = useFormat();
  const other = readOther(row.other);
  const facts: [ReactNode, ReactNode][] = [
    [t("log.time"), format.time(row.created_at)],
    [t("log.type"), <TypeTag key="type" type={row.type} />],
  ];
  if (everybody) facts.push([t("log.user"), row.username]);
  if (row.token_name) facts.push([t("log.token"), row.token_name]);
  if (row.model_name) facts.push([t("log.model"), <code key="model">{row.model_name}</code>]);
  if (row.group) facts.push([t("log.group"), row.group]);
  if (row.ip) facts.push([t("log.address"), <code key="ip">{row.ip}</code>]);
  if (row.content) facts.push([t("log.content"), row.content]);
  if (row.request_id)
    facts.push([
      t("log.request_id"),
      <span key="id" className="tf-row">
        <code className="tf-wrap">{row.request_id}</code>
        <CopyButton text={row.request_id} what={t("log.request_id")} />
      </span>,
    ]);
  return (
    <div className="tf-stack">
      {row.quota > 0 && (
        <p className="tf-drawer-amount">
          <Money quota={row.quota} digits={6} />
        </p>
      )}
      <Facts rows={facts} />
      <Bill row={row} other={other} />
      {row.use_time_ms > 0 && (
        <Part title={t("log.timing")}>
          <Timing row={row} />
        </Part>
      )}
      <Route row={row} other={other} />
      {row.other && row.other !== "{}" && (
        <details className="tf-raw">
          <summary>{t("log.raw")}</summary>
          <JsonView text={row.other} label={t("log.raw")} />
        </details>
      )}
    </div>
  );
}

export function LogDrawer({ id, rows, everybody, onMove, onClose }: Props) {
  const { t } = useTranslation();
  const at = rows.findIndex((row) => row.id === id);
  const alone = useQuery({
    queryKey: ["log", id, everybody],
    queryFn: async () => {
      const operation = everybody ? "GET /api/logs" : "GET /api/log/self";
      return (await call(operation, { query: { id } })).items[0] ?? null;
    },
    enabled: at < 0,
  });
  const row = rows[at] ?? alone.data;
  const above = rows[at - 1];
  const below = at >= 0 ? rows[at + 1] : undefined;

  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if ((event.target as HTMLElement).closest("input, textarea, [tabindex='0']")) return;
      const next = event.key === "ArrowUp" ? above : event.key === "ArrowDown" ? below : undefined;
      if (!next) return;
      event.preventDefault();
      onMove(next.id);
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [above, below, onMove]);

  const step = (to: Log | undefined, label: string, Icon: typeof ChevronUp) => (
    <button
      type="button"
      className="tf-icon-button"
      aria-label={label}
      disabled={!to}
      onClick={() => to && onMove(to.id)}
    >
      <Icon size={17} />
    </button>
  );
  return (
    <Sheet
      beside
      onClose={onClose}
      title={
        <span className="tf-row">
          <span className="tf-grow">{t("log.details")}</span>
          {step(above, t("log.newer"), ChevronUp)}
          {step(below, t("log.older"), ChevronDown)}
        </span>
      }
    >
      {row ? (
        <Details row={row} everybody={everybody} />
      ) : alone.error ? (
        <Failure error={alone.error} />
      ) : alone.data === null ? (
        <p className="tf-muted">{t("log.gone")}</p>
      ) : (
        <Bars lines={6} />
      )}
    </Sheet>
  );
}
