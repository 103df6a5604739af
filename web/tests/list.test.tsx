// A list page: what the URL says is asked for, what is done to rows is sent, and refusals are undone.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { MemoryRouter, useLocation } from "react-router";
import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import { ConfirmProvider } from "../src/components/Confirm.tsx";
import { moneyColumn, StatusSwitch, textColumn } from "../src/components/table/cells.tsx";
import { ListPage, useRowWork, useUsualBulk } from "../src/components/table/ListPage.tsx";
import { useList } from "../src/components/table/useList.ts";
import * as csv from "../src/helpers/csv.ts";
import { setLanguage, startI18n } from "../src/i18n/index.ts";
import type { Log, Page, Token } from "../src/models/api.ts";
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

/** A log that is searched back to here in the time there is, and in which the row stands further back. */
const REACHED = Date.UTC(2026, 10, 3) / 1000;
function searched(url: URL): Page<Partial<Log>> {
  const place = { page: 0, page_size: 20 };
  if (!url.searchParams.get("cursor"))
    return { ...place, items: [], next_cursor: `${REACHED}.0`, searched_to: REACHED };
  return { ...place, items: [{ id: 5, model_name: "found" }], next_cursor: null };
}

function answer(method: string, url: URL, body: string): [status: number, data: unknown] {
  if (url.pathname === "/api/logs") {
    asked.push(url);
    return [200, searched(url)];
  }
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
  drawn.count = 0;
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

/** How many cells were drawn. */
const drawn = { count: 0 };
const COLUMNS = [
  textColumn<Token>("name", "Name", {
    main: true,
    sort: true,
    render: ({ name }) => {
      drawn.count++;
      return name;
    },
  }),
  moneyColumn<Token>("used_quota", "Used"),
  {
    key: "status",
    title: "State",
    render: ({ id, name }: Token) => (
      <StatusSwitch
        on
        label={`${name} works`}
        set={(on) => call("PUT /api/token", { body: { id, status: on ? 1 : 2 } })}
      >
        {(on) => (on ? "on" : "off")}
      </StatusSwitch>
    ),
  },
];

function Sample() {
  const [open, setOpen] = useState<Token>();
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
      columns={COLUMNS}
      onOpen={setOpen}
      extra={open && <p>{open.name} is open</p>}
      nameOf={(token) => token.name}
      actions={(token) => [
        { key: "go", label: "Remove", icon: Trash2, danger: true, run: () => removeAll([token]) },
      ]}
      bulk={bulk}
    />
  );
}

function SampleLog() {
  const list = useList({ operation: "GET /api/logs", filters: ["model_name"], paging: "cursor" });
  return (
    <ListPage
      id="sample-log"
      list={list}
      title="Log"
      about=""
      icon={Trash2}
      empty={{ title: "None", text: "" }}
      filters={[]}
      columns={[textColumn<Log>("model_name", "Model")]}
      nameOf={(row) => row.model_name}
    />
  );
}

const place = { search: "" };
function Place() {
  place.search = useLocation().search;
  return null;
}

function open(page: ReactNode, search: string): void {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <MemoryRouter initialEntries={[`/${search}`]}>
        <ConfirmProvider>
          {page}
          <Place />
        </ConfirmProvider>
      </MemoryRouter>
    </QueryClientProvider>,
  );
}
async function show(search = ""): Promise<void> {
  open(<Sample />, search);
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

test("a hundred rows are drawn once, whatever is chosen or opened", async () => {
  await show("?size=100");
  expect(drawn.count).toBe(100);
  await userEvent.click(screen.getByRole("checkbox", { name: "Select key 7" }));
  await screen.findByText("1 selected");
  expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "Select all" }).indeterminate).toBe(
    true,
  );
  await userEvent.click(screen.getByRole("checkbox", { name: "Select all" }));
  await screen.findByText("100 selected");
  await userEvent.click(screen.getByText("key 9"));
  await screen.findByText("key 9 is open");
  expect(drawn.count).toBe(100);
});

test("sorted upwards, downwards, and as the program likes", async () => {
  await show("?size=10&p=2");
  const sorts = ["name", "-name", null];
  for (const sort of sorts) {
    await click("Name");
    await waitFor(() => expect(asked.at(-1)!.searchParams.get("sort")).toBe(sort));
    expect(asked.at(-1)!.searchParams.get("p")).toBe("1");
  }
  const head = screen.getByRole("columnheader", { name: "Name" });
  expect(head.getAttribute("aria-sort")).toBeNull();
});

test("a menu by keyboard: arrows go round, Escape gives the focus back", async () => {
  await show("?size=10");
  const button = screen.getByRole("button", { name: "More actions for key 5" });
  button.focus();
  await userEvent.keyboard("{ArrowDown}");
  const item = await screen.findByRole("menuitem", { name: "Remove" });
  expect(document.activeElement).toBe(item);
  await userEvent.keyboard("{ArrowDown}{ArrowUp}{End}");
  expect(document.activeElement).toBe(item);
  await userEvent.keyboard("{Escape}");
  expect(screen.queryByRole("menu")).toBeNull();
  expect(document.activeElement).toBe(button);
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
  const refused = screen.getByRole<HTMLInputElement>("switch", { name: "key 3 works" });
  await userEvent.click(refused);
  await waitFor(() => expect(changed).toHaveLength(1));
  await waitFor(() => expect(refused.checked).toBe(true));
});

test("a search that ran out of time says how far it looked, and goes on from there", async () => {
  open(<SampleLog />, "?model_name=found");
  await screen.findByText(/Nothing further down to Nov 3, 2026/);
  expect(screen.queryByText("Nothing fits these filters")).toBeNull();
  expect(screen.queryByText("That is all")).toBeNull();
  await click("Search further back");
  await screen.findByText("found");
  expect(asked.map((url) => url.searchParams.get("cursor"))).toEqual(["", `${REACHED}.0`]);
  expect(asked[1]!.searchParams.get("model_name")).toBe("found");
  await screen.findByText("That is all");
  expect(screen.queryByText(/Nothing further down/)).toBeNull();
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
