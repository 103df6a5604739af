// A browser that notices everything: console errors, broken policies, missing texts, axe.
import axe from "axe-core";
import { expect } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { ROOT_PASSWORD } from "../support/server";

// What runs inside the page; the types of browsers are not those of the rest.
declare const document: any;
declare const NodeFilter: any;
declare const window: any;

export const SCREENSHOTS = join(import.meta.dir, "../../build/screenshots");
const PROGRAM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => existsSync(path),
);
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Look {
  language: string;
  theme: "light" | "dark";
  phone: boolean;
}

export const lookName = (look: Look) =>
  `${look.language}-${look.theme}-${look.phone ? "phone" : "desktop"}`;

export interface Inspection {
  /** "colours": of a page that was looked at in another theme. */
  axe?: "all" | "colours" | "none";
}

/** What the axe rules call serious; the others are advice. */
const GRAVE = new Set(["serious", "critical"]);

export class Visitor {
  readonly complaints: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly context: BrowserContext,
    readonly url: string,
  ) {}

  static async open(browser: Browser, url: string, look: Look): Promise<Visitor> {
    const context = await browser.newContext({
      baseURL: url,
      locale: look.language,
      colorScheme: look.theme,
      viewport: look.phone ? { width: 390, height: 844 } : { width: 1360, height: 860 },
      deviceScaleFactor: look.phone ? 2 : 1,
      reducedMotion: "reduce",
    });
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event: any) =>
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
      );
    });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const visitor = new Visitor(page, context, url);
    page.on("console", (message) => {
      // a refused request is the program's business; the pages show it
      const refused = /Failed to load resource/.test(message.text());
      if (message.type() === "error" && !refused) visitor.complaints.push(message.text());
    });
    page.on("pageerror", (error) => visitor.complaints.push(`page error: ${error.message}`));
    return visitor;
  }

  /** Ends the visit; what was found wrong on the way fails the test. */
  async close(): Promise<void> {
    await this.context.close();
    expect(this.complaints).toEqual([]);
  }

  async go(path: string, ready: string): Promise<void> {
    await this.page.goto(path);
    await this.page.locator(ready).first().waitFor();
    await this.quiet();
  }

  /** As somebody who has logged in, there. */
  async enter(path: string, username = "root", password = ROOT_PASSWORD): Promise<void> {
    const answer = await this.context.request.post("/api/user/login", {
      data: { username, password },
    });
    expect(answer.status()).toBe(200);
    await this.go(path, ".tf-page-header");
  }

  /** Until nothing is loading any more. */
  async quiet(): Promise<void> {
    await this.page.waitForFunction(
      () =>
        !document.querySelector("[aria-busy='true'], .tf-bars") &&
        document.fonts.status === "loaded",
    );
  }

  /** Takes a picture, and notes what is wrong with the page as it is. */
  async inspect(name: string, look: Look, { axe = "all" }: Inspection = {}): Promise<void> {
    await this.quiet();
    await this.picture(`${name}-${lookName(look)}`);
    const found = [
      ...(await this.page.evaluate(tooWide)),
      ...(await this.page.evaluate(keysShown)),
      ...(await this.page.evaluate(cutOff)),
      ...(axe === "none" ? [] : await this.grave(axe)),
    ];
    this.complaints.push(...found.map((text) => `${name}: ${text}`));
  }

  async picture(name: string): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    const path = join(SCREENSHOTS, `${name}.png`);
    await this.page.screenshot({ path, animations: "disabled" });
  }

  private async grave(which: "all" | "colours"): Promise<string[]> {
    if (!(await this.page.evaluate("'axe' in globalThis")))
      await this.page.evaluate(`(() => { ${axe.source} })()`);
    const found = await this.page.evaluate(async (colours) => {
      const run = (globalThis as unknown as { axe: typeof axe }).axe.run;
      const { violations } = await run(
        // Semi names the days of its calendar by their dates, which is more than they show
        { exclude: [".semi-datepicker"] },
        { resultTypes: ["violations"], ...(colours ? { runOnly: ["color-contrast"] } : {}) },
      );
      return violations.map((one) => ({
        impact: one.impact,
        text: `${one.id}: ${one.nodes
          .slice(0, 4)
          .map((node) => `${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`)
          .join(" | ")}`,
      }));
    }, which === "colours");
    return found.filter((one) => GRAVE.has(one.impact ?? "")).map((one) => one.text);
  }
}

function tooWide(): string[] {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth
    ? [`the page is ${scrollWidth} wide, the window ${clientWidth}`]
    : [];
}

/** Buttons, tabs and tags whose words do not fit into them; they and dialogs that reach out of
 * the window. */
function cutOff(): string[] {
  const found: string[] = [];
  for (const one of document.querySelectorAll("[role=dialog], [role=menu], [role=tooltip]")) {
    const { left, right, width } = one.getBoundingClientRect();
    if (width && (left < -1 || right > window.innerWidth + 1))
      found.push(`out of the window: ${one.getAttribute("aria-label")}`);
  }
  const inWindow = (box: any) => box.right > 0 && box.bottom > 0 && box.top < window.innerHeight;
  for (const one of document.querySelectorAll("button, [role=tab], .tf-tag, h1, h2, label")) {
    const box = one.getBoundingClientRect();
    if (!box.width || !inWindow(box) || one.closest(".tf-visually-hidden, .tf-skip")) continue;
    const text = one.textContent?.trim();
    if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 1)
      found.push(`does not fit: ${text}`);
    // what scrolls or is cut off with an ellipsis by design lies within something narrower
    const scrolls = one.closest(".tf-table, .tf-scroll, .tf-snippet-tabs, .tf-ellipsis");
    if (box.right > window.innerWidth + 1 && !scrolls) found.push(`out of the window: ${text}`);
  }
  return found;
}

/** Texts that look like the key of a text. */
function keysShown(): string[] {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found: string[] = [];
  const sections =
    /^(common|form|table|layout|nav|role|notice|auth|home|model|token|log|bill|limit|setting|error|channel|dashboard|pricing|playground|user|option)\.[a-z_]+$/;
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent?.trim() ?? "";
    if (sections.test(text)) found.push(text);
  }
  return found;
}

export function launch(): Promise<Browser> {
  if (!PROGRAM) throw new Error("there is no Chromium here: make setup-test installs it");
  return chromium.launch({ executablePath: PROGRAM, headless: true, args: ARGUMENTS });
}
