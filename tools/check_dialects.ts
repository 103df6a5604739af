// Which features are proven in which pair of dialects: docs/dialects.md says what the cases of
// tests/wire say ("shows:"), and nothing is missing. `make matrix` prints the table and writes it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exists, filesBelow, finish, nothingYet, problem, read, root } from "./support.ts";

const PAGE = "docs/dialects.md";
const CASES = "tests/wire";
const MARKS = ["<!-- matrix -->", "<!-- /matrix -->"] as const;

/** A dialect, and how the addresses of its callers and providers end. */
const DIALECTS: Record<string, RegExp> = {
  openai: /\/chat\/completions$/,
  responses: /\/responses$/,
  claude: /\/v1\/messages$/,
  gemini: /:(stream)?[gG]enerateContent$/,
  cohere: /\/v2\/chat$/,
  bedrock: /\/converse(-stream)?$/,
};

const FEATURES: Record<string, string> = {
  text: "text",
  tools: "tools",
  parallel: "parallel tools",
  images: "images",
  reasoning: "reasoning",
  schema: "structured output",
  cached: "cached usage",
  error: "errors",
  cut: "cut reply",
};

/** What no code of ours could change: caller and provider ("*": any), feature, why. */
const REASONS: { caller: string; provider: string; feature: string; why: string }[] = [];

type Section = { name: string; head: string; body: string; line: number };

function sections(text: string): Section[] {
  const out: Section[] = [];
  const known = /^(shows|provider|caller|upstream expects|upstream answers|caller gets): ?(.*)$/;
  text.split("\n").forEach((line, i) => {
    const [, name, head = ""] = known.exec(line) ?? [];
    if (name !== undefined) out.push({ name, head, body: "", line: i + 1 });
    else if (out.length > 0) out.at(-1)!.body += `${line}\n`;
  });
  return out;
}

const pathOf = (head: string) => (head.split(" ")[1] ?? "").split("?")[0]!;

const dialectOf = (head: string) =>
  Object.keys(DIALECTS).find((name) => DIALECTS[name]!.test(pathOf(head)));

const isStream = ({ head, body }: Section) =>
  /"stream": ?true/.test(body) || /:streamGenerateContent|\/converse-stream/.test(head);

const cell = (caller: string, provider: string, feature: string, stream: boolean) =>
  [caller, provider, feature, stream ? "stream" : "whole"].join(" ");

/** How many cases show it, by cell. */
const shown = new Map<string, number>();

function addCase(path: string): void {
  const all = sections(read(path));
  const words = all.filter(({ name }) => name === "shows");
  const callers = all.filter(({ name }) => name === "caller");
  const asked = all.filter(({ name, head }) => name === "upstream expects" && !/ by \//.test(head));
  for (const feature of words.flatMap(({ head }) => head.split(" "))) {
    if (!(feature in FEATURES)) problem(path, words[0]!.line, `shows what? "${feature}"`);
    for (const caller of callers)
      for (const provider of asked) {
        const from = dialectOf(caller.head);
        const to = dialectOf(provider.head);
        if (from === undefined || to === undefined) continue;
        const key = cell(from, to, feature, isStream(caller));
        shown.set(key, (shown.get(key) ?? 0) + 1);
      }
  }
  const answered = all.filter(({ name }) => name === "upstream answers").length;
  const got = all.filter(({ name }) => name === "caller gets").length;
  const told = callers.length > 0 && asked.length > 0;
  if (words.length > 0 && !(told && answered >= asked.length && got >= callers.length))
    problem(path, words[0]!.line, "shows something, but is not a whole conversation");
}

function reasonFor(caller: string, provider: string, feature: string): number {
  const fits = (rule: string, name: string) => rule === "*" || rule === name;
  return REASONS.findIndex(
    (row) => fits(row.caller, caller) && fits(row.provider, provider) && fits(row.feature, feature),
  );
}

function mark(caller: string, provider: string, feature: string, stream: boolean): string {
  if (shown.has(cell(caller, provider, feature, stream))) return "✓";
  const reason = reasonFor(caller, provider, feature);
  if (reason < 0) problem(CASES, 0, `no case shows: ${cell(caller, provider, feature, stream)}`);
  return reason < 0 ? "✗" : `(${reason + 1})`;
}

function table(): string {
  const names = Object.keys(DIALECTS);
  const rows = names.flatMap((caller) =>
    names.map((provider) => {
      const marks = Object.keys(FEATURES).map((feature) =>
        [false, true].map((stream) => mark(caller, provider, feature, stream)).join(" "),
      );
      return [`${caller} → ${provider}`, ...marks];
    }),
  );
  const heads = ["caller → provider", ...Object.values(FEATURES)];
  const widths = heads.map((head, i) =>
    Math.max(head.length, ...rows.map((row) => row[i]!.length)),
  );
  const line = (cells: string[]) => `| ${cells.map((c, i) => c.padEnd(widths[i]!)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  const notes = REASONS.map(({ why }, i) => `\n(${i + 1}) ${why}`);
  return [line(heads), rule, ...rows.map(line), ...notes].join("\n");
}

if (!exists(PAGE)) nothingYet(PAGE);
for (const path of filesBelow(CASES, ".case")) addCase(path);
const page = read(PAGE);
const [begin, end] = MARKS.map((text) => page.indexOf(text)) as [number, number];
if (begin < 0 || end < begin) {
  problem(PAGE, 0, `has no ${MARKS.join(" ... ")}`);
  finish("");
}
const made = table();
const whole = `${page.slice(0, begin)}${MARKS[0]}\n\n${made}\n\n${page.slice(end)}`;
if (process.argv.includes("--write")) {
  writeFileSync(join(root, PAGE), whole);
  console.log(made);
} else if (whole !== page) {
  problem(PAGE, 0, "is not what the cases say: run make matrix");
}
finish(`${shown.size} cells of the matrix are shown by cases`);
