// Hints: what carries data-tip shows it while somebody points at it or has come to it by keyboard. One for the whole
// page, so that a list may have a thousand of them.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import "./Tips.css";

const PAUSE_MS = 120;
const ID = "tf-tip";
const MARGIN = 8;

const ownerOf = (event: Event) =>
  event.target instanceof Element ? event.target.closest<HTMLElement>("[data-tip]") : null;

/** What is pointed at, after a moment; nothing once it is left, scrolled or pressed. */
function useOwner(): HTMLElement | null {
  const [owner, setOwner] = useState<HTMLElement | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const show = (next: HTMLElement | null, pause: number) => {
      clearTimeout(timer);
      if (next?.dataset["tip"]) timer = setTimeout(() => setOwner(next), pause);
      else setOwner(null);
    };
    const over = (event: Event) => show(ownerOf(event), PAUSE_MS);
    const focus = (event: Event) => {
      const next = ownerOf(event);
      show(next?.matches(":focus-visible") ? next : null, 0);
    };
    const hide = () => show(null, 0);
    const escape = (event: KeyboardEvent) => event.key === "Escape" && hide();
    const stop = new AbortController();
    const { signal } = stop;
    document.addEventListener("pointerover", over, { signal });
    document.addEventListener("focusin", focus, { signal });
    document.addEventListener("focusout", hide, { signal });
    document.addEventListener("pointerdown", hide, { signal });
    document.addEventListener("scroll", hide, { signal, capture: true, passive: true });
    document.addEventListener("keydown", escape, { signal });
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, []);
  return owner;
}

/** Above its owner, below where there is no room, and never out of the window. */
function place(tip: HTMLElement, owner: HTMLElement): void {
  const at = owner.getBoundingClientRect();
  const { width, height } = tip.getBoundingClientRect();
  const left = at.left + at.width / 2 - width / 2;
  const above = at.top - height - MARGIN;
  tip.style.left = `${Math.max(MARGIN, Math.min(left, innerWidth - width - MARGIN))}px`;
  tip.style.top = `${above < MARGIN ? at.bottom + MARGIN : above}px`;
}

export function Tips() {
  const owner = useOwner();
  const tip = useRef<HTMLDivElement>(null);
  const text = owner?.isConnected ? owner.dataset["tip"] : undefined;
  useLayoutEffect(() => {
    if (!owner || !tip.current) return;
    place(tip.current, owner);
    if (owner.getAttribute("aria-label") === text) return;
    owner.setAttribute("aria-describedby", ID);
    return () => owner.removeAttribute("aria-describedby");
  }, [owner, text]);
  return text ? (
    <div ref={tip} id={ID} role="tooltip" className="tf-tip">
      {text}
    </div>
  ) : null;
}
