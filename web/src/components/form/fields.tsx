// The fields of a form: a label, the control, and under it what is wrong or what helps.
//   <TextField form={form} name="name" label={t("token.name")} help={t("token.name_help")} />
import { Input, InputNumber, Select, Switch, TextArea } from "@douyinfe/semi-ui";
import { type KeyboardEvent, type ReactNode, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Form } from "./useForm.ts";
import "./form.css";

export interface FieldProps<T extends object> {
  form: Form<T>;
  name: keyof T & string;
  label: ReactNode;
  help?: ReactNode;
  disabled?: boolean | undefined;
  /** Says "optional" behind the label. */
  optional?: boolean;
}

interface Bound {
  id: string;
  labelId: string;
  invalid: boolean;
  describedBy: string | undefined;
}

function Frame<T extends object>(
  props: FieldProps<T> & { children: (bound: Bound) => ReactNode; side?: boolean },
) {
  const { t } = useTranslation();
  const id = useId();
  const error = props.form.errors[props.name];
  const note = error ?? props.help;
  const bound: Bound = {
    id,
    labelId: `${id}-label`,
    invalid: error !== undefined,
    describedBy: note ? `${id}-note` : undefined,
  };
  return (
    <div className={props.side ? "tf-field tf-field-side" : "tf-field"}>
      <label className="tf-label" id={bound.labelId} htmlFor={id}>
        {props.label}
        {props.optional && <span className="tf-faint tf-optional">{t("form.optional")}</span>}
      </label>
      <div className="tf-control">{props.children(bound)}</div>
      {note && (
        <div
          id={`${id}-note`}
          className={error ? "tf-note tf-note-error" : "tf-note"}
          role={error ? "alert" : undefined}
        >
          {note}
        </div>
      )}
    </div>
  );
}

const aria = (bound: Bound) => ({
  id: bound.id,
  "aria-invalid": bound.invalid,
  ...(bound.describedBy ? { "aria-describedby": bound.describedBy } : {}),
});

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

interface NumberProps<T extends object> extends FieldProps<T> {
  min?: number;
  max?: number;
  step?: number;
  prefix?: ReactNode;
  suffix?: ReactNode;
  precision?: number;
}

export function NumberField<T extends object>(props: NumberProps<T>) {
  return (
    <Frame {...props}>
      {(bound) => (
        <InputNumber
          {...aria(bound)}
          name={props.name}
          className="tf-full"
          value={props.form.values[props.name] as number}
          onNumberChange={(value) => props.form.set(props.name, value as T[typeof props.name])}
          validateStatus={bound.invalid ? "error" : "default"}
          {...(props.min === undefined ? {} : { min: props.min })}
          {...(props.max === undefined ? {} : { max: props.max })}
          {...(props.precision === undefined ? {} : { precision: props.precision })}
          step={props.step ?? 1}
          prefix={props.prefix}
          suffix={props.suffix}
          disabled={props.disabled ?? false}
        />
      )}
    </Frame>
  );
}

export interface Choice {
  value: string | number;
  label: ReactNode;
  /** What is shown when it is chosen, and searched for; the label when that is text. */
  text?: string;
}

interface SelectProps<T extends object> extends FieldProps<T> {
  choices: Choice[];
  placeholder?: string;
  multiple?: boolean;
  /** Values that are not among the choices may be typed. */
  free?: boolean;
  loading?: boolean;
}

export function SelectField<T extends object>(props: SelectProps<T>) {
  const { t } = useTranslation();
  return (
    <Frame {...props}>
      {(bound) => (
        <Select
          id={bound.id}
          aria-labelledby={bound.labelId}
          aria-invalid={bound.invalid}
          {...(bound.describedBy ? { "aria-describedby": bound.describedBy } : {})}
          className="tf-full"
          value={props.form.values[props.name] as string}
          onChange={(value) => props.form.set(props.name, value as T[typeof props.name])}
          validateStatus={bound.invalid ? "error" : "default"}
          optionList={props.choices.map(({ value, label }) => ({ value, label }))}
          multiple={props.multiple ?? false}
          allowCreate={props.free ?? false}
          filter={props.free || props.multiple || props.choices.length > 8}
          placeholder={props.placeholder ?? t("form.choose")}
          loading={props.loading ?? false}
          disabled={props.disabled ?? false}
          emptyContent={t("common.nothing_found")}
          maxTagCount={8}
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

/** What went wrong with no field to blame. */
export function FormFailure<T extends object>({ form }: { form: Form<T> }) {
  return form.failure ? (
    <div className="tf-form-failure" role="alert">
      {form.failure}
    </div>
  ) : null;
}
