// What a key's row shows: its masked text, whether it works, what it has used.
import { Eye, EyeOff } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton, Money, StatusTag } from "../../components/basics.tsx";
import { StatusSwitch } from "../../components/table/cells.tsx";
import { notify } from "../../helpers/notify.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { Token } from "../../models/api.ts";
import { TOKEN_STATUS } from "../../models/token.ts";
import { call } from "../../services/api.ts";
import "./token.css";

export const reveal = async (id: number): Promise<string> =>
  (await call("POST /api/token/{id}/key", { params: { id } })).key;

export function KeyCell({ token }: { token: Token }) {
  const { t } = useTranslation();
  const [whole, setWhole] = useState<string>();
  const toggle = async () => {
    try {
      setWhole(whole === undefined ? await reveal(token.id) : undefined);
    } catch (error) {
      notify.failed(error);
    }
  };
  const Icon = whole === undefined ? Eye : EyeOff;
  const short = token.key.replace(/\*+/, "…");
  return (
    <div className="tf-row tf-key" onClick={(event) => event.stopPropagation()}>
      <code className={whole === undefined ? "" : "tf-key-whole"}>{whole ?? short}</code>
      <span className="tf-key-tools">
        <button
          type="button"
          className="tf-icon-button"
          aria-label={
            whole === undefined
              ? t("token.reveal", { name: token.name })
              : t("token.hide", { name: token.name })
          }
          onClick={() => void toggle()}
        >
          <Icon size={15} />
        </button>
        <CopyButton text={() => reveal(token.id)} what={t("token.key_of", { name: token.name })} />
      </span>
    </div>
  );
}

export function StatusCell({ token }: { token: Token }) {
  const { t } = useTranslation();
  const set = (on: boolean) => {
    const status = on ? TOKEN_STATUS.on : TOKEN_STATUS.off;
    return call("PUT /api/token", { body: { id: token.id, status } });
  };
  return (
    <StatusSwitch
      on={token.status !== TOKEN_STATUS.off}
      label={t("token.switch", { name: token.name })}
      set={set}
    >
      {(on) =>
        token.status === TOKEN_STATUS.expired ? (
          <StatusTag tone="warn">{t("token.status_expired")}</StatusTag>
        ) : token.status === TOKEN_STATUS.exhausted ? (
          <StatusTag tone="bad">{t("token.status_exhausted")}</StatusTag>
        ) : (
          <span className="tf-small tf-muted">
            {on ? t("token.status_on") : t("token.status_off")}
          </span>
        )
      }
    </StatusSwitch>
  );
}

export function UsedCell({ token }: { token: Token }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (token.unlimited_quota)
    return (
      <span className="tf-row">
        <Money quota={token.used_quota} />
        <span className="tf-faint">· {t("token.unlimited")}</span>
      </span>
    );
  const whole = token.used_quota + token.remain_quota;
  const share = whole > 0 ? token.used_quota / whole : 0;
  return (
    <div className="tf-used">
      <div className="tf-row tf-between">
        <Money quota={token.used_quota} />
        <span className="tf-faint tf-num">/ {format.quota(whole)}</span>
      </div>
      <progress
        value={share}
        max={1}
        aria-label={t("token.used_share", { share: format.percent(share) })}
        data-tip={format.percent(share)}
      />
    </div>
  );
}
