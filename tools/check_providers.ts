// A provider number is stored in databases: it never changes, and every row has a wire case.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  exists,
  filesBelow,
  finish,
  lineAt,
  nothingYet,
  problem,
  read,
  root,
  withoutComments,
} from "./support.ts";

const TABLE = "src/relay/channel/providers.c";
const LOCK = "tools/providers.lock";
const HEADING =
  "# Every provider number ever given out; written by: bun tools/check_providers.ts --lock\n";

type Provider = { type: string; name: string; line: number };

function tableRows(): Provider[] {
  const code = withoutComments(read(TABLE));
  const rows: Provider[] = [];
  for (const match of code.matchAll(/\[\s*(\d+)\s*\]\s*=\s*\{\s*(?:\.name\s*=\s*)?"([^"]+)"/g))
    rows.push({ type: match[1]!, name: match[2]!, line: lineAt(code, match.index) });
  return rows;
}

function lockedRows(): Provider[] {
  if (!exists(LOCK)) return [];
  return read(LOCK)
    .split("\n")
    .map((text, i) => ({ text, line: i + 1 }))
    .filter(({ text }) => /^\d+ /.test(text))
    .map(({ text, line }) => ({
      type: text.split(" ", 1)[0]!,
      name: text.slice(text.indexOf(" ") + 1),
      line,
    }));
}

function checkRows(rows: Provider[], locked: Provider[]) {
  const byType = new Map<string, Provider>();
  const byName = new Map<string, Provider>();
  for (const row of rows) {
    if (byType.has(row.type)) problem(TABLE, row.line, `number ${row.type} twice`);
    if (byName.has(row.name.toLowerCase())) problem(TABLE, row.line, `${row.name} twice`);
    byType.set(row.type, row);
    byName.set(row.name.toLowerCase(), row);
  }
  for (const { type, name, line } of locked) {
    const now = byType.get(type);
    if (!now) problem(LOCK, line, `${type} ${name} is gone from ${TABLE}`);
    else if (now.name !== name)
      problem(TABLE, now.line, `number ${type} belongs to ${name}, not to ${now.name}`);
  }
  for (const { type, name, line } of rows)
    if (!locked.some((old) => old.type === type))
      problem(TABLE, line, `${type} ${name} is not in ${LOCK}: run it with --lock`);
}

/** A case names its provider in a line that has the word "provider" and the name. */
function checkCases(rows: Provider[]) {
  const lines = filesBelow("tests/wire", ".case").flatMap((path) => read(path).split("\n"));
  const naming = lines
    .filter((line) => /\bprovider\b/i.test(line))
    .map((line) => line.toLowerCase());
  for (const { name, line } of rows) {
    const quoted = name.toLowerCase().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const pattern = new RegExp(`(^|[^\\w-])${quoted}($|[^\\w-])`);
    if (!naming.some((text) => pattern.test(text)))
      problem(TABLE, line, `no tests/wire/*.case names provider ${name}`);
  }
}

if (!exists(TABLE)) nothingYet(TABLE);
const rows = tableRows();
const locked = lockedRows();
if (process.argv.includes("--lock")) {
  const added = rows.filter((row) => !locked.some((old) => old.type === row.type));
  const all = [...locked, ...added].sort((a, b) => Number(a.type) - Number(b.type));
  writeFileSync(join(root, LOCK), HEADING + all.map((row) => `${row.type} ${row.name}\n`).join(""));
  console.log(`${added.length} added to ${LOCK}`);
  process.exit(0);
}
if (rows.length === 0) problem(TABLE, 0, 'has no row of the form [1] = {"Name", ...');
checkRows(rows, locked);
checkCases(rows);
finish(`${rows.length} providers keep their numbers and have wire cases`);
