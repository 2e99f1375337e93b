import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { ToolView } from "../chat/answer";
import { FailureCard } from "./failure-card";
import { Markdown, safeHref } from "./markdown";
import { headingLevels, withoutHalfTable } from "./markdown-text";
import { Reasoning } from "./reasoning";
import { ToolRow } from "./tool-row";
import { WholeResult } from "./whole-result";
import { hasWidget, Widget } from "./widget";

const tool = (change: Partial<ToolView> = {}): ToolView => ({
  id: "c1",
  name: "sales__run_query",
  title: "Run query",
  state: "done",
  input: { sql: "select 1" },
  text: "1",
  widget: null,
  elapsedMs: 412,
  ...change,
});

test("a tool is told in words, and its details only on demand", async () => {
  render(<ToolRow tool={tool()} progress={undefined} />);
  const row = screen.getByRole("button", { name: /Ran query/ });
  expect(screen.queryByText("What it was given")).toBeNull();
  await userEvent.click(row);
  expect(row.getAttribute("aria-expanded")).toBe("true");
  expect(screen.getByText('{ "sql": "select 1" }')).toBeTruthy();
  expect(screen.getByText(/412 ms/)).toBeTruthy();
});

test("a failed tool says so in plain words without a click", () => {
  render(
    <ToolRow tool={tool({ state: "failed", text: "Division by zero." })} progress={undefined} />,
  );
  expect(screen.getByText("Division by zero.")).toBeTruthy();
  expect(screen.getByText(/did not work/)).toBeTruthy();
});

test("a running tool shows how far it is", () => {
  render(
    <ToolRow tool={tool({ state: "running" })} progress={{ done: 34, total: 68, text: "" }} />,
  );
  expect(screen.getByText(/34 of 68/)).toBeTruthy();
});

test("a table sorts by its header and counts what it has", async () => {
  const widget = {
    kind: "table",
    columns: ["Region", "Sum"],
    rows: [
      ["B", 2],
      ["A", 1],
    ],
    total: 2310,
  };
  render(<Widget widget={widget} />);
  expect(screen.getByText("First 2 of 2,310 rows")).toBeTruthy();
  const cells = () =>
    screen
      .getAllByRole("row")
      .slice(1)
      .map((row) => within(row).getAllByRole("cell")[0]?.textContent);
  expect(cells()).toEqual(["B", "A"]);
  await userEvent.click(screen.getByRole("button", { name: "Region" }));
  expect(cells()).toEqual(["A", "B"]);
  expect(screen.getByRole("columnheader", { name: "Region" }).getAttribute("aria-sort")).toBe(
    "ascending",
  );
});

test("plain data stays in the details, a picture from elsewhere is never fetched", () => {
  expect(hasWidget({ kind: "json", data: {} })).toBe(false);
  expect(hasWidget({ kind: "group", items: [{ kind: "links", links: [] }] })).toBe(true);
  render(<Widget widget={{ kind: "image", url: "https://tracker.example/p.png", alt: "x" }} />);
  expect(screen.queryByRole("img")).toBeNull();
});

test("thinking is folded away and says how long it took", async () => {
  render(<Reasoning text="A product." live={false} elapsedMs={6200} />);
  const line = screen.getByRole("button", { name: "Thought for 6 s" });
  expect(screen.queryByText("A product.")).toBeNull();
  await userEvent.click(line);
  expect(await screen.findByText("A product.")).toBeTruthy();
});

test("a failure says what happened, what to do, and what to quote", async () => {
  const retry = vi.fn();
  const failure = {
    code: "overloaded",
    message: "Too much to do.",
    retryable: true,
    reference: "req_1",
  };
  render(<FailureCard failure={failure} onRetry={retry} />);
  expect(screen.getByText(/Too much to do/)).toBeTruthy();
  expect(screen.getByText(/Wait a moment/)).toBeTruthy();
  expect(screen.getByText("req_1")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(retry).toHaveBeenCalledOnce();
});

test("links outside are marked and carry no opener; scripts are not links at all", () => {
  render(<Markdown live={false} text={"[a](https://example.org/x) [b](javascript:alert(1))"} />);
  const link = screen.getByRole("link");
  expect(link.getAttribute("rel")).toBe("noopener noreferrer nofollow");
  expect(link.textContent).toBe("a");
  expect(screen.getAllByRole("link")).toHaveLength(1);
  expect(safeHref("data:text/html,x")).toBeNull();
});

test("raw HTML in an answer stays harmless", () => {
  const { container } = render(
    <Markdown live={false} text={'<img src=x onerror="alert(1)"><script>alert(1)</script>ok'} />,
  );
  expect(container.querySelector("script")).toBeNull();
  expect(container.innerHTML).not.toContain("onerror");
});

test("half-written marks are closed while they stream", () => {
  const { container } = render(<Markdown live text={"This is **bol"} />);
  expect(container.textContent).toBe("This is bol");
});

test("the outline of an answer begins at the third level without holes", () => {
  render(<Markdown live={false} text={"## One\n\n#### Two"} />);
  expect(screen.getByRole("heading", { level: 3 }).textContent).toBe("One");
  expect(screen.getByRole("heading", { level: 4 }).textContent).toBe("Two");
  expect(headingLevels("```sh\n# no heading\n```\n\n### yes")).toBe("3");
});

test("a table is held back until it is known to be one", () => {
  expect(withoutHalfTable("Text.\n\n| a | b")).toBe("Text.\n\n");
  expect(withoutHalfTable("Text.\n\n| a | b |\n|--")).toBe("Text.\n\n");
  const whole = "Text.\n\n| a | b |\n|---|---|\n| 1";
  expect(withoutHalfTable(whole)).toBe(whole);
});

test("a result of which only the beginning was sent is shown whole on demand", async () => {
  const rows = (count: number) => Array.from({ length: count }, (_, at) => [`row ${at}`]);
  const widget = { kind: "table", columns: ["Name"], rows: rows(20), total: 3000, kept: "r_1" };
  const whole = { ...widget, rows: rows(3000), kept: undefined };
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json({ text: "", next: null, widget: whole }));
  render(<WholeResult widget={widget} thread="c1" />);
  expect(screen.getByText("First 20 of 3,000 rows")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Show everything" }));
  expect(await screen.findByText("3,000 rows")).toBeTruthy();
  expect(String(fetched.mock.calls[0]?.[0])).toContain("/api/threads/c1/results/r_1?offset=0");
  expect(screen.queryByRole("button", { name: "Show everything" })).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Show 1,000 more rows" }));
  expect(screen.getByText("row 999")).toBeTruthy();
  expect(screen.queryByText("row 1000")).toBeNull();
  fetched.mockRestore();
});

test("a long text is read page by page, and what is kept no longer is said", async () => {
  const pages = [
    Response.json({ text: "first ", next: 6, widget: null }),
    Response.json({ code: "result_not_found", detail: "x" }, { status: 404 }),
  ];
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => pages.shift() ?? Response.error());
  render(<WholeResult widget={{ kind: "text", text: "fi", kept: "r_1" }} thread="c1" />);
  await userEvent.click(screen.getByRole("button", { name: "Show everything" }));
  expect(await screen.findByText("first")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Show more" }));
  expect((await screen.findByRole("alert")).textContent).toMatch(/kept no longer/);
  fetched.mockRestore();
});
