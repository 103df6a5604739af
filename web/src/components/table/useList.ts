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

export function useList<K extends ListOperation>(options: ListOptions<K>): List<RowOf<K>> {
  type T = RowOf<K>;
  const { filters = [], paging = "pages", fixed, search } = options;
  const [params, setParams] = useSearchParams();
  const client = useQueryClient();
  const names = useMemo(() => [...filters, ...(search ? ["keyword"] : [])], [filters, search]);

  const page = Math.max(1, Number(params.get("p")) || 1);
  const wishedSize = Number(params.get("size")) || recall<number>("page_size", 20);
  const size = PAGE_SIZES.includes(wishedSize) ? wishedSize : 20;
  const sort = params.get("sort") ?? options.sort ?? "";
  const given = Object.fromEntries(
    names.map((name) => [name, params.get(name) ?? ""]).filter(([, value]) => value),
  ) as Record<string, string>;
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
      if (answer.items.length === 0) break;
    }
    return found;
  };

  return {
    rows,
    total: pages.data?.total,
    loading: current.isPending,
    fetching: current.isFetching,
    error: current.error,
    refresh: () => client.invalidateQueries({ queryKey: ["list"] }),
    filter: (name) => params.get(name) ?? "",
    setFilters: change,
    clearFilters: () => change(Object.fromEntries(names.map((name) => [name, undefined]))),
    filtered: Object.keys(given).length > 0,
    sort,
    setSort: (next) => change({ sort: next || undefined }),
    paging,
    page,
    setPage: (next) => change({ p: next > 1 ? next : undefined }, true),
    size,
    setSize: (next) => {
      remember("page_size", next);
      change({ size: next });
    },
    hasMore: cursor.hasNextPage,
    loadMore: () => void cursor.fetchNextPage(),
    loadingMore: cursor.isFetchingNextPage,
    all,
  };
}
