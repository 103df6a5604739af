// Dialogs: side sheets and windows. While one is open the Tab key stays within it; Escape closes it, and the focus goes
// back to where it was.
import { Modal, SideSheet } from "@douyinfe/semi-ui";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { PHONE, useMedia } from "../helpers/useMedia.ts";

const FOCUSABLE =
  'a[href], button:not(:disabled), input:not(:disabled, [type="hidden"], [hidden]), textarea:not(:disabled), [tabindex]:not([tabindex="-1"])';

const visible = (element: HTMLElement) => element.getClientRects().length > 0;
const stops = (dialog: Element) =>
  [...dialog.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(
    (one) => one.tabIndex >= 0 && visible(one),
  );

/** Tab at one end goes on at the other. What opens above the dialog (a list of choices) is left alone. */
function keepWithin(dialog: Element, event: KeyboardEvent): void {
  const all = stops(dialog);
  const at = all.indexOf(document.activeElement as HTMLElement);
  const outside = !dialog.contains(document.activeElement);
  const next = outside
    ? 0
    : event.shiftKey && at <= 0
      ? all.length - 1
      : at === all.length - 1
        ? 0
        : undefined;
  if (next === undefined || (!event.shiftKey && !outside && at < 0)) return;
  event.preventDefault();
  all[next]?.focus();
}

/** A mark within the dialog, by which it is found. `beside`: the page behind can still be used. */
function Focus({ beside }: { beside: boolean }) {
  const mark = useRef<HTMLSpanElement>(null);
  // as it was before anything in the dialog took it
  const [before] = useState(() => document.activeElement as HTMLElement | null);
  useEffect(() => {
    const dialog = mark.current!.closest('[role="dialog"]') ?? mark.current!.parentElement!;
    if (!beside && !dialog.contains(document.activeElement))
      stops(dialog)[0]?.focus({ preventScroll: true });
    const listen = (event: KeyboardEvent) => {
      const top = [...document.querySelectorAll('[role="dialog"]')].at(-1);
      if (event.key === "Tab" && !beside && (top === dialog || !top)) keepWithin(dialog, event);
    };
    addEventListener("keydown", listen);
    return () => {
      removeEventListener("keydown", listen);
      // one who has gone on elsewhere is not called back
      const now = document.activeElement;
      if (!now || now === document.body || dialog.contains(now))
        requestAnimationFrame(() => before?.isConnected && before.focus({ preventScroll: true }));
    };
  }, [beside, before]);
  return <span ref={mark} hidden />;
}

interface SheetProps {
  title: ReactNode;
  width?: number;
  footer?: ReactNode;
  /** Stands beside the page without covering it, but for phones. */
  beside?: boolean;
  onClose: () => void;
  children: ReactNode;
}

/** From the side; on a phone it takes the whole window. */
export function Sheet({ title, width = 520, footer, beside, onClose, children }: SheetProps) {
  const phone = useMedia(PHONE);
  const open = !!beside && !phone;
  return (
    <SideSheet
      visible
      closeOnEsc
      mask={!open}
      width={phone ? "100%" : width}
      title={title}
      onCancel={onClose}
      {...(footer ? { footer } : {})}
    >
      <Focus beside={open} />
      {children}
    </SideSheet>
  );
}

interface DialogProps {
  title: ReactNode;
  width: number;
  footer: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

/** In the middle of the window. */
export function Dialog({ title, width, footer, onClose, children }: DialogProps) {
  return (
    <Modal visible centered width={width} title={title} footer={footer} onCancel={onClose}>
      <Focus beside={false} />
      {children}
    </Modal>
  );
}
