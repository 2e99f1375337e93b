import { beforeEach, describe, expect, test, vi } from "vitest";
import { whenDone, whileRunning } from "../tool-words";
import { drafts } from "./drafts";
import { dayGroup } from "./format";
import { prettyJson } from "./json";
import { moveTo } from "./menu";
import { adviceFor, fromResponse, toFailure } from "./problems";
import { isName, isNumeric, numberStyle, readTable, sortRows, toCsv } from "./table";
import { adoptFragment, getToken, refreshToken, setTokenProvider } from "./token";

describe("problems", () => {
  test("problem+json and error frames become the same failure", () => {
    const body = {
      code: "overloaded",
      detail: "Too much to do.",
      retryable: true,
      request_id: "req_1",
    };
    const expected = {
      code: "overloaded",
      message: "Too much to do.",
      retryable: true,
      reference: "req_1",
    };
    expect(fromResponse(503, JSON.stringify(body))).toEqual({ ...expected, status: 503 });
    const frame = {
      code: "overloaded",
      message: "Too much to do.",
      retryable: true,
      reference: "req_1",
    };
    expect(toFailure(new Error(JSON.stringify(frame)))).toEqual(expected);
  });

  test("a proxy's page is never shown", () => {
    expect(fromResponse(502, "<html>Bad gateway nginx/1.25</html>")).toEqual({
      code: "http_502",
      message: "",
      retryable: true,
      reference: "",
      status: 502,
    });
  });

  test("a lost network says what to do", () => {
    expect(adviceFor(toFailure(new TypeError("Failed to fetch")))).toMatch(/connection/);
  });
});

describe("tables", () => {
  const table = readTable({
    kind: "table",
    columns: ["name", { name: "n", label: "Count" }],
    rows: [["b", 10], ["a", null], { name: "c", n: 9 }],
    total: 2310,
  });

  test("rows may be lists or records, and may be only the first ones", () => {
    expect(table).toMatchObject({ columns: ["name", "Count"], total: 2310 });
    expect(table?.rows).toEqual([
      ["b", 10],
      ["a", null],
      ["c", 9],
    ]);
    expect(table && isNumeric(table, 1)).toBe(true);
  });

  test("numbers sort as numbers and empty cells come last both ways", () => {
    const names = (direction: "ascending" | "descending") =>
      sortRows(table?.rows ?? [], 1, direction).map(([name]) => name);
    expect(names("ascending")).toEqual(["c", "b", "a"]);
    expect(names("descending")).toEqual(["b", "c", "a"]);
  });

  test("CSV quotes what must be quoted and defuses formulas", () => {
    expect(
      toCsv(
        ["a", "b"],
        [
          ['say "x", y', "=SUM(A1)"],
          [null, -4],
        ],
      ),
    ).toBe('a,b\r\n"say ""x"", y",\'=SUM(A1)\r\n,-4');
  });

  test("anything else is not a table", () => {
    expect(readTable({ kind: "json", data: [] })).toBeNull();
    expect(readTable(null)).toBeNull();
  });
});

describe("token", () => {
  beforeEach(() => {
    setTokenProvider(null);
    history.replaceState(null, "", "/");
  });

  test("the fragment is read once and leaves the address", async () => {
    history.replaceState(null, "", "/c/1#token=abc");
    adoptFragment();
    expect(location.hash).toBe("");
    expect(await getToken()).toBe("abc");
  });

  test("many refreshes at the same moment ask once", async () => {
    const provider = vi.fn(async () => "fresh");
    setTokenProvider(provider);
    expect(await Promise.all([refreshToken(), refreshToken()])).toEqual(["fresh", "fresh"]);
    expect(provider).toHaveBeenCalledTimes(1);
  });
});

describe("words", () => {
  test.each([
    ["Search dashboards", "Searching dashboards", "Searched dashboards"],
    ["Run query", "Running query", "Ran query"],
    ["Searching dashboards…", "Searching dashboards", "Searched dashboards"],
    ["Calculate", "Calculating", "Calculated"],
    ["Look up the time", "Looking up the time", "Looked up the time"],
    ["Look up your account", "Looking up your account", "Looked up your account"],
    ["Calculator", "Using Calculator", "Used Calculator"],
    ["Get weather", "Getting weather", "Got weather"],
    ["Create chart", "Creating chart", "Created chart"],
    ["Query table", "Querying table", "Queried table"],
    ["Search", "Using Search", "Used Search"],
  ])("%s", (title, running, done) => {
    expect(whileRunning(title)).toBe(running);
    expect(whenDone(title)).toBe(done);
  });
});

test("drafts are kept for each conversation", () => {
  drafts.set("a", "half a thought");
  expect(drafts.get("a")).toBe("half a thought");
  expect(drafts.get("b")).toBe("");
});

test("conversations are grouped by calendar day, not by hours", () => {
  const now = new Date(2026, 10, 20, 0, 30);
  const at = (day: number, hour: number) => new Date(2026, 10, day, hour).toISOString();
  expect(dayGroup(at(20, 0), now)).toBe("today");
  expect(dayGroup(at(19, 23), now)).toBe("yesterday");
  expect(dayGroup(at(15, 12), now)).toBe("week");
  expect(dayGroup(at(1, 12), now)).toBe("older");
});

test("short JSON stays on a line, long JSON does not", () => {
  expect(prettyJson({ expression: "1 + 1" })).toBe('{ "expression": "1 + 1" }');
  expect(prettyJson({ rows: Array.from({ length: 30 }, (_, at) => at) })).toContain("\n");
});

test("the keys of a menu move around it, and letters find names", () => {
  const names = ["Rename", "Delete", "Remove tag"];
  expect(moveTo("ArrowDown", -1, names)).toBe(0);
  expect(moveTo("ArrowDown", 2, names)).toBe(0);
  expect(moveTo("ArrowUp", 0, names)).toBe(2);
  expect(moveTo("End", 0, names)).toBe(2);
  expect(moveTo("r", 0, names)).toBe(2);
  expect(moveTo("r", 2, names)).toBe(0);
  expect(moveTo("x", 0, names)).toBeNull();
  expect(moveTo("Enter", 0, names)).toBeNull();
});

test("amounts of a column are written alike, and a name made of digits is no amount", () => {
  const table = {
    title: "",
    columns: ["order", "total", "items"],
    rows: [
      [1044, 2210, 1500],
      [1041, 1284.25, 2],
    ],
    total: 2,
  };
  expect([0, 1, 2].map((column) => isName(table, column))).toEqual([true, false, false]);
  expect(numberStyle(table, 1)).toEqual({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
  expect(numberStyle(table, 2)).toEqual({});
});
