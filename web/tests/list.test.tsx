// A list page: what the URL says is asked for, what is done to rows is sent, and refusals are undone.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Trash2 } from "lucide-react";
import { MemoryRouter, useLocation } from "react-router";
import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import { ConfirmProvider } from "../src/components/Confirm.tsx";
import { moneyColumn, StatusSwitch, textColumn } from "../src/components/table/cells.tsx";
import { ListPage, useRowWork, useUsualBulk } from "../src/components/table/ListPage.tsx";
import { useList } from "../src/components/table/useList.ts";
import * as csv from "../src/helpers/csv.ts";
import { setLanguage, startI18n } from "../src/i18n/index.ts";
import type { Token } from "../src/models/api.ts";
import { call } from "../src/services/api.ts";

/** The program: 230 keys in pages, changes noted, the third key never to be changed. */
const asked: URL[] = [];
const changed: string[] = [];
const KEYS = Array.from({ length: 230 }, (_, i) => ({
  id: i + 1,
  name: `key ${i + 1}`,
  status: 1,
  used_quota: 500_000,
})) as Token[];

function answer(method: string, url: URL, body: string): [status: number, data: unknown] {
  if (method === "GET") {
    asked.push(url);
    const size = Number(url.searchParams.get("page_size"));
    const page = Number(url.searchParams.get("p"));
    const items = KEYS.slice((page - 1) * size, page * size);
    return [200, { page, page_size: size, total: KEYS.length, items }];
  }
  changed.push(`${method} ${url.pathname} ${body}`);
  return /\/3$|"id":3\b/.test(`${url.pathname} ${body}`) ? [403, undefined] : [200, null];
}

beforeAll(async () => {
  await startI18n();
  await setLanguage("en");
});
beforeEach(() => {
  asked.length = 0;
  changed.length = 0;
  localStorage.clear();
  vi.spyOn(globalThis, "fetch").mockImplementation((path, init) => {
    const url = new URL(path as string, "http://localhost");
    const body = typeof init?.body === "string" ? init.body : "";
    const [status, data] = answer(init!.method!, url, body);
    const success = status === 200;
    const failure = success ? {} : { code: "forbidden" };
    const text = JSON.stringify({
      success,
      message: success ? "" : "Not this one.",
      data,
      ...failure,
    });
    return Promise.resolve(new Response(text, { status }));
  });
});

function Sample() {
  const list = useList({ operation: "GET /api/token", filters: ["status"] });
  const { each, remove } = useRowWork(list);
  const removeAll = (tokens: Token[]) =>
    remove(
      tokens,
      { title: "Sure?", names: tokens.map(({ name }) => name), action: "Yes", done: "Gone" },
      ({ id }) => call("DELETE /api/token/{id}", { params: { id } }),
    );
  const bulk = useUsualBulk<Token>(
    (tokens, on) =>
      each(tokens, ({ id }) => call("PUT /api/token", { body: { id, status: on ? 1 : 2 } })),
    removeAll,
  );
  return (
    <ListPage
      id="sample"
      list={list}
      title="Keys"
      about=""
      icon={Trash2}
      empty={{ title: "None", text: "Make one" }}
      filters={[{ name: "status", label: "Status", choices: [{ value: 1, label: "On" }] }]}
      columns={[
        textColumn("name", "Name", { main: true }),
        moneyColumn("used_quota", "Used"),
        {
          key: "status",
          title: "State",
          render: ({ id, name }) => (
            <StatusSwitch
              on
              label={`${name} works`}
              set={(on) => call("PUT /api/token", { body: { id, status: on ? 1 : 2 } })}
            >
              {(on) => (on ? "on" : "off")}
            </StatusSwitch>
          ),
        },
      ]}
      nameOf={(token) => token.name}
      actions={(token) => [
        { key: "go", label: "Remove", icon: Trash2, danger: true, run: () => removeAll([token]) },
      ]}
      bulk={bulk}
    />
  );
}

const place = { search: "" };
function Place() {
  place.search = useLocation().search;
  return null;
}

async function show(search = ""): Promise<void> {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <MemoryRouter initialEntries={[`/${search}`]}>
        <ConfirmProvider>
          <Sample />
          <Place />
        </ConfirmProvider>
      </MemoryRouter>
    </QueryClientProvider>,
  );
  await screen.findAllByText(/^key \d+$/);
}
const click = (name: string | RegExp) => userEvent.click(screen.getByRole("button", { name }));

test("place and filters come from the address, and pages go there", async () => {
  await show("?status=1&p=2&size=10&other=stays");
  expect(asked[0]!.search).toBe("?status=1&page_size=10&p=2");
  await click("Next page");
  await screen.findByText("key 21");
  expect(place.search).toBe("?status=1&p=3&size=10&other=stays");
  await click("Clear filters");
  await waitFor(() => expect(place.search).toBe("?size=10&other=stays"));
  expect(asked.at(-1)!.search).toBe("?page_size=10&p=1");
});

test("what is chosen is changed, one after the other, up to the first refusal", async () => {
  await show("?size=10");
  for (const name of ["key 2", "key 3", "key 4"])
    await userEvent.click(screen.getByRole("checkbox", { name: `Select ${name}` }));
  const before = asked.length;
  await click("Disable");
  await screen.findByText("Not this one.");
  expect(changed).toEqual([
    'PUT /api/token {"id":2,"status":2}',
    'PUT /api/token {"id":3,"status":2}',
  ]);
  await waitFor(() => expect(asked.length).toBeGreaterThan(before));
  expect(screen.getByText("3 selected")).toBeTruthy();
});

test("nothing is removed before the question is answered", async () => {
  await show("?size=10");
  await click("More actions for key 5");
  await userEvent.click(await screen.findByRole("menuitem", { name: "Remove" }));
  const dialog = within(await screen.findByRole("dialog"));
  expect(dialog.getByText("key 5")).toBeTruthy();
  expect(changed).toEqual([]);
  await userEvent.click(dialog.getByRole("button", { name: "Yes" }));
  await screen.findByText("Gone");
  expect(changed).toEqual(["DELETE /api/token/5 "]);
});

test("a switch goes back when the program refuses", async () => {
  await show("?size=10");
  const refused = screen.getByRole("switch", { name: "key 3 works" });
  await userEvent.click(refused);
  await waitFor(() => expect(changed).toHaveLength(1));
  await waitFor(() => expect(refused.getAttribute("aria-checked")).toBe("true"));
});

test("the export has every row that fits, not only those in sight", async () => {
  const saved = vi.spyOn(csv, "download").mockImplementation(() => {});
  await show("?size=10&status=1");
  await click("Export CSV");
  await waitFor(() => expect(saved).toHaveBeenCalled());
  const lines = saved.mock.calls[0]![1].trim().split(/\r?\n/);
  expect(lines).toHaveLength(231);
  expect(lines.at(-1)).toContain("key 230");
  const wanted = asked.slice(1).map((url) => url.search);
  expect(wanted).toEqual([1, 2, 3].map((p) => `?status=1&page_size=100&p=${p}`));
});
