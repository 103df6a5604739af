// One model: what each part of a request costs in each group, and how to ask for it.
import { useTranslation } from "react-i18next";
import { CopyBox, PlainTag } from "../../components/basics.tsx";
import { ModelLogo } from "../../components/Logo.tsx";
import { Snippets } from "../../components/Snippets.tsx";
import { Sheet } from "../../components/Sheet.tsx";
import { PRICE_PARTS, pricesOf, tagsOf, vendorOf } from "../../helpers/models.ts";
import { useFormat } from "../../i18n/useFormat.ts";
import type { ModelPrice, Pricing } from "../../models/api.ts";
import { useBase } from "../../services/queries.ts";

interface Props {
  model: ModelPrice;
  groups: Pricing["groups"];
  onClose: () => void;
}

function PartTable({ model, groups }: Omit<Props, "onClose">) {
  const { t } = useTranslation();
  const format = useFormat();
  const names = model.groups.filter((name) => groups[name]);
  const rows: [title: string, price: (factor: number) => number][] = model.per_call
    ? [[t("pricing.call"), (factor) => model.call_price * factor]]
    : PRICE_PARTS.map((part) => [
        t(`pricing.${part}`),
        (factor: number) => pricesOf(model, factor)[part],
      ]);
  return (
    <div className="tf-scroll" tabIndex={0} role="region" aria-label={t("nav.pricing")}>
      <table className="tf-plain">
        <thead>
          <tr>
            <th scope="col">{t("bill.kind")}</th>
            {names.map((name) => (
              <th key={name} scope="col" className="tf-right">
                {name}
                <div className="tf-faint tf-num">{format.number(groups[name]!.ratio, 3)}×</div>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([title, price]) => (
            <tr key={title}>
              <th scope="row">{title}</th>
              {names.map((name) => (
                <td key={name} className="tf-right tf-num">
                  {format.usd(price(groups[name]!.ratio))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function PriceSheet({ model, groups, onClose }: Props) {
  const { t } = useTranslation();
  const base = useBase();
  const vendor = vendorOf(model.model);
  return (
    <Sheet
      width={560}
      title={
        <span className="tf-row">
          <ModelLogo model={model.model} />
          <span className="tf-ellipsis">{model.model}</span>
        </span>
      }
      onClose={onClose}
    >
      <div className="tf-stack">
        <CopyBox text={model.model} what={t("model.name")} />
        <div className="tf-row tf-row-wrap">
          {vendor.name && <span className="tf-muted">{vendor.name}</span>}
          {tagsOf(model).map((tag) => (
            <PlainTag key={tag} tone="info">
              {t(`pricing.tag_${tag}`)}
            </PlainTag>
          ))}
        </div>
        {model.priced ? (
          <>
            <PartTable model={model} groups={groups} />
            <p className="tf-note">
              {model.per_call ? t("pricing.note_call") : t("pricing.note_tokens")}
            </p>
          </>
        ) : (
          <p className="tf-muted">{t("model.unpriced")}</p>
        )}
        <Snippets base={base} model={model.model} />
      </div>
    </Sheet>
  );
}
