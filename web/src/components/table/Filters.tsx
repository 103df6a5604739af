// The filters over a table. What is typed goes into the URL after a moment, what is chosen at once.
//   <Filters list={list} search={t("token.search")} filters={[{ name: "status", label: ..., choices: [...] }]} />
import { Button, DatePicker, Input, Select } from "@douyinfe/semi-ui";
import { ListFilter, Search, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { PHONE, useMedia } from "../../helpers/useMedia.ts";
import type { List } from "./useList.ts";

export type Filter =
  | { name: string; label: string; choices: { value: string | number; label: string }[] }
  | { name: string; label: string; kind: "text" | "number" }
  | { kind: "period"; from: string; to: string; label: string };

interface Props<T> {
  list: List<T>;
  /** What the search box looks through; without it there is none. */
  search?: string;
  filters?: Filter[];
}

const PAUSE_MS = 350;

function TextFilter<T>(props: { list: List<T>; name: string; label: string; search?: boolean }) {
  const { list, name, label, search } = props;
  const value = list.filter(name);
  const [text, setText] = useState(value);
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => list.setFilters({ [name]: text.trim() }), PAUSE_MS);
    return () => clearTimeout(timer);
    // the list is another object each time
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [text, value, name]);
  useEffect(() => {
    if (!search) return;
    const listen = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest("input, textarea, [contenteditable]");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      box.current?.focus();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [search]);
  return (
    <Input
      ref={box}
      className={search ? "tf-search" : "tf-filter"}
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={setText}
      onEnterPress={() => list.setFilters({ [name]: text.trim() })}
      showClear
      {...(search ? { prefix: <Search size={15} className="tf-search-icon" /> } : {})}
    />
  );
}

function Period<T>(props: { list: List<T>; from: string; to: string; label: string }) {
  const { t } = useTranslation();
  const { list, from, to } = props;
  const at = (name: string) => (list.filter(name) ? Number(list.filter(name)) * 1000 : undefined);
  const value = at(from) && at(to) ? [at(from)!, at(to)!] : [];
  const back = (days: number, text: string) => ({
    text,
    start: new Date(Date.now() - days * 86_400_000),
    end: new Date(),
  });
  return (
    <DatePicker
      type="dateTimeRange"
      className="tf-period"
      density="compact"
      format="yyyy-MM-dd HH:mm"
      aria-label={props.label}
      placeholder={[t("table.from"), t("table.to")]}
      value={value}
      presets={[
        back(1 / 24, t("table.last_hour")),
        back(1, t("table.last_day")),
        back(7, t("table.last_week")),
        back(30, t("table.last_month")),
      ]}
      onChange={(dates) => {
        const [start, end] = (Array.isArray(dates) ? dates : []) as Date[];
        list.setFilters({
          [from]: start ? Math.floor(start.getTime() / 1000) : undefined,
          [to]: end ? Math.floor(end.getTime() / 1000) : undefined,
        });
      }}
    />
  );
}

export function Filters<T>({ list, search, filters = [] }: Props<T>) {
  const { t } = useTranslation();
  const phone = useMedia(PHONE);
  const [open, setOpen] = useState(false);
  const shown = !phone || open ? filters : filters.slice(0, search ? 0 : 1);
  return (
    <div className="tf-filters" role="search">
      {search && <TextFilter list={list} name="keyword" label={search} search />}
      {shown.map((filter) =>
        "choices" in filter ? (
          <Select
            key={filter.name}
            className="tf-filter"
            data-name={filter.label}
            placeholder={filter.label}
            value={
              filter.choices.find((one) => String(one.value) === list.filter(filter.name))?.value
            }
            optionList={filter.choices}
            onChange={(value) => list.setFilters({ [filter.name]: value as string })}
            showClear
          />
        ) : filter.kind === "period" ? (
          <Period key={filter.from} list={list} {...filter} />
        ) : (
          <TextFilter key={filter.name} list={list} name={filter.name} label={filter.label} />
        ),
      )}
      {phone && filters.length > shown.length + (open ? -1 : 0) && (
        <Button
          theme="borderless"
          type="tertiary"
          icon={<ListFilter size={14} />}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          {open ? t("table.fewer_filters") : t("table.more_filters")}
        </Button>
      )}
      {list.filtered && (
        <Button
          theme="borderless"
          type="tertiary"
          icon={<X size={14} />}
          onClick={list.clearFilters}
        >
          {t("table.clear_filters")}
        </Button>
      )}
    </div>
  );
}
