// Prices of all models in one table, in money; kept as the ratios that the program bills by.
import { Button, Input, InputNumber } from "@douyinfe/semi-ui";
import { useQueryClient } from "@tanstack/react-query";
import { Plus, Search, X } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { ModelName } from "../../components/Logo.tsx";
import { messageOf, notify } from "../../helpers/notify.ts";
import {
  NO_PRICES,
  PRICE_COLUMNS,
  PRICE_OPTIONS,
  type PriceRow,
  type PriceTexts,
  rowsOf,
  withRow,
} from "../../helpers/prices.ts";
import type { Option } from "../../models/api.ts";
import { call } from "../../services/api.ts";
import { usePricing } from "../../services/queries.ts";

const SHOWN = 40;

export function PriceTable({ options }: { options: Option[] }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const pricing = usePricing();
  const stored = useMemo(
    () =>
      Object.fromEntries(
        PRICE_OPTIONS.map((key) => [key, options.find((one) => one.key === key)?.value || "{}"]),
      ) as PriceTexts,
    [options],
  );
  const [texts, setTexts] = useState<PriceTexts>();
  const [word, setWord] = useState("");
  const [name, setName] = useState("");
  const [added, setAdded] = useState<string[]>([]);
  const [all, setAll] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const now = texts ?? stored;
  const rows = useMemo(() => {
    const known = rowsOf(now);
    const names = new Set(known.map((row) => row.model));
    const blank = (model: string): PriceRow => ({ model, ...NO_PRICES });
    const missing = (pricing.data?.models ?? [])
      .filter((one) => !one.priced && !names.has(one.model))
      .map((one) => one.model);
    return [
      ...[...new Set([...added, ...missing])].filter((one) => !names.has(one)).map(blank),
      ...known,
    ];
  }, [now, added, pricing.data]);
  const fitting = rows.filter((row) => row.model.toLowerCase().includes(word.toLowerCase()));
  const shown = all ? fitting : fitting.slice(0, SHOWN);
  const dirty = PRICE_OPTIONS.filter((key) => now[key] !== stored[key]);

  const add = () => {
    const model = name.trim();
    if (!model) return;
    setAdded([model, ...added]);
    setWord(model);
    setName("");
  };
  const save = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      for (const key of dirty) await call("PUT /api/option", { body: { key, value: now[key] } });
      await client.invalidateQueries({ queryKey: ["options"] });
      await client.invalidateQueries({ queryKey: ["pricing"] });
      setTexts(undefined);
      setAdded([]);
      notify.done(t("common.saved"));
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <div className="tf-stack">
      <p className="tf-muted">{t("option.prices_help")}</p>
      {failure && (
        <div className="tf-form-failure" role="alert">
          {failure}
        </div>
      )}
      <div className="tf-row tf-row-wrap">
        <Input
          className="tf-search"
          aria-label={t("home.search_models")}
          placeholder={t("home.search_models")}
          prefix={<Search size={15} className="tf-search-icon" />}
          value={word}
          onChange={setWord}
          showClear
        />
        <Input
          className="tf-search tf-mono"
          aria-label={t("option.new_model")}
          placeholder={t("option.new_model")}
          value={name}
          onChange={setName}
          onEnterPress={add}
        />
        <Button
          className="tf-outline"
          icon={<Plus size={15} />}
          disabled={!name.trim()}
          onClick={add}
        >
          {t("form.add_row")}
        </Button>
      </div>
      <div className="tf-scroll" tabIndex={0} role="region" aria-label={t("option.tab_prices")}>
        <table className="tf-plain tf-price-table">
          <thead>
            <tr>
              <th>{t("log.model")}</th>
              {PRICE_COLUMNS.map((column) => (
                <th key={column}>{t(`pricing.${column}`)}</th>
              ))}
              <th aria-label={t("table.actions")} />
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={row.model}>
                <td>
                  <ModelName model={row.model} />
                  {row.input === undefined && row.call === undefined && (
                    <div className="tf-small tf-note-error">{t("model.unpriced")}</div>
                  )}
                </td>
                {PRICE_COLUMNS.map((column) => (
                  <td key={column}>
                    <InputNumber
                      size="small"
                      hideButtons
                      min={0}
                      prefix="$"
                      aria-label={`${row.model}: ${t(`option.price_${column}`)}`}
                      value={row[column] ?? ""}
                      disabled={row.input === undefined && !["input", "call"].includes(column)}
                      onChange={(value) => {
                        const next = typeof value === "number" ? value : undefined;
                        if (value === "" || typeof value === "number")
                          setTexts(withRow(now, { ...row, [column]: next }));
                      }}
                    />
                  </td>
                ))}
                <td>
                  <button
                    type="button"
                    className="tf-icon-button"
                    aria-label={t("form.remove_row", { name: row.model })}
                    onClick={() => {
                      setAdded(added.filter((one) => one !== row.model));
                      setTexts(withRow(now, { model: row.model, ...NO_PRICES }));
                    }}
                  >
                    <X size={15} />
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < fitting.length && (
        <button type="button" className="tf-link-button" onClick={() => setAll(true)}>
          {t("home.all_models", { count: fitting.length })}
        </button>
      )}
      {fitting.length === 0 && <p className="tf-faint">{t("common.nothing_found")}</p>}
      <div className="tf-row tf-end">
        {dirty.length > 0 && (
          <Button className="tf-outline" onClick={() => setTexts(undefined)}>
            {t("form.discard")}
          </Button>
        )}
        <Button
          theme="solid"
          disabled={dirty.length === 0}
          loading={busy}
          onClick={() => void save()}
        >
          {t("common.save")}
        </Button>
      </div>
    </div>
  );
}
