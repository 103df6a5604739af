// One's own settings: who one is, how one logs in, how the console looks.
import { Button } from "@douyinfe/semi-ui";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { CopyBox, Facts, Money, PageHeader, PlainTag, When } from "../../components/basics.tsx";
import { useConfirm } from "../../components/Confirm.tsx";
import { type Choice, SelectField } from "../../components/form/choices.tsx";
import { FormBox, PasswordField, TextField } from "../../components/form/fields.tsx";
import { useForm } from "../../components/form/useForm.ts";
import { useSession, useUser } from "../../context/session.tsx";
import { type Theme, useTheme } from "../../context/theme.tsx";
import { notify } from "../../helpers/notify.ts";
import { lengthBetween, required, sameAs } from "../../helpers/rules.ts";
import { currentLanguage, isLanguage, LANGUAGES, setLanguage } from "../../i18n/index.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import { roleName } from "../../models/roles.ts";
import { call } from "../../services/api.ts";
import { PasswordStrength } from "../auth/NewAccount.tsx";
import "../auth/auth.css";
import "./setting.css";

function Card(props: { title: string; text: string; children: ReactNode }) {
  return (
    <section className="tf-card tf-setting">
      <div>
        <h2>{props.title}</h2>
        <p className="tf-muted">{props.text}</p>
      </div>
      <div className="tf-grow">{props.children}</div>
    </section>
  );
}

function Account() {
  const { t } = useTranslation();
  const format = useFormat();
  const user = useUser();
  return (
    <Card title={t("setting.account")} text={t("setting.account_text")}>
      <Facts
        rows={[
          [
            t("auth.username"),
            <span key="name" className="tf-strong">
              {user.username}
            </span>,
          ],
          [t("setting.role"), t(`role.${roleName(user.role)}`)],
          [t("setting.group"), <PlainTag key="group">{user.group}</PlainTag>],
          [t("layout.balance"), <Money key="quota" quota={user.quota} />],
          [t("setting.used"), <Money key="used" quota={user.used_quota} />],
          [t("setting.requests"), format.number(user.request_count)],
          [t("setting.since"), <When key="since" at={user.created_at} />],
        ]}
      />
    </Card>
  );
}

function Profile() {
  const { t } = useTranslation();
  const user = useUser();
  const { setUser } = useSession();
  const languages: Choice[] = Object.entries(LANGUAGES).map(([value, { name }]) => ({
    value,
    label: name,
  }));
  const form = useForm({
    initial: {
      display_name: user.display_name || user.username,
      language: isLanguage(user.language) ? user.language : currentLanguage(),
    },
    rules: { display_name: [required(), lengthBetween(1, 64)] },
    send: async (values) => {
      setUser(await call("PUT /api/user/self", { body: values }));
      await setLanguage(values.language);
      notify.done(t("common.saved"));
    },
  });
  return (
    <Card title={t("setting.profile")} text={t("setting.profile_text")}>
      <FormBox form={form}>
        <TextField
          form={form}
          name="display_name"
          label={t("setting.display_name")}
          autoComplete="nickname"
        />
        <SelectField
          form={form}
          name="language"
          label={t("layout.language")}
          help={t("setting.language_help")}
          choices={languages}
        />
        <div>
          <Button htmlType="submit" theme="solid" loading={form.busy} disabled={!form.dirty}>
            {t("common.save")}
          </Button>
        </div>
      </FormBox>
    </Card>
  );
}

const THEMES: Theme[] = ["light", "dark", "auto"];

function Appearance() {
  const { t } = useTranslation();
  const { theme, setTheme } = useTheme();
  return (
    <Card title={t("setting.appearance")} text={t("setting.appearance_text")}>
      <div className="tf-themes" role="radiogroup" aria-label={t("layout.theme")}>
        {THEMES.map((one) => (
          <button
            key={one}
            type="button"
            role="radio"
            aria-checked={theme === one}
            onClick={() => setTheme(one)}
          >
            <span className={`tf-theme-sample tf-theme-${one}`} aria-hidden>
              <i />
              <i />
              <i />
            </span>
            {t(`layout.theme_${one}`)}
          </button>
        ))}
      </div>
    </Card>
  );
}

function Password() {
  const { t } = useTranslation();
  const form = useForm({
    initial: { original_password: "", password: "", again: "" },
    rules: {
      original_password: [required()],
      password: [lengthBetween(8, 72)],
      again: [sameAs("password")],
    },
    send: async ({ original_password, password }) => {
      await call("PUT /api/user/self/password", { body: { original_password, password } });
      form.reset();
      notify.done(t("setting.password_changed"));
    },
  });
  return (
    <Card title={t("setting.password")} text={t("setting.password_text")}>
      <FormBox form={form}>
        <PasswordField form={form} name="original_password" label={t("setting.password_present")} />
        <PasswordField
          form={form}
          name="password"
          label={t("setting.password_new")}
          help={<PasswordStrength password={form.values.password} />}
          autoComplete="new-password"
        />
        <PasswordField
          form={form}
          name="again"
          label={t("auth.password_again")}
          autoComplete="new-password"
        />
        <div>
          <Button htmlType="submit" theme="solid" loading={form.busy} disabled={!form.dirty}>
            {t("setting.password_change")}
          </Button>
        </div>
      </FormBox>
    </Card>
  );
}

function AccessToken() {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const [token, setToken] = useState<string>();
  const [busy, setBusy] = useState(false);
  const make = async () => {
    const yes = await confirm({
      title: t("setting.token_title"),
      body: t("setting.token_warning"),
      action: t("setting.token_make"),
    });
    if (!yes) return;
    setBusy(true);
    try {
      setToken(await call("POST /api/user/token"));
    } catch (error) {
      notify.failed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title={t("setting.token")} text={t("setting.token_text")}>
      {token ? (
        <div className="tf-stack">
          <CopyBox text={token} what={t("setting.token")} />
          <p className="tf-note">{t("setting.token_once")}</p>
        </div>
      ) : (
        <Button className="tf-outline" loading={busy} onClick={() => void make()}>
          {t("setting.token_make")}
        </Button>
      )}
    </Card>
  );
}

export default function SettingPage() {
  const { t } = useTranslation();
  return (
    <>
      <PageHeader title={t("nav.setting")} />
      <div className="tf-stack">
        <Account />
        <Profile />
        <Appearance />
        <Password />
        <AccessToken />
      </div>
    </>
  );
}
