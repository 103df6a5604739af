// The conversation: what was said, thought and called, what it took, and where one reads how it came about.
import { Bot, FileJson2, RotateCcw, Wrench } from "lucide-react";
import { lazy, Suspense, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { CopyButton, Empty, Failure } from "../../components/basics.tsx";
import { type Answer, DIALECT_NAMES, type ToolCall, type Turn } from "../../helpers/chat/index.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Entry, Exchange, Live } from "./useConversation.ts";

const Markdown = lazy(() => import("../../components/Markdown.tsx"));

function Call({ call }: { call: ToolCall }) {
  return (
    <div className="tf-tool">
      <div className="tf-row">
        <Wrench size={14} aria-hidden />
        <code className="tf-strong">{call.name}</code>
      </div>
      <pre tabIndex={0}>{call.arguments}</pre>
    </div>
  );
}

function Said({ answer, busy }: { answer: Answer; busy: boolean }) {
  const { t } = useTranslation();
  return (
    <div className="tf-said">
      {answer.thinking && (
        <details className="tf-thinking" open={busy && !answer.text}>
          <summary>{t("playground.thinking")}</summary>
          <div>{answer.thinking}</div>
        </details>
      )}
      {answer.text && (
        <Suspense fallback={<div className="tf-plain-text">{answer.text}</div>}>
          <Markdown text={answer.text} />
        </Suspense>
      )}
      {answer.tools.map((tool, i) => (
        <Call key={tool.id || i} call={tool} />
      ))}
      {busy && <span className="tf-cursor" aria-hidden />}
    </div>
  );
}

interface FootProps {
  answer: Answer;
  exchange: Exchange;
  onShow: () => void;
  /** Only the last answer can be had again. */
  onAgain: (() => void) | undefined;
}

/** What it took, and what can be done with it. */
function Foot({ answer, exchange, onShow, onAgain }: FootProps) {
  const { t } = useTranslation();
  const format = useFormat();
  const { timing, requestId } = exchange;
  const { usage } = answer;
  return (
    <div className="tf-row tf-row-wrap tf-small tf-faint tf-num">
      <span>{DIALECT_NAMES[exchange.request.dialect]}</span>
      {usage && (
        <span>
          {t("playground.usage", {
            input: format.number(usage.input),
            output: format.number(usage.output),
          })}
        </span>
      )}
      {usage?.cached && (
        <span>{t("log.cached_short", { value: format.number(usage.cached) })}</span>
      )}
      {timing?.first !== undefined && (
        <span>
          {t("log.first_byte_short", { time: format.duration(Math.round(timing.first)) })}
        </span>
      )}
      {timing && <span>{format.duration(Math.round(timing.total))}</span>}
      {requestId && (
        <Link to={`/log?request_id=${encodeURIComponent(requestId)}`}>
          {t("playground.log_row")}
        </Link>
      )}
      <span className="tf-answer-tools">
        {answer.text && <CopyButton text={answer.text} what={t("playground.answer")} />}
        <button
          type="button"
          className="tf-icon-button"
          aria-label={t("playground.wire")}
          title={t("playground.wire")}
          onClick={onShow}
        >
          <FileJson2 size={14} />
        </button>
        {onAgain && (
          <button
            type="button"
            className="tf-icon-button"
            aria-label={t("playground.again")}
            title={t("playground.again")}
            onClick={onAgain}
          >
            <RotateCcw size={14} />
          </button>
        )}
      </span>
    </div>
  );
}

function Asked({ turn }: { turn: Exclude<Turn, { role: "assistant" }> }) {
  const { t } = useTranslation();
  if (turn.role === "tool")
    return (
      <div className="tf-message tf-message-tool">
        {turn.results.map(({ call, output }, i) => (
          <div key={call.id || i} className="tf-tool">
            <div className="tf-small tf-muted">
              {t("playground.result_of", { name: call.name })}
            </div>
            <pre tabIndex={0}>{output}</pre>
          </div>
        ))}
      </div>
    );
  return (
    <div className="tf-message tf-message-user">
      {turn.images.length > 0 && (
        <div className="tf-row tf-row-wrap">
          {turn.images.map(({ name, type, data }, i) => (
            <img key={i} className="tf-picture" src={`data:${type};base64,${data}`} alt={name} />
          ))}
        </div>
      )}
      {turn.text && <div className="tf-plain-text">{turn.text}</div>}
    </div>
  );
}

interface Props {
  entries: Entry[];
  live: Live | undefined;
  onShow: (exchange: Exchange) => void;
  onAgain: () => void;
}

export function Talk({ entries, live, onShow, onAgain }: Props) {
  const { t } = useTranslation();
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" });
  }, [live, entries]);
  return (
    <div className="tf-messages" tabIndex={0} role="log" aria-label={t("playground.conversation")}>
      {entries.length === 0 && !live && (
        <Empty icon={Bot} title={t("playground.empty")} text={t("playground.empty_text")} />
      )}
      {entries.map(({ turn, exchange }, i) =>
        turn.role !== "assistant" ? (
          <Asked key={i} turn={turn} />
        ) : (
          <div key={i} className="tf-message tf-message-assistant">
            <Said answer={turn.answer} busy={false} />
            {exchange?.failure && <Failure error={new Error(exchange.failure)} retry={onAgain} />}
            {exchange?.stopped && <p className="tf-note">{t("playground.stopped")}</p>}
            {exchange && (
              <Foot
                answer={turn.answer}
                exchange={exchange}
                onShow={() => onShow(exchange)}
                onAgain={i === entries.length - 1 && !live ? onAgain : undefined}
              />
            )}
          </div>
        ),
      )}
      {live && (
        <div className="tf-message tf-message-assistant">
          <Said answer={live.answer} busy />
        </div>
      )}
      <div ref={end} />
    </div>
  );
}
