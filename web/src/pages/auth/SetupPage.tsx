// The first start: whoever has the one-time link makes the root account.
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Navigate, useSearchParams } from "react-router";
import { useTitle } from "../../components/basics.tsx";
import { useSession } from "../../context/session.tsx";
import { call } from "../../services/api.ts";
import { useStatus } from "../../services/queries.ts";
import { NewAccount } from "./NewAccount.tsx";
import "./auth.css";

export default function SetupPage() {
  const { t } = useTranslation();
  const { user, setUser } = useSession();
  const status = useStatus();
  const client = useQueryClient();
  const [params] = useSearchParams();
  const token = params.get("token") ?? "";
  useTitle(t("auth.setup_title"));
  if (user) return <Navigate to="/" replace />;
  if (status.data?.setup) return <Navigate to="/login" replace />;
  const make = async (username: string, password: string) => {
    await call("POST /api/setup", { body: { token, username, password } });
    const root = await call("POST /api/user/login", { body: { username, password } });
    await client.invalidateQueries({ queryKey: ["status"] });
    setUser(root);
  };
  return (
    <>
      <h1>{t("auth.setup_title")}</h1>
      <p className="tf-muted">{token ? t("auth.setup_text") : t("auth.setup_no_token")}</p>
      {token ? (
        <NewAccount username="root" action={t("auth.setup_action")} send={make} />
      ) : (
        <pre className="tf-setup-hint">http://…/setup?token=…</pre>
      )}
    </>
  );
}
