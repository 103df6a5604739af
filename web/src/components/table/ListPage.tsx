// A page that is a list: its head, the button that makes a new row, filters, the table, and what is done to rows.
//   <ListPage id="token" list={list} title about icon empty create search filters columns nameOf actions bulk />
import { Button } from "@douyinfe/semi-ui";
import { CircleSlash, Ellipsis, type LucideIcon, Plus, Power, Trash2 } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { notify } from "../../helpers/notify.ts";
import { Empty, PageHeader } from "../basics.tsx";
import { type Question, useConfirm } from "../Confirm.tsx";
import { Menu } from "../Menu.tsx";
import { type BulkAction, type Column, DataTable } from "./DataTable.tsx";
import { type Filter, Filters } from "./Filters.tsx";
import type { List } from "./useList.ts";

export interface RowAction {
  key: string;
  /** What it does; on a button of its own it also says to which row. */
  label: string;
  icon: LucideIcon;
  run: () => unknown;
  danger?: boolean;
  /** A button in the row; the others are behind its menu. */
  button?: boolean;
}

interface Props<T extends { id: number }> {
  id: string;
  list: List<T>;
  title: string;
  about: string;
  icon: LucideIcon;
  /** What is said when there is nothing at all; the button that makes something stands below. */
  empty: { title: string; text: string };
  create?: { label: string; run: () => void };
  /** In the head, before the button. */
  extra?: ReactNode;
  search?: string;
  filters: Filter[];
  columns: Column<T>[];
  nameOf: (row: T) => string;
  actions?: (row: T) => RowAction[];
  bulk?: BulkAction<T>[];
  onOpen?: (row: T) => void;
}

function RowActions({ name, actions }: { name: string; actions: RowAction[] }) {
  const { t } = useTranslation();
  const rest = actions.filter((action) => !action.button);
  return (
    <>
      {actions
        .filter((action) => action.button)
        .map(({ key, label, icon: Icon, run }) => (
          <button
            key={key}
            type="button"
            className="tf-icon-button"
            aria-label={label}
            title={label}
            onClick={() => void run()}
          >
            <Icon size={15} />
          </button>
        ))}
      {rest.length > 0 && (
        <Menu
          items={rest.map(({ icon: Icon, ...item }) => ({ ...item, icon: <Icon size={15} /> }))}
          button={
            <button
              type="button"
              className="tf-icon-button"
              aria-label={t("common.more_for", { name })}
            >
              <Ellipsis size={16} />
            </button>
          }
        />
      )}
    </>
  );
}

export function ListPage<T extends { id: number }>(props: Props<T>) {
  const { id, list, title, about, icon, empty, create, columns, nameOf, actions } = props;
  const button = create && (
    <Button theme="solid" icon={<Plus size={16} />} onClick={create.run}>
      {create.label}
    </Button>
  );
  const head = (props.extra || button) && (
    <>
      {props.extra}
      {button}
    </>
  );
  return (
    <>
      <PageHeader title={title} description={about} actions={head} />
      <DataTable
        id={id}
        list={list}
        columns={columns}
        nameOf={nameOf}
        {...(props.bulk ? { bulk: props.bulk } : {})}
        {...(props.onOpen ? { onOpen: props.onOpen } : {})}
        {...(actions
          ? { actions: (row: T) => <RowActions name={nameOf(row)} actions={actions(row)} /> }
          : {})}
        empty={<Empty icon={icon} {...empty} action={button} />}
        toolbar={
          <Filters
            list={list}
            {...(props.search ? { search: props.search } : {})}
            filters={props.filters}
          />
        }
      />
    </>
  );
}

/** What pages do to the rows of a list, one after the other; the list is asked for again also after a failure. */
export function useRowWork<T>(list: List<T>) {
  const confirm = useConfirm();
  const each = async (rows: T[], work: (row: T) => Promise<unknown>) => {
    try {
      for (const row of rows) await work(row);
    } finally {
      await list.refresh();
    }
  };
  const remove = async (
    rows: T[],
    question: Question & { done: string },
    work: (row: T) => Promise<unknown>,
  ) => {
    if (!(await confirm({ ...question, danger: true }))) return;
    try {
      await each(rows, work);
      notify.done(question.done);
    } catch (error) {
      notify.failed(error);
    }
  };
  return { each, remove };
}

/** The bulk actions that most pages have: on, off, gone. */
export function useUsualBulk<T>(
  set: (rows: T[], on: boolean) => Promise<unknown>,
  remove: (rows: T[]) => Promise<unknown>,
): [on: BulkAction<T>, off: BulkAction<T>, remove: BulkAction<T>] {
  const { t } = useTranslation();
  return [
    { key: "on", label: t("common.enable"), icon: Power, run: (rows) => set(rows, true) },
    { key: "off", label: t("common.disable"), icon: CircleSlash, run: (rows) => set(rows, false) },
    { key: "delete", label: t("common.delete"), icon: Trash2, danger: true, run: remove },
  ];
}
