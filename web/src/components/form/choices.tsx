// The fields of a form that count or choose.
//   <SelectField form={form} name="group" label={t("token.group")} choices={[{ value, label }]} />
import { InputNumber, Select } from "@douyinfe/semi-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { aria, type FieldProps, Frame } from "./Frame.tsx";

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
  label: string;
  /** Stands before the label. */
  sign?: ReactNode;
}

/** For Semi's Select: what is shown, and searched for by its text. */
export const optionsOf = (choices: Choice[]) =>
  choices.map(({ value, label, sign }) => ({
    value,
    text: label,
    label: sign ? (
      <span className="tf-row">
        {sign}
        {label}
      </span>
    ) : (
      label
    ),
  }));

export const fits = (word: string, option: object): boolean =>
  (option as { text?: string }).text?.toLowerCase().includes(word.trim().toLowerCase()) ?? false;

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
          optionList={optionsOf(props.choices)}
          multiple={props.multiple ?? false}
          allowCreate={props.free ?? false}
          filter={props.free || props.multiple || props.choices.length > 8 ? fits : false}
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
