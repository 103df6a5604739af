// Asks before something is done that cannot be undone, and names what will be gone:
//   if (await confirm({ title, names: ["my key"], action: t("common.delete"), danger: true })) ...
import { Button, Input } from "@douyinfe/semi-ui";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useId,
  useMemo,
  useRef,
  useState,
} from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "./Sheet.tsx";

export interface Question {
  title: string;
  body?: ReactNode;
  /** What it will happen to; the first few are shown by name. */
  names?: string[];
  /** The words on the button: what it does. */
  action: string;
  danger?: boolean;
  /** Must be typed before the button works: for what takes much with it. */
  typed?: string;
}

type Ask = (question: Question) => Promise<boolean>;
const ConfirmContext = createContext<Ask>(() => Promise.resolve(false));
export const useConfirm = () => useContext(ConfirmContext);

const NAMED = 6;

function ConfirmDialog({
  question,
  answer,
}: {
  question: Question;
  answer: (yes: boolean) => void;
}) {
  const { t } = useTranslation();
  const id = useId();
  const [typed, setTyped] = useState("");
  const names = question.names ?? [];
  const ready = question.typed === undefined || typed === question.typed;
  return (
    <Dialog
      title={question.title}
      width={440}
      onClose={() => answer(false)}
      footer={
        <div className="tf-row tf-end">
          <Button className="tf-outline" onClick={() => answer(false)} autoFocus={!question.typed}>
            {t("common.cancel")}
          </Button>
          <Button
            theme="solid"
            type={question.danger ? "danger" : "primary"}
            disabled={!ready}
            onClick={() => answer(true)}
          >
            {question.action}
          </Button>
        </div>
      }
    >
      <div className="tf-stack tf-confirm">
        {question.body && <div className="tf-muted">{question.body}</div>}
        {names.length > 0 && (
          <ul className="tf-confirm-names">
            {names.slice(0, NAMED).map((name) => (
              <li key={name} className="tf-ellipsis">
                {name}
              </li>
            ))}
            {names.length > NAMED && (
              <li className="tf-faint">{t("common.and_more", { count: names.length - NAMED })}</li>
            )}
          </ul>
        )}
        {question.typed !== undefined && (
          <div>
            <label htmlFor={id} className="tf-small tf-muted">
              {t("common.type_to_confirm", { text: question.typed })}
            </label>
            <Input id={id} value={typed} onChange={setTyped} autoFocus />
          </div>
        )}
      </div>
    </Dialog>
  );
}

export function ConfirmProvider({ children }: { children: ReactNode }) {
  const [question, setQuestion] = useState<Question>();
  const resolve = useRef<(yes: boolean) => void>(() => {});
  const ask = useCallback<Ask>((next) => {
    setQuestion(next);
    return new Promise((done) => (resolve.current = done));
  }, []);
  const answer = useCallback((yes: boolean) => {
    setQuestion(undefined);
    resolve.current(yes);
  }, []);
  const value = useMemo(() => ask, [ask]);
  return (
    <ConfirmContext.Provider value={value}>
      {children}
      {question && <ConfirmDialog question={question} answer={answer} />}
    </ConfirmContext.Provider>
  );
}
