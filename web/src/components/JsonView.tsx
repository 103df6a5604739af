// JSON to look at: coloured, foldable, to be copied. Text that is not JSON is shown as it is.
import { type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "./basics.tsx";
import "./JsonView.css";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const FOLDED_FROM = 4; // levels
/** Of a text that is a picture's bytes, say; it is copied as a whole. */
const TEXT_MOST = 2000;

function Leaf({ value }: { value: null | boolean | number | string }) {
  const kind = value === null ? "null" : typeof value;
  const long = typeof value === "string" && value.length > TEXT_MOST;
  const text = JSON.stringify(long ? `${value.slice(0, TEXT_MOST / 10)}…` : value);
  return (
    <span className={`tf-json-${kind}`}>
      {text}
      {long && ` (${value.length})`}
    </span>
  );
}

interface BranchProps {
  value: Json[] | { [key: string]: Json };
  /** How many levels are still shown open. */
  levels: number;
}

function Branch({ value, levels }: BranchProps) {
  const [open, setOpen] = useState(levels > 0);
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
                <Value value={one} levels={levels - 1} />
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

function Value({ value, levels }: { value: Json; levels: number }): ReactNode {
  return value !== null && typeof value === "object" ? (
    <Branch value={value} levels={levels} />
  ) : (
    <Leaf value={value} />
  );
}

interface Props {
  text: string;
  label: string;
  levels?: number;
}

export function JsonView({ text, label, levels = FOLDED_FROM }: Props) {
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
      <pre>{parsed ? <Value value={parsed.value} levels={levels} /> : text}</pre>
    </div>
  );
}
