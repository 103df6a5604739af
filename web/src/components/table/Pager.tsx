// Where in a list one is: page by page with a total, or further and further back.
import { Button, Select } from "@douyinfe/semi-ui";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useFormat } from "../../i18n/useFormat.ts";
import { type List, PAGE_SIZES } from "./useList.ts";

function Size<T>({ list }: { list: List<T> }) {
  const { t } = useTranslation();
  return (
    <Select
      size="small"
      data-name={t("table.page_size")}
      value={list.size}
      onChange={(value) => list.setSize(Number(value))}
      optionList={PAGE_SIZES.map((value) => ({ value, label: t("table.per_page", { value }) }))}
    />
  );
}

export function Pager<T>({ list }: { list: List<T> }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (list.paging === "cursor")
    return (
      <div className="tf-pager">
        <span className="tf-faint tf-small">
          {t("table.shown", { count: list.rows.length, value: format.number(list.rows.length) })}
          {list.searchedTo !== undefined &&
            ` · ${t("table.searched_to", { time: format.time(list.searchedTo) })}`}
        </span>
        {list.hasMore ? (
          <Button className="tf-outline" loading={list.loadingMore} onClick={list.loadMore}>
            {t(list.searchedTo === undefined ? "table.load_more" : "table.search_on")}
          </Button>
        ) : (
          <span className="tf-faint tf-small">{t("table.end")}</span>
        )}
      </div>
    );
  const total = list.total ?? 0;
  const first = (list.page - 1) * list.size + 1;
  const last = Math.min(total, list.page * list.size);
  return (
    <nav className="tf-pager" aria-label={t("table.pages")}>
      <span className="tf-faint tf-small tf-num">
        {t("table.range", {
          first: format.number(first),
          last: format.number(last),
          total: format.number(total),
        })}
      </span>
      <div className="tf-row">
        <Size list={list} />
        <button
          type="button"
          className="tf-icon-button"
          aria-label={t("table.previous_page")}
          disabled={list.page <= 1}
          onClick={() => list.setPage(list.page - 1)}
        >
          <ChevronLeft size={16} />
        </button>
        <button
          type="button"
          className="tf-icon-button"
          aria-label={t("table.next_page")}
          disabled={last >= total}
          onClick={() => list.setPage(list.page + 1)}
        >
          <ChevronRight size={16} />
        </button>
      </div>
    </nav>
  );
}
