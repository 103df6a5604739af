// Every route names an existing handler, says who may call it, and is unique; none is missing.
import {
  definedFunctions,
  exists,
  filesBelow,
  finish,
  macroRows,
  nothingYet,
  problem,
  read,
  unquote,
} from "./support.ts";

const ROUTES = "src/router/routes.def";
const FORMS: Record<string, string> = {
  ROUTE: "who, handler",
  PLAIN: "lane, handler",
  RELAY: "speaks, mode",
};
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];

function definitions(): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of filesBelow("src", ".c"))
    for (const { name, line } of definedFunctions(read(path))) found.set(name, `${path}:${line}`);
  return found;
}

if (!exists(ROUTES)) nothingYet(ROUTES);
const defined = definitions();
const rows = macroRows(read(ROUTES), "ROUTE", "PLAIN", "RELAY");
const seen = new Map<string, number>();
const routed = new Set<string>();
if (rows.length === 0) problem(ROUTES, 0, "has no row");

for (const { name, args, line } of rows) {
  const [method = "", quoted = "", third = "", fourth = ""] = args;
  const path = unquote(quoted);
  if (!METHODS.includes(method)) problem(ROUTES, line, `unknown method "${method}"`);
  if (!/^"\/.*"$/.test(quoted))
    problem(ROUTES, line, `the path ${quoted} must be a string that begins with /`);
  const key = `${method} ${path.replace(/\/:\w+/g, "/:").replace(/\{\w+\}/g, ":")}`;
  const before = seen.get(key);
  if (before !== undefined) problem(ROUTES, line, `${method} ${path} is already in line ${before}`);
  seen.set(key, line);
  if (args.length < 4 || !third || !fourth)
    problem(ROUTES, line, `${name}(method, path, ${FORMS[name]}) is incomplete`);
  else if (name !== "RELAY") {
    if (name === "ROUTE" && !/^\w[\w |()]*$/.test(third))
      problem(ROUTES, line, `"${third}" does not say who may call`);
    if (!defined.has(fourth)) problem(ROUTES, line, `there is no function ${fourth}`);
    routed.add(fourth);
  }
}
for (const [name, where] of defined)
  if (name.startsWith("api_") && !routed.has(name)) problem(where, 0, `${name} has no route`);
finish(`${rows.length} routes, each with a handler and a guard`);
