// A file includes only from its own folder and folders to its left; a foo.c has a foo.h beside it.
import { dirname } from "node:path";
import {
  codeOnly,
  definedFunctions,
  exists,
  filesBelow,
  finish,
  lineAt,
  nothingYet,
  problem,
  read,
  withoutComments,
} from "./support.ts";

const ORDER = [
  "common",
  "i18n",
  "model",
  "setting",
  "service",
  "relay",
  "oauth",
  "middleware",
  "controller",
  "router",
  "main",
];

/** Folders that may see only this, whatever is to their left. */
const PURE: Record<string, string[]> = {
  "relay/dialect": ["common/", "relay/chat.h", "relay/dialect/"],
  "relay/framing": ["common/", "relay/chat.h", "relay/framing/"],
  "relay/channel": [
    "common/",
    "relay/chat.h",
    "relay/channel/",
    "relay/dialect/",
    "relay/framing/",
  ],
};

/** Folders whose files are reached through a table or a shared header. */
const SHARED = ["common/db", "common/http", "relay", "oauth", "middleware", "controller"];

const layerOf = (path: string) => (path.includes("/") ? path.split("/")[0]! : "main");
const within = (path: string, folder: string) => path.startsWith(`${folder}/`);

function checkIncludes(path: string) {
  const own = path.slice("src/".length);
  const layer = ORDER.indexOf(layerOf(own));
  if (layer < 0) problem(path, 0, `${layerOf(own)} is not a layer (${ORDER.join(" < ")})`);
  const pure = Object.entries(PURE).find(([folder]) => within(own, folder))?.[1];
  const text = withoutComments(read(path));
  for (const match of text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]/gm)) {
    const target = match[2]!;
    const line = lineAt(text, match.index);
    const known = ORDER.includes(layerOf(target)) && target.includes("/");
    if (!known) {
      if (match[1] === '"')
        problem(path, line, `"${target}" must be named from src/: "common/x.h"`);
      continue;
    }
    if (target.split("/").includes("..")) problem(path, line, `must not climb: "${target}"`);
    else if (!exists(`src/${target}`)) problem(path, line, `there is no src/${target}`);
    if (pure && !pure.some((allowed) => target.startsWith(allowed)))
      problem(
        path,
        line,
        `must not include ${target}: ${dirname(own)} may see only ${pure.join(" ")}`,
      );
    else if (ORDER.indexOf(layerOf(target)) > layer)
      problem(path, line, `must not include ${target}: it is to the right of ${layerOf(own)}`);
  }
}

/** A table: constants that another header of the folder declares, and no function of its own. */
const isTable = (path: string) => {
  const code = codeOnly(read(path));
  return /^(?:const\b[^;=]*=|[A-Z]\w*\()/m.test(code) && definedFunctions(code).length === 0;
};

function checkHeader(path: string) {
  const own = path.slice("src/".length);
  if (!path.endsWith(".c") || !own.includes("/") || SHARED.some((folder) => within(own, folder)))
    return;
  if (isTable(path)) return;
  const header = path.replace(/\.c$/, ".h");
  if (!exists(header)) problem(path, 0, `has no ${header} beside it`);
}

const files = filesBelow("src", ".c", ".h", ".def");
if (files.length === 0) nothingYet("src");
for (const path of files) {
  checkIncludes(path);
  checkHeader(path);
}
finish(`${files.length} files include only what they may`);
