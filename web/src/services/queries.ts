// What several pages ask for, under the keys by which it is kept.
import { QueryClient, useQuery } from "@tanstack/react-query";
import { call } from "./api.ts";
import { ApiError } from "./http.ts";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status > 0),
      refetchOnWindowFocus: false,
    },
  },
});

export const useStatus = () =>
  useQuery({ queryKey: ["status"], queryFn: () => call("GET /api/status"), staleTime: 60_000 });

/** Where programs reach us, without a slash at the end. */
export const useBase = () =>
  (useStatus().data?.server_address || location.origin).replace(/\/+$/, "");
export const usePricing = () =>
  useQuery({ queryKey: ["pricing"], queryFn: () => call("GET /api/pricing"), staleTime: 60_000 });

export const useGroups = () =>
  useQuery({ queryKey: ["groups"], queryFn: () => call("GET /api/user/groups") });

/** The groups that one may use, to choose from, and those that are chosen already. */
export const useGroupChoices = (chosen: string[] = []) =>
  [...new Set([...Object.keys(useGroups().data ?? {}), ...chosen])].map((value) => ({
    value,
    label: value,
  }));
