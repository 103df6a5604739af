// How much a key or a channel may be asked for: four numbers, of which 0 is no limit.
import { useTranslation } from "react-i18next";
import { LIMIT_MOST, limitFits, LIMITS, type Limits } from "../../helpers/limits.ts";
import type { Rule } from "../../helpers/rules.ts";
import { NumberField } from "./choices.tsx";
import type { Form } from "./useForm.ts";

export const limitsOf = (row?: Limits): Limits => ({
  rpm: row?.rpm ?? 0,
  tpm: row?.tpm ?? 0,
  rpd: row?.rpd ?? 0,
  concurrency: row?.concurrency ?? 0,
});

const number: Rule<number>[] = [
  (value, t) => (limitFits(value) ? undefined : t("limit.whole", { max: LIMIT_MOST })),
];
export const limitRules = { rpm: number, tpm: number, rpd: number, concurrency: number };

interface Props<T extends Limits> {
  form: Form<T>;
  help: string;
}

export function LimitFields<T extends Limits>({ form, help }: Props<T>) {
  const { t } = useTranslation();
  return (
    <section className="tf-form tf-form-section">
      <h3>{t("limit.title")}</h3>
      <p className="tf-note">{help}</p>
      <div className="tf-form-two">
        {LIMITS.map((name) => (
          <NumberField
            key={name}
            form={form}
            name={name}
            label={t(`limit.${name}`)}
            precision={0}
          />
        ))}
      </div>
    </section>
  );
}
