// The mark and the name of this installation.
import { Link } from "react-router";
import { useStatus } from "../../services/queries.ts";

export function Mark({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden className="tf-mark">
      <rect width="32" height="32" rx="8" />
      <path d="M7 23V12.5l6 4v-4l6 4V9h6v14z" />
      <circle cx="22" cy="7" r="1.6" />
    </svg>
  );
}

export function Brand({ small }: { small?: boolean }) {
  const status = useStatus();
  const name = status.data?.system_name ?? "Token Factory";
  const logo = status.data?.logo;
  return (
    <Link to="/" className="tf-brand" aria-label={name}>
      {logo ? <img src={logo} alt="" width={26} height={26} /> : <Mark />}
      {!small && <span className="tf-ellipsis">{name}</span>}
    </Link>
  );
}
