// The table of every list page: columns remembered, density, selection with bulk actions, sorting, paging, export,
// and on a phone a list of cards.
import { Button, Popover } from "@douyinfe/semi-ui";
import { Columns3, Download, type LucideIcon, RefreshCw, X } from "lucide-react";
import { type ReactNode, useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Cell, download, toCsv } from "../../helpers/csv.ts";
import { notify } from "../../helpers/notify.ts";
import { recall, remember } from "../../helpers/storage.ts";
import { PHONE, useMedia } from "../../helpers/useMedia.ts";
import { type Format, useFormat } from "../../i18n/useFormat.ts";
import { Bars, Failure } from "../basics.tsx";
import { Check } from "../Toggle.tsx";
import { Grid } from "./Grid.tsx";
import { Pager } from "./Pager.tsx";
import type { List } from "./useList.ts";
import "./table.css";

export interface Column<T> {
  key: string;
  title: string;
  render: (row: T) => ReactNode;
  /** What the export has; columns without it are not exported. */
  csv?: (row: T, format: Format) => Cell;
  /** The program can sort by it. */
  sort?: boolean;
  align?: "right";
  width?: number;
  /** Only shown when chosen. */
  extra?: boolean;
  /** Always shown, and first on a phone's card. */
  main?: boolean;
}

export interface BulkAction<T> {
  key: string;
  label: string;
  icon: LucideIcon;
  danger?: boolean;
  run: (rows: T[]) => Promise<unknown>;
}

interface Props<T extends { id: number }> {
  /** Under this name the choice of columns is remembered. */
  id: string;
  list: List<T>;
  columns: Column<T>[];
  /** What can be done to one row, at its end. */
  actions?: (row: T) => ReactNode;
  bulk?: BulkAction<T>[];
  /** What a row is called, for those who cannot see it. */
  nameOf: (row: T) => string;
  onOpen?: (row: T) => void;
  /** Shown when there is nothing at all, and nothing that fits. */
  empty: ReactNode;
  emptyFiltered?: ReactNode;
  toolbar?: ReactNode;
}

interface Choice {
  shown?: string[];
  dense?: boolean;
}

function useChoice<T>(id: string, columns: Column<T>[]) {
  const [choice, setChoice] = useState(() => recall<Choice>(`table.${id}`, {}));
  const keep = (next: Choice) => {
    remember(`table.${id}`, next);
    setChoice(next);
  };
  const isShown = useCallback(
    (column: Column<T>) =>
      column.main || (choice.shown ? choice.shown.includes(column.key) : !column.extra),
    [choice.shown],
  );
  const shown = useMemo(() => columns.filter(isShown), [columns, isShown]);
  return {
    dense: choice.dense ?? false,
    shown,
    isShown,
    setDense: (dense: boolean) => keep({ ...choice, dense }),
    toggle: (key: string) => {
      const now = shown.map((column) => column.key);
      const next = now.includes(key) ? now.filter((one) => one !== key) : [...now, key];
      keep({ ...choice, shown: next });
    },
    reset: () => keep({ dense: choice.dense ?? false }),
  };
}

type ChoiceState<T> = ReturnType<typeof useChoice<T>>;

function ColumnChooser<T>({ columns, choice }: { columns: Column<T>[]; choice: ChoiceState<T> }) {
  const { t } = useTranslation();
  return (
    <Popover
      trigger="click"
      position="bottomRight"
      content={
        <div className="tf-chooser" role="group" aria-label={t("table.columns")}>
          {columns.map((column) => (
            <label key={column.key}>
              <Check
                checked={choice.isShown(column)}
                disabled={column.main ?? false}
                onChange={() => choice.toggle(column.key)}
              />
              {column.title}
            </label>
          ))}
          <hr />
          <label>
            <Check checked={choice.dense} onChange={choice.setDense} />
            {t("table.dense")}
          </label>
          <button type="button" className="tf-link-button" onClick={choice.reset}>
            {t("table.reset")}
          </button>
        </div>
      }
    >
      <button type="button" className="tf-icon-button" aria-label={t("table.columns")}>
        <Columns3 size={16} />
      </button>
    </Popover>
  );
}

function Export<T>({ id, list, columns }: { id: string; list: List<T>; columns: Column<T>[] }) {
  const { t } = useTranslation();
  const format = useFormat();
  const [count, setCount] = useState<number>();
  const run = async () => {
    setCount(0);
    try {
      const rows = await list.all(setCount);
      const used = columns.filter((column) => column.csv);
      const lines = rows.map((row) => used.map((column) => column.csv!(row, format)));
      const day = new Date().toISOString().slice(0, 10);
      download(`${id}-${day}.csv`, toCsv([used.map((column) => column.title), ...lines]));
    } catch (error) {
      notify.failed(error);
    } finally {
      setCount(undefined);
    }
  };
  const busy = count !== undefined;
  return (
    <button
      type="button"
      className="tf-icon-button"
      aria-label={t("table.export")}
      title={t("table.export")}
      disabled={busy}
      onClick={() => void run()}
    >
      {busy ? <span className="tf-small tf-num">{count}</span> : <Download size={16} />}
    </button>
  );
}

interface SelectionProps<T> {
  rows: T[];
  bulk: BulkAction<T>[];
  clear: () => void;
}

function SelectionBar<T>({ rows, bulk, clear }: SelectionProps<T>) {
  const { t } = useTranslation();
  const [running, setRunning] = useState<string>();
  const run = async (action: BulkAction<T>) => {
    setRunning(action.key);
    try {
      await action.run(rows);
      clear();
    } catch (error) {
      notify.failed(error);
    } finally {
      setRunning(undefined);
    }
  };
  return (
    <div className="tf-selection" role="region" aria-label={t("table.selection")}>
      <span className="tf-strong">{t("table.selected", { count: rows.length })}</span>
      {bulk.map((action) => (
        <Button
          key={action.key}
          type={action.danger ? "danger" : "tertiary"}
          icon={<action.icon size={15} />}
          loading={running === action.key}
          disabled={running !== undefined}
          onClick={() => void run(action)}
        >
          {action.label}
        </Button>
      ))}
      <button
        type="button"
        className="tf-icon-button"
        aria-label={t("table.clear_selection")}
        onClick={clear}
      >
        <X size={16} />
      </button>
    </div>
  );
}

interface CardsProps<T extends { id: number }> extends Props<T> {
  shown: Column<T>[];
  chosen: Set<number> | undefined;
  choose: (id: number) => void;
}

function Cards<T extends { id: number }>(props: CardsProps<T>) {
  const { t } = useTranslation();
  const { list, shown, chosen, onOpen, actions, nameOf } = props;
  const main = shown.filter((column) => column.main);
  const rest = shown.filter((column) => !column.main);
  return (
    <ul className="tf-cards">
      {list.rows.map((row) => (
        <li key={row.id} className="tf-card tf-list-card">
          <div className="tf-row">
            {chosen && (
              <Check
                aria-label={t("table.select_row", { name: nameOf(row) })}
                checked={chosen.has(row.id)}
                onChange={() => props.choose(row.id)}
              />
            )}
            <div className="tf-grow tf-card-main">
              {main.map((column) => (
                <div key={column.key}>{column.render(row)}</div>
              ))}
            </div>
            {actions?.(row)}
          </div>
          <dl>
            {rest.map((column) => (
              <div key={column.key}>
                <dt>{column.title}</dt>
                <dd>{column.render(row)}</dd>
              </div>
            ))}
          </dl>
          {onOpen && (
            <button type="button" className="tf-link-button" onClick={() => onOpen(row)}>
              {t("table.details")}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Which rows are chosen; those that are not in sight any more are not. */
function useSelection<T extends { id: number }>(rows: T[]) {
  const [wished, setWished] = useState<ReadonlySet<number>>(new Set());
  const chosen = useMemo(() => rows.filter((row) => wished.has(row.id)), [rows, wished]);
  const ids = useMemo(() => new Set(chosen.map((row) => row.id)), [chosen]);
  const choose = useCallback(
    (id: number) =>
      setWished((before) => {
        const after = new Set(before);
        if (!after.delete(id)) after.add(id);
        return after;
      }),
    [],
  );
  const chooseAll = (on: boolean) => setWished(new Set(on ? rows.map((row) => row.id) : []));
  return { rows: chosen, ids, choose, chooseAll };
}

export function DataTable<T extends { id: number }>(props: Props<T>) {
  const { t } = useTranslation();
  const { id, list, columns, bulk } = props;
  const phone = useMedia(PHONE);
  const choice = useChoice(id, columns);
  const selection = useSelection(list.rows);
  const chosen = bulk && selection.ids;
  const nothing = !list.loading && !list.error && list.rows.length === 0;

  return (
    <section className="tf-card tf-list" aria-busy={list.fetching}>
      <div className="tf-toolbar">
        <div className="tf-grow">{props.toolbar}</div>
        <div className="tf-row tf-tools">
          <button
            type="button"
            className={list.fetching ? "tf-icon-button tf-spinning" : "tf-icon-button"}
            aria-label={t("common.refresh")}
            title={t("common.refresh")}
            onClick={() => void list.refresh()}
          >
            <RefreshCw size={16} />
          </button>
          <Export id={id} list={list} columns={columns} />
          <ColumnChooser columns={columns} choice={choice} />
        </div>
      </div>
      {list.error && (
        <div className="tf-list-note">
          <Failure error={list.error} retry={() => void list.refresh()} />
        </div>
      )}
      {list.loading ? (
        <div className="tf-list-loading">
          <Bars lines={8} />
        </div>
      ) : nothing && list.hasMore ? null : nothing ? (
        list.filtered ? (
          (props.emptyFiltered ?? <NothingFits list={list} />)
        ) : (
          props.empty
        )
      ) : phone ? (
        <Cards {...props} shown={choice.shown} chosen={chosen} choose={selection.choose} />
      ) : (
        <Grid
          rows={list.rows}
          columns={choice.shown}
          dense={choice.dense}
          sort={list.sort}
          setSort={list.setSort}
          chosen={chosen}
          choose={selection.choose}
          chooseAll={selection.chooseAll}
          nameOf={props.nameOf}
          onOpen={props.onOpen}
          actions={props.actions}
        />
      )}
      {(!nothing || list.hasMore) && !list.loading && <Pager list={list} />}
      {bulk && selection.rows.length > 0 && (
        <SelectionBar rows={selection.rows} bulk={bulk} clear={() => selection.chooseAll(false)} />
      )}
    </section>
  );
}

function NothingFits<T>({ list }: { list: List<T> }) {
  const { t } = useTranslation();
  return (
    <div className="tf-empty">
      <h2>{t("table.nothing_fits")}</h2>
      <Button className="tf-outline" onClick={list.clearFilters}>
        {t("table.clear_filters")}
      </Button>
    </div>
  );
}
