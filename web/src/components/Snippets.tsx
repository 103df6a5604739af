// The first request in several languages, ready to be copied.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { snippet, type SnippetKind, SNIPPETS } from "../helpers/snippets.ts";
import { CopyButton } from "./basics.tsx";
import { panelOf, TabList } from "./Tabs.tsx";
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
        <TabList
          id="snippet"
          className="tf-snippet-tabs"
          name={t("home.quick_start")}
          tabs={SNIPPETS.map((one) => [one, t(`home.snippet_${one}`)] as const)}
          value={kind}
          onChange={setKind}
        />
        <CopyButton text={text} what={t(`home.snippet_${kind}`)} />
      </div>
      <pre {...panelOf("snippet", kind)} tabIndex={0}>
        {text}
      </pre>
    </div>
  );
}
