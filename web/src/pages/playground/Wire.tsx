// What went over the wire: request and answer of one exchange, or of what would be sent now, as JSON and as curl.
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "../../components/basics.tsx";
import { JsonView } from "../../components/JsonView.tsx";
import { panelOf, TabList } from "../../components/Tabs.tsx";
import { type BuiltRequest, curlOf } from "../../helpers/chat/index.ts";
import { useBase } from "../../services/queries.ts";
import type { Exchange } from "./useConversation.ts";

type Pane = "request" | "response" | "curl";

/** A picture's bytes are nothing to look at; they are copied as they are. */
const short = (text: string) =>
  text.replace(/[A-Za-z0-9+/=]{400,}/g, (bytes) => `${bytes.slice(0, 40)}…(${bytes.length})`);

interface Props {
  request: BuiltRequest | undefined;
  exchange: Exchange | undefined;
}

export function Wire({ request, exchange }: Props) {
  const { t } = useTranslation();
  const base = useBase();
  const [pane, setPane] = useState<Pane>("request");
  const curl = request && pane === "curl" ? curlOf(base, request) : "";
  return (
    <section className="tf-card tf-wire" aria-label={t("playground.wire")}>
      <TabList
        id="wire"
        className="tf-choice"
        name={t("playground.wire")}
        tabs={[
          ["request", t("playground.request")],
          ["response", t("playground.response")],
          ["curl", t("home.snippet_curl")],
        ]}
        value={pane}
        onChange={setPane}
      />
      {request && <code className="tf-small tf-muted tf-wrap">POST {request.path}</code>}
      <div {...panelOf("wire", pane)} className="tf-wire-body">
        {pane === "curl" && request ? (
          <div className="tf-curl">
            <CopyButton text={curl} what="curl" />
            <pre tabIndex={0}>{short(curl)}</pre>
          </div>
        ) : pane === "request" && request ? (
          <JsonView
            text={JSON.stringify(request.body)}
            label={t("playground.request")}
            levels={7}
          />
        ) : pane === "response" && exchange?.raw ? (
          <>
            <JsonView text={exchange.raw} label={t("playground.response")} />
            {exchange.omitted > 0 && (
              <p className="tf-note">{t("playground.omitted", { count: exchange.omitted })}</p>
            )}
          </>
        ) : (
          <p className="tf-faint">{t("playground.nothing_yet")}</p>
        )}
      </div>
    </section>
  );
}
