// The new key, whole, with the first request that uses it.
import { Button } from "@douyinfe/semi-ui";
import { useTranslation } from "react-i18next";
import { Dialog } from "../../components/Sheet.tsx";
import { CopyBox } from "../../components/basics.tsx";
import { Snippets } from "../../components/Snippets.tsx";
import type { Token } from "../../models/api.ts";
import { usePricing, useBase } from "../../services/queries.ts";

export function KeyMade({ token, onClose }: { token: Token; onClose: () => void }) {
  const { t } = useTranslation();
  const pricing = usePricing();
  const base = useBase();
  const allowed = token.model_limits_enabled ? token.model_limits.split(",")[0] : undefined;
  const model = allowed ?? pricing.data?.models.find((one) => one.priced)?.model ?? "gpt-4o";
  return (
    <Dialog
      width={640}
      title={t("token.made_title", { name: token.name })}
      onClose={onClose}
      footer={
        <Button theme="solid" onClick={onClose}>
          {t("common.done")}
        </Button>
      }
    >
      <div className="tf-stack">
        <p className="tf-muted">{t("token.made_text")}</p>
        <CopyBox text={token.key} what={t("token.key_of", { name: token.name })} />
        <Snippets base={base} model={model} keyText={token.key} />
      </div>
    </Dialog>
  );
}
