// Every page in Chinese and English, light and dark, on a desk and in a hand: axe finds nothing
// serious, the console and the policy nothing to say, no text is missing and nothing is too wide.
// The other languages: texts and widths. Three people look at the same time.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { ROOT_PASSWORD, TestServer } from "../support/server";
import { launch, type Look, Visitor } from "./browser";
import { PASSWORD, World } from "./world";

type Row = [path: string, ready: string];
type Who = "guest" | "user" | "root";
const NOTICE = ".tf-empty-icon";
const PAGES: Record<Who, Row[]> = {
  guest: [
    ["/", ".tf-hero"],
    ["/login", "input[name=username]"],
    ["/register", "input[name=username]"],
    ["/forget", "h1"],
    ["/pricing?model=gpt-5.4-mini", ".semi-sidesheet table"],
    ["/nowhere", NOTICE],
  ],
  user: [
    ["/token", ".tf-list"],
    ["/token?new=1", ".semi-sidesheet"],
    ["/dashboard", ".tf-chart"],
    ["/log", ".tf-list"],
    ["/setting", ".tf-setting"],
    ["/channel", NOTICE],
    ["/nowhere", NOTICE],
  ],
  root: [
    ["/", ".tf-hero"],
    ["/dashboard?all=1&period=month", ".tf-chart"],
    ["/log", ".tf-list"],
    ["/channel", ".tf-list"],
    ["/channel?view=tags", ".tf-list"],
    ["/user", ".tf-list"],
    ["/pricing", ".tf-list"],
    ["/playground", ".tf-play"],
    ["/operation", ".tf-price-table"],
    ["/operation?tab=groups", ".tf-options .tf-field"],
    ["/operation?tab=relay", ".tf-options .tf-field"],
    ["/operation?tab=limits", ".tf-options .tf-field"],
  ],
};
const WHO = Object.keys(PAGES) as Who[];
const SLOWLY = 300_000; // ms, on a machine that has much else to do
const DESK = { width: 1360, height: 860 };
const HAND = { width: 390, height: 844 };
const LIGHT: Omit<Look, "language"> = { theme: "light", phone: false };
const OTHERS: [language: string, look: Omit<Look, "language">][] = [
  ["fr-FR", { theme: "light", phone: true }],
  ["ru-RU", { theme: "light", phone: false }],
  ["ja-JP", { theme: "light", phone: false }],
  ["vi-VN", { theme: "dark", phone: true }],
];
const nameOf = (path: string, who: string) =>
  `${who}${path.replaceAll(/[^\w]+/g, "-").replace(/-$/, "") || "-home"}`;

let world: World;
let browser: Browser;
const PEOPLE: Partial<Record<Who, [name: string, password: string]>> = {
  user: ["maya.okafor", PASSWORD],
  root: ["root", ROOT_PASSWORD],
};
beforeAll(async () => {
  browser = await launch();
  world = await World.open();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await world?.dispose();
});

/**
 * Both themes and both sizes of a page that is loaded once. Colours are those of the theme,
 * whatever the language: the dark ones are measured in one of them.
 */
async function inspectAll(visitor: Visitor, name: string, language: string): Promise<void> {
  for (const phone of [false, true])
    for (const theme of ["light", "dark"] as const) {
      await visitor.page.setViewportSize(phone ? HAND : DESK);
      await visitor.page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      const axe = theme === "light" ? "all" : language === "en-US" ? "colours" : "none";
      await visitor.inspect(name, { language, theme, phone }, { axe });
    }
  await visitor.page.setViewportSize(DESK);
}

type Inspect = (visitor: Visitor, name: string) => Promise<void>;

async function visit(who: Who, look: Look, inspect: Inspect): Promise<void> {
  const visitor = await Visitor.open(browser, world.server.url, look);
  const person = PEOPLE[who];
  if (person) await visitor.enter("/setting", ...person);
  for (const [path, ready] of PAGES[who]) {
    await visitor.go(path, ready);
    await inspect(visitor, nameOf(path, who));
  }
  await visitor.close();
}

describe("every page, light and dark, large and small", () => {
  for (const language of ["zh-CN", "en-US"])
    test(
      language,
      () =>
        Promise.all(
          WHO.map((who) =>
            visit(who, { language, ...LIGHT }, (visitor, name) =>
              inspectAll(visitor, name, language),
            ),
          ),
        ),
      SLOWLY,
    );
});

describe("every page in the other languages", () => {
  for (const [language, rest] of OTHERS)
    test(
      language,
      () =>
        Promise.all(
          WHO.map((who) => {
            const look: Look = { language, ...rest };
            return visit(who, look, (visitor, name) =>
              visitor.inspect(name, look, { axe: "none" }),
            );
          }),
        ),
      SLOWLY,
    );
});

describe("a new installation", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({ root: false });
  });
  afterAll(() => server?.dispose());

  for (const language of ["zh-CN", "en-US"])
    test(
      language,
      async () => {
        const visitor = await Visitor.open(browser, server.url, { language, ...LIGHT });
        await visitor.go("/token", "h1");
        expect(new URL(visitor.page.url()).pathname).toBe("/setup");
        await inspectAll(visitor, "setup-without-link", language);
        const link = /setup\?token=\w+/.exec(server.lines.join("\n"))?.[0];
        await visitor.go(`/${link}`, "input[name=username]");
        await inspectAll(visitor, "setup", language);
        await visitor.close();
      },
      SLOWLY,
    );
});

test("a row is light: a list may have a hundred", async () => {
  const visitor = await Visitor.open(browser, world.server.url, { language: "en-US", ...LIGHT });
  await visitor.enter("/log");
  for (const [path, most] of [
    ["/log", 40],
    ["/channel", 60],
    ["/user", 60],
  ] as const) {
    await visitor.go(path, ".tf-table tbody tr");
    const rows = await visitor.page.locator(".tf-table tbody tr").count();
    const parts = await visitor.page.locator(".tf-table tbody tr *").count();
    expect({ path, light: parts / rows < most || `${parts / rows} parts` }).toEqual({
      path,
      light: true,
    });
  }
  await visitor.close();
});

/** What the README shows; `make pictures` takes them over. */
test("the README's pictures", async () => {
  const light: Look = { language: "en-US", ...LIGHT };
  const visitor = await Visitor.open(browser, world.server.url, light);
  await visitor.enter("/dashboard?all=1&period=month");
  await visitor.page.locator(".tf-chart").waitFor();
  await visitor.quiet();
  await visitor.picture("readme-dashboard");
  await visitor.page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
  await visitor.go("/log?type=2&model_name=claude-opus-5", ".tf-table tbody");
  await visitor.page.locator(".tf-table tbody tr", { hasText: "cached" }).nth(2).click();
  await visitor.page.locator(".tf-bill").waitFor();
  await visitor.quiet();
  await visitor.picture("readme-log");
  await visitor.close();
});
