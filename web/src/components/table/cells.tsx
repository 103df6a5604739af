// Columns and cells that several lists have: ids, texts, amounts, times, a switch.
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { notify } from "../../helpers/notify.ts";
import { Money, When } from "../basics.tsx";
import { Switch } from "../Toggle.tsx";
import type { Column } from "./DataTable.tsx";

type KeyOf<T, V> = { [K in keyof T]: T[K] extends V ? K : never }[keyof T] & string;
type More<T> = Partial<Omit<Column<T>, "key" | "title">>;

export const idColumn = <T extends { id: number }>(): Column<T> => ({
  key: "id",
  title: "ID",
  sort: true,
  extra: true,
  csv: (row) => row.id,
  render: (row) => <code>{row.id}</code>,
});

export const textColumn = <T extends object>(
  key: KeyOf<T, string | undefined>,
  title: string,
  more: More<T> = {},
): Column<T> => ({
  key,
  title,
  csv: (row) => (row[key] as string | undefined) ?? "",
  render: (row) => <span className="tf-wrap">{row[key] as string}</span>,
  ...more,
});

export const moneyColumn = <T extends object>(
  key: KeyOf<T, number>,
  title: string,
  more: More<T> = {},
): Column<T> => ({
  key,
  title,
  align: "right",
  csv: (row) => row[key] as number,
  render: (row) => <Money quota={row[key] as number} />,
  ...more,
});

/** Times before 1970 are none: `none` stands there instead of "never". */
export const timeColumn = <T extends object>(
  key: KeyOf<T, number>,
  title: string,
  { none, ...more }: More<T> & { none?: ReactNode } = {},
): Column<T> => ({
  key,
  title,
  csv: (row, format) => ((row[key] as number) > 0 ? format.time(row[key] as number) : ""),
  render: (row) => {
    const at = row[key] as number;
    return at > 0 || none === undefined ? (
      <When at={at} />
    ) : (
      <span className="tf-faint">{none}</span>
    );
  },
  ...more,
});

interface SwitchProps {
  on: boolean;
  label: string;
  /** Tells the program; the switch goes back when it refuses. */
  set: (on: boolean) => Promise<unknown>;
  /** Beside the switch; `settled` is false while the program has not answered. */
  children: (on: boolean, settled: boolean) => ReactNode;
}

export function StatusSwitch({ on, label, set, children }: SwitchProps) {
  const client = useQueryClient();
  const [wished, setWished] = useState<boolean>();
  const change = async (next: boolean) => {
    setWished(next);
    try {
      await set(next);
      await client.invalidateQueries({ queryKey: ["list"] });
    } catch (error) {
      notify.failed(error);
    } finally {
      setWished(undefined);
    }
  };
  return (
    <div className="tf-row" onClick={(event) => event.stopPropagation()}>
      <Switch
        className="tf-switch-small"
        checked={wished ?? on}
        onChange={(next) => void change(next)}
        aria-label={label}
      />
      {children(wished ?? on, wished === undefined)}
    </div>
  );
}
