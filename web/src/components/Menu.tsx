// A button that opens a list of things to do or to choose from.
import { Dropdown } from "@douyinfe/semi-ui";
import { Check } from "lucide-react";
import { cloneElement, Fragment, type ReactElement, type ReactNode, useRef } from "react";

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
  button: ReactElement;
}

/** The mark of what is chosen now. */
export const tick = (on: boolean) => (on ? <Check size={15} /> : <span className="tf-no-tick" />);

export function Menu({ items, title, button }: Props) {
  const trigger = useRef<HTMLElement>(null);
  // The item goes away: what it opens gives the focus back to the button. Not before the key that chose it is done with,
  // or it would press what has the focus by then.
  const choose = (run: MenuItem["run"]) =>
    setTimeout(() => {
      trigger.current?.focus({ preventScroll: true });
      void run();
    });
  return (
    <Dropdown
      trigger="click"
      position="bottomRight"
      clickToHide
      render={
        <Dropdown.Menu>
          {title && <Dropdown.Title>{title}</Dropdown.Title>}
          {items.map(({ key, label, icon, run, danger }, i) => (
            <Fragment key={key}>
              {danger && i > 0 && <Dropdown.Divider />}
              <Dropdown.Item
                {...(danger ? { type: "danger" as const } : {})}
                icon={icon}
                onClick={() => choose(run)}
              >
                {label}
              </Dropdown.Item>
            </Fragment>
          ))}
        </Dropdown.Menu>
      }
    >
      {cloneElement(button, { ref: trigger })}
    </Dropdown>
  );
}
