// What stands around every field's control: its label, and under it what is wrong or what helps.
import { type ReactNode, useId } from "react";
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

export interface Bound {
  id: string;
  labelId: string;
  invalid: boolean;
  describedBy: string | undefined;
}

export function Frame<T extends object>(
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

export const aria = (bound: Bound) => ({
  id: bound.id,
  "aria-invalid": bound.invalid,
  ...(bound.describedBy ? { "aria-describedby": bound.describedBy } : {}),
});
