// JSON to look at: coloured, foldable, to be copied. Text that is not JSON is shown as it is.
import { type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "./basics.tsx";
import "./JsonView.css";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const FOLDED_FROM = 4; // levels

function Leaf({ value }: { value: null | boolean | number | string }) {
  const kind = value === null ? "null" : typeof value;
  return <span className={`tf-json-${kind}`}>{JSON.stringify(value)}</span>;
}

function Branch({ value, level }: { value: Json[] | { [key: string]: Json }; level: number }) {
  const [open, setOpen] = useState(level < FOLDED_FROM);
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const [begin, end] = list ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return <span>{begin + end}</span>;
  return (
    <>
      <button
        type="button"
        className="tf-json-fold"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {open ? begin : `${begin}…${end} ${entries.length}`}
      </button>
      {open && (
        <>
          <div className="tf-json-inner">
            {entries.map(([key, one], i) => (
              <div key={key}>
                {!list && <span className="tf-json-key">{JSON.stringify(key)}: </span>}
                <Value value={one} level={level + 1} />
                {i < entries.length - 1 && ","}
              </div>
            ))}
          </div>
          {end}
        </>
      )}
    </>
  );
}

function Value({ value, level }: { value: Json; level: number }): ReactNode {
  return value !== null && typeof value === "object" ? (
    <Branch value={value} level={level} />
  ) : (
    <Leaf value={value} />
  );
}

export function JsonView({ text, label }: { text: string; label: string }) {
  const { t } = useTranslation();
  const parsed = useMemo(() => {
    try {
      return { value: JSON.parse(text) as Json };
    } catch {
      return undefined;
    }
  }, [text]);
  const pretty = parsed ? JSON.stringify(parsed.value, null, 2) : text;
  return (
    <div className="tf-json" role="region" aria-label={label} tabIndex={0}>
      <div className="tf-json-copy">
        <CopyButton text={pretty} what={t("common.json")} />
      </div>
      <pre>{parsed ? <Value value={parsed.value} level={0} /> : text}</pre>
    </div>
  );
}
