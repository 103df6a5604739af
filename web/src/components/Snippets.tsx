// The first request in several languages, ready to be copied.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { snippet, type SnippetKind, SNIPPETS } from "../helpers/snippets.ts";
import { CopyButton } from "./basics.tsx";
import "./Snippets.css";

interface Props {
  base: string;
  model: string;
  keyText?: string;
}

export function Snippets({ base, model, keyText = "sk-…" }: Props) {
  const { t } = useTranslation();
  const [kind, setKind] = useState<SnippetKind>("curl");
  const text = snippet(kind, { base, key: keyText, model, hello: t("home.hello") });
  return (
    <div className="tf-snippets">
      <div className="tf-snippet-head">
        <div className="tf-snippet-tabs" role="tablist" aria-label={t("home.quick_start")}>
          {SNIPPETS.map((one) => (
            <button
              key={one}
              type="button"
              role="tab"
              id={`snippet-${one}`}
              aria-selected={kind === one}
              aria-controls="snippet"
              onClick={() => setKind(one)}
            >
              {t(`home.snippet_${one}`)}
            </button>
          ))}
        </div>
        <CopyButton text={text} what={t(`home.snippet_${kind}`)} />
      </div>
      <pre id="snippet" role="tabpanel" aria-labelledby={`snippet-${kind}`} tabIndex={0}>
        {text}
      </pre>
    </div>
  );
}
