// Asks a channel's models something small, one by one or all, and shows how long they took.
import { Button } from "@douyinfe/semi-ui";
import { useQueryClient } from "@tanstack/react-query";
import { Play } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { StatusTag } from "../../components/basics.tsx";
import { ModelName } from "../../components/Logo.tsx";
import { Sheet } from "../../components/Sheet.tsx";
import { messageOf } from "../../helpers/notify.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Channel } from "../../models/api.ts";
import { listOf } from "../../models/channel.ts";
import { call } from "../../services/api.ts";

type Result = "busy" | { ok: boolean; ms: number; message: string };

const AT_ONCE = 2;

export function TestSheet({ channel, onClose }: { channel: Channel; onClose: () => void }) {
  const { t } = useTranslation();
  const format = useFormat();
  const client = useQueryClient();
  const [results, setResults] = useState<Record<string, Result>>({});
  const [busy, setBusy] = useState(false);
  const gone = useRef(false);
  useEffect(() => {
    gone.current = false;
    return () => {
      gone.current = true;
      void client.invalidateQueries({ queryKey: ["list"] });
    };
  }, [client]);
  const models = listOf(channel.models);
  const put = (model: string, result: Result) =>
    setResults((before) => ({ ...before, [model]: result }));

  const test = async (model: string) => {
    put(model, "busy");
    try {
      const answer = await call("POST /api/channel/test", { body: { id: channel.id, model } });
      put(model, { ok: answer.ok, ms: answer.response_time, message: answer.message });
    } catch (error) {
      put(model, { ok: false, ms: 0, message: messageOf(error) });
    }
  };
  const testAll = async () => {
    setBusy(true);
    const queue = [...models];
    const work = async () => {
      for (let model = queue.shift(); model && !gone.current; model = queue.shift())
        await test(model);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    setBusy(false);
  };
  const done = Object.values(results).filter((one) => one !== "busy").length;
  return (
    <Sheet width={520} title={t("channel.test_title", { name: channel.name })} onClose={onClose}>
      <div className="tf-stack">
        <p className="tf-muted">{t("channel.test_text")}</p>
        <div className="tf-row tf-between">
          <Button
            theme="solid"
            icon={<Play size={15} />}
            loading={busy}
            onClick={() => void testAll()}
          >
            {t("channel.test_all")}
          </Button>
          <span className="tf-faint tf-small tf-num" role="status">
            {format.number(done)} / {format.number(models.length)}
          </span>
        </div>
        <ul className="tf-tests">
          {models.map((model) => {
            const result = results[model];
            return (
              <li key={model}>
                <div className="tf-grow">
                  <ModelName model={model} />
                </div>
                {result && result !== "busy" && (
                  <StatusTag tone={result.ok ? "good" : "bad"}>
                    {result.ok ? format.duration(result.ms) : t("channel.test_failed")}
                  </StatusTag>
                )}
                <Button
                  size="small"
                  className="tf-outline"
                  loading={result === "busy"}
                  aria-label={t("channel.test_one", { name: model })}
                  onClick={() => void test(model)}
                >
                  {t("channel.test")}
                </Button>
                {result && result !== "busy" && !result.ok && (
                  <p className="tf-note tf-note-error" role="alert">
                    {result.message}
                  </p>
                )}
              </li>
            );
          })}
        </ul>
      </div>
    </Sheet>
  );
}
