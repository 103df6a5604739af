// Every check accepts a sound tree and names the fault in a broken one.
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

type Tree = Record<string, string>;
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

function check(name: string, tree: Tree, ...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "check-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const script = join(import.meta.dir, `check_${name}.ts`);
  const done = Bun.spawnSync([process.execPath, script, folder, ...args]);
  const output = done.stdout.toString() + done.stderr.toString();
  return { status: done.exitCode, output, folder };
}

function accepts(name: string, tree: Tree) {
  const { status, output } = check(name, tree);
  expect(output).not.toContain("problem(s)");
  expect(status).toBe(0);
}

function refuses(name: string, tree: Tree, fault: string) {
  const { status, output } = check(name, tree);
  expect(output).toContain(fault);
  expect(status).toBe(1);
}

/** One test per fault: the sound tree with some files replaced. */
function faults(name: string, sound: Tree, broken: [string, Tree, string][]) {
  describe(name, () => {
    test("sound", () => accepts(name, sound));
    test("nothing yet", () => expect(check(name, {}).output).toContain("nothing to check yet"));
    for (const [title, change, fault] of broken)
      test(title, () => refuses(name, { ...sound, ...change }, fault));
  });
}

faults(
  "layers",
  {
    "src/main.c": '#include "router/router.h"\n#include <uv.h>\n',
    "src/router/router.h": "",
    "src/common/err.h": "",
    "src/common/err.c": '#include "common/err.h"\n// #include "relay/chat.h"\n',
    "src/relay/chat.h": "",
    "src/relay/relay.h": "",
    "src/relay/dialect/dialect.h": "",
    "src/relay/dialect/openai.c": '#include "common/err.h"\n#include "relay/chat.h"\n',
    "src/relay/table.c": "static int f(void)\n{\n}\nconst struct row rows[] = {{f}};\n",
    "src/relay/channel/auth.c": '#include "relay/dialect/dialect.h"\n',
  },
  [
    [
      "to the right",
      { "src/common/err.h": '#include "relay/chat.h"\n' },
      "src/common/err.h:1: must not include relay/chat.h: it is to the right of common",
    ],
    [
      "to the right, in angle brackets",
      { "src/common/err.h": "#include <relay/chat.h>\n" },
      "must not include relay/chat.h",
    ],
    [
      "a dialect that sees the relay",
      { "src/relay/dialect/openai.c": '#include "relay/relay.h"\n' },
      "relay/dialect may see only",
    ],
    [
      "a dialect that sees a channel",
      {
        "src/relay/channel/auth.h": "",
        "src/relay/dialect/openai.c": '#include "relay/channel/auth.h"\n',
      },
      "relay/dialect may see only",
    ],
    [
      "a channel that sees money",
      { "src/service/ledger.h": "", "src/relay/channel/auth.c": '#include "service/ledger.h"\n' },
      "must not include service/ledger.h",
    ],
    [
      "no header for a function",
      { "src/common/buf.c": "int f(void)\n{\n}\nconst int x[] = {0};\n" },
      "src/common/buf.c: has no src/common/buf.h",
    ],
    ["no header", { "src/common/buf.c": "" }, "src/common/buf.c: has no src/common/buf.h"],
    ["a name without folder", { "src/common/err.c": '#include "err.h"\n' }, "must be named from"],
    [
      "a climbing name",
      { "src/common/err.c": '#include "common/../relay/chat.h"\n' },
      "must not climb",
    ],
    ["a missing file", { "src/common/err.c": '#include "common/no.h"\n' }, "there is no src/comm"],
    ["an unknown folder", { "src/util/x.h": "" }, "util is not a layer"],
  ],
);

const en = { bad_request: "Bad request: {reason}", not_found: "Not found" };
const zh = { bad_request: "请求错误:{reason}", not_found: "未找到" };
const texts = (path: string, value: object): Tree => ({
  [`src/i18n/${path}.json`]: JSON.stringify(value),
});

faults(
  "errors",
  {
    "src/common/errors.def":
      "// ERR(code, status, retry)\nERR(bad_request, 400, false)\nERR(not_found, 404, false)\n",
    ...texts("en", { ...en, mail: { subject: "Hello" } }),
    ...texts("zh", { ...zh, mail: { subject: "你好" } }),
  },
  [
    ["no English", texts("en", { mail: { subject: "Hello" }, not_found: "x" }), "no English text"],
    ["no Chinese", texts("zh", { mail: { subject: "你好" }, not_found: "无" }), "no Chinese text"],
    [
      "a text without a code",
      { ...texts("en", { ...en, gone: "x" }), ...texts("zh", { ...zh, gone: "无" }) },
      "the text gone has no ERR row",
    ],
    ["placeholders", texts("zh", { ...zh, bad_request: "错误" }), "bad_request: placeholders"],
    ["not translated", texts("zh", { ...zh, not_found: "Not found" }), "this is not Chinese"],
    ["empty", texts("en", { ...en, not_found: "" }), "not_found is empty"],
    ["one language", { "src/i18n/zh.json": "[]" }, "no Chinese text"],
    ["not JSON", { "src/i18n/en.json": "{" }, "src/i18n/en.json: SyntaxError"],
    ["a number", texts("en", { ...en, not_found: 1 }), "neither a text nor"],
    ["a key twice", { "src/i18n/en.json": '{"not_found":"a","not_found":"b"}' }, "not_found twice"],
    [
      "a code twice",
      { "src/common/errors.def": "ERR(not_found, 404, false)\nERR(not_found, 400, false)\n" },
      "errors.def:2: not_found twice",
    ],
  ],
);

const handler = (name: string) => `struct err *${name}(struct http *x)\n{\n    return 0;\n}\n`;

faults(
  "routes",
  {
    "src/router/routes.def": `// ROUTE(method, path, who, handler)
ROUTE(GET, "/api/token/", USER, api_token_list)
ROUTE(GET, "/api/token/:id", USER, api_token_get)
RELAY(POST, "/v1/chat/completions", openai, MODE_CHAT)
`,
    "src/controller/token.c": `${handler("api_token_list")}${handler("api_token_get")}
static int api_local(void)\n{\n    return 1;\n}
struct err *api_elsewhere(struct http *x);
`,
  },
  [
    [
      "no such function",
      { "src/controller/token.c": handler("api_token_list") },
      "routes.def:3: there is no function api_token_get",
    ],
    [
      "only a prototype",
      { "src/controller/token.c": "struct err *api_token_get(struct http *x);\n" },
      "there is no function api_token_get",
    ],
    [
      "a handler without a route",
      { "src/controller/user.c": handler("api_user_list") },
      "src/controller/user.c:1: api_user_list has no route",
    ],
    [
      "the same path twice",
      {
        "src/router/routes.def": `ROUTE(GET, "/a/:id", USER, api_token_list)
ROUTE(GET, "/a/:name", USER, api_token_get)\n`,
      },
      "routes.def:2: GET /a/:name is already in line 1",
    ],
    [
      "nobody",
      { "src/router/routes.def": 'ROUTE(GET, "/a", , api_token_list)\n' },
      "routes.def:1: ROUTE(method, path, who, handler) is incomplete",
    ],
    [
      "who missing",
      { "src/router/routes.def": 'ROUTE(GET, "/a", api_token_list)\n' },
      "is incomplete",
    ],
    [
      "method",
      { "src/router/routes.def": 'ROUTE(FETCH, "/a", USER, api_token_list)\n' },
      'unknown method "FETCH"',
    ],
    [
      "path",
      { "src/router/routes.def": 'ROUTE(GET, "a", USER, api_token_list)\n' },
      "must be a string that begins with /",
    ],
    ["empty", { "src/router/routes.def": "// none\n" }, "has no row"],
  ],
);

const providers = (rows: string): Tree => ({
  "src/relay/channel/providers.c": `static const struct provider rows[] = {\n${rows}};\n`,
});

faults(
  "providers",
  {
    ...providers(
      '    [1] = {"OpenAI", "https://api.openai.com"},\n    [14] = {.name = "Claude"},\n',
    ),
    "tools/providers.lock": "# numbers\n1 OpenAI\n14 Claude\n",
    "tests/wire/chat.case": "provider: openai\nOpenAI\n--\nprovider: Claude\n",
  },
  [
    [
      "renumbered",
      providers('[2] = {"OpenAI"},\n[14] = {"Claude"},\n'),
      "1 OpenAI is gone from src/relay",
    ],
    [
      "swapped",
      providers('[14] = {"OpenAI"},\n[1] = {"Claude"},\n'),
      "number 14 belongs to Claude, not to OpenAI",
    ],
    [
      "not locked",
      providers('[1] = {"OpenAI"},\n[14] = {"Claude"},\n[25] = {"Moonshot"},\n'),
      "25 Moonshot is not in tools/providers.lock",
    ],
    [
      "no case",
      { "tests/wire/chat.case": "provider: openai-like\nprovider: Claude\n" },
      "no tests/wire/*.case names provider OpenAI",
    ],
    [
      "a number twice",
      providers('[1] = {"OpenAI"},\n[14] = {"Claude"},\n[14] = {"Other"},\n'),
      "number 14 twice",
    ],
    ["empty", providers(""), "has no row"],
  ],
);

test("providers --lock adds and never changes", async () => {
  const tree = {
    ...providers('[1] = {"Renamed"},\n[14] = {"Claude"},\n'),
    "tools/providers.lock": "1 OpenAI\n",
  };
  const { status, folder } = check("providers", tree, "--lock");
  expect(status).toBe(0);
  const lock = Bun.file(join(folder, "tools/providers.lock"));
  expect(await lock.text()).toEndWith("\n1 OpenAI\n14 Claude\n");
});

const leftover = "TO" + "DO";
faults(
  "style",
  {
    "src/main.c": `// Starts the program.
// atoi(x) in a comment, and one address: https://example.com/${"x".repeat(100)}
const char *s = "strcpy(a, b)";
char *p = fgets(q, n, f);
`,
    "tests/api/x.test.ts": `// Asks for things.\nconst s = "${"x".repeat(100)}";\n`,
  },
  [
    ...["strcpy", "strcat", "sprintf", "strtok", "sscanf", "atoi", "gets", "alloca"].map(
      (name): [string, Tree, string] => [
        name,
        { "src/main.c": `// Starts the program.\nint x = ${name} (y);\n` },
        `src/main.c:2: ${name} is banned`,
      ],
    ),
    ["leftover", { "src/main.c": `// Starts it. ${leftover}\n` }, `main.c:1: ${leftover}`],
    ["no sentence", { "src/main.c": "int main;\n" }, "main.c:1: must begin with a sentence"],
    ["tab", { "src/main.c": "// Starts it.\n\tint x;\n" }, "main.c:2: tab"],
    ["long", { "src/main.c": `// Starts it.\n// ${"x".repeat(98)}\n` }, "101 columns, 100"],
    ["blank", { "src/main.c": "// Starts it. \n" }, "blank at the end"],
    ["no newline", { "src/main.c": "// Starts it." }, "no newline at the end"],
    [
      "a long comment in a script",
      { "tests/api/x.test.ts": `// ${"x ".repeat(50)}x\n` },
      "x.test.ts:1: 104 columns",
    ],
    ["script", { "tests/api/x.test.ts": "let x;\n" }, "x.test.ts:1: must begin with a sentence"],
  ],
);

describe("dialects", () => {
  const callers = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1beta/models/m:generateContent",
    "/v2/chat",
    "/model/m/converse",
  ];
  const features = "text tools parallel images reasoning schema cached error cut";
  const conversation = (body: string, action = "generateContent"): string =>
    [
      `shows: ${features}`,
      ...callers.map((path) => {
        const at = path
          .replace("generateContent", action)
          .replace("/converse", action === "generateContent" ? "/converse" : "/converse-stream");
        return `caller: POST ${at}\n${body}\ncaller gets: 200 application/json\n{}`;
      }),
      ...callers.map(
        (path) =>
          `provider: X\nupstream expects: POST https://x${path}\n{}\n` +
          "upstream answers: 200 application/json\n{}",
      ),
    ].join("\n");
  const tree: Tree = {
    "docs/dialects.md": "# Dialects\n<!-- matrix -->\n<!-- /matrix -->\n",
    "tests/wire/all/whole.case": conversation("{}"),
    "tests/wire/all/stream.case": conversation('{"stream":true}', "streamGenerateContent"),
  };
  const written = async (): Promise<string> => {
    const { status, folder } = check("dialects", tree, "--write");
    expect(status).toBe(0);
    return Bun.file(join(folder, "docs/dialects.md")).text();
  };

  test("a written page is sound", async () =>
    accepts("dialects", { ...tree, "docs/dialects.md": await written() }));
  test("nothing yet", () => expect(check("dialects", {}).output).toContain("nothing to check yet"));
  test("a page of before", () => refuses("dialects", tree, "is not what the cases say"));
  test("a case is gone", async () => {
    const page = { ...tree, "docs/dialects.md": await written(), "tests/wire/all/stream.case": "" };
    refuses("dialects", page, "no case shows: openai openai text stream");
  });
  test("an unknown feature", () =>
    refuses(
      "dialects",
      { ...tree, "tests/wire/a.case": "shows: txt\n" },
      'a.case:1: shows what? "txt"',
    ));
  test("half a conversation", () =>
    refuses(
      "dialects",
      { ...tree, "tests/wire/a.case": "shows: text\ncaller: POST /v2/chat\n{}\n" },
      "is not a whole conversation",
    ));
});
