// Name, password and the password again: for the first account and for everybody's.
import { Button } from "@douyinfe/semi-ui";
import { useTranslation } from "react-i18next";
import { FormBox, PasswordField, TextField } from "../../components/form/fields.tsx";
import { useForm } from "../../components/form/useForm.ts";
import { lengthBetween, passwordStrength, required, sameAs } from "../../helpers/rules.ts";

interface Props {
  username?: string;
  action: string;
  send: (username: string, password: string) => Promise<unknown>;
}

const STRENGTHS = ["weak", "weak", "fair", "good", "strong"] as const;

export function PasswordStrength({ password }: { password: string }) {
  const { t } = useTranslation();
  const strength = passwordStrength(password);
  if (!password) return <>{t("auth.password_help")}</>;
  return (
    <span className="tf-strength">
      <span className={`tf-strength-bar tf-strength-${strength}`} aria-hidden />
      {t(`auth.strength_${STRENGTHS[strength]!}`)}
    </span>
  );
}

export function NewAccount({ username = "", action, send }: Props) {
  const { t } = useTranslation();
  const form = useForm({
    initial: { username, password: "", again: "" },
    rules: {
      username: [required(), lengthBetween(1, 20)],
      password: [lengthBetween(8, 72)],
      again: [sameAs("password")],
    },
    send: (values) => send(values.username.trim(), values.password),
  });
  return (
    <FormBox form={form}>
      <TextField
        form={form}
        name="username"
        label={t("auth.username")}
        autoComplete="username"
        size="large"
        autoFocus
      />
      <PasswordField
        form={form}
        name="password"
        label={t("auth.password")}
        help={<PasswordStrength password={form.values.password} />}
        autoComplete="new-password"
        size="large"
      />
      <PasswordField
        form={form}
        name="again"
        label={t("auth.password_again")}
        autoComplete="new-password"
        size="large"
      />
      <Button htmlType="submit" theme="solid" size="large" block loading={form.busy}>
        {action}
      </Button>
    </FormBox>
  );
}
