// Rules that no compiler enforces: banned functions, first sentences, leftovers, tabs, line length.
import { codeOnly, filesBelow, finish, lineAt, nothingYet, problem, read } from "./support.ts";

const BANNED = /\b(strcpy|strcat|sprintf|vsprintf|strtok|sscanf|atoi|atol|atoll|gets|alloca)\s*\(/g;
const LEFTOVER = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME"].join("|")})\\b`);
const WIDTH = 100;

function checkFirstSentence(path: string, lines: string[]) {
  const first = lines[0]?.startsWith("#!") ? lines[1] : lines[0];
  if (!/^(\/\/|\/\*\*?|#|--)\s+\S+(\s+\S+)+/.test(first ?? ""))
    problem(path, 1, "must begin with a sentence saying what it is for");
}

/** An address may be long; in TypeScript, Prettier sees to the code and we to the comments. */
const isTooLong = (path: string, line: string) =>
  [...line].length > WIDTH &&
  !/https?:\/\/\S+$/.test(line) &&
  (!path.endsWith(".ts") || /^\s*(\/\/|\/?\*)/.test(line));

function checkLines(path: string, lines: string[]) {
  lines.forEach((line, i) => {
    if (line.includes("\t")) problem(path, i + 1, "tab");
    if (/[ \r]$/.test(line)) problem(path, i + 1, "blank at the end of the line");
    if (isTooLong(path, line))
      problem(path, i + 1, `${[...line].length} columns, ${WIDTH} allowed`);
    const leftover = LEFTOVER.exec(line);
    if (leftover) problem(path, i + 1, `${leftover[1]}: do it or file an issue`);
  });
}

function checkBanned(path: string, text: string) {
  const code = codeOnly(text);
  for (const match of code.matchAll(BANNED))
    problem(path, lineAt(code, match.index), `${match[1]} is banned`);
}

const c = ["src", "tests", "bench"].flatMap((folder) => filesBelow(folder, ".c", ".h", ".def"));
const scripts = ["tests", "tools", "bench"].flatMap((folder) => filesBelow(folder, ".ts"));
if (c.length + scripts.length === 0) nothingYet("src");
for (const path of [...c, ...scripts]) {
  const text = read(path);
  const lines = text.split("\n");
  checkFirstSentence(path, lines);
  checkLines(path, lines);
  if (!text.endsWith("\n")) problem(path, lines.length, "no newline at the end of the file");
  if (!path.endsWith(".ts")) checkBanned(path, text);
}
finish(`${c.length + scripts.length} files keep the style`);
