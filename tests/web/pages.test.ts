// The work of an administrator in a real browser: a channel, its test, a conversation, what it
// cost, accounts and options.
import { eventually } from "../support/eventually";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { ask, OPENAI_KEY } from "../support/fake";
import { Gateway } from "../support/gateway";
import type { Token } from "../support/management";
import { PNG } from "../support/png";
import { launch, type Look, Visitor } from "./browser";

const EN: Look = { language: "en-US", theme: "light", phone: false };
const ENDPOINTS = [
  ["Chat Completions", "/v1/chat/completions"],
  ["Responses", "/v1/responses"],
  ["Messages", "/v1/messages"],
  ["Gemini", ":streamGenerateContent"],
] as const;

const gw = new Gateway();
let browser: Browser;
beforeAll(async () => {
  browser = await launch();
  await gw.open({ env: { TRUSTED_PROXIES: "" } });
}, 120_000);
afterEach(() => gw.assertGood());
afterAll(async () => {
  await browser?.close();
  await gw.close();
});

describe("an administrator's work", () => {
  test("a channel from a preset, tested, changed in place", async () => {
    const visitor = await Visitor.open(browser, gw.server.url, EN);
    const { page } = visitor;
    await visitor.enter("/channel");
    await page.getByRole("button", { name: "Create channel" }).first().click();
    const sheet = page.locator(".semi-sidesheet");
    await sheet.locator("button[type=submit]").click();
    await sheet.locator(".tf-note-error").first().waitFor();
    await visitor.inspect("channel-errors", EN);
    await sheet.locator("input[name=name]").fill("from the browser");
    await sheet.locator("input[name=base_url]").fill(`${gw.fake.url}/proxy/ui`);
    await sheet.locator("textarea[name=key]").fill(OPENAI_KEY);
    await sheet.getByRole("button", { name: "Fetch models from upstream" }).click();
    await sheet.getByText("Upstream names").waitFor();
    await visitor.inspect("channel-form", EN);
    await sheet.locator("button[type=submit]").click();
    await page.getByText("Test of from the browser").waitFor();
    const first = page.locator(".tf-tests > li").first();
    await first.getByRole("button").click();
    await first.locator(".tf-tag-good").waitFor();
    await visitor.inspect("channel-test", EN);
    await page.keyboard.press("Escape");
    await page.locator(".semi-sidesheet").waitFor({ state: "detached" });

    const weight = page.getByRole("spinbutton", { name: "Weight: from the browser" });
    await weight.fill("7");
    await weight.press("Enter");
    await visitor.quiet();
    await expectChannel("from the browser", { weight: 7, status: 1 });
    await page.getByRole("switch", { name: "from the browser is on" }).click();
    await page.getByText("Off", { exact: true }).waitFor();
    await expectChannel("from the browser", { status: 2 });
    await visitor.inspect("channel", EN);
    await page.getByRole("button", { name: "More actions for from the browser" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.locator(".tf-confirm-names").waitFor();
    await page.locator(".semi-modal").getByRole("button", { name: "Delete" }).click();
    await page.getByText("from the browser").first().waitFor({ state: "detached" });
    await visitor.close();
  });

  test("channels of a tag, changed and switched together, and the keys of one", async () => {
    for (const name of ["north", "south"])
      await gw.addOpenai("oa", { name, models: "gpt-4o", tag: "poles", priority: 1 });
    const visitor = await Visitor.open(browser, gw.server.url, EN);
    const { page } = visitor;
    await visitor.enter("/channel");
    await page.getByRole("button", { name: "Tags", exact: true }).click();
    await page.getByRole("button", { name: "Edit poles" }).click();
    await page.locator("input[name=new_tag]").fill("earth");
    await page.locator("input[name=priority]").fill("4");
    await visitor.inspect("tag-form", EN);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("2 channels changed").waitFor();
    await page.getByRole("switch", { name: "earth is on" }).click();
    await page.getByText("2 off").waitFor();
    await visitor.inspect("channel-tags", EN);
    for (const name of ["north", "south"])
      await expectChannel(name, { tag: "earth", priority: 4, weight: 1, status: 2 });
    await page.getByRole("link", { name: "earth" }).click();
    await page.getByRole("button", { name: "More actions for north" }).click();
    await page.getByRole("menuitem", { name: "Keys" }).click();
    await page.locator(".tf-tests .tf-tag-good").waitFor();
    await visitor.inspect("channel-keys", EN);
    await visitor.close();
  });

  test("a conversation that streams, its row in the log, and the balance", async () => {
    const visitor = await Visitor.open(browser, gw.server.url, EN);
    const { page } = visitor;
    await visitor.enter("/playground");
    const before = await page.locator("header").first().innerText();
    await page.locator(".tf-wishes .semi-select").nth(1).click();
    await page.locator(".semi-select-option", { hasText: "claude-sonnet-4-6" }).click();
    await page.locator("textarea[name=say]").fill("Hello there");
    await page.getByRole("tab", { name: "curl" }).click();
    await page.locator(".tf-curl pre", { hasText: "Hello there" }).waitFor();
    const words = Array.from({ length: 12 }, (_, i) => `word${i}`).join(" ");
    await page
      .locator("textarea[name=say]")
      .fill(ask({ reply: words, delay_ms: 15, usage: { input: 100_000, output: 4000 } }, "Hello"));
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("button", { name: "Stop" }).waitFor();
    await page.getByText("word11").first().waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();
    await page.getByRole("tab", { name: "Response" }).click();
    await page.locator(".tf-wire .tf-json").waitFor();
    await visitor.inspect("playground-answer", EN);

    await page.locator("textarea[name=say]").fill(ask({ reply: words, delay_ms: 400 }, "Again"));
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator(".tf-message").last().getByText("word1").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Stopped.").waitFor();
    await page.getByRole("link", { name: "Show in the log" }).last().click();
    await page.locator(".tf-table tbody tr").first().waitFor();
    await visitor.go("/", ".tf-hero");
    expect(await page.locator("header").first().innerText()).not.toBe(before);
    await visitor.close();
  });

  for (const [endpoint, path] of ENDPOINTS)
    test(`${endpoint}: a picture, thinking, a call and its result`, async () => {
      const look: Look = { ...EN, theme: "dark" };
      const visitor = await Visitor.open(browser, gw.server.url, look);
      const { page } = visitor;
      await visitor.enter("/playground");
      const choose = async (select: number, option: string) => {
        await page.locator(".tf-wishes .semi-select").nth(select).click();
        await page.locator(".semi-select-option", { hasText: option }).click();
      };
      await choose(0, endpoint);
      await choose(1, "claude-opus-5");
      await choose(3, "Low");
      const tools = [{ name: "weather", parameters: { type: "object", properties: {} } }];
      await page.getByLabel("Tools (JSON)").fill("[");
      await page.locator(".tf-wishes .tf-note-error").waitFor();
      await page.getByLabel("Tools (JSON)").fill(JSON.stringify(tools));
      const picture = {
        name: "dot.png",
        mimeType: "image/png",
        buffer: Buffer.from(PNG, "base64"),
      };
      await page.locator("input[type=file]").setInputFiles(picture);
      await page.locator(".tf-thumb img").waitFor();
      const wish = {
        thinking: "let me see",
        reply: "Looking",
        tools: [{ name: "weather", args: { city: "Paris" } }],
        then: { reply: "It is sunny in Paris." },
      };
      await page.locator("textarea[name=say]").fill(ask(wish, "Weather?"));
      await page.getByRole("button", { name: "Send" }).click();
      await page.locator(".tf-tool", { hasText: "Paris" }).waitFor();
      await page.locator(".tf-thinking", { hasText: "let me see" }).waitFor();
      await page.locator(".tf-message-user .tf-picture").waitFor();
      const result = page.locator(".tf-say textarea[aria-label='Result of weather']");
      await result.fill('{"sky":"clear"}');
      await visitor.inspect(`playground-${endpoint.replaceAll(" ", "-").toLowerCase()}`, look);
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByText("It is sunny in Paris.", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Send" }).waitFor();
      await page.getByRole("tab", { name: "curl" }).click();
      await page.locator(".tf-curl pre", { hasText: path }).waitFor();
      await page.locator(".tf-curl pre", { hasText: "clear" }).waitFor();
      // the first exchange can still be looked at
      await page.getByRole("button", { name: "Request and response" }).first().click();
      expect(await page.locator(".tf-curl pre").innerText()).not.toContain("clear");
      await page.getByRole("tab", { name: "Response" }).click();
      await page.locator(".tf-wire .tf-json").waitFor();
      await visitor.close();
    });

  test("somebody new: nothing used, no key, no administration", async () => {
    const visitor = await Visitor.open(browser, gw.server.url, EN);
    const { page } = visitor;
    const account = await gw.server.createUser();
    await visitor.go("/pricing", ".tf-table");
    await visitor.enter("/dashboard", account.user.username, account.password);
    await page.locator(".tf-usage .tf-empty").waitFor();
    await visitor.inspect("dashboard-empty", EN);
    expect(await page.getByRole("link", { name: "Channels" }).count()).toBe(0);
    await visitor.go("/playground", ".tf-empty");
    await visitor.inspect("playground-no-key", EN);
    await visitor.close();
  });

  test("prices: those of a group, found by maker, part by part", async () => {
    await gw.server.setOption("GroupRatio", { default: 1, vip: 2 });
    await gw.addClaude("cl", { models: "claude-opus-5", group: "default,vip" });
    const visitor = await Visitor.open(browser, gw.server.url, EN);
    const { page } = visitor;
    await visitor.go("/pricing?vendor=Anthropic&sort=-input", ".tf-table tbody");
    const row = page.locator(".tf-table tbody tr", { hasText: "claude-opus-5" });
    const cells = async () =>
      (await row.locator("td").allInnerTexts()).slice(1, 6).map((text) => text.trim());
    expect(await cells()).toEqual(["$4.00", "$20.00", "$0.40", "$5.00", "$8.00"]);
    expect(await page.getByText("gpt-4o").count()).toBe(0);
    await page.locator(".tf-filters .semi-select").first().click();
    await page.locator(".semi-select-option", { hasText: "vip" }).click();
    await row.getByText("$40.00").waitFor();
    expect(page.url()).toContain("group=vip");
    expect(await cells()).toEqual(["$8.00", "$40.00", "$0.80", "$10.00", "$16.00"]);
    await row.press("Enter");
    const sheet = page.locator(".semi-sidesheet");
    await sheet.getByRole("row", { name: "Cache write (1 h) $8.00 $16.00" }).waitFor();
    await visitor.inspect("pricing-sheet", EN);
    await page.keyboard.press("Escape");
    await sheet.waitFor({ state: "detached" });
    await visitor.close();
  });

  test("an account: made, paid, disabled", async () => {
    const visitor = await Visitor.open(browser, gw.server.url, EN);
    const { page } = visitor;
    await visitor.enter("/user");
    await page.getByRole("button", { name: "Create user" }).first().click();
    const sheet = page.locator(".semi-sidesheet");
    await sheet.locator("input[name=username]").fill("grace");
    await sheet.locator("input[name=password]").fill("a good password");
    await visitor.inspect("user-form", EN);
    await sheet.locator("button[type=submit]").click();
    await page.getByRole("button", { name: "Adjust the balance of grace" }).click();
    await page.locator(".semi-sidesheet input[name=value]").fill("25");
    await visitor.inspect("user-quota", EN);
    await page.locator(".semi-sidesheet button[type=submit]").click();
    await page.locator(".tf-table tbody tr", { hasText: "$25.00" }).waitFor();
    await page.getByRole("button", { name: "More actions for grace" }).click();
    await page.getByRole("menuitem", { name: "Disable" }).click();
    await page.getByText("Disabled").first().waitFor();
    await visitor.close();
  });

  test("limits: of a key, and of groups and addresses, beside the field what is wrong", async () => {
    const visitor = await Visitor.open(browser, gw.server.url, EN);
    const { page } = visitor;
    await visitor.enter("/token?new=1");
    const sheet = page.locator(".semi-sidesheet");
    await sheet.locator("input[name=name]").fill("limited");
    const of = (name: string) => sheet.locator(".tf-field", { hasText: name });
    await of("Requests per minute").locator("input").fill("-4");
    await of("Tokens per minute").locator("input").fill("1000000001");
    await sheet.locator("button[type=submit]").click();
    for (const name of ["Requests per minute", "Tokens per minute"])
      await of(name).getByText("A whole number from 0 to 1,000,000,000").waitFor();
    await visitor.inspect("token-limits", EN);
    await of("Requests per minute").locator("input").fill("60");
    await of("Tokens per minute").locator("input").fill("100000");
    await sheet.locator("button[type=submit]").click();
    await page.locator(".semi-modal .tf-copy-box").waitFor();
    const { items } = await gw.server.admin.get<{ items: Token[] }>("/api/token/?name=limited");
    expect(items[0]).toMatchObject({ rpm: 60, tpm: 100_000, rpd: 0, concurrency: 0 });

    await visitor.go("/operation?tab=limits", ".tf-limits");
    const users = page.getByRole("group", { name: "Limits of users, by group" });
    await users.getByRole("button", { name: "Add a row" }).click();
    await users.getByRole("textbox", { name: "Group 1" }).fill("default");
    const rpm = users.getByRole("textbox", { name: "default: Requests per minute" });
    await rpm.fill("many");
    await page.getByRole("button", { name: "Save" }).click();
    await users.getByText("A whole number from 0 to 1,000,000,000").waitFor();
    expect(await rpm.getAttribute("aria-invalid")).toBe("true");
    await visitor.inspect("operation-limits-errors", EN);
    await rpm.fill("600");
    const address = page.getByRole("group", { name: "Limits of an address", exact: true });
    await address
      .getByRole("textbox", { name: "Limits of an address: Requests at a time" })
      .fill("20");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved").first().waitFor();
    const option = async (key: string) => JSON.parse(await gw.server.option(key));
    expect(await option("UserRateLimits")).toEqual({ default: { rpm: 600 } });
    expect(await option("AddressRateLimit")).toEqual({ concurrency: 20 });
    await users.getByRole("button", { name: "Remove default" }).click();
    await page.getByRole("button", { name: "Discard changes" }).click();
    expect(await rpm.inputValue()).toBe("600");
    await visitor.close();
  });

  test("options: beside the field what is wrong, and prices in money", async () => {
    const visitor = await Visitor.open(browser, gw.server.url, EN);
    const { page } = visitor;
    await visitor.enter("/operation?tab=relay");
    await page.locator("input[name=RetryTimes]").fill("99");
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator(".tf-note-error").waitFor();
    await page.locator("input[name=RetryTimes]").fill("3");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved").first().waitFor();
    await page.getByRole("tab", { name: "Prices" }).click();
    const price = page.getByRole("spinbutton", { name: "gpt-4o: output price" });
    await price.fill("30");
    await price.blur();
    await page.getByRole("button", { name: "Save" }).first().click();
    await page.getByText("Saved").first().waitFor();
    const api = gw.server.admin;
    const { value } = await api.get<{ value: string }>("/api/option/CompletionRatio");
    expect(JSON.parse(value)["gpt-4o"]).toBe(7.5);
    await page.getByRole("tab", { name: "Groups" }).click();
    await visitor.inspect("operation-groups", EN);
    await visitor.close();
  });
});

async function expectChannel(name: string, wish: Record<string, unknown>): Promise<void> {
  const api = gw.server.admin;
  await eventually(async () => {
    const found = await api.get<{ items: object[] }>(
      `/api/channel/?name=${encodeURIComponent(name)}`,
    );
    expect(found.items[0]).toMatchObject(wish);
  });
}
