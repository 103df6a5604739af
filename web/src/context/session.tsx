// Who is logged in. Asked once, then kept; an answer of 401 anywhere ends it.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";
import type { User } from "../models/api.ts";
import { ROLE } from "../models/roles.ts";
import { call } from "../services/api.ts";
import { ApiError, cookie, onLoggedOut } from "../services/http.ts";

interface Session {
  user: User | null;
  loading: boolean;
  /** The question itself failed, so nobody knows. */
  error: Error | null;
  isAdmin: boolean;
  isRoot: boolean;
  setUser: (user: User | null) => void;
  refresh: () => Promise<unknown>;
  logOut: () => Promise<void>;
}

const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("useSession outside of SessionProvider");
  return session;
}

/** For pages that only somebody who is logged in can see. */
export function useUser(): User {
  const { user } = useSession();
  if (!user) throw new Error("useUser on a page for everybody");
  return user;
}

// Without the cookie that scripts can read there is no session to ask for.
async function whoAmI(): Promise<User | null> {
  if (!cookie("tf_csrf")) return null;
  try {
    return await call("GET /api/user/self");
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return null;
    throw error;
  }
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const self = useQuery({
    queryKey: ["self"],
    queryFn: whoAmI,
    staleTime: 30_000,
    refetchInterval: 60_000,
    refetchOnWindowFocus: true,
  });
  const user = self.data ?? null;

  useEffect(() => onLoggedOut(() => client.setQueryData(["self"], null)), [client]);

  const value = useMemo<Session>(
    () => ({
      user,
      loading: self.isPending,
      error: self.error,
      isAdmin: (user?.role ?? 0) >= ROLE.admin,
      isRoot: (user?.role ?? 0) >= ROLE.root,
      setUser: (next) => client.setQueryData(["self"], next),
      refresh: () => client.invalidateQueries({ queryKey: ["self"] }),
      logOut: async () => {
        await call("POST /api/user/logout").catch(() => {});
        client.setQueryData(["self"], null);
        client.removeQueries({ predicate: (query) => query.queryKey[0] === "list" });
      },
    }),
    [user, self.isPending, self.error, client],
  );
  return <SessionContext.Provider value={value}>{children}</SessionContext.Provider>;
}
