// The plain fields of a form; those that choose or count are in choices.tsx, which logging in does not need.
//   <TextField form={form} name="name" label={t("token.name")} help={t("token.name_help")} />
import { Input, TextArea } from "@douyinfe/semi-ui";
import { type KeyboardEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Switch } from "../Toggle.tsx";
import { aria, type FieldProps, Frame } from "./Frame.tsx";
import type { Form } from "./useForm.ts";

interface TextProps<T extends object> extends FieldProps<T> {
  placeholder?: string;
  autoComplete?: string;
  autoFocus?: boolean;
  size?: "default" | "large";
  maxLength?: number;
  mono?: boolean;
}

export function TextField<T extends object>(props: TextProps<T>) {
  return (
    <Frame {...props}>
      {(bound) => (
        <Input
          {...aria(bound)}
          name={props.name}
          value={props.form.values[props.name] as string}
          onChange={(value) => props.form.set(props.name, value as T[typeof props.name])}
          validateStatus={bound.invalid ? "error" : "default"}
          size={props.size ?? "default"}
          placeholder={props.placeholder ?? ""}
          autoComplete={props.autoComplete ?? "off"}
          autoFocus={props.autoFocus ?? false}
          disabled={props.disabled ?? false}
          className={props.mono ? "tf-mono" : ""}
        />
      )}
    </Frame>
  );
}

export function PasswordField<T extends object>(props: TextProps<T>) {
  const { t } = useTranslation();
  const [capsLock, setCapsLock] = useState(false);
  const look = (event: KeyboardEvent) => setCapsLock(event.getModifierState("CapsLock"));
  return (
    <Frame {...props} help={capsLock ? t("form.caps_lock") : props.help}>
      {(bound) => (
        <Input
          {...aria(bound)}
          name={props.name}
          mode="password"
          value={props.form.values[props.name] as string}
          onChange={(value) => props.form.set(props.name, value as T[typeof props.name])}
          onKeyUp={look}
          validateStatus={bound.invalid ? "error" : "default"}
          size={props.size ?? "default"}
          autoComplete={props.autoComplete ?? "current-password"}
          autoFocus={props.autoFocus ?? false}
        />
      )}
    </Frame>
  );
}

export function TextAreaField<T extends object>(props: TextProps<T> & { rows?: number }) {
  return (
    <Frame {...props}>
      {(bound) => (
        <TextArea
          {...aria(bound)}
          name={props.name}
          value={props.form.values[props.name] as string}
          onChange={(value) => props.form.set(props.name, value as T[typeof props.name])}
          validateStatus={bound.invalid ? "error" : "default"}
          rows={props.rows ?? 3}
          placeholder={props.placeholder ?? ""}
          className={props.mono ? "tf-mono" : ""}
        />
      )}
    </Frame>
  );
}

export function SwitchField<T extends object>(props: FieldProps<T>) {
  return (
    <Frame {...props} side>
      {(bound) => (
        <Switch
          id={bound.id}
          aria-labelledby={bound.labelId}
          checked={props.form.values[props.name] as boolean}
          onChange={(value) => props.form.set(props.name, value as T[typeof props.name])}
          disabled={props.disabled ?? false}
        />
      )}
    </Frame>
  );
}

interface FormBoxProps<T extends object> {
  form: Form<T>;
  id?: string;
  children: ReactNode;
}

/** The form itself: what went wrong with no field to blame, then its fields. */
export function FormBox<T extends object>({ form, id, children }: FormBoxProps<T>) {
  return (
    <form id={id} className="tf-form" onSubmit={(event) => void form.submit(event)} noValidate>
      {form.failure && (
        <div className="tf-form-failure" role="alert">
          {form.failure}
        </div>
      )}
      {children}
    </form>
  );
}
