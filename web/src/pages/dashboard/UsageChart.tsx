// Stacked columns by model, drawn by hand: light, themed, and readable without seeing it.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { QUOTA_PER_USD } from "../../helpers/format.ts";
import { type Chart, type Measure, roundUp } from "../../helpers/usage.ts";
import { useFormat } from "../../i18n/useFormat.ts";

const WIDTH = 960;
const HEIGHT = 240;
const LINES = 4;

interface Props {
  chart: Chart;
  measure: Measure;
  step: number;
}

export default function UsageChart({ chart, measure, step }: Props) {
  const { t } = useTranslation();
  const format = useFormat();
  const [at, setAt] = useState<number>();
  const { columns, names } = chart;
  const most =
    measure === "cost" ? roundUp(chart.most / QUOTA_PER_USD) * QUOTA_PER_USD : roundUp(chart.most);
  const say = (value: number) => (measure === "cost" ? format.quota(value) : format.compact(value));
  const name = (model: string) => model || t("dashboard.others");
  const slot = WIDTH / Math.max(1, columns.length);
  const gap = Math.min(6, slot * 0.22);
  const label = (seconds: number) =>
    new Intl.DateTimeFormat(
      format.locale,
      step >= 86_400
        ? { month: "numeric", day: "numeric" }
        : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
    ).format(seconds * 1000);
  const every = Math.max(1, Math.ceil(columns.length / 8));
  const shown = at === undefined ? undefined : columns[at];
  const move = (by: number) =>
    setAt((now) => Math.min(columns.length - 1, Math.max(0, (now ?? columns.length - 1) + by)));
  return (
    <figure className="tf-chart">
      <div className="tf-chart-area">
        <div className="tf-chart-scale" aria-hidden>
          {Array.from({ length: LINES + 1 }, (_, i) => (
            <span key={i} className="tf-num">
              {say((most * (LINES - i)) / LINES)}
            </span>
          ))}
        </div>
        <div className="tf-chart-plot">
          <svg
            viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={t("dashboard.chart_name", { measure: t(`dashboard.${measure}`) })}
            tabIndex={0}
            onKeyDown={(event) => {
              if (event.key === "ArrowLeft") move(-1);
              if (event.key === "ArrowRight") move(1);
            }}
            onPointerLeave={() => setAt(undefined)}
            onBlur={() => setAt(undefined)}
          >
            {Array.from({ length: LINES + 1 }, (_, i) => (
              <line
                key={i}
                className="tf-chart-line"
                x1={0}
                x2={WIDTH}
                y1={(HEIGHT * i) / LINES}
                y2={(HEIGHT * i) / LINES}
              />
            ))}
            {columns.map((column, i) => {
              let top = HEIGHT;
              return (
                <g key={column.at} className={at === undefined || at === i ? "" : "tf-chart-off"}>
                  {column.values.map((value, k) => {
                    const height = (value / most) * HEIGHT;
                    top -= height;
                    return height > 0 ? (
                      <rect
                        key={names[k]}
                        className={`tf-chart-${k}`}
                        x={i * slot + gap / 2}
                        width={slot - gap}
                        y={top}
                        height={height}
                      />
                    ) : null;
                  })}
                  <rect
                    className="tf-chart-hit"
                    x={i * slot}
                    width={slot}
                    y={0}
                    height={HEIGHT}
                    onPointerEnter={() => setAt(i)}
                  />
                </g>
              );
            })}
          </svg>
          <div className="tf-chart-times" aria-hidden>
            {columns
              .filter((_, i) => i % every === 0)
              .map((column) => (
                <span key={column.at} className="tf-num">
                  {label(column.at)}
                </span>
              ))}
          </div>
        </div>
      </div>
      <figcaption aria-live="polite">
        <span className="tf-small tf-muted tf-num">
          {shown
            ? `${step >= 86_400 ? label(shown.at) : format.timeShort(shown.at)} · ${say(shown.total)}`
            : t("dashboard.chart_hint")}
        </span>
        <ul>
          {names.map((model, k) => (
            <li key={model}>
              <i className={`tf-chart-key-${k}`} aria-hidden />
              <span>{name(model)}</span>
              {shown && <span className="tf-num tf-faint">{say(shown.values[k]!)}</span>}
            </li>
          ))}
        </ul>
      </figcaption>
    </figure>
  );
}
