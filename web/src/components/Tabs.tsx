// Tabs over one panel: the arrow keys go from one to the next, as a screen reader's user expects.
//   <TabList id="wire" name="Examples" tabs={[["curl", "curl"]]} value={kind} onChange={setKind} />
//   <pre {...panelOf("wire", kind)} />
import type { KeyboardEvent } from "react";

interface Props<T extends string> {
  id: string;
  /** What the tabs choose, for those who cannot see where they are. */
  name: string;
  tabs: readonly (readonly [value: T, label: string])[];
  value: T;
  onChange: (value: T) => void;
  className: string;
}

const STEPS: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function TabList<T extends string>({
  id,
  name,
  tabs,
  value,
  onChange,
  className,
}: Props<T>) {
  const move = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const now = tabs.findIndex(([one]) => one === value);
    const [next] = tabs[(now + step + tabs.length) % tabs.length]!;
    onChange(next);
    document.getElementById(`${id}-${next}`)?.focus();
  };
  return (
    <div className={className} role="tablist" aria-label={name} onKeyDown={move}>
      {tabs.map(([one, label]) => (
        <button
          key={one}
          type="button"
          role="tab"
          id={`${id}-${one}`}
          aria-selected={one === value}
          aria-controls={id}
          tabIndex={one === value ? 0 : -1}
          onClick={() => onChange(one)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

/** What makes an element the panel of these tabs. */
export const panelOf = (id: string, value: string) => ({
  id,
  role: "tabpanel",
  "aria-labelledby": `${id}-${value}`,
});

interface SegmentsProps<T extends string> {
  name: string;
  choices: readonly (readonly [value: T, label: string])[];
  value: T;
  onChange: (value: T) => void;
}

/** A few ways to see the same: one of them is pressed. */
export function Segments<T extends string>({ name, choices, value, onChange }: SegmentsProps<T>) {
  return (
    <div className="tf-choice" role="group" aria-label={name}>
      {choices.map(([one, label]) => (
        <button key={one} type="button" aria-pressed={one === value} onClick={() => onChange(one)}>
          {label}
        </button>
      ))}
    </div>
  );
}
