// Opening an account, where that is allowed.
import { useTranslation } from "react-i18next";
import { Link, Navigate } from "react-router";
import { useTitle } from "../../components/basics.tsx";
import { useSession } from "../../context/session.tsx";
import { call } from "../../services/api.ts";
import { useStatus } from "../../services/queries.ts";
import { NewAccount } from "./NewAccount.tsx";
import "./auth.css";

export default function RegisterPage() {
  const { t } = useTranslation();
  const { user, setUser } = useSession();
  const status = useStatus();
  useTitle(t("auth.register"));
  if (user) return <Navigate to="/" replace />;
  const open = status.data?.register_enabled;
  const register = async (username: string, password: string) => {
    await call("POST /api/user/register", { body: { username, password } });
    setUser(await call("POST /api/user/login", { body: { username, password } }));
  };
  return (
    <>
      <h1>{t("auth.register_title")}</h1>
      <p className="tf-muted">{open ? t("auth.register_text") : t("auth.register_closed")}</p>
      {open && <NewAccount action={t("auth.register")} send={register} />}
      <p className="tf-auth-links">
        <Link to="/login">{t("auth.have_account")}</Link>
      </p>
    </>
  );
}
