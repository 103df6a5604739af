// A JSON object of texts or numbers as rows of a name and a value, or as the JSON that it is.
import { Input } from "@douyinfe/semi-ui";
import { entriesOf, type Entry, textOf } from "../../helpers/json.ts";
import type { FieldProps } from "./Frame.tsx";
import { AddRow, RemoveRow, RowsField } from "./RowsField.tsx";

interface Props<T extends object> extends FieldProps<T> {
  nameLabel: string;
  valueLabel: string;
  numbers?: boolean;
}

export function MapField<T extends object>(props: Props<T>) {
  const { nameLabel, valueLabel, numbers = false, ...field } = props;
  return (
    <RowsField {...field} read={entriesOf} write={(rows) => textOf(rows, numbers)}>
      {(rows, change) => {
        const put = (at: number, entry: Entry) =>
          change(rows.map((row, i) => (i === at ? entry : row)));
        return (
          <>
            {rows.map(([key, value], i) => (
              <div key={i} className="tf-map-row">
                <Input
                  aria-label={`${nameLabel} ${i + 1}`}
                  placeholder={nameLabel}
                  value={key}
                  onChange={(next) => put(i, [next, value])}
                />
                <span aria-hidden className="tf-faint">
                  {numbers ? "=" : "→"}
                </span>
                <Input
                  aria-label={`${valueLabel} ${i + 1}`}
                  placeholder={valueLabel}
                  value={value}
                  {...(numbers ? { inputMode: "decimal" as const } : {})}
                  onChange={(next) => put(i, [key, next])}
                />
                <RemoveRow
                  name={key || String(i + 1)}
                  onClick={() => change(rows.filter((_, at) => at !== i))}
                />
              </div>
            ))}
            <AddRow onClick={() => change([...rows, ["", ""]])} />
          </>
        );
      }}
    </RowsField>
  );
}
