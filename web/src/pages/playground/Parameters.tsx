// What is asked for: endpoint, model, key, and the knobs that the chosen protocol has.
import { InputNumber, Select, TextArea } from "@douyinfe/semi-ui";
import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";
import { fits, optionsOf } from "../../components/form/choices.tsx";
import { ModelLogo } from "../../components/Logo.tsx";
import { Switch } from "../../components/Toggle.tsx";
import {
  DIALECT_NAMES,
  type DialectName,
  DIALECTS,
  type Knob,
  type Wishes,
} from "../../helpers/chat/index.ts";
import type { Token } from "../../models/api.ts";

const EFFORTS = ["", "minimal", "low", "medium", "high"] as const;
type Count = Exclude<Knob, "effort">;
const COUNTS: Record<Count, [min: number, max: number, step: number]> = {
  temperature: [0, 2, 0.1],
  top_p: [0, 1, 0.05],
  top_k: [1, 1000, 1],
  max_tokens: [1, 10_000_000, 256],
  budget: [1024, 1_000_000, 1024],
};

const SAMPLE = `[{"name": "weather", "description": "…", "parameters": {"type": "object"}}]`;

export interface Wrong {
  tools: boolean;
  extra: boolean;
}

interface Props {
  wishes: Wishes;
  set: <K extends keyof Wishes>(name: K, value: Wishes[K]) => void;
  models: string[] | undefined;
  keys: Token[];
  token: Token | undefined;
  onToken: (id: number) => void;
  wrong: Wrong;
}

function Labelled({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div className="tf-field">
      <span className="tf-label" id={id}>
        {label}
      </span>
      {children(id)}
    </div>
  );
}

function Knobs({ wishes, set }: Pick<Props, "wishes" | "set">) {
  const { t } = useTranslation();
  const { knobs } = DIALECTS[wishes.dialect];
  return (
    <div className="tf-wish-numbers">
      {(Object.keys(COUNTS) as Count[])
        .filter((name) => knobs.includes(name))
        .map((name) => {
          const [min, max, step] = COUNTS[name];
          return (
            <Labelled key={name} label={t(`playground.${name}`)}>
              {(id) => (
                <InputNumber
                  aria-labelledby={id}
                  className="tf-full"
                  hideButtons
                  min={min}
                  max={max}
                  step={step}
                  placeholder={t("playground.unset")}
                  value={wishes[name] ?? ""}
                  onChange={(value) => set(name, typeof value === "number" ? value : undefined)}
                />
              )}
            </Labelled>
          );
        })}
      <Labelled label={t("playground.effort")}>
        {(id) => (
          <Select
            aria-labelledby={id}
            className="tf-full"
            value={wishes.effort}
            optionList={EFFORTS.map((value) => ({
              value,
              label: value ? t(`playground.effort_${value}`) : t("playground.unset"),
            }))}
            onChange={(value) => set("effort", value as string)}
          />
        )}
      </Labelled>
    </div>
  );
}

function JsonWish(props: {
  label: string;
  sample: string;
  value: string;
  wrong: boolean;
  onChange: (value: string) => void;
}) {
  const { t } = useTranslation();
  return (
    <Labelled label={props.label}>
      {(id) => (
        <>
          <TextArea
            aria-labelledby={id}
            className="tf-mono"
            autosize={{ minRows: 1, maxRows: 10 }}
            placeholder={props.sample}
            value={props.value}
            validateStatus={props.wrong ? "error" : "default"}
            onChange={props.onChange}
          />
          {props.wrong && (
            <div className="tf-note tf-note-error" role="alert">
              {t("playground.json_wrong")}
            </div>
          )}
        </>
      )}
    </Labelled>
  );
}

export function Parameters({ wishes, set, models, keys, token, onToken, wrong }: Props) {
  const { t } = useTranslation();
  return (
    <section className="tf-card tf-wishes" aria-label={t("playground.parameters")}>
      <Labelled label={t("playground.endpoint")}>
        {(id) => (
          <Select
            aria-labelledby={id}
            className="tf-full"
            value={wishes.dialect}
            optionList={(Object.keys(DIALECTS) as DialectName[]).map((value) => ({
              value,
              label: DIALECT_NAMES[value],
            }))}
            onChange={(value) => set("dialect", value as DialectName)}
          />
        )}
      </Labelled>
      <Labelled label={t("log.model")}>
        {(id) => (
          <Select
            aria-labelledby={id}
            className="tf-full"
            filter={fits}
            value={wishes.model || undefined}
            loading={!models}
            emptyContent={t("home.no_models")}
            placeholder={t("form.choose")}
            optionList={optionsOf(
              (models ?? []).map((value) => ({
                value,
                label: value,
                sign: <ModelLogo model={value} />,
              })),
            )}
            onChange={(value) => set("model", value as string)}
          />
        )}
      </Labelled>
      <Labelled label={t("token.key")}>
        {(id) => (
          <Select
            aria-labelledby={id}
            className="tf-full"
            value={token?.id}
            optionList={keys.map((one) => ({ value: one.id, label: one.name }))}
            onChange={(value) => onToken(value as number)}
          />
        )}
      </Labelled>
      <Labelled label={t("playground.system")}>
        {(id) => (
          <TextArea
            aria-labelledby={id}
            autosize={{ minRows: 2, maxRows: 8 }}
            value={wishes.system}
            onChange={(value) => set("system", value)}
          />
        )}
      </Labelled>
      <Knobs wishes={wishes} set={set} />
      <JsonWish
        label={t("playground.tools")}
        sample={SAMPLE}
        value={wishes.tools}
        wrong={wrong.tools}
        onChange={(value) => set("tools", value)}
      />
      <JsonWish
        label={t("playground.extra")}
        sample={`{"seed": 7}`}
        value={wishes.extra}
        wrong={wrong.extra}
        onChange={(value) => set("extra", value)}
      />
      <Labelled label={t("log.stream")}>
        {(id) => (
          <Switch
            aria-labelledby={id}
            checked={wishes.stream}
            onChange={(value) => set("stream", value)}
          />
        )}
      </Labelled>
    </section>
  );
}
