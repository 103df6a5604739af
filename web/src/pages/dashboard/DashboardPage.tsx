// Where one stands: the balance, what was used, and by which models.
import { Button } from "@douyinfe/semi-ui";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ChartColumn, KeyRound, RefreshCw } from "lucide-react";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useSearchParams } from "react-router";
import { Bars, Empty, Failure, Money, PageHeader } from "../../components/basics.tsx";
import { ModelName } from "../../components/Logo.tsx";
import { Segments } from "../../components/Tabs.tsx";
import { useSession, useUser } from "../../context/session.tsx";
import { byModel, chartOf, type Measure, sumOf } from "../../helpers/usage.ts";
import { withParam } from "../../helpers/params.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import { call } from "../../services/api.ts";
import "./dashboard.css";

const UsageChart = lazy(() => import("./UsageChart.tsx"));

const PERIODS = { day: 1, week: 7, month: 30, quarter: 90 } as const;
type Period = keyof typeof PERIODS;
const MEASURES: Measure[] = ["cost", "requests", "tokens"];
const NAMED = 8;
const TOP = 10;
const DAY = 86_400;

function Card({ name, value, note }: { name: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className="tf-card tf-figure">
      <span className="tf-small tf-muted">{name}</span>
      <strong className="tf-num">{value}</strong>
      <span className="tf-small tf-faint">{note}</span>
    </div>
  );
}

interface TopRow {
  name: string;
  requests: number;
  errors?: number;
  tokens: number;
  quota: number;
}

interface TopProps {
  title: string;
  what: string;
  rows: TopRow[];
  /** They are models, and have signs. */
  signed?: boolean;
  /** The filter of the log that shows a row's requests. */
  logOf: string;
}

/** Who or what cost most. */
function Top({ title, what, rows, signed = false, logOf }: TopProps) {
  const { t } = useTranslation();
  const format = useFormat();
  const errors = rows.some((row) => row.errors !== undefined);
  return (
    <section className="tf-card tf-top">
      <h2>{title}</h2>
      <div className="tf-scroll" tabIndex={0} role="region" aria-label={title}>
        <table className="tf-plain">
          <thead>
            <tr>
              <th>{what}</th>
              <th className="tf-right">{t("dashboard.requests")}</th>
              {errors && <th className="tf-right">{t("dashboard.errors")}</th>}
              <th className="tf-right">{t("dashboard.tokens")}</th>
              <th className="tf-right">{t("dashboard.cost")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name}>
                <td>
                  <Link to={`/log?${logOf}=${encodeURIComponent(row.name)}`}>
                    {signed && row.name ? <ModelName model={row.name} /> : row.name || "–"}
                  </Link>
                </td>
                <td className="tf-right tf-num">{format.number(row.requests)}</td>
                {errors && <td className="tf-right tf-num">{format.number(row.errors ?? 0)}</td>}
                <td className="tf-right tf-num">{format.compact(row.tokens)}</td>
                <td className="tf-right">
                  <Money quota={row.quota} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const isPeriod = (text: string | null): text is Period => !!text && text in PERIODS;

export default function DashboardPage() {
  const { t } = useTranslation();
  const format = useFormat();
  const navigate = useNavigate();
  const user = useUser();
  const { isAdmin } = useSession();
  const [params, setParams] = useSearchParams();
  const [measure, setMeasure] = useState<Measure>("cost");
  const wished = params.get("period");
  const period: Period = isPeriod(wished) ? wished : "day";
  const all = isAdmin && params.get("all") === "1";
  const put = (name: string, value: string) =>
    setParams((before) => withParam(before, name, value), { replace: true });
  const zoneMinutes = -new Date().getTimezoneOffset();
  const usage = useQuery({
    queryKey: ["dashboard", period, all],
    queryFn: ({ signal }) => {
      const end = Math.floor(Date.now() / 1000) + 1;
      return call("GET /api/dashboard", {
        query: {
          start_timestamp: end - PERIODS[period] * DAY,
          end_timestamp: end,
          zone_minutes: zoneMinutes,
          ...(all ? { all: 1 } : {}),
        },
        signal,
      });
    },
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  });

  const rows = usage.data?.items ?? [];
  const sums = sumOf(rows);
  const models = byModel(rows, measure).slice(0, TOP);
  const tried = sums.requests + sums.errors;
  const days = PERIODS[period];
  const perDay = sums.quota / days;
  const lasts = !all && perDay > 0 ? Math.floor(user.quota / perDay) : undefined;

  return (
    <>
      <PageHeader
        title={t("nav.dashboard")}
        description={t("dashboard.about")}
        actions={
          <>
            {isAdmin && (
              <Segments
                name={t("log.scope")}
                value={all ? "all" : "own"}
                choices={[
                  ["own", t("log.mine")],
                  ["all", t("log.everybody")],
                ]}
                onChange={(value) => put("all", value === "all" ? "1" : "")}
              />
            )}
            <Segments
              name={t("log.period")}
              value={period}
              choices={(Object.keys(PERIODS) as Period[]).map(
                (value) => [value, t(`dashboard.${value}`)] as const,
              )}
              onChange={(value) => put("period", value === "day" ? "" : value)}
            />
            <Button
              className="tf-outline"
              icon={<RefreshCw size={15} />}
              aria-label={t("common.refresh")}
              loading={usage.isFetching}
              onClick={() => void usage.refetch()}
            />
          </>
        }
      />
      <div className="tf-figures">
        <Card
          name={t("layout.balance")}
          value={<Money quota={user.quota} />}
          note={
            lasts !== undefined && lasts < 1000
              ? t("dashboard.lasts", { count: lasts, value: format.number(lasts) })
              : t("dashboard.used_ever", { value: format.quota(user.used_quota) })
          }
        />
        <Card
          name={t("dashboard.cost")}
          value={usage.data ? <Money quota={sums.quota} /> : "–"}
          note={t("dashboard.per_day", { value: format.quota(perDay) })}
        />
        <Card
          name={t("dashboard.requests")}
          value={usage.data ? format.number(sums.requests) : "–"}
          note={t("dashboard.rpm", { value: format.number(usage.data?.requests_per_minute ?? 0) })}
        />
        <Card
          name={t("dashboard.tokens")}
          value={usage.data ? format.compact(sums.tokens) : "–"}
          note={t("dashboard.tpm", { value: format.compact(usage.data?.tokens_per_minute ?? 0) })}
        />
        <Card
          name={t("dashboard.errors")}
          value={usage.data ? format.number(sums.errors) : "–"}
          note={t("dashboard.success", {
            value: format.percent(tried ? sums.requests / tried : 1),
          })}
        />
        <Card
          name={t("dashboard.duration")}
          value={sums.requests ? format.duration(sums.milliseconds / sums.requests) : "–"}
          note={t("dashboard.duration_note")}
        />
      </div>
      {usage.error ? (
        <Failure error={usage.error} retry={() => void usage.refetch()} />
      ) : (
        <section className="tf-card tf-usage" aria-label={t("dashboard.over_time")}>
          <header className="tf-row tf-row-wrap tf-between">
            <h2>{t("dashboard.over_time")}</h2>
            <Segments
              name={t("dashboard.measure")}
              value={measure}
              choices={MEASURES.map((value) => [value, t(`dashboard.${value}`)] as const)}
              onChange={setMeasure}
            />
          </header>
          {!usage.data ? (
            <div className="tf-chart-waiting">
              <Bars lines={6} />
            </div>
          ) : rows.length === 0 ? (
            <Empty
              icon={ChartColumn}
              title={t("dashboard.empty")}
              text={t("log.empty_text")}
              action={
                <Button
                  theme="solid"
                  icon={<KeyRound size={16} />}
                  onClick={() => void navigate("/token")}
                >
                  {t("nav.token")}
                </Button>
              }
            />
          ) : (
            <Suspense
              fallback={
                <div className="tf-chart-waiting">
                  <Bars lines={6} />
                </div>
              }
            >
              <UsageChart
                measure={measure}
                step={usage.data.step}
                chart={chartOf(
                  rows,
                  measure,
                  {
                    from: usage.data.from,
                    to: usage.data.to,
                    step: usage.data.step,
                    zoneMinutes,
                  },
                  NAMED,
                )}
              />
            </Suspense>
          )}
        </section>
      )}
      {rows.length > 0 && (
        <div className="tf-tops">
          <Top
            title={t("dashboard.top_models")}
            what={t("log.model")}
            rows={models.map((one) => ({ ...one, name: one.model }))}
            signed
            logOf="model_name"
          />
          {all && (
            <Top
              title={t("dashboard.top_users")}
              what={t("log.user")}
              rows={(usage.data?.users ?? []).map((one) => ({ ...one, name: one.username }))}
              logOf="username"
            />
          )}
        </div>
      )}
    </>
  );
}
