// The state of a form: values, what is wrong with them (ours at once, the program's after sending), and sending.
import { type FormEvent, useCallback, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Rule } from "../../helpers/rules.ts";
import { messageOf } from "../../helpers/notify.ts";
import { ApiError } from "../../services/http.ts";

type Errors<T> = Partial<Record<keyof T & string, string>>;

export interface Form<T extends object> {
  values: T;
  errors: Errors<T>;
  /** What went wrong with no field to blame. */
  failure: string | undefined;
  busy: boolean;
  dirty: boolean;
  set: <K extends keyof T & string>(name: K, value: T[K]) => void;
  submit: (event?: FormEvent) => Promise<void>;
  reset: (values?: T) => void;
}

export interface FormOptions<T extends object> {
  initial: T;
  rules?: { [K in keyof T & string]?: Rule<T[K]>[] };
  /** Throws what the program said. */
  send: (values: T) => Promise<unknown>;
}

/** Failures that name no field, and the fields they are about. */
const ABOUT: Record<string, string[]> = {
  name_taken: ["username", "name"],
  name_invalid: ["username"],
  password_weak: ["password"],
  password_wrong: ["original_password"],
};

function fieldOf(error: ApiError, values: object): string | undefined {
  const names = error.field ? [error.field] : (ABOUT[error.code] ?? []);
  return names.find((name) => name in values);
}

export function useForm<T extends object>(options: FormOptions<T>): Form<T> {
  const { t } = useTranslation();
  const [values, setValues] = useState(options.initial);
  const [errors, setErrors] = useState<Errors<T>>({});
  const [failure, setFailure] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [dirty, setDirty] = useState(false);
  const latest = useRef({ options, values });
  latest.current = { options, values };

  const set = useCallback<Form<T>["set"]>((name, value) => {
    // a number field tells its number again when one leaves it
    if (Object.is(latest.current.values[name], value)) return;
    setValues((before) => ({ ...before, [name]: value }));
    setErrors((before) => ({ ...before, [name]: undefined }));
    setFailure(undefined);
    setDirty(true);
  }, []);

  const check = useCallback((): Errors<T> => {
    const found: Errors<T> = {};
    for (const name of Object.keys(latest.current.options.rules ?? {}) as (keyof T & string)[])
      for (const rule of latest.current.options.rules?.[name] ?? [])
        found[name] ??= rule(latest.current.values[name], t, latest.current.values);
    return found;
  }, [t]);

  const blame = useCallback(
    (error: unknown) => {
      const name = error instanceof ApiError ? fieldOf(error, latest.current.values) : undefined;
      if (name === undefined) return setFailure(messageOf(error));
      const code = (error as ApiError).code;
      const text =
        code === "field_invalid"
          ? t("form.invalid")
          : code === "field_missing"
            ? t("form.required")
            : messageOf(error);
      setErrors((before) => ({ ...before, [name]: text }));
      focusFirstError();
    },
    [t],
  );

  const submit = useCallback(
    async (event?: FormEvent) => {
      event?.preventDefault();
      const found = check();
      setErrors(found);
      setFailure(undefined);
      if (Object.values(found).some(Boolean)) return focusFirstError();
      setBusy(true);
      try {
        await latest.current.options.send(latest.current.values);
        setDirty(false);
      } catch (error) {
        blame(error);
      } finally {
        setBusy(false);
      }
    },
    [check, blame],
  );

  const reset = useCallback((next?: T) => {
    setValues(next ?? latest.current.options.initial);
    setErrors({});
    setFailure(undefined);
    setDirty(false);
  }, []);

  return { values, errors, failure, busy, dirty, set, submit, reset };
}

function focusFirstError(): void {
  requestAnimationFrame(() =>
    document.querySelector<HTMLElement>('[aria-invalid="true"], .semi-select-error')?.focus(),
  );
}
