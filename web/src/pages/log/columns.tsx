// The columns of the log.
import { Zap } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { Money, None, PlainTag, StatusTag, type Tone, When } from "../../components/basics.tsx";
import { ModelName } from "../../components/Logo.tsx";
import type { Column } from "../../components/table/DataTable.tsx";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Log } from "../../models/api.ts";
import { LOG_TYPE, readOther } from "../../models/log.ts";
import "./log.css";

type TypeName = keyof typeof LOG_TYPE;

const TONES: Record<TypeName, Tone> = {
  topup: "good",
  consume: "quiet",
  manage: "violet",
  system: "info",
  error: "bad",
  refund: "good",
  login: "info",
};

export const typeName = (type: number): TypeName | undefined =>
  (Object.keys(LOG_TYPE) as TypeName[]).find((name) => LOG_TYPE[name] === type);

export function TypeTag({ type }: { type: number }) {
  const { t } = useTranslation();
  const name = typeName(type);
  return name ? <StatusTag tone={TONES[name]}>{t(`log.type_${name}`)}</StatusTag> : <>{type}</>;
}

/** The whole time, and the time to the first byte under it. */
function Duration({ row }: { row: Log }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (!row.use_time_ms) return <None />;
  return (
    <span className="tf-two-lines">
      <span className="tf-num">
        {row.is_stream && (
          <span className="tf-stream" data-tip={t("log.stream")}>
            <Zap size={12} role="img" aria-label={t("log.stream")} />
          </span>
        )}
        {format.duration(row.use_time_ms)}
      </span>
      {row.first_token_ms > 0 && (
        <span className="tf-faint tf-small tf-num">
          {t("log.first_byte_short", { time: format.duration(row.first_token_ms) })}
        </span>
      )}
    </span>
  );
}

function Tokens({ row }: { row: Log }) {
  const { t } = useTranslation();
  const format = useFormat();
  const cached = readOther(row.other).cache_tokens ?? 0;
  if (!row.prompt_tokens && !row.completion_tokens) return <None />;
  return (
    <span className="tf-two-lines">
      <span className="tf-num">
        {format.number(row.prompt_tokens)} → {format.number(row.completion_tokens)}
      </span>
      {cached > 0 && (
        <span className="tf-faint tf-small tf-num">
          {t("log.cached_short", { value: format.number(cached) })}
        </span>
      )}
    </span>
  );
}

export function useLogColumns(everybody: boolean): Column<Log>[] {
  const { t } = useTranslation();
  const format = useFormat();
  return useMemo(() => {
    const forAll: Column<Log>[] = [
      {
        key: "username",
        title: t("log.user"),
        csv: (row) => row.username,
        render: (row) => row.username,
      },
    ];
    const channel: Column<Log> = {
      key: "channel_id",
      title: t("log.channel"),
      csv: (row) => row.channel_id,
      render: (row) => {
        const tried = readOther(row.other).admin_info?.use_channel ?? [];
        const ids = tried.length ? tried : row.channel_id ? [row.channel_id] : [];
        return ids.length ? (
          <span className="tf-num">{ids.map((id) => `#${id}`).join(" → ")}</span>
        ) : (
          <None />
        );
      },
    };
    return [
      {
        key: "created_at",
        title: t("log.time"),
        main: true,
        csv: (row) => format.time(row.created_at),
        render: (row) => <When at={row.created_at} short />,
      },
      {
        key: "type",
        title: t("log.type"),
        main: true,
        csv: (row) => typeName(row.type) ?? row.type,
        render: (row) => <TypeTag type={row.type} />,
      },
      ...(everybody ? forAll : []),
      {
        key: "token_name",
        title: t("log.token"),
        csv: (row) => row.token_name,
        render: (row) =>
          row.token_name ? (
            <div className="tf-cell tf-ellipsis" title={row.token_name}>
              {row.token_name}
            </div>
          ) : (
            <None />
          ),
      },
      {
        key: "model_name",
        title: t("log.model"),
        csv: (row) => row.model_name,
        render: (row) =>
          row.model_name ? (
            <ModelName model={row.model_name} short />
          ) : (
            <span className="tf-muted tf-log-content">{row.content}</span>
          ),
      },
      {
        key: "tokens",
        title: t("log.tokens"),
        align: "right",
        csv: (row) => `${row.prompt_tokens}/${row.completion_tokens}`,
        render: (row) => <Tokens row={row} />,
      },
      {
        key: "quota",
        title: t("log.amount"),
        align: "right",
        csv: (row) => row.quota,
        render: (row) => (row.quota ? <Money quota={row.quota} digits={6} /> : <None />),
      },
      {
        key: "use_time_ms",
        title: t("log.duration"),
        align: "right",
        csv: (row) => row.use_time_ms,
        render: (row) => <Duration row={row} />,
      },
      ...(everybody ? [channel] : []),
      {
        key: "group",
        title: t("log.group"),
        extra: true,
        csv: (row) => row.group,
        render: (row) => (row.group ? <PlainTag>{row.group}</PlainTag> : null),
      },
      {
        key: "ip",
        title: t("log.address"),
        extra: true,
        csv: (row) => row.ip,
        render: (row) => <code>{row.ip}</code>,
      },
      {
        key: "request_id",
        title: t("log.request_id"),
        extra: true,
        csv: (row) => row.request_id,
        render: (row) => <code className="tf-small">{row.request_id}</code>,
      },
    ];
  }, [t, format, everybody]);
}
