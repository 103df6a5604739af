// A forgotten password. The program sends no mail yet, so this says who can help.
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useTitle } from "../../components/basics.tsx";
import "./auth.css";

export default function ForgotPage() {
  const { t } = useTranslation();
  useTitle(t("auth.forgot_title"));
  return (
    <>
      <h1>{t("auth.forgot_title")}</h1>
      <p className="tf-muted">{t("auth.forgot_no_mail")}</p>
      <ol className="tf-forgot">
        <li>{t("auth.forgot_user")}</li>
        <li>{t("auth.forgot_logged_in")}</li>
      </ol>
      <p className="tf-auth-links">
        <Link to="/login">{t("auth.back_to_login")}</Link>
      </p>
    </>
  );
}
