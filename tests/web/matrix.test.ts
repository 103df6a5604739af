// Every page in Chinese and English, light and dark, on a desk and in a hand: axe finds nothing
// serious, the console and the policy nothing to say, no text is missing and nothing is too wide.
// The other languages: texts and widths.
import { afterAll, afterEach, beforeAll, describe, test } from "bun:test";
import type { Browser } from "playwright-core";
import { Gateway } from "../support/gateway";
import { ROOT_TOKEN } from "../support/server";
import { launch, type Look, Visitor } from "./browser";

type Row = [path: string, ready: string];
const GUEST: Row[] = [
  ["/", ".tf-hero"],
  ["/login", "input[name=username]"],
  ["/register", "input[name=username]"],
  ["/forget", "h1"],
  ["/pricing?model=gpt-4o", ".semi-sidesheet table"],
];
const ROOT: Row[] = [
  ["/", ".tf-hero"],
  ["/dashboard?all=1", ".tf-chart"],
  ["/token", ".tf-list"],
  ["/token?new=1", ".semi-sidesheet"],
  ["/log", ".tf-list"],
  ["/channel", ".tf-list"],
  ["/channel?view=tags", ".tf-list"],
  ["/user", ".tf-list"],
  ["/pricing", ".tf-list"],
  ["/playground", ".tf-play"],
  ["/setting", ".tf-setting"],
  ["/operation", ".tf-price-table"],
  ["/operation?tab=groups", ".tf-options .tf-field"],
  ["/operation?tab=relay", ".tf-options .tf-field"],
];
const SLOWLY = 300_000; // ms, on a machine that has much else to do
const DESK = { width: 1360, height: 860 };
const HAND = { width: 390, height: 844 };
const OTHERS: [language: string, look: Omit<Look, "language">][] = [
  ["fr-FR", { theme: "light", phone: true }],
  ["ru-RU", { theme: "light", phone: false }],
  ["ja-JP", { theme: "light", phone: false }],
  ["vi-VN", { theme: "dark", phone: true }],
];
const nameOf = (path: string, who: string) =>
  `${who}${path.replaceAll(/[^\w]+/g, "-").replace(/-$/, "") || "-home"}`;

const gw = new Gateway();
let browser: Browser;
beforeAll(async () => {
  browser = await launch();
  await gw.open({ env: { TRUSTED_PROXIES: "" } });
  await gw.server.setOption("RegisterEnabled", "true");
  await gw.addOpenai("oa", { models: "gpt-4o,a-model-with-a-rather-long-name-2026-11", tag: "eu" });
  const { id } = await gw.addOpenai("off", { models: "gpt-4o", name: "switched off" });
  await gw.server.admin.put("/api/channel/", { id, status: 2 });
  await fetch(`${gw.server.url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${ROOT_TOKEN}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "Hi" }] }),
  });
}, 120_000);
afterEach(() => gw.assertGood());
afterAll(async () => {
  await browser?.close();
  await gw.close();
});

/** Both themes and both sizes of a page that is loaded once. */
async function inspectAll(visitor: Visitor, name: string, language: string): Promise<void> {
  for (const phone of [false, true])
    for (const theme of ["light", "dark"] as const) {
      await visitor.page.setViewportSize(phone ? HAND : DESK);
      await visitor.page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      const axe = theme === "light" ? "all" : "colours";
      await visitor.inspect(name, { language, theme, phone }, { axe });
    }
  await visitor.page.setViewportSize(DESK);
}

const shown: [who: "guest" | "root", rows: Row[]][] = [
  ["guest", GUEST],
  ["root", ROOT],
];
describe("every page, light and dark, large and small", () => {
  for (const language of ["zh-CN", "en-US"])
    for (const [who, rows] of shown)
      test(
        `${who} ${language}`,
        async () => {
          const look: Look = { language, theme: "light", phone: false };
          const visitor = await Visitor.open(browser, gw.server.url, look);
          if (who === "root") await visitor.enter("/token");
          for (const [path, ready] of rows) {
            await visitor.go(path, ready);
            await inspectAll(visitor, nameOf(path, who), language);
          }
          await visitor.close();
        },
        SLOWLY,
      );
});

describe("every page in the other languages", () => {
  for (const [language, rest] of OTHERS)
    test(
      language,
      async () => {
        const look: Look = { language, ...rest };
        const visitor = await Visitor.open(browser, gw.server.url, look);
        await visitor.enter("/token");
        for (const [path, ready] of ROOT) {
          await visitor.go(path, ready);
          await visitor.inspect(nameOf(path, "root"), look, { axe: "none" });
        }
        await visitor.close();
      },
      SLOWLY,
    );
});
