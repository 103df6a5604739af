// Try a model: parameters on the left, the conversation in the middle, what went over the wire beside it.
import { Button, InputNumber, Select, Switch, TextArea } from "@douyinfe/semi-ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Bot, KeyRound, RotateCcw, SendHorizontal, Square, Trash2, Wrench } from "lucide-react";
import { type ReactNode, lazy, Suspense, useEffect, useId, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { CopyButton, Empty, Failure, PageHeader } from "../../components/basics.tsx";
import { JsonView } from "../../components/JsonView.tsx";
import { useSession } from "../../context/session.tsx";
import { type Answer, curlOf, type Message, requestOf, type Wishes } from "../../helpers/chat.ts";
import { recall, remember } from "../../helpers/storage.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import { TOKEN_STATUS } from "../../models/token.ts";
import { call } from "../../services/api.ts";
import { usePricing, useBase } from "../../services/queries.ts";
import { useChat } from "./useChat.ts";
import "../../components/form/form.css";
import "./playground.css";

const Markdown = lazy(() => import("../../components/Markdown.tsx"));

const USUAL: Wishes = {
  model: "",
  system: "",
  stream: true,
  temperature: undefined,
  top_p: undefined,
  max_tokens: undefined,
  effort: "",
  tools: "",
};
const BOOKED_MS = 1500;
const EFFORTS = ["", "low", "medium", "high"] as const;

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

function Said({ answer, busy }: { answer: Answer; busy: boolean }) {
  const { t } = useTranslation();
  return (
    <div className="tf-said" aria-busy={false}>
      {answer.thinking && (
        <details className="tf-thinking" open={!answer.text}>
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
        <div key={tool.id || i} className="tf-tool">
          <div className="tf-row">
            <Wrench size={14} aria-hidden />
            <code className="tf-strong">{tool.name}</code>
          </div>
          <pre tabIndex={0}>{tool.arguments}</pre>
        </div>
      ))}
      {busy && <span className="tf-cursor" aria-hidden />}
    </div>
  );
}

type Pane = "request" | "response" | "curl";
const PANES: Pane[] = ["request", "response", "curl"];

interface WireProps {
  request: object | undefined;
  raw: string;
  base: string;
}

function Wire({ request, raw, base }: WireProps) {
  const { t } = useTranslation();
  const [pane, setPane] = useState<Pane>("request");
  const curl = request ? curlOf(base, "$TOKEN_FACTORY_KEY", request) : "";
  return (
    <section className="tf-card tf-wire">
      <div className="tf-choice" role="tablist" aria-label={t("playground.wire")}>
        {PANES.map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            id={`wire-${one}`}
            aria-selected={one === pane}
            aria-pressed={undefined}
            aria-controls="wire"
            onClick={() => setPane(one)}
          >
            {one === "curl" ? t("home.snippet_curl") : t(`playground.${one}`)}
          </button>
        ))}
      </div>
      <div id="wire" role="tabpanel" aria-labelledby={`wire-${pane}`} className="tf-wire-body">
        {pane === "curl" ? (
          <div className="tf-curl">
            <CopyButton text={curl} what="curl" />
            <pre tabIndex={0}>{curl}</pre>
          </div>
        ) : pane === "request" && request ? (
          <JsonView text={JSON.stringify(request)} label={t("playground.request")} />
        ) : pane === "response" && raw ? (
          <JsonView text={raw} label={t("playground.response")} />
        ) : (
          <p className="tf-faint">{t("playground.nothing_yet")}</p>
        )}
      </div>
    </section>
  );
}

export default function PlaygroundPage() {
  const { t } = useTranslation();
  const format = useFormat();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { refresh } = useSession();
  const pricing = usePricing();
  const tokens = useQuery({
    queryKey: ["list", "playground tokens"],
    queryFn: () => call("GET /api/token", { query: { page_size: 100, status: TOKEN_STATUS.on } }),
  });
  const [wishes, setWishes] = useState<Wishes>(() => ({
    ...USUAL,
    ...recall<Partial<Wishes>>("playground", {}),
  }));
  const [tokenId, setTokenId] = useState<number>();
  const [messages, setMessages] = useState<Message[]>([]);
  const [text, setText] = useState("");
  const { exchange, send, stop, clear } = useChat();
  const end = useRef<HTMLDivElement>(null);

  const keys = tokens.data?.items ?? [];
  const token = keys.find((one) => one.id === tokenId) ?? keys[0];
  const models = useMemo(() => {
    const allowed = token?.model_limits_enabled ? token.model_limits.split(",") : undefined;
    return (pricing.data?.models ?? [])
      .map((one) => one.model)
      .filter((model) => !allowed || allowed.includes(model));
  }, [pricing.data, token]);
  const model = models.includes(wishes.model) ? wishes.model : (models[0] ?? "");
  const set = <K extends keyof Wishes>(name: K, value: Wishes[K]) =>
    setWishes((before) => {
      const next = { ...before, [name]: value };
      remember("playground", next);
      return next;
    });

  const built = useMemo(() => {
    const draft: Message[] = text.trim()
      ? [...messages, { role: "user", content: text.trim() }]
      : messages;
    try {
      return { request: requestOf({ ...wishes, model }, draft) };
    } catch {
      return { wrong: true };
    }
  }, [wishes, model, messages, text]);

  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" });
  }, [exchange.answer, messages]);

  const run = async (said: Message[]) => {
    if (!token || !model || exchange.busy || built.wrong) return;
    setMessages(said);
    setText("");
    const answer = await send(token.id, requestOf({ ...wishes, model }, said));
    if (answer.text) setMessages([...said, { role: "assistant", content: answer.text }]);
    // what it cost is booked a moment later
    setTimeout(() => void refresh(), BOOKED_MS);
    await Promise.all([
      client.invalidateQueries({ queryKey: ["list"] }),
      client.invalidateQueries({ queryKey: ["dashboard"] }),
    ]);
  };
  const submit = () => {
    if (text.trim()) void run([...messages, { role: "user", content: text.trim() }]);
  };
  const lastSaid = messages.map((message) => message.role).lastIndexOf("user");
  const again = () => void run(messages.slice(0, lastSaid + 1));
  // the last answer is shown as it came, with thinking and tools
  const last = messages.at(-1);
  const before = last?.role === "assistant" && exchange.answer ? messages.slice(0, -1) : messages;
  const base = useBase();
  const usage = exchange.answer?.usage;

  if (tokens.error) return <Failure error={tokens.error} retry={() => void tokens.refetch()} />;
  if (tokens.data && keys.length === 0)
    return (
      <>
        <PageHeader title={t("nav.playground")} description={t("playground.about")} />
        <div className="tf-card">
          <Empty
            icon={KeyRound}
            title={t("token.empty")}
            text={t("playground.no_token")}
            action={
              <Button theme="solid" onClick={() => void navigate("/token?new=1")}>
                {t("token.create")}
              </Button>
            }
          />
        </div>
      </>
    );

  return (
    <>
      <PageHeader
        title={t("nav.playground")}
        description={t("playground.about")}
        actions={
          <Button
            className="tf-outline"
            icon={<Trash2 size={15} />}
            disabled={exchange.busy || messages.length === 0}
            onClick={() => {
              setMessages([]);
              clear();
            }}
          >
            {t("playground.clear")}
          </Button>
        }
      />
      <div className="tf-play">
        <section className="tf-card tf-wishes" aria-label={t("playground.parameters")}>
          <Labelled label={t("log.model")}>
            {(id) => (
              <Select
                aria-labelledby={id}
                className="tf-full"
                filter
                value={model || undefined}
                loading={pricing.isPending}
                emptyContent={t("home.no_models")}
                placeholder={t("form.choose")}
                optionList={models.map((value) => ({ value, label: value }))}
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
                loading={tokens.isPending}
                optionList={keys.map((one) => ({ value: one.id, label: one.name }))}
                onChange={(value) => setTokenId(value as number)}
              />
            )}
          </Labelled>
          <Labelled label={t("playground.system")}>
            {(id) => (
              <TextArea
                aria-labelledby={id}
                rows={2}
                autosize={{ minRows: 2, maxRows: 8 }}
                value={wishes.system}
                onChange={(value) => set("system", value)}
              />
            )}
          </Labelled>
          <div className="tf-wish-numbers">
            {(
              [
                ["temperature", 0, 2, 0.1],
                ["top_p", 0, 1, 0.05],
                ["max_tokens", 1, 1_000_000, 256],
              ] as const
            ).map(([name, min, max, step]) => (
              <Labelled key={name} label={t(`playground.${name}`)}>
                {(id) => (
                  <InputNumber
                    aria-labelledby={id}
                    className="tf-full"
                    min={min}
                    max={max}
                    step={step}
                    placeholder={t("playground.unset")}
                    value={wishes[name] ?? ""}
                    onChange={(value) => set(name, typeof value === "number" ? value : undefined)}
                  />
                )}
              </Labelled>
            ))}
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
          <Labelled label={t("playground.tools")}>
            {(id) => (
              <>
                <TextArea
                  aria-labelledby={id}
                  className="tf-mono"
                  autosize={{ minRows: 1, maxRows: 10 }}
                  placeholder='[{"type": "function", …}]'
                  value={wishes.tools}
                  validateStatus={built.wrong ? "error" : "default"}
                  onChange={(value) => set("tools", value)}
                />
                {built.wrong && (
                  <div className="tf-note tf-note-error" role="alert">
                    {t("playground.tools_wrong")}
                  </div>
                )}
              </>
            )}
          </Labelled>
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
        <section className="tf-card tf-talk" aria-label={t("playground.conversation")}>
          <div
            className="tf-messages"
            tabIndex={0}
            role="log"
            aria-label={t("playground.conversation")}
          >
            {messages.length === 0 && (
              <Empty icon={Bot} title={t("playground.empty")} text={t("playground.empty_text")} />
            )}
            {before.map((message, i) => (
              <div key={i} className={`tf-message tf-message-${message.role}`}>
                {message.role === "user" ? (
                  <div className="tf-plain-text">{message.content}</div>
                ) : (
                  <Suspense fallback={<div className="tf-plain-text">{message.content}</div>}>
                    <Markdown text={message.content} />
                  </Suspense>
                )}
              </div>
            ))}
            {exchange.answer && messages.length > 0 && (
              <div className="tf-message tf-message-assistant">
                <Said answer={exchange.answer} busy={exchange.busy} />
                {exchange.failure && <Failure error={new Error(exchange.failure)} retry={again} />}
                {exchange.stopped && <p className="tf-note">{t("playground.stopped")}</p>}
                {!exchange.busy && exchange.timing && (
                  <div className="tf-row tf-row-wrap tf-small tf-faint tf-num">
                    {usage && (
                      <span>
                        {t("playground.usage", {
                          input: format.number(usage.prompt_tokens ?? 0),
                          output: format.number(usage.completion_tokens ?? 0),
                        })}
                      </span>
                    )}
                    {exchange.timing.first !== undefined && (
                      <span>
                        {t("log.first_byte_short", {
                          time: format.duration(Math.round(exchange.timing.first)),
                        })}
                      </span>
                    )}
                    <span>{format.duration(Math.round(exchange.timing.total))}</span>
                    {exchange.requestId && (
                      <button
                        type="button"
                        className="tf-link-button"
                        onClick={() => void navigate(`/log?request_id=${exchange.requestId}`)}
                      >
                        {t("playground.log_row")}
                      </button>
                    )}
                    <span className="tf-answer-tools">
                      {exchange.answer.text && (
                        <CopyButton text={exchange.answer.text} what={t("playground.answer")} />
                      )}
                      <button
                        type="button"
                        className="tf-icon-button"
                        aria-label={t("playground.again")}
                        onClick={again}
                      >
                        <RotateCcw size={14} />
                      </button>
                    </span>
                  </div>
                )}
              </div>
            )}
            <div ref={end} />
          </div>
          <form
            className="tf-say"
            onSubmit={(event) => {
              event.preventDefault();
              submit();
            }}
          >
            <TextArea
              name="say"
              aria-label={t("playground.say")}
              placeholder={t("playground.say")}
              autosize={{ minRows: 1, maxRows: 8 }}
              value={text}
              onChange={setText}
              onKeyDown={(event) => {
                if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing)
                  return;
                event.preventDefault();
                submit();
              }}
            />
            {exchange.busy ? (
              <Button type="danger" icon={<Square size={14} />} onClick={stop}>
                {t("playground.stop")}
              </Button>
            ) : (
              <Button
                htmlType="submit"
                theme="solid"
                icon={<SendHorizontal size={15} />}
                disabled={!text.trim() || !model || !token || built.wrong}
              >
                {t("playground.send")}
              </Button>
            )}
          </form>
        </section>
        <Wire request={built.request} raw={exchange.raw} base={base} />
      </div>
    </>
  );
}
