// A channel's keys: which work, which rest, which are out of service and why.
import { Button } from "@douyinfe/semi-ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Bars, Empty, Failure, StatusTag, When } from "../../components/basics.tsx";
import { Sheet } from "../../components/Sheet.tsx";
import { notify } from "../../helpers/notify.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Channel, ChannelKey } from "../../models/api.ts";
import { CHANNEL_STATUS } from "../../models/channel.ts";
import { call } from "../../services/api.ts";
import { KeyRound } from "lucide-react";

function State({ one }: { one: ChannelKey }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (one.status !== CHANNEL_STATUS.on)
    return <StatusTag tone="bad">{t("channel.key_off")}</StatusTag>;
  if (one.resting_ms > 0)
    return (
      <StatusTag tone="warn">
        {t("channel.key_rests", { time: format.duration(one.resting_ms) })}
      </StatusTag>
    );
  if (one.failures > 0)
    return <StatusTag tone="warn">{t("channel.key_failures", { count: one.failures })}</StatusTag>;
  return <StatusTag tone="good">{t("channel.key_fine")}</StatusTag>;
}

export function KeySheet({ channel, onClose }: { channel: Channel; onClose: () => void }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [busy, setBusy] = useState<string>();
  const params = { id: channel.id };
  const keys = useQuery({
    queryKey: ["list", "channel keys", channel.id],
    queryFn: () => call("GET /api/channel/{id}/keys", { params }),
    refetchInterval: 5000,
  });
  const enable = async (key: string) => {
    setBusy(key);
    try {
      await call("POST /api/channel/{id}/keys/enable", { params, body: { key } });
    } catch (error) {
      notify.failed(error);
    } finally {
      setBusy(undefined);
      await client.invalidateQueries({ queryKey: ["list"] });
    }
  };
  return (
    <Sheet width={520} title={t("channel.keys_of", { name: channel.name })} onClose={onClose}>
      <div className="tf-stack">
        <p className="tf-muted">{t("channel.keys_text")}</p>
        {keys.error ? (
          <Failure error={keys.error} retry={() => void keys.refetch()} />
        ) : !keys.data ? (
          <Bars lines={4} />
        ) : keys.data.length === 0 ? (
          <Empty icon={KeyRound} title={t("channel.keys_none")} />
        ) : (
          <ul className="tf-tests">
            {keys.data.map((one) => (
              <li key={one.id}>
                <code className="tf-grow">
                  {one.end ? `…${one.end}` : `#${one.id.slice(0, 6)}`}
                </code>
                <State one={one} />
                {one.status !== CHANNEL_STATUS.on && (
                  <>
                    <Button
                      size="small"
                      className="tf-outline"
                      loading={busy === one.id}
                      onClick={() => void enable(one.id)}
                    >
                      {t("channel.key_enable")}
                    </Button>
                    <p className="tf-note">
                      {one.reason} · <When at={one.time} />
                    </p>
                  </>
                )}
              </li>
            ))}
          </ul>
        )}
      </div>
    </Sheet>
  );
}
