// Every error code has an English and a Chinese text with the same placeholders, and vice versa.
import { exists, finish, macroRows, nothingYet, problem, read } from "./support.ts";

const CODES = "src/common/errors.def";
const TEXTS = { en: "src/i18n/en.json", zh: "src/i18n/zh.json" };

type Texts = Map<string, string>;

function flatten(path: string, value: unknown, prefix: string, into: Texts) {
  if (typeof value === "string") {
    if (value.trim() === "") problem(path, 0, `${prefix} is empty`);
    into.set(prefix.replace(/^errors?\./, ""), value);
  } else if (value && typeof value === "object" && !Array.isArray(value)) {
    for (const [key, child] of Object.entries(value))
      flatten(path, child, prefix ? `${prefix}.${key}` : key, into);
  } else problem(path, 0, `${prefix || "the file"} is neither a text nor an object of texts`);
}

/** JSON.parse keeps the last of two equal keys and says nothing. */
function checkDuplicates(path: string, text: string) {
  const seen: Set<string>[] = [];
  for (const match of text.matchAll(/[{}]|"((?:[^"\\]|\\.)*)"(\s*:)?/g)) {
    if (match[0] === "{") seen.push(new Set());
    else if (match[0] === "}") seen.pop();
    else if (match[2] !== undefined) {
      const keys = seen.at(-1);
      if (keys?.has(match[1]!))
        problem(path, text.slice(0, match.index).split("\n").length, `${match[1]} twice`);
      keys?.add(match[1]!);
    }
  }
}

function readTexts(path: string): Texts {
  const texts: Texts = new Map();
  if (!exists(path)) {
    problem(path, 0, "does not exist");
    return texts;
  }
  try {
    flatten(path, JSON.parse(read(path)), "", texts);
    checkDuplicates(path, read(path));
  } catch (error) {
    problem(path, 0, String(error));
  }
  return texts;
}

const placeholders = (text: string) =>
  (
    text.match(/\{[A-Za-z0-9_]*\}|%(?:\d+\$)?[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l|z|j)?[a-zA-Z]/g) ??
    []
  )
    .sort()
    .join(" ");

function checkPair(key: string, en: Texts, zh: Texts) {
  const english = en.get(key);
  const chinese = zh.get(key);
  if (!exists(TEXTS.en) || !exists(TEXTS.zh)) return;
  if (english === undefined) return problem(TEXTS.en, 0, `${key} has no English text`);
  if (chinese === undefined) return problem(TEXTS.zh, 0, `${key} has no Chinese text`);
  if (placeholders(english) !== placeholders(chinese))
    problem(
      TEXTS.zh,
      0,
      `${key}: placeholders are "${placeholders(chinese)}", English has "${placeholders(english)}"`,
    );
  if (!/\p{Script=Han}/u.test(chinese))
    problem(TEXTS.zh, 0, `${key}: this is not Chinese: ${chinese}`);
}

if (!exists(CODES)) nothingYet(CODES);
const codes = new Set<string>();
for (const row of macroRows(read(CODES), "ERR")) {
  const code = row.args[0]!;
  if (codes.has(code)) problem(CODES, row.line, `${code} twice`);
  codes.add(code);
}
if (codes.size === 0) problem(CODES, 0, "has no ERR row");

if (!exists(TEXTS.en) && !exists(TEXTS.zh)) nothingYet(TEXTS.en);
const en = readTexts(TEXTS.en);
const zh = readTexts(TEXTS.zh);
for (const key of new Set([...codes, ...en.keys(), ...zh.keys()])) checkPair(key, en, zh);
// A key with a dot (mail.subject) is another kind of text; one without is an error code.
for (const key of new Set([...en.keys(), ...zh.keys()]))
  if (!key.includes(".") && !codes.has(key)) problem(CODES, 0, `the text ${key} has no ERR row`);
finish(`${codes.size} error codes are translated`);
