// Every management route is described once in openapi.def, and what is described has a route.
import { exists, finish, macroRows, nothingYet, problem, read } from "./support.ts";

const ROUTES = "src/router/routes.def";
const DOCS = "src/router/openapi.def";

if (!exists(DOCS)) nothingYet(DOCS);
const routed = new Map(
  macroRows(read(ROUTES), "ROUTE").map(({ args, line }) => [args[3] ?? "", line]),
);
const described = new Map<string, number>();
for (const { args, line } of macroRows(read(DOCS), "DOC")) {
  const handler = args[0] ?? "";
  if (described.has(handler)) problem(DOCS, line, `${handler} is described twice`);
  if (!routed.has(handler)) problem(DOCS, line, `${handler} has no route`);
  described.set(handler, line);
}
for (const [handler, line] of routed)
  if (!described.has(handler)) problem(ROUTES, line, `${handler} is not described in ${DOCS}`);
finish(`${described.size} handlers are described`);
