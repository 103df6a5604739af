// Dialogs by keyboard alone: the focus goes in, Tab stays in and follows the order on the screen,
// Escape closes, and the focus is back where it was.
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { Gateway } from "../support/gateway";
import { launch, type Look, Visitor } from "./browser";

declare const document: any;

const EN: Look = { language: "en-US", theme: "light", phone: false };
const gw = new Gateway();
let browser: Browser;
beforeAll(async () => {
  browser = await launch();
  await gw.open({ env: { TRUSTED_PROXIES: "" } });
  await gw.addOpenai("oa", { models: "gpt-4o", name: "north", tag: "poles" });
  await gw.server.createUser();
}, 120_000);
afterEach(() => gw.assertGood());
afterAll(async () => {
  await browser?.close();
  await gw.close();
});

/** A button that opens a dialog; or an item of the menu that the button opens. */
const DIALOGS: [path: string, button: string | RegExp, item?: string][] = [
  ["/token", "Create key"],
  ["/token", "Edit initial"],
  ["/token", "More actions for initial", "Delete"],
  ["/channel", "Create channel"],
  ["/channel", "Edit north"],
  ["/channel", "Test north"],
  ["/channel", "More actions for north", "Keys"],
  ["/channel", "More actions for north", "Delete"],
  ["/channel?view=tags", "Edit poles"],
  ["/user", "Create user"],
  ["/user", "Adjust the balance of root"],
  ["/setting", "Make a new token"],
];

interface Stop {
  name: string;
  inside: boolean;
  top: number;
  left: number;
}

const stopOf = (page: Page): Promise<Stop> =>
  page.evaluate(() => {
    const one = document.activeElement;
    const dialog = [...document.querySelectorAll('[role="dialog"]')].at(-1);
    const foot = one.closest(".semi-sidesheet-footer") ? 100_000 : 0; // below all that scrolls
    const scrolled = (one.closest(".semi-sidesheet-body")?.scrollTop ?? 0) + foot;
    const { top, left } = one.getBoundingClientRect();
    const text = one.getAttribute("aria-label") || one.getAttribute("name") || one.innerText;
    return {
      name: `${one.tagName} ${text}`,
      inside: !!dialog?.contains(one),
      top: top + scrolled,
      left,
    };
  });

const STOPS_MOST = 80;
const LINE = 30; // pixels

async function walk(page: Page): Promise<Stop[]> {
  const first = await page.evaluateHandle(() => document.activeElement);
  const stops: Stop[] = [await stopOf(page)];
  for (let i = 0; i < STOPS_MOST; i++) {
    await page.keyboard.press("Tab");
    if (await first.evaluate((one) => one === document.activeElement)) return stops;
    stops.push(await stopOf(page));
  }
  throw new Error(`no way round: ${stops.map(({ name }) => name).join(", ")}`);
}

test("every dialog", async () => {
  const visitor = await Visitor.open(browser, gw.server.url, EN);
  const { page } = visitor;
  await visitor.enter("/token");
  let now = "/token";
  for (const [path, name, item] of DIALOGS) {
    const what = `${path} ${String(name)} ${item ?? ""}`;
    if (path !== now) await visitor.go(path, "h1");
    now = path;
    const button = page.getByRole("button", { name }).first();
    await button.focus();
    await page.keyboard.press("Enter");
    if (item) {
      const choice = page.getByRole("menuitem", { name: item });
      await choice.waitFor();
      await choice.focus();
      await page.keyboard.press("Enter");
    }
    const dialog = page.getByRole("dialog").last();
    await dialog.waitFor();
    await page.waitForFunction(() =>
      document.querySelector('[role="dialog"]')?.contains(document.activeElement),
    );
    const stops = await walk(page);
    expect({ what, outside: stops.filter(({ inside }) => !inside) }).toEqual({ what, outside: [] });
    // down the screen, and from its end to the beginning once
    const up = stops.filter(({ top }, i) => i > 0 && top < stops[i - 1]!.top - LINE);
    expect({ what, up: up.slice(1) }).toEqual({ what, up: [] });
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.waitForFunction(() => document.activeElement !== document.body);
    expect({ what, back: await button.evaluate((one) => one === document.activeElement) }).toEqual({
      what,
      back: true,
    });
  }
  await visitor.close();
}, 120_000);
