// Try a model: parameters on the left, the conversation in the middle, what went over the wire beside it.
import { Button } from "@douyinfe/semi-ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound, Trash2 } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { Bars, Empty, Failure, PageHeader } from "../../components/basics.tsx";
import { useSession } from "../../context/session.tsx";
import {
  type BuiltRequest,
  membersOf,
  requestOf,
  toolsOf,
  USUAL,
  type Wishes,
} from "../../helpers/chat/index.ts";
import { recall, remember } from "../../helpers/storage.ts";
import type { Token } from "../../models/api.ts";
import { TOKEN_STATUS } from "../../models/token.ts";
import { call } from "../../services/api.ts";
import { usePricing } from "../../services/queries.ts";
import { Composer, type Draft, NO_DRAFT } from "./Composer.tsx";
import { Parameters } from "./Parameters.tsx";
import { Talk } from "./Talk.tsx";
import { type Entry, type Exchange, said, useConversation } from "./useConversation.ts";
import { Wire } from "./Wire.tsx";
import "../../components/form/form.css";
import "./playground.css";

const BOOKED_MS = 1500;

/** What is wished for, remembered; the model is one that the key may use. */
function useWishes(token: Token | undefined) {
  const pricing = usePricing();
  const [stored, setStored] = useState<Wishes>(() => ({
    ...USUAL,
    ...recall<Partial<Wishes>>("playground", {}),
  }));
  const models = useMemo(() => {
    const allowed = token?.model_limits_enabled ? token.model_limits.split(",") : undefined;
    return pricing.data?.models
      .map((one) => one.model)
      .filter((model) => !allowed || allowed.includes(model));
  }, [pricing.data, token]);
  const model = models?.includes(stored.model) ? stored.model : (models?.[0] ?? "");
  const wishes = useMemo(() => ({ ...stored, model }), [stored, model]);
  const set = <K extends keyof Wishes>(name: K, value: Wishes[K]) =>
    setStored((before) => {
      const next = { ...before, [name]: value };
      remember("playground", next);
      return next;
    });
  return { models, wishes, set };
}

/** The calls of the last answer, which wait for results. */
function openCalls(entries: Entry[]) {
  const last = entries.at(-1)?.turn;
  return last?.role === "assistant" ? last.answer.tools : [];
}

/** The conversation with what has been written but not sent. */
function withDraft(entries: Entry[], { text, images, results }: Draft): Entry[] {
  const calls = openCalls(entries);
  const after = [...said(entries)];
  if (calls.length)
    after.push({
      turn: {
        role: "tool",
        results: calls.map((one, i) => ({ call: one, output: results[i] ?? "" })),
      },
    });
  if (text.trim() || images.length)
    after.push({ turn: { role: "user", text: text.trim(), images } });
  return after;
}

const works = (work: () => unknown) => {
  try {
    work();
    return true;
  } catch {
    return false;
  }
};

function NoKey() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  return (
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
  );
}

function Play({ keys }: { keys: Token[] }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const { refresh } = useSession();
  const [tokenId, setTokenId] = useState<number>();
  const token = keys.find((one) => one.id === tokenId) ?? keys[0];
  const { models, wishes, set } = useWishes(token);
  const { entries, live, busy, send, stop, clear } = useConversation();
  const [draft, setDraft] = useState(NO_DRAFT);
  const [shown, setShown] = useState<Exchange>();

  const calls = busy ? [] : openCalls(entries);
  const wrong = {
    tools: !works(() => toolsOf(wishes.tools)),
    extra: !works(() => membersOf(wishes.extra)),
  };
  const fine = !wrong.tools && !wrong.extra;
  const written = !!draft.text.trim() || draft.images.length > 0;
  const answered = calls.length > 0 && calls.every((_, i) => draft.results[i]?.trim());
  const ready = fine && !busy && !!token && !!wishes.model && (written || answered);
  const request = useMemo<BuiltRequest | undefined>(() => {
    if (!fine) return undefined;
    const next = written || !entries.length ? withDraft(entries, draft) : said(entries);
    return requestOf(
      wishes,
      next.map(({ turn }) => turn),
    );
  }, [fine, written, entries, draft, wishes]);

  const run = async (next: Entry[]) => {
    if (!token) return;
    setDraft(NO_DRAFT);
    setShown(undefined);
    await send(token.id, wishes, next);
    // what it cost is booked a moment later
    setTimeout(() => void refresh(), BOOKED_MS);
    await Promise.all([
      client.invalidateQueries({ queryKey: ["list"] }),
      client.invalidateQueries({ queryKey: ["dashboard"] }),
    ]);
  };
  const lastAsked = entries.map(({ turn }) => turn.role !== "assistant").lastIndexOf(true);
  const last = live?.exchange ?? entries.at(-1)?.exchange;
  const exchange = shown ?? (written ? undefined : last);

  return (
    <>
      <PageHeader
        title={t("nav.playground")}
        description={t("playground.about")}
        actions={
          <Button
            className="tf-outline"
            icon={<Trash2 size={15} />}
            disabled={busy || entries.length === 0}
            onClick={() => {
              clear();
              setDraft(NO_DRAFT);
              setShown(undefined);
            }}
          >
            {t("playground.clear")}
          </Button>
        }
      />
      <div className="tf-play">
        <Parameters
          wishes={wishes}
          set={set}
          models={models}
          keys={keys}
          token={token}
          onToken={setTokenId}
          wrong={wrong}
        />
        <section className="tf-card tf-talk" aria-label={t("playground.conversation")}>
          <Talk
            entries={entries}
            live={live}
            onShow={setShown}
            onAgain={() => void run(said(entries.slice(0, lastAsked + 1)))}
          />
          <Composer
            draft={draft}
            onDraft={setDraft}
            calls={calls}
            busy={busy}
            ready={ready}
            onSend={() => ready && void run(withDraft(entries, draft))}
            onStop={stop}
          />
        </section>
        <Wire request={exchange?.request ?? request} exchange={exchange} />
      </div>
    </>
  );
}

export default function PlaygroundPage() {
  const { t } = useTranslation();
  const tokens = useQuery({
    queryKey: ["list", "playground tokens"],
    queryFn: () => call("GET /api/token", { query: { page_size: 100, status: TOKEN_STATUS.on } }),
  });
  if (tokens.error) return <Failure error={tokens.error} retry={() => void tokens.refetch()} />;
  if (tokens.data && tokens.data.items.length > 0) return <Play keys={tokens.data.items} />;
  return (
    <>
      <PageHeader title={t("nav.playground")} description={t("playground.about")} />
      {tokens.data ? <NoKey /> : <Bars lines={8} />}
    </>
  );
}
