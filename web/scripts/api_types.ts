// Writes web/src/models/api.ts from what the program says at /api/openapi.json:
//   bun web/scripts/api_types.ts PROGRAM          starts the program for a moment and asks it
// tests/web asks the program too, and fails when the file is not what this would write.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

interface Schema {
  type?: string;
  $ref?: string;
  items?: Schema;
  additionalProperties?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
}
interface Operation {
  summary: string;
  parameters: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}
export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const NAMES: Record<string, string> = { integer: "number", number: "number" };
const JSON_TYPE = "application/json";

function typeOf(schema: Schema): string {
  if (schema.$ref) return schema.$ref.split("/").at(-1)!;
  if (schema.type === "array") return `${typeOf(schema.items!)}[]`;
  if (schema.additionalProperties) return `Record<string, ${typeOf(schema.additionalProperties)}>`;
  if (schema.properties) return `{ ${members(schema).join("; ")} }`;
  return schema.type ? (NAMES[schema.type] ?? schema.type) : "unknown";
}

function members(schema: Schema): string[] {
  const required = schema.required;
  return Object.entries(schema.properties ?? {}).map(
    ([name, type]) => `${name}${required && !required.includes(name) ? "?" : ""}: ${typeOf(type)}`,
  );
}

function dataOf(operation: Operation): string {
  const data = operation.responses["200"]?.content?.[JSON_TYPE]?.schema.properties?.["data"];
  if (!data) return "null";
  const item = data.properties?.["items"]?.items;
  return item ? `Page<${typeOf(item)}>` : typeOf(data);
}

function parametersOf(operation: Operation, where: string): string {
  const found = operation.parameters.filter((one) => one.in === where);
  const mark = where === "query" ? "?" : "";
  return found.length
    ? `{ ${found.map((one) => `${one.name}${mark}: ${typeOf(one.schema)}`).join("; ")} }`
    : "undefined";
}

export function write(api: OpenApi): string {
  const out = [
    "// Made by `make web-types` from the program's own description of its API. Do not edit.",
    "",
    "/** One page of a list; by number (page, total) or by cursor (next_cursor). */",
    "export interface Page<T> {",
    "  page?: number;",
    "  page_size: number;",
    "  total?: number;",
    "  /** There are more than `total`. */",
    "  total_more?: boolean;",
    "  next_cursor?: string | null;",
    "  /** The page is not full because time was up: it was searched back to here. */",
    "  searched_to?: number;",
    "  items: T[];",
    "}",
  ];
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    out.push("", `export interface ${name} {`);
    for (const member of members(schema)) out.push(`  ${member};`);
    out.push("}");
  }
  out.push("", "/** Every operation: what it takes and what it answers. */");
  out.push("export interface Operations {");
  for (const [path, operations] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const body = operation.requestBody?.content[JSON_TYPE]?.schema;
      out.push(`  /** ${operation.summary} */`);
      out.push(`  "${method.toUpperCase()} ${path}": {`);
      out.push(`    params: ${parametersOf(operation, "path")};`);
      out.push(`    query: ${parametersOf(operation, "query")};`);
      out.push(`    body: ${body ? typeOf(body) : "undefined"};`);
      out.push(`    data: ${dataOf(operation)};`);
      out.push("  };");
    }
  out.push("}", "");
  return out.join("\n");
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function ask(program: string): Promise<OpenApi> {
  const folder = mkdtempSync(join(tmpdir(), "tf-types-"));
  const port = freePort();
  const child = Bun.spawn([resolve(program)], {
    cwd: folder,
    env: { ...process.env, PORT: String(port), HOST: "127.0.0.1", DATA_DIR: folder, SQL_DSN: "" },
    stdout: "ignore",
    stderr: "ignore",
  });
  try {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await fetch(`http://127.0.0.1:${port}/api/openapi.json`);
        if (answer.ok) return (await answer.json()) as OpenApi;
      } catch (error) {
        if (tries > 300 || child.exitCode !== null) throw error;
      }
      await Bun.sleep(100);
    }
  } finally {
    child.kill();
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const path = join(import.meta.dir, "../src/models/api.ts");
  writeFileSync(path, write(await ask(process.argv[2] ?? "build/token-factory")));
}
