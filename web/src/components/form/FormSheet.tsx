// A form that slides in from the side; leaving it with changes asks first.
import { Button } from "@douyinfe/semi-ui";
import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";
import { useConfirm } from "../Confirm.tsx";
import { Sheet } from "../Sheet.tsx";
import { FormBox } from "./fields.tsx";
import type { Form } from "./useForm.ts";

interface Props<T extends object> {
  form: Form<T>;
  title: string;
  saveLabel?: string;
  width?: number;
  onClose: () => void;
  children: ReactNode;
}

export function FormSheet<T extends object>(props: Props<T>) {
  const { t } = useTranslation();
  const id = useId();
  const confirm = useConfirm();
  const close = async () => {
    const leave =
      !props.form.dirty ||
      (await confirm({
        title: t("form.discard_title"),
        body: t("form.discard_body"),
        action: t("form.discard"),
        danger: true,
      }));
    if (leave) props.onClose();
  };
  return (
    <Sheet
      title={props.title}
      width={props.width ?? 480}
      onClose={() => void close()}
      footer={
        <div className="tf-row tf-end">
          <Button className="tf-outline" onClick={() => void close()}>
            {t("common.cancel")}
          </Button>
          <Button htmlType="submit" form={id} theme="solid" loading={props.form.busy}>
            {props.saveLabel ?? t("common.save")}
          </Button>
        </div>
      }
    >
      <FormBox form={props.form} id={id}>
        {props.children}
      </FormBox>
    </Sheet>
  );
}
