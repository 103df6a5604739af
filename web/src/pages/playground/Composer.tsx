// Where one says something: text, pictures, and the results of the tools that the model called.
import { Button, TextArea } from "@douyinfe/semi-ui";
import { ImagePlus, SendHorizontal, Square, X } from "lucide-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Image, ToolCall } from "../../helpers/chat/index.ts";
import { readImage } from "../../helpers/image.ts";
import { notify } from "../../helpers/notify.ts";

const IMAGES_MOST = 8;

export interface Draft {
  text: string;
  images: Image[];
  /** By the place of the call. */
  results: string[];
}
export const NO_DRAFT: Draft = { text: "", images: [], results: [] };

interface Props {
  draft: Draft;
  onDraft: (draft: Draft) => void;
  /** Calls that wait for a result. */
  calls: ToolCall[];
  busy: boolean;
  ready: boolean;
  onSend: () => void;
  onStop: () => void;
}

function Results({ draft, onDraft, calls }: Pick<Props, "draft" | "onDraft" | "calls">) {
  const { t } = useTranslation();
  const put = (place: number, text: string) =>
    onDraft({
      ...draft,
      results: calls.map((_, i) => (i === place ? text : (draft.results[i] ?? ""))),
    });
  return (
    <div className="tf-results">
      {calls.map((call, i) => (
        <TextArea
          key={call.id || i}
          className="tf-mono"
          aria-label={t("playground.result_of", { name: call.name })}
          placeholder={t("playground.result_of", { name: call.name })}
          autosize={{ minRows: 1, maxRows: 6 }}
          value={draft.results[i] ?? ""}
          onChange={(text) => put(i, text)}
        />
      ))}
    </div>
  );
}

function Pictures({ draft, onDraft }: Pick<Props, "draft" | "onDraft">) {
  const { t } = useTranslation();
  return (
    <div className="tf-row tf-row-wrap tf-pictures">
      {draft.images.map(({ name, type, data }, i) => (
        <span key={i} className="tf-thumb">
          <img src={`data:${type};base64,${data}`} alt={name} />
          <button
            type="button"
            className="tf-icon-button"
            aria-label={t("form.remove_row", { name })}
            onClick={() =>
              onDraft({ ...draft, images: draft.images.filter((_, place) => place !== i) })
            }
          >
            <X size={13} />
          </button>
        </span>
      ))}
    </div>
  );
}

export function Composer(props: Props) {
  const { t } = useTranslation();
  const { draft, onDraft, calls, busy, ready, onSend, onStop } = props;
  const picker = useRef<HTMLInputElement>(null);
  const add = async (files: Iterable<File>) => {
    try {
      const room = IMAGES_MOST - draft.images.length;
      const images = await Promise.all([...files].slice(0, room).map(readImage));
      if (images.length) onDraft({ ...draft, images: [...draft.images, ...images] });
    } catch (error) {
      notify.failed(error);
    }
  };
  return (
    <form
      className="tf-say"
      onSubmit={(event) => {
        event.preventDefault();
        onSend();
      }}
    >
      {calls.length > 0 && <Results draft={draft} onDraft={onDraft} calls={calls} />}
      {draft.images.length > 0 && <Pictures draft={draft} onDraft={onDraft} />}
      <div className="tf-say-line">
        <input
          ref={picker}
          type="file"
          accept="image/png,image/jpeg,image/webp,image/gif"
          multiple
          hidden
          aria-label={t("playground.add_image")}
          onChange={(event) => {
            void add(event.target.files ?? []);
            event.target.value = "";
          }}
        />
        <button
          type="button"
          className="tf-icon-button"
          aria-label={t("playground.add_image")}
          title={t("playground.add_image")}
          onClick={() => picker.current?.click()}
        >
          <ImagePlus size={17} />
        </button>
        <TextArea
          name="say"
          aria-label={t("playground.say")}
          placeholder={calls.length ? t("playground.results_or_say") : t("playground.say")}
          autosize={{ minRows: 1, maxRows: 8 }}
          value={draft.text}
          onChange={(text) => onDraft({ ...draft, text })}
          onPaste={(event) => {
            const files = [...event.clipboardData.files];
            if (files.length) void add(files.filter((file) => file.type.startsWith("image/")));
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            onSend();
          }}
        />
        {busy ? (
          <Button type="danger" icon={<Square size={14} />} onClick={onStop}>
            {t("playground.stop")}
          </Button>
        ) : (
          <Button
            htmlType="submit"
            theme="solid"
            icon={<SendHorizontal size={15} />}
            disabled={!ready}
          >
            {t("playground.send")}
          </Button>
        )}
      </div>
    </form>
  );
}
