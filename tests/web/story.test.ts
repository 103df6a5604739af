// The console in a real browser against the real program: set up, log in, make a key, use it,
// see the row of the log.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { Gateway } from "../support/gateway";
import type { Token } from "../support/management";
import { ROOT_PASSWORD, TestServer } from "../support/server";
import { launch, type Look, lookName, Visitor } from "./browser";

const ROOT = { username: "root", password: "a long enough password" };
const LOOKS: Look[] = [
  { language: "zh-CN", theme: "light", phone: false },
  { language: "en-US", theme: "dark", phone: false },
  { language: "zh-CN", theme: "dark", phone: true },
  { language: "en-US", theme: "light", phone: true },
];
const TEXTS = {
  "zh-CN": { login: "登录", create: "新建令牌", done: "完成", make: "创建账户并进入控制台" },
  "en-US": { login: "Log in", create: "Create key", done: "Done", make: "Create and open" },
} as Record<string, { login: string; create: string; done: string; make: string }>;

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
});

async function logIn(visitor: Visitor, look: Look, who = ROOT): Promise<void> {
  const { page } = visitor;
  await page.locator("input[name=username]").fill(who.username);
  await page.locator("input[name=password]").fill(who.password);
  await page.getByRole("button", { name: TEXTS[look.language]!.login }).click();
}

describe("a new installation", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({ root: false });
  });
  afterAll(() => server?.dispose());

  test("leads everybody to the set-up, which works once", async () => {
    const look: Look = { language: "en-US", theme: "light", phone: false };
    const visitor = await Visitor.open(browser, server.url, look);
    const { page } = visitor;
    await visitor.go("/token", "h1");
    expect(new URL(page.url()).pathname).toBe("/setup");
    await visitor.inspect("setup-without-link", look);
    const link = /setup\?token=\w+/.exec(server.lines.join("\n"))?.[0];
    await visitor.go(`/${link}`, "input[name=username]");
    await page.locator("input[name=password]").fill(ROOT.password);
    await page.locator("input[name=again]").fill("something else");
    await page.getByRole("button", { name: TEXTS["en-US"]!.make }).click();
    await page.locator(".tf-note-error").waitFor();
    await visitor.inspect("setup", look);
    await page.locator("input[name=again]").fill(ROOT.password);
    await page.getByRole("button", { name: TEXTS["en-US"]!.make }).click();
    await page.locator(".tf-sidebar").waitFor();
    await visitor.inspect("home-empty", look);
    await visitor.go("/log", ".tf-list");
    await visitor.go("/token", ".tf-empty");
    await visitor.inspect("token-empty", look);
    await visitor.close();
  });
});

describe("the daily work", () => {
  const gw = new Gateway();
  let password = "";
  beforeAll(async () => {
    await gw.open({ env: { TRUSTED_PROXIES: "" } });
    await gw.server.setOption(
      "Notice",
      "**Maintenance** on Sunday, 02:00–03:00 UTC. [Status](https://example.org)",
    );
    await gw.server.setOption("RegisterEnabled", "true");
    password = gw.owner.password;
  });
  afterEach(() => gw.assertGood());
  afterAll(() => gw.close());

  // pages that matrix.test.ts has are measured by axe there
  for (const look of LOOKS)
    test(`from login to log: ${lookName(look)}`, async () => {
      const visitor = await Visitor.open(browser, gw.server.url, look);
      const { page } = visitor;
      const texts = TEXTS[look.language]!;

      await visitor.go("/", ".tf-hero");
      await visitor.inspect("home-guest", look, { axe: "none" });

      await visitor.go("/token", "input[name=username]");
      await visitor.inspect("login", look, { axe: "none" });
      await logIn(visitor, look, { username: gw.owner.user.username, password: "wrong one" });
      await page.locator(".tf-form-failure").waitFor();
      await logIn(visitor, look, { username: gw.owner.user.username, password });
      await page.locator(".tf-page-header").waitFor();
      expect(new URL(page.url()).pathname).toBe("/token");

      await page.getByRole("button", { name: texts.create }).first().click();
      const name = page.locator(".semi-sidesheet input[name=name]");
      await name.waitFor();
      await page.locator(".semi-sidesheet button[type=submit]").click();
      await page.locator(".semi-sidesheet .tf-note-error").waitFor();
      await visitor.inspect("token-form", look);
      await name.fill(`browser ${lookName(look)}`);
      await page.locator(".semi-sidesheet button[type=submit]").click();
      await page.locator(".semi-modal .tf-copy-box code").waitFor();
      const key = await page.locator(".semi-modal .tf-copy-box code").innerText();
      expect(key).toMatch(/^sk-\w{48}$/);
      await visitor.inspect("token-made", look);
      await page.getByRole("button", { name: texts.done, exact: true }).click();
      await page.locator(".semi-modal").waitFor({ state: "detached" });
      await visitor.inspect("token", look, { axe: "none" });

      const answer = await fetch(`${gw.server.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({
          model: "claude-sonnet-4-6",
          messages: [{ role: "user", content: "Hello" }],
          stream: true,
        }),
      });
      await answer.text();
      const id = answer.headers.get("x-request-id")!;
      await gw.server.logOf(id);

      await visitor.go(`/log?request_id=${id}`, look.phone ? ".tf-cards" : ".tf-table tbody");
      await visitor.inspect("log", look, { axe: "none" });
      if (look.phone) await page.locator(".tf-cards .tf-link-button").first().click();
      else await page.locator(".tf-table tbody tr").first().click();
      await page.locator(".tf-bill").waitFor();
      await visitor.inspect("log-drawer", look);
      await visitor.go("/setting", ".tf-setting");
      await visitor.inspect("setting", look, { axe: "none" });
      await visitor.go("/", ".tf-hero");
      await visitor.inspect("home", look, { axe: "none" });
      await visitor.close();
    });

  test("a limit, and a key that goes away after being named", async () => {
    const look: Look = { language: "en-US", theme: "light", phone: false };
    const visitor = await Visitor.open(browser, gw.server.url, look);
    const { page } = visitor;
    const account = await gw.server.createUser();
    for (const name of ["laptop", "server"]) await account.createToken({ name });
    await visitor.go("/login?next=/token", "input[name=username]");
    await logIn(visitor, look, { username: account.user.username, password: account.password });
    await page.getByRole("button", { name: "Edit laptop" }).click();
    await page.getByRole("switch", { name: "No spending limit" }).click();
    await page.locator("input[name=remain_quota]").fill("5");
    await page.locator("textarea[name=allow_ips]").fill("10.0.0.0/8\nnonsense");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("“nonsense” is not an IP address").waitFor();
    await page.locator("textarea[name=allow_ips]").fill("127.0.0.1\n10.0.0.0/8");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator(".semi-sidesheet").waitFor({ state: "detached" });
    await page.locator("progress").waitFor();
    const [limited] = (
      await (await account.api()).get<{ items: Token[] }>("/api/token/?name=laptop")
    ).items;
    expect(limited).toMatchObject({ remain_quota: 2_500_000, allow_ips: "127.0.0.1\n10.0.0.0/8" });

    await page.getByRole("checkbox", { name: "Select server" }).check();
    await page.getByText("1 selected").waitFor();
    await visitor.inspect("token-selected", look);
    await page.locator(".tf-selection").getByRole("button", { name: "Delete" }).click();
    await page.locator(".tf-confirm-names").getByText("server").waitFor();
    await visitor.inspect("confirm", look);
    await page.getByRole("button", { name: "Delete key" }).click();
    await page.getByText("server", { exact: true }).waitFor({ state: "detached" });
    await visitor.close();
  });

  test("root sees everybody's log, with channels", async () => {
    const look: Look = { language: "en-US", theme: "dark", phone: false };
    const visitor = await Visitor.open(browser, gw.server.url, look);
    const { page } = visitor;
    await visitor.go("/login?next=/log", "input[name=username]");
    await logIn(visitor, look, { username: "root", password: ROOT_PASSWORD });
    await page.locator(".tf-table tbody tr").first().waitFor();
    await visitor.inspect("log-all", look);
    await page.locator(".tf-period input").first().click();
    await page.locator(".semi-datepicker-quick-control button").first().waitFor();
    await visitor.inspect("log-period", look);
    await page.locator(".semi-datepicker-quick-control button").nth(1).click();
    await page.waitForURL(/start_timestamp=\d+/);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Columns and density" }).click();
    await page.getByRole("checkbox", { name: "IP address" }).check();
    await page.locator("th", { hasText: "IP address" }).waitFor();
    await visitor.inspect("log-columns", look);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Language" }).click();
    await page.getByRole("menuitem", { name: "日本語" }).click();
    await page.getByRole("heading", { name: "ログ" }).waitFor();
    await page.goto("/log?lang=en");
    await page.locator(".tf-table tbody tr").first().waitFor();
    await page.locator("input[aria-label='User']").fill(gw.owner.user.username);
    await page.waitForURL(/username=/);
    await page.locator(".tf-table tbody tr").first().click();
    await page.locator(".tf-facts").first().waitFor();
    await page.keyboard.press("ArrowDown");
    await visitor.inspect("log-drawer-root", look);
    await visitor.close();
  });
});
