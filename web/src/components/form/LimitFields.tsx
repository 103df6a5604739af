// How much a key or a channel may be asked for: four numbers, of which 0 is no limit.
import { useTranslation } from "react-i18next";
import { atLeast, type Rule } from "../../helpers/rules.ts";
import { NumberField } from "./choices.tsx";
import type { Form } from "./useForm.ts";

export interface Limits {
  rpm: number;
  tpm: number;
  rpd: number;
  concurrency: number;
}

const NAMES = ["rpm", "tpm", "rpd", "concurrency"] as const;
const MOST = 1_000_000_000;

export const limitsOf = (row?: Limits): Limits => ({
  rpm: row?.rpm ?? 0,
  tpm: row?.tpm ?? 0,
  rpd: row?.rpd ?? 0,
  concurrency: row?.concurrency ?? 0,
});

const number: Rule<number>[] = [atLeast(0)];
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
        {NAMES.map((name) => (
          <NumberField
            key={name}
            form={form}
            name={name}
            label={t(`limit.${name}`)}
            min={0}
            max={MOST}
            precision={0}
          />
        ))}
      </div>
    </section>
  );
}
