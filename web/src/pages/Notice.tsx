// Nothing there, or not for you.
import { Compass, ShieldX } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Empty, useTitle } from "../components/basics.tsx";

export default function Notice({ kind }: { kind: "not_found" | "forbidden" }) {
  const { t } = useTranslation();
  const title = kind === "not_found" ? t("notice.not_found") : t("notice.forbidden");
  useTitle(title);
  return (
    <Empty
      icon={kind === "not_found" ? Compass : ShieldX}
      title={title}
      text={kind === "not_found" ? t("notice.not_found_text") : t("notice.forbidden_text")}
      action={<Link to="/">{t("notice.home")}</Link>}
    />
  );
}
