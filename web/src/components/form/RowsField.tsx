// A field whose value is JSON: edited as rows while the text is of that kind, or as the JSON that it is.
import { Button } from "@douyinfe/semi-ui";
import { Plus, X } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { TextAreaField } from "./fields.tsx";
import type { FieldProps } from "./Frame.tsx";
import "./rows.css";

interface Kind<R> {
  /** undefined: the text says something else. */
  read: (text: string) => R | undefined;
  write: (rows: R) => string;
}

/** What is being written, as long as the text is what it said last: half-written rows are not in the text. */
function useRows<T extends object, R>({ form, name }: FieldProps<T>, { read, write }: Kind<R>) {
  const text = form.values[name] as string;
  const [kept, keep] = useState(() => ({ text, rows: read(text) }));
  const rows = kept.text === text ? kept.rows : read(text);
  const change = (next: R) => {
    const said = write(next);
    keep({ text: said, rows: next });
    form.set(name, said as T[typeof name]);
  };
  return { rows, change };
}

interface Props<T extends object, R> extends FieldProps<T>, Kind<R> {
  children: (rows: R, change: (rows: R) => void) => ReactNode;
}

export function RowsField<T extends object, R>({ read, write, children, ...field }: Props<T, R>) {
  const { t } = useTranslation();
  const { rows, change } = useRows(field, { read, write });
  const [wished, setWished] = useState(false);
  const asJson = wished || rows === undefined;
  const error = field.form.errors[field.name];
  const note = error ?? field.help;
  const action = asJson ? t("form.as_rows") : t("form.as_json");
  const toggle = (
    <div className="tf-rows-toggle">
      <button
        type="button"
        className="tf-link-button tf-small"
        disabled={rows === undefined}
        aria-label={`${String(field.label)}: ${action}`}
        onClick={() => setWished(!asJson)}
      >
        {action}
      </button>
    </div>
  );
  if (asJson)
    return (
      <div className="tf-rows-field">
        <TextAreaField {...field} mono rows={5} />
        {toggle}
      </div>
    );
  return (
    <div className="tf-field tf-rows-field" role="group" aria-label={String(field.label)}>
      <span className="tf-label">{field.label}</span>
      <div className="tf-rows">{children(rows, change)}</div>
      {note && (
        <div
          className={error ? "tf-note tf-note-error" : "tf-note"}
          role={error ? "alert" : undefined}
        >
          {note}
        </div>
      )}
      {toggle}
    </div>
  );
}

export function AddRow({ onClick }: { onClick: () => void }) {
  const { t } = useTranslation();
  return (
    <Button
      theme="borderless"
      type="tertiary"
      icon={<Plus size={14} />}
      className="tf-rows-add"
      onClick={onClick}
    >
      {t("form.add_row")}
    </Button>
  );
}

export function RemoveRow({ name, onClick }: { name: string; onClick: () => void }) {
  const { t } = useTranslation();
  return (
    <button
      type="button"
      className="tf-icon-button"
      aria-label={t("form.remove_row", { name })}
      onClick={onClick}
    >
      <X size={15} />
    </button>
  );
}
