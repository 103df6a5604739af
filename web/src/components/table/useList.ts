// A list of the program's: filters, sort and place live in the URL, the rest is asked for.
//   const list = useList({ operation: "GET /api/token", filters: ["status"], search: "GET /api/token/search" })
import {
  keepPreviousData,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";
import type { Operations, Page } from "../../models/api.ts";
import { recall, remember } from "../../helpers/storage.ts";
import { call } from "../../services/api.ts";

/** The operations that answer a list. */
export type ListOperation = {
  [K in keyof Operations]: Operations[K]["data"] extends Page<unknown> ? K : never;
}[keyof Operations];
export type RowOf<K extends ListOperation> =
  Operations[K]["data"] extends Page<infer T> ? T : never;

export interface ListOptions<K extends ListOperation> {
  operation: K;
  /** Query parameters that the URL may hold. */
  filters?: readonly string[];
  /** Asked instead when the URL has a keyword. */
  search?: ListOperation;
  /** "cursor" for long lists: no total, older rows by and by. */
  paging?: "pages" | "cursor";
  sort?: string;
  /** Always sent. */
  fixed?: Record<string, string | number | boolean>;
  /** Asks again by itself, in milliseconds. */
  every?: number;
}

export interface List<T> {
  rows: T[];
  total: number | undefined;
  loading: boolean;
  fetching: boolean;
  error: Error | null;
  refresh: () => Promise<unknown>;
  filter: (name: string) => string;
  setFilters: (change: Record<string, string | number | undefined>) => void;
  clearFilters: () => void;
  filtered: boolean;
  sort: string;
  setSort: (sort: string) => void;
  paging: "pages" | "cursor";
  page: number;
  setPage: (page: number) => void;
  size: number;
  setSize: (size: number) => void;
  hasMore: boolean;
  /** Where a search ran out of time, in seconds; loadMore goes on from there. */
  searchedTo: number | undefined;
  loadMore: () => void;
  loadingMore: boolean;
  /** Every row that fits the filters, up to a bound: for exports. */
  all: (progress: (count: number) => void) => Promise<T[]>;
}

export const PAGE_SIZES = [10, 20, 50, 100];
const EXPORT_MOST = 10_000;

type AnyQuery = Record<string, unknown>;
const ask = (operation: ListOperation, query: AnyQuery, signal?: AbortSignal) =>
  call(operation, { query, ...(signal ? { signal } : {}) } as never) as Promise<Page<never>>;

/** Filters, sort and place as the URL has them, and how to change them. */
function usePlace(names: readonly string[], usualSort = "") {
  const [params, setParams] = useSearchParams();
  const wished = Number(params.get("size")) || recall<number>("page_size", 20);
  const change = useCallback(
    (next: Record<string, string | number | undefined>, keepPage = false) =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if (!keepPage) after.delete("p");
          for (const [name, value] of Object.entries(next))
            if (value === undefined || value === "") after.delete(name);
            else after.set(name, String(value));
          return after;
        },
        { replace: true },
      ),
    [setParams],
  );
  const given = Object.fromEntries(
    names.map((name) => [name, params.get(name) ?? ""]).filter(([, value]) => value),
  ) as Record<string, string>;
  return {
    given,
    page: Math.max(1, Number(params.get("p")) || 1),
    size: PAGE_SIZES.includes(wished) ? wished : 20,
    sort: params.get("sort") ?? usualSort,
    filtered: Object.keys(given).length > 0,
    filter: (name: string) => params.get(name) ?? "",
    setFilters: change,
    clearFilters: () => change(Object.fromEntries(names.map((name) => [name, undefined]))),
    setSort: (next: string) => change({ sort: next || undefined }),
    setPage: (next: number) => change({ p: next > 1 ? next : undefined }, true),
    setSize: (next: number) => {
      remember("page_size", next);
      change({ size: next });
    },
  };
}

export function useList<K extends ListOperation>(options: ListOptions<K>): List<RowOf<K>> {
  type T = RowOf<K>;
  const { filters = [], paging = "pages", fixed, search } = options;
  const client = useQueryClient();
  const names = useMemo(() => [...filters, ...(search ? ["keyword"] : [])], [filters, search]);
  const { given, ...place } = usePlace(names, options.sort);
  const { page, size, sort } = place;
  const operation = given["keyword"] && search ? search : options.operation;

  const query: AnyQuery = { ...fixed, ...given, ...(sort ? { sort } : {}), page_size: size };
  const queryKey = ["list", operation, query];
  const shared = {
    placeholderData: keepPreviousData,
    refetchInterval: options.every ?? (false as const),
  };
  const pages = useQuery({
    ...shared,
    queryKey: [...queryKey, page],
    queryFn: ({ signal }) => ask(operation, { ...query, p: page }, signal),
    enabled: paging === "pages",
  });
  const cursor = useInfiniteQuery({
    ...shared,
    queryKey: [...queryKey, "cursor"],
    queryFn: ({ pageParam, signal }) => ask(operation, { ...query, cursor: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor || undefined,
    enabled: paging === "cursor",
  });
  const current = paging === "pages" ? pages : cursor;

  const rows = useMemo<T[]>(
    () =>
      paging === "pages"
        ? ((pages.data?.items ?? []) as T[])
        : ((cursor.data?.pages ?? []).flatMap((one) => one.items) as T[]),
    [paging, pages.data, cursor.data],
  );

  const all = async (progress: (count: number) => void): Promise<T[]> => {
    const found: T[] = [];
    for (let p = 1, next: string | null | undefined = ""; found.length < EXPORT_MOST; p++) {
      const place: AnyQuery = paging === "pages" ? { p } : { cursor: next };
      const answer: Page<never> = await ask(operation, { ...query, ...place, page_size: 100 });
      found.push(...(answer.items as T[]));
      progress(found.length);
      next = answer.next_cursor;
      if (paging === "pages" ? found.length >= (answer.total ?? 0) : !next) break;
      if (answer.items.length === 0 && answer.searched_to === undefined) break;
    }
    return found;
  };

  return {
    ...place,
    rows,
    total: pages.data?.total,
    loading: current.isPending,
    fetching: current.isFetching,
    error: current.error,
    refresh: () => client.invalidateQueries({ queryKey: ["list"] }),
    paging,
    hasMore: cursor.hasNextPage,
    searchedTo: paging === "cursor" ? cursor.data?.pages.at(-1)?.searched_to : undefined,
    loadMore: () => void cursor.fetchNextPage(),
    loadingMore: cursor.isFetchingNextPage,
    all,
  };
}

interface LocalOptions<T> {
  /** undefined: not there yet. */
  rows: T[] | undefined;
  error: Error | null;
  refresh: () => Promise<unknown>;
  filters: readonly string[];
  /** Does a row fit what is filtered by? */
  fits: (row: T, given: Record<string, string>) => boolean;
  /** What a column sorts by. */
  value: (row: T, column: string) => string | number;
}

/** A list that is here as a whole: filtered, sorted and cut into pages in the browser. */
export function useLocalList<T>(options: LocalOptions<T>): List<T> {
  const { rows, error, refresh, filters, fits, value } = options;
  const { given, ...place } = usePlace(filters);
  const { page, size, sort } = place;
  const fitting = (rows ?? []).filter((row) => fits(row, given));
  if (sort) {
    const column = sort.replace(/^-/, "");
    const way = sort.startsWith("-") ? -1 : 1;
    const order = (a: string | number, b: string | number) =>
      typeof a === "number" ? a - Number(b) : a.localeCompare(String(b));
    fitting.sort((a, b) => way * order(value(a, column), value(b, column)));
  }
  return {
    ...place,
    rows: fitting.slice((page - 1) * size, page * size),
    total: fitting.length,
    loading: !rows && !error,
    fetching: !rows && !error,
    error,
    refresh,
    paging: "pages",
    hasMore: false,
    searchedTo: undefined,
    loadMore: () => {},
    loadingMore: false,
    all: () => Promise.resolve(fitting),
  };
}
