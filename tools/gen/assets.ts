// Packs a folder of web files into the table that src/router/web.c reads, each as it is, gzip, br:
//   bun tools/gen/assets.ts OUT [FOLDER]      without a folder, or an absent one: an empty table
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};
const PACKED = /text|json|svg|manifest/;
const HEADER = 8;
const ROW = 4 * 10;

function list(folder: string, below = ""): string[] {
  return readdirSync(join(folder, below)).flatMap((name) => {
    if (name.startsWith(".")) return [];
    const path = `${below}/${name}`;
    return statSync(join(folder, path)).isDirectory() ? list(folder, path) : [path];
  });
}

const [out = "", folder = ""] = process.argv.slice(2);
const paths = folder && existsSync(folder) ? list(folder) : [];
// by bytes, as strcmp compares
paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

const rows = Buffer.alloc(HEADER + ROW * paths.length);
const pieces: Buffer[] = [rows];
let end = rows.length;
function put(bytes: Buffer): number {
  pieces.push(bytes);
  end += bytes.length;
  return end - bytes.length;
}
const putText = (text: string) => put(Buffer.from(`${text}\0`));

rows.write("TFW1");
rows.writeUInt32LE(paths.length, 4);
paths.forEach((path, i) => {
  const bytes = readFileSync(join(folder, path));
  const type = TYPES[extname(path)];
  if (!type) throw new Error(`assets: ${path}: no type is known for ${extname(path)}`);
  const worth = (packed: Buffer) => (packed.length < bytes.length ? packed : Buffer.alloc(0));
  const nothing = Buffer.alloc(0);
  const text = PACKED.test(type);
  const gzip = text ? worth(gzipSync(bytes, { level: 9 })) : nothing;
  const br = text
    ? worth(brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
    : nothing;
  const row = [
    putText(path),
    putText(type),
    putText(createHash("sha256").update(bytes).digest("hex").slice(0, 16)),
    path.startsWith("/assets/") ? 1 : 0,
    ...[bytes, gzip, br].flatMap((piece) => [put(piece), piece.length]),
  ];
  row.forEach((value, column) => rows.writeUInt32LE(value, HEADER + ROW * i + 4 * column));
});
writeFileSync(out, Buffer.concat(pieces));
