// What the checks share: finding files, reading C without its comments and strings, and reporting.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** The folder to check: the repository, or the first argument. */
export const root =
  process.argv.slice(2).find((arg) => !arg.startsWith("--")) ?? join(import.meta.dir, "..");

export const exists = (path: string) => existsSync(join(root, path));
export const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Paths (relative to the root) of all files below a folder with one of these endings, sorted. */
export function filesBelow(folder: string, ...endings: string[]): string[] {
  if (!exists(folder)) return [];
  const found: string[] = [];
  for (const name of readdirSync(join(root, folder)).sort()) {
    if (name === "node_modules" || name.startsWith(".")) continue;
    const path = `${folder}/${name}`;
    if (statSync(join(root, path)).isDirectory()) found.push(...filesBelow(path, ...endings));
    else if (endings.some((ending) => name.endsWith(ending))) found.push(path);
  }
  return found;
}

const TOKEN = /\/\/[^\n]*|\/\*[^]*?\*\/|"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*'/g;
const blank = (text: string) => text.replace(/[^\n]/g, " ");

/** The text with its comments blanked out; lines and columns stay where they are. */
export const withoutComments = (text: string) =>
  text.replace(TOKEN, (token) => (token.startsWith("/") ? blank(token) : token));

/** The text with its comments and the insides of its strings blanked out. */
export const codeOnly = (text: string) =>
  text.replace(TOKEN, (token) =>
    token.startsWith("/") ? blank(token) : token[0] + blank(token.slice(1, -1)) + token[0],
  );

export const lineAt = (text: string, offset: number) => text.slice(0, offset).split("\n").length;

/** The functions of a C file that others can see: their definitions start in the first column. */
export function definedFunctions(text: string): { name: string; line: number }[] {
  const code = codeOnly(text);
  const pattern = /^(?!static\b)[A-Za-z_][\w \t*]*?\b([a-z_]\w*)\s*\([^;{}]*\)\s*\{/gm;
  return [...code.matchAll(pattern)].map((match) => ({
    name: match[1]!,
    line: lineAt(code, match.index),
  }));
}

export type Row = { name: string; args: string[]; line: number };

/** The rows of a table of macros, as in ROUTE(GET, "/api/x", USER, api_x). */
export function macroRows(text: string, ...names: string[]): Row[] {
  const rows: Row[] = [];
  const code = withoutComments(text).replace(/^[ \t]*#.*(?:\\\n.*)*$/gm, blank);
  for (const match of code.matchAll(new RegExp(`\\b(${names.join("|")})\\s*\\(`, "g"))) {
    const start = match.index + match[0].length;
    rows.push({
      name: match[1]!,
      args: splitArguments(code, start),
      line: lineAt(code, match.index),
    });
  }
  return rows;
}

function splitArguments(code: string, start: number): string[] {
  const args: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = start;
  for (let i = start; i < code.length; i++) {
    const c = code[i]!;
    if (quoted) {
      if (c === "\\") i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if ("([{".includes(c)) depth++;
    else if (depth > 0 && ")]}".includes(c)) depth--;
    else if (depth === 0 && (c === "," || c === ")")) {
      args.push(code.slice(from, i).trim());
      from = i + 1;
      if (c === ")") break;
    }
  }
  return args;
}

export const unquote = (text: string) => text.replace(/^"([^]*)"$/, "$1");

const problems: string[] = [];

export function problem(path: string, line: number, text: string) {
  problems.push(line > 0 ? `${path}:${line}: ${text}` : `${path}: ${text}`);
}

/** Ends the check: one line when all is well, the problems otherwise. */
export function finish(checked: string): never {
  for (const text of problems) console.log(text);
  console.log(problems.length ? `${problems.length} problem(s)` : checked);
  process.exit(problems.length ? 1 : 0);
}

/** Ends a check whose subject has not been written yet. */
export function nothingYet(path: string): never {
  console.log(`nothing to check yet: ${path} does not exist`);
  process.exit(0);
}
