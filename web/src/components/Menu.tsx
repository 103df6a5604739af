// A button that opens a list of things to do or to choose from. Arrows move in it, a letter goes to what begins with it,
// Escape closes it and gives the focus back.
import { Check } from "lucide-react";
import {
  cloneElement,
  type KeyboardEvent,
  type MouseEvent,
  type ReactElement,
  type ReactNode,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { createPortal } from "react-dom";
import "./Menu.css";

export interface MenuItem {
  key: string;
  label: ReactNode;
  icon: ReactNode;
  run: () => unknown;
  /** Stands last, apart from the others. */
  danger?: boolean;
}

interface Props {
  items: MenuItem[];
  title?: ReactNode;
  /** Its accessible name is the menu's. */
  button: ReactElement<Record<string, unknown>>;
}

/** The mark of what is chosen now. */
export const tick = (on: boolean) => (on ? <Check size={15} /> : <span className="tf-no-tick" />);

const GAP = 4;
const MARGIN = 8;

/** Under the button, to its right edge; above where there is no room. */
function place(list: HTMLElement, button: HTMLElement): void {
  const at = button.getBoundingClientRect();
  const { width, height } = list.getBoundingClientRect();
  const below = at.bottom + GAP;
  const fits = below + height < innerHeight - MARGIN;
  list.style.left = `${Math.max(MARGIN, Math.min(at.right - width, innerWidth - width - MARGIN))}px`;
  list.style.top = `${fits ? below : Math.max(MARGIN, at.top - GAP - height)}px`;
}

const itemsOf = (list: HTMLElement) => [...list.querySelectorAll<HTMLElement>('[role="menuitem"]')];

/** Which item has the focus after a key; undefined: the key is not for moving. */
function moved(list: HTMLElement, key: string): HTMLElement | undefined {
  const all = itemsOf(list);
  const at = all.indexOf(document.activeElement as HTMLElement);
  if (key === "ArrowDown") return all[(at + 1) % all.length];
  if (key === "ArrowUp") return all.at(at < 0 ? -1 : at - 1);
  if (key === "Home") return all[0];
  if (key === "End") return all.at(-1);
  if (key.length !== 1 || key === " ") return undefined;
  const after = [...all.slice(at + 1), ...all.slice(0, at + 1)];
  return after.find((one) => one.textContent?.trim().toLowerCase().startsWith(key.toLowerCase()));
}

interface ListProps extends Pick<Props, "items" | "title"> {
  trigger: RefObject<HTMLElement | null>;
  close: (focus: boolean) => void;
}

function List({ items, title, trigger, close }: ListProps) {
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    place(list.current!, trigger.current!);
    itemsOf(list.current!)[0]?.focus({ preventScroll: true });
  }, [trigger]);
  useEffect(() => {
    const inside = (event: Event) =>
      list.current!.contains(event.target as Node) ||
      trigger.current!.contains(event.target as Node);
    const away = (event: Event) => inside(event) || close(false);
    const gone = () => close(false);
    document.addEventListener("pointerdown", away, true);
    document.addEventListener("scroll", away, true);
    addEventListener("resize", gone);
    return () => {
      document.removeEventListener("pointerdown", away, true);
      document.removeEventListener("scroll", away, true);
      removeEventListener("resize", gone);
    };
  }, [trigger, close]);
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") {
      if (event.key === "Escape") event.preventDefault();
      return close(true);
    }
    const next = moved(list.current!, event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
  // The item goes away: what it opens gives the focus back to the button. Not before the key that chose it is done with,
  // or it would press what has the focus by then.
  const choose = (event: MouseEvent, run: MenuItem["run"]) => {
    event.stopPropagation();
    setTimeout(() => {
      close(true);
      void run();
    });
  };
  return createPortal(
    <div
      ref={list}
      role="menu"
      aria-label={trigger.current?.getAttribute("aria-label") ?? undefined}
      className="tf-menu"
      onKeyDown={onKeyDown}
    >
      {title && <div className="tf-menu-title">{title}</div>}
      {items.map(({ key, label, icon, run, danger }) => (
        <button
          key={key}
          type="button"
          role="menuitem"
          tabIndex={-1}
          className={danger ? "tf-menu-danger" : ""}
          onClick={(event) => choose(event, run)}
        >
          {icon}
          <span>{label}</span>
        </button>
      ))}
    </div>,
    document.body,
  );
}

export function Menu({ items, title, button }: Props) {
  const [open, setOpen] = useState(false);
  const trigger = useRef<HTMLElement>(null);
  const close = useRef((focus: boolean) => {
    setOpen(false);
    if (focus) trigger.current?.focus({ preventScroll: true });
  });
  return (
    <>
      {cloneElement(button, {
        ref: trigger,
        "aria-haspopup": "menu",
        "aria-expanded": open,
        onClick: () => setOpen(!open),
        onKeyDown: (event: KeyboardEvent) => {
          if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
          event.preventDefault();
          setOpen(true);
        },
      })}
      {open && <List items={items} title={title} trigger={trigger} close={close.current} />}
    </>
  );
}
