// The sign of a provider or of a model's maker; without one, its first letter on a colour.
import { logoOf } from "../helpers/logos.ts";
import { vendorOf } from "../helpers/models.ts";
import "./Logo.css";

const TONES = 6;
const toneOf = (text: string) => [...text].reduce((sum, c) => sum + c.codePointAt(0)!, 0) % TONES;

interface Props {
  /** The sign's name, as the program's table of providers has it. */
  logo: string;
  name: string;
}

/** Stands beside the name: who cannot see it misses nothing. */
export function Logo({ logo, name }: Props) {
  const file = logoOf(logo);
  if (!file)
    return (
      <span className={`tf-logo tf-logo-letter tf-logo-${toneOf(name)}`} aria-hidden>
        {[...name][0]?.toUpperCase()}
      </span>
    );
  return file.plain ? (
    <span className="tf-logo" aria-hidden>
      <i style={{ maskImage: `url("${file.url}")` }} />
    </span>
  ) : (
    <span className="tf-logo" aria-hidden>
      <img src={file.url} alt="" width={18} height={18} loading="lazy" />
    </span>
  );
}

/** The sign of a model's maker. */
export function ModelLogo({ model }: { model: string }) {
  const { name, logo } = vendorOf(model);
  return <Logo logo={logo} name={name || model.split("/").at(-1)!} />;
}

/** A model's name with the sign of its maker; `short`: on one line, cut off where it must be. */
export function ModelName({ model, short = false }: { model: string; short?: boolean }) {
  return (
    <span className={short ? "tf-row tf-model-short" : "tf-row"}>
      <ModelLogo model={model} />
      <code className={short ? "tf-ellipsis" : "tf-wrap"} title={short ? model : undefined}>
        {model}
      </code>
    </span>
  );
}
