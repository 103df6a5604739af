// Writes src/common/tokenizer/unicode.c, the character classes that the pre-tokenizers ask for:
//   node_modules/.bin/bun tools/gen/unicode.ts
// The result is committed. The classes are those of the Unicode version that the JavaScript engine knows.

const LAST = 0x10ffff;
const BLOCK = 128; // characters per block; equal blocks are stored once

// In the order of enum char_class (src/common/tokenizer/unicode.h); OTHER, the first, is whatever is left.
const classes: [string, RegExp][] = [
  ["UPPER", /[\p{Lu}\p{Lt}]/u],
  ["LOWER", /\p{Ll}/u],
  ["LETTER", /[\p{Lm}\p{Lo}]/u],
  ["MARK", /\p{M}/u],
  ["NUMBER", /\p{N}/u],
  ["SPACE", /\p{White_Space}/u],
];

function classOf(code: number): number {
  const text = String.fromCodePoint(code);
  return classes.findIndex(([, pattern]) => pattern.test(text)) + 1;
}

// Two characters per byte, the even one in the low half.
function blockAt(start: number): number[] {
  const bytes: number[] = [];
  for (let code = start; code < start + BLOCK; code += 2) bytes.push(classOf(code) | (classOf(code + 1) << 4));
  return bytes;
}

function cArray(values: number[]): string {
  const lines: string[] = [];
  for (let i = 0; i < values.length; i += 24) lines.push("    " + values.slice(i, i + 24).join(","));
  return lines.join(",\n");
}

const known = new Map<string, number>();
const blocks: number[][] = [];
const index: number[] = [];
for (let start = 0; start <= LAST; start += BLOCK) {
  const block = blockAt(start);
  const key = block.join();
  if (!known.has(key)) known.set(key, blocks.push(block) - 1);
  index.push(known.get(key)!);
}
// Beyond the last entry everything is OTHER, as it is in the block of the surrogates' plane end: cut the tail.
const tail = index.at(-1)!;
if (blocks[tail]!.some((byte) => byte !== 0)) throw new Error("the last block was expected to be empty");
while (index.at(-1) === tail) index.pop();
if (blocks.length > 256) throw new Error("too many different blocks for one byte each");

await Bun.write(
  "src/common/tokenizer/unicode.c",
  `// Character classes of Unicode ${process.versions.unicode}; made by tools/gen/unicode.ts, do not edit.

#include "common/tokenizer/unicode.h"

// clang-format off
const uint8_t unicode_index[UNICODE_INDEX] = {
${cArray(index)}};

const uint8_t unicode_blocks[][UNICODE_BLOCK / 2] = {
${blocks.map((block) => `    {${block.join(",")}},`).join("\n")}
};
// clang-format on
`,
);
console.log(`UNICODE_INDEX = ${index.length}, ${blocks.length} blocks, Unicode ${process.versions.unicode}`);
