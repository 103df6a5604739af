// Writes tests/unit/common/tokenizer/vectors.json, texts with the tokens of gpt-tokenizer, and the
// bytes of the pieces that its regular expressions cut them into:
//   node_modules/.bin/bun tools/gen/token_vectors.ts
// The result is committed. U+0085 and U+FEFF do not occur: there JavaScript's \s is not Unicode's
// White_Space, by which the original (tiktoken) goes.

import { encode as cl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { encode as o200k } from "gpt-tokenizer/encoding/o200k_base";
import {
  CL100K_TOKEN_SPLIT_REGEX,
  O200K_TOKEN_SPLIT_REGEX,
} from "gpt-tokenizer/encodingParams/constants";

const written = [
  "a",
  " ",
  "\n",
  "\t",
  "\r\n",
  "'",
  "'s",
  "0",
  "é",
  "中",
  "😀",
  "\u0301",
  "\u0000",
  "\u007f",
  "\u200b",
  "\uffff",
  "\u{10ffff}",
  "Hello, world!",
  "The quick brown fox jumps over the lazy dog.",
  "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.",
  "I'm sure they'll say we've done what you'd expect; it's all he's got, isn't it? They're done.",
  "I'M SURE THEY'LL SAY WE'VE DONE WHAT YOU'D EXPECT; IT'S ALL HE'S GOT, ISN'T IT? THEY'RE DONE.",
  "don'T Don't DON't 'Twas rock'n'roll o'clock ''s '''d 'LL'll 'lL 'rE 'Ve 've's l'été d'accord s'il",
  "'sabc 'tabc 'reabc 'veabc 'mabc 'llabc 'dabc x'sabc X'LLabc",
  "camelCase PascalCase HTTPServer XMLHttpRequest iPhone eBay McDonald ABCdefGHI aB Ab ABc aBC",
  "SCREAMING_SNAKE_CASE snake_case kebab-case dot.case path/to/file C:\\Windows\\System32",
  "https://user:pass@example.com:8080/a/b/c.html?q=1&r=%20#frag mailto:someone@example.org",
  "1 12 123 1234 12345 123456789 3.14159 -42 1,000,000 1e-9 0x1F 0b1010 192.168.0.1 2024-02-29T23:59:60Z",
  "٠١٢٣٤٥٦٧٨٩ ४५६७ ⅧⅨ ½¾ ²³¹ ①②③ 一二三 〇",
  "if (x == NULL) {\n    return -1; // nothing\n}\n",
  '#include <stdio.h>\n\nint main(void)\n{\n\tprintf("%d\\n", 1 << 3);\n\treturn 0;\n}\n',
  'def f(x: int) -> list[str]:\n    return [f"{i:>03}" for i in range(x) if i % 2 != 0]\n\n\nclass A(B):\n    pass\n',
  "const x = async (a, b = {}) => ({ ...b, [a]: `${a}-${await b?.c ?? 'd'}` });",
  "SELECT u.id, COUNT(*) AS n FROM users u LEFT JOIN logs l ON l.user_id = u.id WHERE u.quota >= 0 GROUP BY u.id;",
  '{"model":"gpt-4o","messages":[{"role":"user","content":"hi\\n"}],"stream":true,"temperature":0.7,"n":null}',
  "<!DOCTYPE html><html lang=\"en\"><head><title>T</title></head><body class='x y'>&nbsp;&amp;</body></html>",
  'fn main() { let v: Vec<_> = (0..10).map(|x| x * x).collect(); println!("{v:?}"); }',
  "| a | b |\n|---|---:|\n| 1 | 2 |\n\n# Title\n\n- [ ] item\n  * sub\n\n```c\nx\n```\n",
  "\\frac{1}{2} \\sum_{i=0}^{n} x_i^2 \\leq \\infty ∀x∈ℝ ∃y: x≤y ∧ ¬(x=y) → ∑∏∫√≈≠±×÷",
  "你好，世界！今天天气怎么样？我们去公园散步吧。",
  "中文English混排123测试，全角ＡＢＣ１２３。",
  "臺灣繁體中文：電腦、網路與軟體。「引號」『雙引號』",
  "こんにちは、世界。カタカナとひらがなと漢字が混ざった文章です。",
  "ｶﾀｶﾅ ー〜・ヴ ゝゞ々〆ヶ",
  "안녕하세요, 세계! 오늘은 날씨가 좋습니다.",
  "ㄱㄴㄷ ㅏㅑ 한글 조합 \u1112\u1161\u11ab",
  "مرحبا بالعالم! كيف حالك اليوم؟ هَٰذَا نَصٌّ مُشَكَّلٌ.",
  "नमस्ते दुनिया! आप कैसे हैं? क्षत्रिय ज्ञान श्रृंखला",
  "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่างระหว่างคำ ก็ได้",
  "שלום עולם! מה שלומך? בְּרֵאשִׁית",
  "Привет, мир! Как дела? ЁЖИК в тумане. СССР",
  "Γειά σου Κόσμε! Ἐν ἀρχῇ ἦν ὁ λόγος",
  "Xin chào thế giới! Tiếng Việt có nhiều dấu.",
  "Zażółć gęślą jaźń. Příliš žluťoučký kůň. Größe, Straße, ẞ.",
  "Merhaba dünya, İstanbul ısırgan",
  "ⴰⵣⵓⵍ ᓄᓇᕗᑦ ꦱꦸꦒꦼꦁ ကမ္ဘာ ខ្មែរ ລາວ བོད ქართული հայերեն ᏣᎳᎩ ⲁⲃⲅ 𐌰𐌱 𓀀𓀁",
  "ǅ ǈ ǋ ᾈ ʰʱ ˠ ªº ⁿ ₐ ꟸ ﬀ ﬁ ſ",
  "👍 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇷🇯🇵 ❤️ 1️⃣ 🧑🏿‍🚀 ☺︎ ☺️ 🫠",
  "😀😀😀😀😀 😂🤣 ok👌ok",
  "e\u0301 n\u0303 a\u0308\u0304 o\u0302\u0323 Z\u0351\u036b\u0343\u0310 \u0301abc \u0301ABC !\u0301a !!\u0301b 1\u0301 中\u0301A",
  "あA Aあ AあB あAB AあBc ABあCDe ʰA Aʰ AʰB \u0301A\u0301B aあA",
  "a  b   c    d     e      f",
  "\ta\t\tb\t\t\tc \t d\t \te",
  "a \nb \n c\n d \n\n e\n \n\nf\n  \n  g",
  "a\r\nb\r\n\r\nc\n\rd\r\re",
  "trailing   ",
  "trailing \n",
  "trailing \n  ",
  "trailing\n\n",
  "   leading",
  "\n\n\nleading",
  " \n leading",
  "\u00a0a\u00a0\u00a0b\u2003c\u3000d\u3000\u3000e\u2028f\u2029g\u1680h\u202fi\u205fj\u000bk\u000cl",
  "a\u200bb\u200cc\u200dd\u2060e\u00adf",
  "...!!!???;;;:::,,,",
  "--- === *** ~~~ ___ +++ ### $$$ %%% &&& @@@ ^^^",
  "!\n ?\r\n ./\n ,//\n\n ;/a a//b /// \n/",
  " ! ? a! a !b  !  c",
  "};\n// x\n/* y */\r\n/z !\n/a ?\r/\n/b",
  "“quotes” ‘single’ «guillemets» – — … • ‰ € £ ¥ ₿ ™ © ®",
  "((([[[{{{}}}]]])))",
  "a.b,c;d:e!f?g",
  "$1.00 €2,50 ¥300 50% #1 @user",
  "<|endoftext|>",
  "<|im_start|>user<|im_sep|>hi<|im_end|>",
  "\u0000\u0001\u0002 \u001b[31mred\u001b[0m \u007f\u0080\u009f",
  "\ufffd\ufffe\uffff\u{1fffe}\u{e000}\u{f0000}",
  "aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQgdGV4dA==",
  "0123456789abcdef0123456789ABCDEF",
  "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
  "lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua.",
];

// Long pieces: one "word" of many bytes.
const repeated: [string, number][] = [
  ["a", 95],
  ["a", 96],
  ["a", 97],
  ["a", 1000],
  ["a", 4099],
  ["A", 3001],
  ["ab", 777],
  ["abc", 1500],
  ["Ab", 333],
  ["zq", 1001],
  [" ", 1000],
  [" ", 4097],
  ["\n", 999],
  [" \n", 300],
  ["\t", 513],
  ["=", 2048],
  ["-=", 555],
  ["中", 700],
  ["天地玄黄", 251],
  ["あ", 345],
  ["한", 400],
  ["é", 600],
  ["e\u0301", 299],
  ["😀", 256],
  ["9", 1000],
  ["!?", 400],
  ["ок", 444],
  ["ก็", 222],
  ["\u0301", 150],
  ["\r\n", 257],
  ["/", 300],
  ["lorem", 200],
  ["xyzzy", 123],
  ["the", 321],
  ["I'll", 99],
];

// Random texts, the same on every run: characters of a few kinds, mixed.
let state = 20240229;
function below(n: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
}
const kinds = [
  "'sSdDtTmMlLvVrReE a",
  "abcdefghijklmnopqrstuvwxyz",
  "ABCDEFabcdef  ",
  "0123456789 .,",
  "  \n\r\t a",
  "  \n\n  ",
  "/\\!?.,;:'\"-_+=*&^%$#@()[]{}<>|~`",
  "ÀéßñüÇøåæœ",
  "ǅʰªѠжЯЖяΩωᾈ",
  "中文字符测试一二三",
  "あいうアイウー漢",
  "가나다한글",
  "ابتثجحخ ً ٌ",
  "कखग िी्",
  "กขค็่้",
  "\u0301\u0308\u20dd\u0e47",
  "😀👩\u200d👧🏽🇫🇷❤\ufe0f",
  "\u00a0\u2003\u3000\u2028\u200b",
  "ⅧⅨ½²٣४①",
].map((kind) => [...kind]);
function mixed(): string {
  const some = Array.from({ length: 1 + below(4) }, () => kinds[below(kinds.length)]!);
  return Array.from({ length: 1 + below(48) }, () => {
    const kind = some[below(some.length)]!;
    return kind[below(kind.length)]!;
  }).join("");
}
// Random bytes, made valid: what is broken becomes U+FFFD.
function bytes(): string {
  const random = Uint8Array.from({ length: 1 + below(60) }, () => below(256));
  return new TextDecoder().decode(random).replace(/[\u0085\ufeff]/g, "");
}

const texts = [
  ...written,
  ...repeated.map(([text, times]) => text.repeat(times)),
  ...Array.from({ length: 200 }, mixed),
  ...Array.from({ length: 40 }, bytes),
  ...Array.from({ length: 25 }, () =>
    Array.from({ length: 12 }, () => written[below(written.length)]!).join(
      ["", " ", "\n"][below(3)],
    ),
  ),
];
if (texts.some((text) => /[\u0085\ufeff]/.test(text)))
  throw new Error("U+0085 and U+FEFF have no place here");

function pieces(text: string, pattern: RegExp): number[] {
  return [...text.matchAll(pattern)].map(([piece]) => Buffer.byteLength(piece));
}

// Runs are written [number, times], and so are texts of one repeated piece: {"repeat": [...]}.
function shorten(numbers: number[]): (number | [number, number])[] {
  const out: (number | [number, number])[] = [];
  for (let i = 0, n; i < numbers.length; i += n) {
    for (n = 1; numbers[i + n] === numbers[i];) n++;
    if (n > 3) out.push([numbers[i]!, n]);
    else for (let k = 0; k < n; k++) out.push(numbers[i]!);
  }
  return out;
}
const special = { disallowedSpecial: new Set<string>() }; // "<|endoftext|>" is a text like any other
const lines = texts.map((text, i) => {
  const from = repeated[i - written.length];
  return JSON.stringify({
    ...(from ? { repeat: from } : { text }),
    o200k: shorten(o200k(text, special)),
    o200k_pieces: shorten(pieces(text, O200K_TOKEN_SPLIT_REGEX)),
    cl100k: shorten(cl100k(text, special)),
    cl100k_pieces: shorten(pieces(text, CL100K_TOKEN_SPLIT_REGEX)),
  });
});
await Bun.write("tests/unit/common/tokenizer/vectors.json", `[\n${lines.join(",\n")}\n]\n`);
console.log(`${texts.length} texts`);
