// The six locale files of the console: same keys, same placeholders, the plural forms of each
// language, nothing empty or left in another language; what is asked for exists, and the reverse.
import { exists, filesBelow, finish, nothingYet, problem, read } from "./support.ts";

const FOLDER = "web/src/i18n/locales";
const LANGUAGES = ["zh", "en", "fr", "ru", "ja", "vi"];
const FORMS = /_(zero|one|two|few|many|other)$/;
/** Names that are the same everywhere, and texts that may look the same in two languages. */
const SAME = /^home\.snippet_/;
const HAN = /\p{Script=Han}/u;
const KANA = /[\p{Script=Hiragana}\p{Script=Katakana}]/u;
const CYRILLIC = /\p{Script=Cyrillic}/u;

type Tree = { [key: string]: string | Tree };

function flatten(tree: Tree, prefix = ""): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(tree))
    if (typeof value === "string") flat.set(prefix + key, value);
    else for (const [path, text] of flatten(value, `${prefix}${key}.`)) flat.set(path, text);
  return flat;
}

const placeholders = (text: string) =>
  [...text.matchAll(/\{\{\s*([\w.]+)/g)].map((match) => match[1]!).sort();

const isPlural = (key: string, texts: Map<string, string>) =>
  FORMS.test(key) && texts.has(key.replace(FORMS, "_other"));

const stem = (key: string, texts: Map<string, string>) =>
  isPlural(key, texts) ? key.replace(FORMS, "") : key;

const stems = (texts: Map<string, string>) =>
  new Set([...texts.keys()].map((key) => stem(key, texts)));

if (!exists(`${FOLDER}/zh.json`)) nothingYet(FOLDER);
const all = new Map(
  LANGUAGES.map((language) => [
    language,
    flatten(JSON.parse(read(`${FOLDER}/${language}.json`)) as Tree),
  ]),
);
const chinese = all.get("zh")!;

function checkKeys(language: string, texts: Map<string, string>) {
  const path = `${FOLDER}/${language}.json`;
  const [own, wanted] = [stems(texts), stems(chinese)];
  for (const key of wanted) if (!own.has(key)) problem(path, 0, `${key} is missing`);
  for (const key of own) if (!wanted.has(key)) problem(path, 0, `${key} is not in zh.json`);
  const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
  for (const key of own) {
    if (!texts.has(`${key}_other`)) continue;
    for (const form of forms)
      if (!texts.has(`${key}_${form}`)) problem(path, 0, `${key}_${form} is missing`);
    for (const other of texts.keys())
      if (
        other.replace(FORMS, "") === key &&
        FORMS.test(other) &&
        !forms.some((form) => other.endsWith(`_${form}`))
      )
        problem(path, 0, `${other}: the language has no such form`);
  }
}

/** A plural form may leave the number out: "Delete this key?" */
function checkPlaceholders(path: string, key: string, text: string, texts: Map<string, string>) {
  const source = chinese.get(key) ?? chinese.get(`${stem(key, texts)}_other`) ?? "";
  const [own, wanted] = [placeholders(text), placeholders(source)];
  const free = isPlural(key, texts) ? ["count", "value"] : [];
  const bare = (names: string[]) => names.filter((name) => !free.includes(name)).join();
  if (bare(own) !== bare(wanted))
    problem(path, 0, `${key} has the placeholders ${own.join(" ")}, zh.json ${wanted.join(" ")}`);
}

function checkText(language: string, key: string, text: string, texts: Map<string, string>) {
  const path = `${FOLDER}/${language}.json`;
  if (!text.trim()) problem(path, 0, `${key} is empty`);
  if (text !== text.trim()) problem(path, 0, `${key} has blanks around it`);
  checkPlaceholders(path, key, text, texts);
  if (SAME.test(key)) return;
  if (HAN.test(text) && language !== "zh" && language !== "ja")
    problem(path, 0, `${key} has Chinese characters`);
  if (KANA.test(text) && language !== "ja") problem(path, 0, `${key} has Japanese characters`);
  if (CYRILLIC.test(text) && language !== "ru") problem(path, 0, `${key} has Cyrillic characters`);
  const words = text.replace(/\{\{[^}]*\}\}/g, "").trim();
  const short = !/\p{L}{3}/u.test(words) || /^[A-Z\d ]+$/.test(words);
  if (language === "ja" && !short && text === chinese.get(key) && words.length > 4)
    problem(path, 0, `${key} is the same as in zh.json`);
  if ((language === "ru" || language === "zh") && !short && /^[\x20-\x7e]+$/.test(words))
    problem(path, 0, `${key} is not translated: ${text}`);
  const english = all.get("en")!.get(key);
  if (["fr", "vi"].includes(language) && text === english && words.split(" ").length > 2)
    problem(path, 0, `${key} is the same as in en.json`);
}

function checkUse() {
  const whole = new Set<string>();
  const beginnings: { text: string; path: string }[] = [];
  for (const path of filesBelow("web/src", ".ts", ".tsx")) {
    const text = read(path);
    for (const match of text.matchAll(/["'`]([a-z]+\.[a-z\d_]+)["'`]/g)) whole.add(match[1]!);
    for (const match of text.matchAll(/\bt\(\s*`([a-z]+\.[a-z\d_]*)\$\{/g))
      beginnings.push({ text: match[1]!, path });
    for (const match of text.matchAll(/\bt\(\s*"([^"]+)"/g))
      if (!stems(chinese).has(match[1]!)) problem(path, 0, `there is no text ${match[1]}`);
  }
  for (const { text, path } of beginnings)
    if (![...chinese.keys()].some((key) => key.startsWith(text)))
      problem(path, 0, `no text begins with ${text}`);
  for (const key of stems(chinese))
    if (!whole.has(key) && !beginnings.some(({ text }) => key.startsWith(text)))
      problem(`${FOLDER}/zh.json`, 0, `nobody asks for ${key}`);
}

for (const [language, texts] of all) {
  checkKeys(language, texts);
  for (const [key, text] of texts) checkText(language, key, text, texts);
}
checkUse();
finish(`${stems(chinese).size} texts in ${LANGUAGES.length} languages`);
