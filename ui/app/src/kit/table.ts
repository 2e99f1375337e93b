/** Tables as data: reading them from widgets, ordering them, and writing them as CSV. */

export type Cell = string | number | boolean | null;

export interface TableData {
  title: string;
  columns: string[];
  rows: Cell[][];
  /** How many rows there are in all, when only the first ones were sent. */
  total: number;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function toCell(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  return JSON.stringify(value);
}

const columnName = (column: unknown) => {
  if (!isRecord(column)) return String(column);
  return String(column["label"] ?? column["name"] ?? "");
};

/** A table widget, or null when the value is something else. Rows may be arrays or records. */
export function readTable(value: unknown): TableData | null {
  if (!isRecord(value) || !Array.isArray(value["columns"]) || !Array.isArray(value["rows"]))
    return null;
  const keys = value["columns"].map((c: unknown) =>
    isRecord(c) ? String(c["name"] ?? "") : String(c),
  );
  const rows = value["rows"].map((row: unknown): Cell[] => {
    if (Array.isArray(row)) return keys.map((_, at) => toCell(row[at]));
    return isRecord(row) ? keys.map((key) => toCell(row[key])) : [toCell(row)];
  });
  const total =
    typeof value["total"] === "number" ? Math.max(value["total"], rows.length) : rows.length;
  const title = typeof value["title"] === "string" ? value["title"] : "";
  return { title, columns: value["columns"].map(columnName), rows, total };
}

export const isNumeric = (table: TableData, column: number) =>
  table.rows.some((row) => typeof row[column] === "number") &&
  table.rows.every((row) => typeof row[column] === "number" || row[column] === null);

const decimalsOf = (value: number) => {
  const text = String(value);
  return /e/.test(text) ? 0 : (text.split(".")[1]?.length ?? 0);
};
const DECIMALS_MAX = 4;

/** An order 1044 or a year 2026 is a name made of digits, not an amount. */
export const isName = (table: TableData, column: number) =>
  /(^|[\s_-])(id|no|nr|number|code|year|order|invoice|zip)\.?$/i.test(
    table.columns[column] ?? "",
  ) && table.rows.every((row) => row[column] === null || Number.isInteger(row[column]));

/** How the amounts of a column are written: all with as many decimals. */
export function numberStyle(table: TableData, column: number): Intl.NumberFormatOptions {
  const numbers = table.rows.map((row) => row[column]).filter((cell) => typeof cell === "number");
  if (numbers.every(Number.isInteger)) return {};
  const decimals = Math.min(Math.max(...numbers.map(decimalsOf)), DECIMALS_MAX);
  return { minimumFractionDigits: decimals, maximumFractionDigits: Math.max(decimals, 1) };
}

/** Rows in order of one column; empty cells come last whichever way it runs. */
export function sortRows(rows: Cell[][], column: number, direction: "ascending" | "descending") {
  const sign = direction === "ascending" ? 1 : -1;
  return rows.toSorted((left, right) => {
    const a = left[column] ?? null;
    const b = right[column] ?? null;
    if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  });
}

function csvCell(cell: Cell): string {
  if (cell === null) return "";
  // A leading = + - @ makes spreadsheets run the cell as a formula.
  const text = typeof cell === "string" && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const toCsv = (columns: string[], rows: Cell[][]) =>
  [columns, ...rows].map((row) => row.map(csvCell).join(",")).join("\r\n");

export const toTsv = (columns: string[], rows: Cell[][]) =>
  [columns, ...rows]
    .map((row) => row.map((cell) => String(cell ?? "").replace(/[\t\r\n]+/g, " ")).join("\t"))
    .join("\n");
