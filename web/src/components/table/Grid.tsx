// The rows of a list as a table. A plain one: with a hundred rows each part of a row counts, so a cell is drawn again
// only when its row or its column is another one.
import { ArrowDown, ArrowUp, ChevronsUpDown } from "lucide-react";
import { type KeyboardEvent, memo, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Check } from "../Toggle.tsx";
import type { Column } from "./DataTable.tsx";

const Cell = memo(function Cell<T>(props: { row: T; render: (row: T) => ReactNode }) {
  return <>{props.render(props.row)}</>;
}) as <T>(props: { row: T; render: (row: T) => ReactNode }) => ReactNode;

const sideOf = (column: { align?: "right" | undefined }) => (column.align ? "tf-right" : undefined);

const SORTS = {
  none: { Icon: ChevronsUpDown, aria: undefined },
  up: { Icon: ArrowUp, aria: "ascending" },
  down: { Icon: ArrowDown, aria: "descending" },
} as const;

interface HeadProps<T> {
  column: Column<T>;
  sort: string;
  setSort: (sort: string) => void;
}

/** Upwards, downwards, and then as the program likes. */
function Head<T>({ column: { key, title, width, ...column }, sort, setSort }: HeadProps<T>) {
  const style = width ? { width } : undefined;
  if (!column.sort)
    return (
      <th scope="col" className={sideOf(column)} style={style}>
        {title}
      </th>
    );
  const now = sort === key ? "up" : sort === `-${key}` ? "down" : "none";
  const { Icon, aria } = SORTS[now];
  const next = { none: key, up: `-${key}`, down: "" }[now];
  return (
    <th scope="col" className={sideOf(column)} style={style} aria-sort={aria}>
      <button type="button" className="tf-sort" onClick={() => setSort(next)}>
        {title}
        <Icon size={13} aria-hidden />
      </button>
    </th>
  );
}

interface RowProps<T> {
  row: T;
  columns: Column<T>[];
  /** undefined: rows are not chosen here. */
  chosen: boolean | undefined;
  name: string;
  choose: (id: number) => void;
  onOpen: ((row: T) => void) | undefined;
  actions: ((row: T) => ReactNode) | undefined;
}

const Row = memo(function Row<T extends { id: number }>(props: RowProps<T>) {
  const { t } = useTranslation();
  const { row, columns, chosen, onOpen, actions } = props;
  const open = onOpen && {
    className: "tf-row-open",
    tabIndex: 0,
    onClick: () => onOpen(row),
    onKeyDown: (event: KeyboardEvent) => {
      // not for the buttons within
      if (event.key === "Enter" && event.target === event.currentTarget) onOpen(row);
    },
  };
  return (
    <tr data-chosen={chosen || undefined} {...open}>
      {chosen !== undefined && (
        <td className="tf-choose">
          <Check
            aria-label={t("table.select_row", { name: props.name })}
            checked={chosen}
            onChange={() => props.choose(row.id)}
          />
        </td>
      )}
      {columns.map((column) => (
        <td key={column.key} className={sideOf(column)}>
          <Cell row={row} render={column.render} />
        </td>
      ))}
      {actions && (
        <td className="tf-row-end" onClick={(event) => event.stopPropagation()}>
          <div className="tf-row-actions">
            <Cell row={row} render={actions} />
          </div>
        </td>
      )}
    </tr>
  );
}) as <T extends { id: number }>(props: RowProps<T>) => ReactNode;

interface Props<T> {
  rows: T[];
  columns: Column<T>[];
  dense: boolean;
  sort: string;
  setSort: (sort: string) => void;
  /** The ids of what is chosen; undefined: rows are not chosen here. */
  chosen: Set<number> | undefined;
  choose: (id: number) => void;
  chooseAll: (on: boolean) => void;
  nameOf: (row: T) => string;
  onOpen: ((row: T) => void) | undefined;
  actions: ((row: T) => ReactNode) | undefined;
}

export function Grid<T extends { id: number }>(props: Props<T>) {
  const { t } = useTranslation();
  const { rows, columns, chosen, actions } = props;
  const all = !!chosen && chosen.size === rows.length;
  return (
    <div className={props.dense ? "tf-table tf-dense" : "tf-table"}>
      <table>
        <thead>
          <tr>
            {chosen && (
              <th scope="col" className="tf-choose">
                <Check
                  aria-label={t("table.select_all")}
                  checked={all}
                  some={!all && chosen.size > 0}
                  onChange={props.chooseAll}
                />
              </th>
            )}
            {columns.map((column) => (
              <Head key={column.key} column={column} sort={props.sort} setSort={props.setSort} />
            ))}
            {actions && (
              <th scope="col" className="tf-row-end">
                <span className="tf-visually-hidden">{t("table.actions")}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row
              key={row.id}
              row={row}
              columns={columns}
              chosen={chosen?.has(row.id)}
              name={props.nameOf(row)}
              choose={props.choose}
              onOpen={props.onOpen}
              actions={actions}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}
