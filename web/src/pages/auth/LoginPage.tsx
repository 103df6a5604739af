// Logging in; afterwards to where one wanted to go.
import { Button } from "@douyinfe/semi-ui";
import { useTranslation } from "react-i18next";
import { Link, Navigate, useSearchParams } from "react-router";
import { useTitle } from "../../components/basics.tsx";
import { FormBox, PasswordField, TextField } from "../../components/form/fields.tsx";
import { useForm } from "../../components/form/useForm.ts";
import { useSession } from "../../context/session.tsx";
import { required } from "../../helpers/rules.ts";
import { isLanguage, setLanguage } from "../../i18n/index.ts";
import { call } from "../../services/api.ts";
import { useStatus } from "../../services/queries.ts";
import "./auth.css";

/** Only a path of ours: a link that was sent to somebody must not lead him elsewhere. */
export function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) ? next : "/";
}

export default function LoginPage() {
  const { t } = useTranslation();
  const { user, setUser } = useSession();
  const status = useStatus();
  const [params] = useSearchParams();
  useTitle(t("auth.login"));
  const form = useForm({
    initial: { username: "", password: "" },
    rules: { username: [required()], password: [required()] },
    send: async (values) => {
      const next = await call("POST /api/user/login", { body: values });
      // his language on his other devices too
      if (isLanguage(next.language)) await setLanguage(next.language);
      setUser(next);
    },
  });
  if (user) return <Navigate to={safeNext(params.get("next"))} replace />;
  return (
    <>
      <h1>{t("auth.login_title")}</h1>
      <p className="tf-muted">{t("auth.login_text")}</p>
      <FormBox form={form}>
        <TextField
          form={form}
          name="username"
          label={t("auth.username")}
          autoComplete="username"
          size="large"
          autoFocus
        />
        <PasswordField form={form} name="password" label={t("auth.password")} size="large" />
        <Button htmlType="submit" theme="solid" size="large" block loading={form.busy}>
          {t("auth.login")}
        </Button>
      </FormBox>
      <p className="tf-auth-links">
        <Link to="/forget">{t("auth.forgot")}</Link>
        {status.data?.register_enabled && <Link to="/register">{t("auth.register")}</Link>}
      </p>
    </>
  );
}
