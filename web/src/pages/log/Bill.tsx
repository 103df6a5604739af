// The sum: tokens times price, line by line, times the group's ratio.
import { useTranslation } from "react-i18next";
import { agrees, explain } from "../../helpers/price.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Log } from "../../models/api.ts";
import type { LogOther } from "../../models/log.ts";

export function Bill({ row, other }: { row: Log; other: LogOther }) {
  const { t } = useTranslation();
  const format = useFormat();
  const sum = explain(row, other);
  if (!sum) return null;
  return (
    <section className="tf-part">
      <h3>{t("bill.title")}</h3>
      <table className="tf-bill">
        <thead>
          <tr>
            <th scope="col">{t("bill.kind")}</th>
            <th scope="col">{t("bill.tokens")}</th>
            <th scope="col">{t("bill.price")}</th>
            <th scope="col">{t("bill.amount")}</th>
          </tr>
        </thead>
        <tbody>
          {sum.perCall && (
            <tr>
              <th scope="row">{t("bill.per_call")}</th>
              <td>1</td>
              <td>{format.usd(sum.perCall.usd)}</td>
              <td>{format.usd(sum.perCall.usd)}</td>
            </tr>
          )}
          {sum.lines.map((line) => (
            <tr key={line.kind}>
              <th scope="row">{t(`bill.${line.kind}`)}</th>
              <td>{format.number(line.tokens)}</td>
              <td>{format.usd(line.usdPerMillion)}</td>
              <td>{format.usd(line.usd, 6)}</td>
            </tr>
          ))}
          {sum.groupRatio !== 1 && (
            <tr>
              <th scope="row" colSpan={3}>
                {t("bill.group", { name: row.group })}
              </th>
              <td>× {format.number(sum.groupRatio, 6)}</td>
            </tr>
          )}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colSpan={3}>
              {t("bill.total")}
            </th>
            <td>{format.quota(row.quota, 6)}</td>
          </tr>
        </tfoot>
      </table>
      <p className="tf-note">
        {t("bill.note")}
        {other.uncollected_quota
          ? ` ${t("bill.uncollected", { value: format.quota(other.uncollected_quota, 6) })}`
          : !agrees(sum, row.quota)
            ? ` ${t("bill.differs")}`
            : ""}
      </p>
    </section>
  );
}
