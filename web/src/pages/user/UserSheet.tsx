// Making an account or changing one, and what it may spend.
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Facts } from "../../components/basics.tsx";
import { NumberField, SelectField } from "../../components/form/choices.tsx";
import { PasswordField, TextField } from "../../components/form/fields.tsx";
import { FormSheet } from "../../components/form/FormSheet.tsx";
import { useForm } from "../../components/form/useForm.ts";
import { useUser } from "../../context/session.tsx";
import { quotaToUsd, usdToQuota } from "../../helpers/format.ts";
import { notify } from "../../helpers/notify.ts";
import { atLeast, lengthBetween, required, type Rule } from "../../helpers/rules.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { User } from "../../models/api.ts";
import { ROLE, roleName } from "../../models/roles.ts";
import { call } from "../../services/api.ts";
import { useGroupChoices } from "../../services/queries.ts";

interface Values {
  username: string;
  password: string;
  display_name: string;
  role: number;
  group: string;
  quota: number;
  remark: string;
}

const newPassword =
  (mayBeEmpty: boolean): Rule<string> =>
  (value, t, all) =>
    value || !mayBeEmpty ? lengthBetween(8, 72)(value, t, all) : undefined;

export function UserSheet({ user, onClose }: { user?: User | undefined; onClose: () => void }) {
  const { t } = useTranslation();
  const me = useUser();
  const client = useQueryClient();
  const form = useForm<Values>({
    initial: {
      username: user?.username ?? "",
      password: "",
      display_name: user?.display_name ?? "",
      role: user?.role ?? ROLE.user,
      group: user?.group ?? "default",
      quota: 0,
      remark: user?.remark ?? "",
    },
    rules: {
      username: user ? [] : [required(), lengthBetween(1, 20)],
      password: [newPassword(!!user)],
      quota: [atLeast(0)],
    },
    send: async ({ username, password, quota, ...values }) => {
      if (user)
        await call("PUT /api/users/{id}", {
          params: { id: user.id },
          body: { ...values, ...(password ? { password } : {}) },
        });
      else
        await call("POST /api/users", {
          body: { username, password, quota: usdToQuota(quota), ...values },
        });
      notify.done(t("common.saved"));
      await client.invalidateQueries({ queryKey: ["list"] });
      onClose();
    },
  });
  const roles = [ROLE.user, ROLE.admin].filter((role) => role < me.role);
  const groups = useGroupChoices([form.values.group]);
  return (
    <FormSheet
      form={form}
      title={user ? t("token.edit", { name: user.username }) : t("user.create")}
      saveLabel={user ? t("common.save") : t("user.create")}
      onClose={onClose}
    >
      {!user && <TextField form={form} name="username" label={t("auth.username")} autoFocus />}
      <PasswordField
        form={form}
        name="password"
        label={t("auth.password")}
        help={user ? t("user.password_keep") : t("auth.password_help")}
        autoComplete="new-password"
      />
      <TextField form={form} name="display_name" label={t("setting.display_name")} optional />
      <SelectField
        form={form}
        name="role"
        label={t("setting.role")}
        choices={roles.map((value) => ({ value, label: t(`role.${roleName(value)}`) }))}
      />
      <SelectField
        form={form}
        name="group"
        label={t("token.group")}
        help={t("token.group_help")}
        choices={groups}
        free
      />
      {!user && (
        <NumberField
          form={form}
          name="quota"
          label={t("user.first_quota")}
          prefix="$"
          min={0}
          precision={6}
        />
      )}
      <TextField
        form={form}
        name="remark"
        label={t("channel.remark")}
        help={t("user.remark_help")}
        optional
      />
    </FormSheet>
  );
}

interface Adjustment {
  mode: string;
  value: number;
}

export function QuotaSheet({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation();
  const format = useFormat();
  const client = useQueryClient();
  const form = useForm<Adjustment>({
    initial: { mode: "add", value: 10 },
    rules: { value: [atLeast(0)] },
    send: async ({ mode, value }) => {
      await call("POST /api/user/manage", {
        body: { id: user.id, action: "add_quota", mode, value: usdToQuota(value) },
      });
      notify.done(t("common.saved"));
      await client.invalidateQueries({ queryKey: ["list"] });
      await client.invalidateQueries({ queryKey: ["self"] });
      onClose();
    },
  });
  const { mode, value } = form.values;
  const now = quotaToUsd(user.quota);
  const after = mode === "add" ? now + value : mode === "subtract" ? now - value : value;
  return (
    <FormSheet form={form} title={t("user.adjust_of", { name: user.username })} onClose={onClose}>
      <SelectField
        form={form}
        name="mode"
        label={t("user.mode")}
        choices={[
          { value: "add", label: t("user.mode_add") },
          { value: "subtract", label: t("user.mode_subtract") },
          { value: "override", label: t("user.mode_override") },
        ]}
      />
      <NumberField
        form={form}
        name="value"
        label={t("log.amount")}
        prefix="$"
        min={0}
        precision={6}
      />
      <Facts
        rows={[
          [t("user.before"), <span className="tf-num">{format.usd(now)}</span>],
          [t("user.after"), <strong className="tf-num">{format.usd(after)}</strong>],
        ]}
      />
      <p className="tf-note">{t("user.adjust_note")}</p>
    </FormSheet>
  );
}
