// Which page is shown: set-up first, then who may see what, each page in its frame and loaded when it is wanted.
import { lazy, type ReactNode, Suspense, useEffect } from "react";
import { Navigate, Route, Routes, useLocation } from "react-router";
import { Bars, Failure } from "../components/basics.tsx";
import { ErrorBoundary } from "../components/ErrorBoundary.tsx";
import { BareFrame, PublicFrame } from "../components/layout/frames.tsx";
import { useSession } from "../context/session.tsx";
import { ROLE } from "../models/roles.ts";
import { useStatus } from "../services/queries.ts";
import { type Row, ROWS } from "./table.ts";

const ConsoleFrame = lazy(() => import("../components/layout/ConsoleFrame.tsx"));
const Notice = lazy(() => import("../pages/Notice.tsx"));

const Waiting = () => (
  <div className="tf-waiting" aria-busy>
    <Bars lines={4} />
  </div>
);

function Frame({ row, children }: { row: Pick<Row, "frame">; children: ReactNode }) {
  const { user } = useSession();
  const place = useLocation().pathname;
  const page = (
    <ErrorBoundary place={place}>
      <Suspense fallback={<Waiting />}>{children}</Suspense>
    </ErrorBoundary>
  );
  if (row.frame === "bare") return <BareFrame>{page}</BareFrame>;
  if (row.frame === "public" || (row.frame === "auto" && !user))
    return <PublicFrame>{page}</PublicFrame>;
  return (
    <Suspense fallback={<Waiting />}>
      <ConsoleFrame>{page}</ConsoleFrame>
    </Suspense>
  );
}

function Guard({ row }: { row: Row }) {
  const { user, loading, error, refresh } = useSession();
  const status = useStatus();
  const { pathname, search } = useLocation();
  if (loading || (status.isPending && row.path !== "/login")) return <Waiting />;
  if (status.data && !status.data.setup && row.path !== "/setup")
    return <Navigate to="/setup" replace />;
  if (error)
    return (
      <BareFrame>
        <Failure error={error} retry={() => void refresh()} />
      </BareFrame>
    );
  if (row.role > ROLE.guest && !user)
    return <Navigate to={`/login?next=${encodeURIComponent(pathname + search)}`} replace />;
  const allowed = (user?.role ?? ROLE.guest) >= row.role;
  return <Frame row={row}>{allowed ? <row.page /> : <Notice kind="forbidden" />}</Frame>;
}

export function Pages() {
  const status = useStatus();
  const { pathname } = useLocation();
  const name = status.data?.system_name;
  useEffect(() => {
    if (name) document.documentElement.dataset["site"] = name;
  }, [name]);
  useEffect(() => {
    scrollTo(0, 0);
  }, [pathname]);
  return (
    <Routes>
      {ROWS.map((row) => (
        <Route key={row.path} path={row.path} element={<Guard row={row} />} />
      ))}
      <Route
        path="*"
        element={
          <Frame row={{ frame: "auto" }}>
            <Notice kind="not_found" />
          </Frame>
        }
      />
    </Routes>
  );
}
