// On or off, chosen or not: the browser's own, in our colours. A list has hundreds.
import { type InputHTMLAttributes, useEffect, useRef } from "react";
import "./Toggle.css";

interface Props extends Omit<
  InputHTMLAttributes<HTMLInputElement>,
  "type" | "onChange" | "checked" | "role"
> {
  checked: boolean;
  onChange: (checked: boolean) => void;
}

export function Switch({ onChange, className = "", ...rest }: Props) {
  return (
    <input
      {...rest}
      type="checkbox"
      role="switch"
      className={`tf-switch ${className}`}
      onChange={(event) => onChange(event.target.checked)}
    />
  );
}

/** `some`: a part of what it stands for is chosen. */
export function Check({ onChange, some = false, ...rest }: Props & { some?: boolean }) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    box.current!.indeterminate = some;
  }, [some]);
  return (
    <input
      {...rest}
      ref={box}
      type="checkbox"
      className="tf-check"
      onChange={(event) => onChange(event.target.checked)}
    />
  );
}
