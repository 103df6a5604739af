// A JSON object of texts or numbers as rows of a name and a value, or as the JSON that it is.
import { Button, Input } from "@douyinfe/semi-ui";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { entriesOf, type Entry, textOf } from "../../helpers/json.ts";
import { TextAreaField } from "./fields.tsx";
import type { FieldProps } from "./Frame.tsx";
import "./map.css";

interface Props<T extends object> extends FieldProps<T> {
  nameLabel: string;
  valueLabel: string;
  numbers?: boolean;
}

function Rows<T extends object>(props: Props<T> & { given: Entry[] }) {
  const { t } = useTranslation();
  const { form, name } = props;
  const [rows, setRows] = useState(props.given);
  const change = (next: Entry[]) => {
    setRows(next);
    form.set(name, textOf(next, props.numbers ?? false) as T[typeof name]);
  };
  const put = (at: number, entry: Entry) => change(rows.map((row, i) => (i === at ? entry : row)));
  return (
    <div className="tf-map">
      {rows.map(([key, value], i) => (
        <div key={i} className="tf-map-row">
          <Input
            aria-label={`${props.nameLabel} ${i + 1}`}
            placeholder={props.nameLabel}
            value={key}
            onChange={(next) => put(i, [next, value])}
          />
          <span aria-hidden className="tf-faint">
            {props.numbers ? "=" : "→"}
          </span>
          <Input
            aria-label={`${props.valueLabel} ${i + 1}`}
            placeholder={props.valueLabel}
            value={value}
            {...(props.numbers ? { inputMode: "decimal" as const } : {})}
            onChange={(next) => put(i, [key, next])}
          />
          <button
            type="button"
            className="tf-icon-button"
            aria-label={t("form.remove_row", { name: key || String(i + 1) })}
            onClick={() => change(rows.filter((_, at) => at !== i))}
          >
            <X size={15} />
          </button>
        </div>
      ))}
      <Button
        theme="borderless"
        type="tertiary"
        icon={<Plus size={14} />}
        className="tf-map-add"
        onClick={() => setRows([...rows, ["", ""]])}
      >
        {t("form.add_row")}
      </Button>
    </div>
  );
}

export function MapField<T extends object>(props: Props<T>) {
  const { t } = useTranslation();
  const text = props.form.values[props.name] as string;
  const entries = entriesOf(text);
  const [asJson, setAsJson] = useState(entries === undefined);
  const error = props.form.errors[props.name];
  const toggle = (
    <button
      type="button"
      className="tf-link-button tf-small"
      disabled={asJson && entries === undefined}
      aria-label={`${String(props.label)}: ${asJson ? t("form.as_rows") : t("form.as_json")}`}
      onClick={() => setAsJson(!asJson)}
    >
      {asJson ? t("form.as_rows") : t("form.as_json")}
    </button>
  );
  if (asJson || !entries)
    return (
      <div className="tf-map-field">
        <TextAreaField {...props} mono rows={5} />
        <div className="tf-map-toggle">{toggle}</div>
      </div>
    );
  return (
    <div className="tf-field tf-map-field" role="group" aria-label={String(props.label)}>
      <span className="tf-label">{props.label}</span>
      <Rows {...props} given={entries} />
      {(error ?? props.help) && (
        <div
          className={error ? "tf-note tf-note-error" : "tf-note"}
          role={error ? "alert" : undefined}
        >
          {error ?? props.help}
        </div>
      )}
      <div className="tf-map-toggle">{toggle}</div>
    </div>
  );
}
