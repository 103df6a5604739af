// Rate limits that an option holds: four numbers, or four for each group or model; or the JSON that it is.
import { Input } from "@douyinfe/semi-ui";
import { useTranslation } from "react-i18next";
import {
  limitFits,
  type LimitName,
  type LimitRow,
  LIMITS,
  type LimitTexts,
  readLimitRows,
  readLimits,
  writeLimitRows,
  writeLimits,
} from "../../helpers/limits.ts";
import type { FieldProps } from "./Frame.tsx";
import { AddRow, RemoveRow, RowsField } from "./RowsField.tsx";

interface NumbersProps {
  /** What they are of, for those who cannot see where they stand. */
  of: string;
  names: readonly LimitName[];
  texts: LimitTexts;
  change: (texts: LimitTexts) => void;
}

function Numbers({ of, names, texts, change }: NumbersProps) {
  const { t } = useTranslation();
  return (
    <div className="tf-limits">
      {names.map((name) => {
        const text = texts[name] ?? "";
        const wrong = text.trim() !== "" && !limitFits(Number(text));
        return (
          <label key={name}>
            {t(`limit.${name}`)}
            <Input
              aria-label={`${of}: ${t(`limit.${name}`)}`}
              aria-invalid={wrong}
              validateStatus={wrong ? "error" : "default"}
              inputMode="numeric"
              placeholder={t("token.unlimited")}
              value={text}
              onChange={(next) => change({ ...texts, [name]: next })}
            />
          </label>
        );
      })}
    </div>
  );
}

interface LimitProps<T extends object> extends FieldProps<T> {
  names?: readonly LimitName[];
}

export function LimitField<T extends object>({ names = LIMITS, ...field }: LimitProps<T>) {
  return (
    <RowsField {...field} read={readLimits} write={writeLimits}>
      {(texts, change) => (
        <Numbers of={String(field.label)} names={names} texts={texts} change={change} />
      )}
    </RowsField>
  );
}

export function LimitMapField<T extends object>(props: FieldProps<T> & { nameLabel: string }) {
  const { t } = useTranslation();
  const { nameLabel, ...field } = props;
  return (
    <RowsField {...field} read={readLimitRows} write={writeLimitRows}>
      {(rows, change) => {
        const put = (at: number, next: LimitRow) =>
          change(rows.map((row, i) => (i === at ? next : row)));
        const twice = (at: number, name: string) =>
          rows.some((row, i) => i < at && name.trim() && row.name.trim() === name.trim());
        return (
          <>
            {rows.map(({ name, limits }, i) => (
              <div key={i} className="tf-limit-row">
                <div className="tf-row">
                  <Input
                    aria-label={`${nameLabel} ${i + 1}`}
                    placeholder={nameLabel}
                    value={name}
                    validateStatus={twice(i, name) ? "error" : "default"}
                    onChange={(next) => put(i, { name: next, limits })}
                  />
                  <RemoveRow
                    name={name || String(i + 1)}
                    onClick={() => change(rows.filter((_, at) => at !== i))}
                  />
                </div>
                {twice(i, name) && (
                  <div className="tf-note tf-note-error" role="alert">
                    {t("form.same_name")}
                  </div>
                )}
                <Numbers
                  of={name || String(i + 1)}
                  names={LIMITS}
                  texts={limits}
                  change={(next) => put(i, { name, limits: next })}
                />
              </div>
            ))}
            <AddRow onClick={() => change([...rows, { name: "", limits: {} }])} />
          </>
        );
      }}
    </RowsField>
  );
}
