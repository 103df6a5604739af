// Small parts that every page uses: page header, tags, copying, amounts, times, nothing there, something wrong.
import { Button } from "@douyinfe/semi-ui";
import { Check, Copy, type LucideIcon, RefreshCw } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { copyText } from "../helpers/clipboard.ts";
import { messageOf, notify } from "../helpers/notify.ts";
import { useFormat } from "../i18n/useFormat.ts";
import "./basics.css";

interface PageHeaderProps {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
}

/** The page's name (also the window's), what it is for, and what can be done. */
export function PageHeader({ title, description, actions }: PageHeaderProps) {
  useTitle(title);
  return (
    <header className="tf-page-header">
      <div className="tf-grow">
        <h1>{title}</h1>
        {description && <p className="tf-muted">{description}</p>}
      </div>
      {actions && <div className="tf-row tf-row-wrap">{actions}</div>}
    </header>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    const site = document.documentElement.dataset["site"] ?? "Token Factory";
    document.title = title ? `${title} · ${site}` : site;
  }, [title]);
}

export type Tone = "good" | "warn" | "bad" | "info" | "violet" | "quiet";

/** A state in words and colour. */
export function StatusTag({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`tf-tag tf-tag-${tone}`}>
      <span className="tf-dot" aria-hidden />
      {children}
    </span>
  );
}

export function PlainTag({ tone = "quiet", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`tf-tag tf-tag-${tone}`}>{children}</span>;
}

interface CopyProps {
  text: string | (() => Promise<string>);
  /** What is copied, for those who cannot see where the button is. */
  what: string;
  /** With a word on the button instead of the icon alone. */
  label?: string;
}

export function CopyButton({ text, what, label }: CopyProps) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    try {
      const value = typeof text === "string" ? text : await text();
      if (await copyText(value)) setCopied(true);
      else notify.info(t("common.copy_failed"));
    } catch (error) {
      notify.failed(error);
    }
  };
  const Icon = copied ? Check : Copy;
  const name = copied ? t("common.copied") : t("common.copy_what", { what });
  if (label !== undefined)
    return (
      <Button className="tf-outline" icon={<Icon size={15} />} onClick={() => void copy()}>
        {copied ? t("common.copied") : label}
      </Button>
    );
  return (
    <button
      type="button"
      className={copied ? "tf-icon-button tf-copied" : "tf-icon-button"}
      aria-label={name}
      data-tip={name}
      onClick={(event) => {
        event.stopPropagation();
        void copy();
      }}
    >
      <Icon size={15} />
    </button>
  );
}

/** Text to be copied, in a box: addresses, keys, ids. */
export function CopyBox({ text, what }: { text: string; what: string }) {
  return (
    <div className="tf-copy-box">
      <code className="tf-grow tf-ellipsis" title={text}>
        {text}
      </code>
      <CopyButton text={text} what={what} />
    </div>
  );
}

/** Quota as money; the tooltip has the raw units. */
export function Money({ quota, digits }: { quota: number; digits?: number }) {
  const { t } = useTranslation();
  const format = useFormat();
  return (
    <span
      className="tf-num"
      data-tip={t("common.quota_units", { count: quota, value: format.number(quota) })}
    >
      {format.quota(quota, digits)}
    </span>
  );
}

/** When it was, in words; the tooltip has the exact time. */
export function When({ at, short }: { at: number; short?: boolean }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (!at) return <span className="tf-faint">{t("common.never")}</span>;
  const text = short ? format.timeShort(at) : format.relative(at);
  return (
    <time
      className="tf-num"
      dateTime={new Date(at * 1000).toISOString()}
      data-tip={short ? format.relative(at) : format.time(at)}
    >
      {text}
    </time>
  );
}

/** Where a row has nothing to say. */
export const None = () => <span className="tf-faint tf-none">–</span>;

interface EmptyProps {
  icon: LucideIcon;
  title: string;
  text?: string;
  action?: ReactNode;
}

/** Nothing there: says so, and what to do next. */
export function Empty({ icon: Icon, title, text, action }: EmptyProps) {
  return (
    <div className="tf-empty">
      <div className="tf-empty-icon" aria-hidden>
        <Icon size={22} strokeWidth={1.6} />
      </div>
      <h2>{title}</h2>
      {text && <p className="tf-muted">{text}</p>}
      {action}
    </div>
  );
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation();
  return (
    <div className="tf-failure" role="alert">
      <span className="tf-grow">{messageOf(error)}</span>
      {retry && (
        <Button className="tf-outline" icon={<RefreshCw size={14} />} onClick={retry}>
          {t("common.retry")}
        </Button>
      )}
    </div>
  );
}

/** Grey bars where something will be. */
export function Bars({ lines = 3 }: { lines?: number }) {
  return (
    <div className="tf-bars" aria-hidden>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} className={`tf-bar tf-bar-${i % 3}`} />
      ))}
    </div>
  );
}

/** Names and values, one under the other. */
export function Facts({ rows }: { rows: [ReactNode, ReactNode][] }) {
  return (
    <dl className="tf-facts">
      {rows.map(([name, value], i) => (
        <div key={i}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
