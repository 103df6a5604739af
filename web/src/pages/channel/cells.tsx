// What a channel's row shows: its provider, its state with the reason, numbers that are changed in place.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { StatusTag, type Tone } from "../../components/basics.tsx";
import { Logo } from "../../components/Logo.tsx";
import { StatusSwitch } from "../../components/table/cells.tsx";
import { notify } from "../../helpers/notify.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Channel } from "../../models/api.ts";
import { CHANNEL_STATUS, keysOff } from "../../models/channel.ts";
import { call } from "../../services/api.ts";

export const useTypes = () =>
  useQuery({
    queryKey: ["channel types"],
    queryFn: () => call("GET /api/channel/types"),
    staleTime: Infinity,
  });

export function ProviderCell({ type }: { type: number }) {
  const types = useTypes();
  const found = types.data?.find((one) => one.type === type);
  const name = found?.name ?? String(type);
  return (
    <span className="tf-row">
      <Logo logo={found?.logo ?? ""} name={name} />
      {name}
    </span>
  );
}

export function StatusCell({ channel }: { channel: Channel }) {
  const { t } = useTranslation();
  const format = useFormat();
  const since = channel.status_time ? format.time(channel.status_time) : "";
  const set = (on: boolean) => {
    const status = on ? CHANNEL_STATUS.on : CHANNEL_STATUS.off;
    return call("PUT /api/channel", { body: { id: channel.id, status } });
  };
  return (
    <StatusSwitch
      on={channel.status === CHANNEL_STATUS.on}
      label={t("channel.switch", { name: channel.name })}
      set={set}
    >
      {(on, settled) =>
        settled && channel.status === CHANNEL_STATUS.auto ? (
          <span className="tf-reason" data-tip={`${channel.status_reason} · ${since}`}>
            <StatusTag tone="bad">{t("channel.status_auto")}</StatusTag>
            <span className="tf-small tf-faint tf-ellipsis">{channel.status_reason}</span>
          </span>
        ) : (
          <span className="tf-small tf-muted">
            {on ? t("channel.status_on") : t("channel.status_off")}
          </span>
        )
      }
    </StatusSwitch>
  );
}

const toneOf = (ms: number): Tone => (ms < 3000 ? "good" : ms < 8000 ? "warn" : "bad");

export function LatencyCell({ channel }: { channel: Channel }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (!channel.test_time) return <span className="tf-faint">{t("channel.not_tested")}</span>;
  return (
    <span data-tip={format.relative(channel.test_time)}>
      <StatusTag tone={toneOf(channel.response_time)}>
        {format.duration(channel.response_time)}
      </StatusTag>
    </span>
  );
}

export function KeysCell({ channel }: { channel: Channel }) {
  const { t } = useTranslation();
  const off = keysOff(channel.key_states);
  return off.length ? (
    <span
      className="tf-row"
      data-tip={off
        .map((one) => one.reason)
        .filter(Boolean)
        .join("; ")}
    >
      <span className="tf-num">{channel.key_count}</span>
      <StatusTag tone="warn">{t("channel.keys_off", { count: off.length })}</StatusTag>
    </span>
  ) : (
    <span className="tf-num">{channel.key_count}</span>
  );
}

interface InlineProps {
  channel: Channel;
  name: "priority" | "weight";
  label: string;
}

/** Sent when one leaves the field or presses Enter; Escape brings back what was. A plain input: a list has many. */
export function InlineNumber({ channel, name, label }: InlineProps) {
  const client = useQueryClient();
  const [text, setText] = useState(String(channel[name]));
  useEffect(() => setText(String(channel[name])), [channel, name]);
  const send = async () => {
    const value = Number(text);
    if (!text.trim() || !Number.isInteger(value)) return setText(String(channel[name]));
    if (value === channel[name]) return;
    try {
      await call("PUT /api/channel", { body: { id: channel.id, [name]: value } });
      await client.invalidateQueries({ queryKey: ["list"] });
    } catch (error) {
      setText(String(channel[name]));
      notify.failed(error);
    }
  };
  return (
    <input
      type="number"
      step={1}
      className="tf-inline-number"
      aria-label={`${label}: ${channel.name}`}
      value={text}
      onClick={(event) => event.stopPropagation()}
      onChange={(event) => setText(event.target.value)}
      onBlur={() => void send()}
      onKeyDown={(event) => {
        if (event.key === "Enter") void send();
        if (event.key === "Escape") setText(String(channel[name]));
      }}
    />
  );
}
