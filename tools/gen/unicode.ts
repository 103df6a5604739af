// Writes src/common/tokenizer/unicode.c, the character classes that the pre-tokenizers ask for:
//   node_modules/.bin/bun tools/gen/unicode.ts
// The result is committed. The Unicode version is the one that the JavaScript engine knows.

const LAST = 0x10ffff;
const BLOCK = 128; // characters per block; equal blocks are stored once

// In the order of enum char_class (src/common/tokenizer/unicode.h) after OTHER, which is the rest.
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
  for (let code = start; code < start + BLOCK; code += 2)
    bytes.push(classOf(code) | (classOf(code + 1) << 4));
  return bytes;
}

// The values of an array, in lines of at most 100 columns.
function cArray(values: number[]): string {
  const lines = ["   "];
  for (const value of values) {
    if (`${lines.at(-1)} ${value},`.length > 100) lines.push("   ");
    lines[lines.length - 1] += lines.at(-1) === "   " ? ` ${value},` : `${value},`;
  }
  return lines.join("\n");
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
// Beyond the last entry everything is OTHER, so the tail can be cut off.
const tail = index.at(-1)!;
if (blocks[tail]!.some((byte) => byte !== 0))
  throw new Error("the last block was expected to be empty");
while (index.at(-1) === tail) index.pop();
if (blocks.length > 256) throw new Error("too many different blocks for one byte each");

await Bun.write(
  "src/common/tokenizer/unicode.c",
  `// Character classes of Unicode ${process.versions.unicode}; made by tools/gen/unicode.ts, do not edit.

#include "common/tokenizer/unicode.h"

// clang-format off
const uint8_t unicode_index[UNICODE_INDEX] = {
${cArray(index)}
};

const uint8_t unicode_blocks[UNICODE_BLOCKS * UNICODE_BLOCK / 2] = {
${cArray(blocks.flat())}
};
// clang-format on
`,
);
console.log(`UNICODE_INDEX = ${index.length}, UNICODE_BLOCKS = ${blocks.length}`); // for unicode.h
