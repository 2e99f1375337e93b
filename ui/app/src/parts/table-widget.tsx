/** A result that is a table: sorted by a click, copied, saved, counted. */
import { ArrowDown, ArrowUp, ChevronsUpDown, Download } from "lucide-react";
import { useMemo, useState } from "react";
import { IconButton } from "../kit/button";
import { saveFile } from "../kit/clipboard";
import { CopyButton } from "../kit/copy-button";
import { numberFormat } from "../kit/format";
import {
  type Cell,
  isName,
  isNumeric,
  numberStyle,
  sortRows,
  type TableData,
  toCsv,
  toTsv,
} from "../kit/table";
import { strings } from "../strings";

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const FIRST_ROWS = 8; // as many as fit beside an answer without burying it
const MORE_ROWS = 1000; // a table of more at once makes the page slow

interface Order {
  column: number;
  direction: "ascending" | "descending";
}

const show = (cell: Cell | undefined, format: Intl.NumberFormat | null) => {
  if (cell === null || cell === undefined || cell === "") return strings.table.none;
  return typeof cell === "number" && format !== null ? format.format(cell) : String(cell);
};

interface HeadProps {
  name: string;
  numeric: boolean;
  order: Order["direction"] | null;
  onSort: () => void;
}

function Head({ name, numeric, order, onSort }: HeadProps) {
  const Icon =
    order === "ascending" ? ArrowUp : order === "descending" ? ArrowDown : ChevronsUpDown;
  return (
    <th scope="col" aria-sort={order ?? "none"} className={`!p-0 ${numeric ? "number" : ""}`}>
      <button
        type="button"
        title={strings.table.sort(name)}
        onClick={onSort}
        className={`group/sort inline-flex min-h-9 w-full items-center gap-1 px-3.5 -outline-offset-2 hover:text-ink touch:min-h-11 ${numeric ? "flex-row-reverse" : ""}`}
      >
        {name}
        <Icon
          aria-hidden="true"
          className={`size-3 shrink-0 ${order === null ? "opacity-0 group-hover/sort:opacity-60 group-focus-visible/sort:opacity-60" : "text-accent"}`}
          strokeWidth={2.25}
        />
      </button>
    </th>
  );
}

export function TableWidget({ table }: { table: TableData }) {
  const [order, setOrder] = useState<Order | null>(null);
  const [count, setCount] = useState(FIRST_ROWS);
  const rows = useMemo(
    () => (order === null ? table.rows : sortRows(table.rows, order.column, order.direction)),
    [table, order],
  );
  /** How to write the numbers of each column; null for words and for names made of digits. */
  const formats = useMemo(
    () =>
      table.columns.map((_, at) =>
        isNumeric(table, at) && !isName(table, at) ? numberFormat(numberStyle(table, at)) : null,
      ),
    [table],
  );
  const visible = rows.slice(0, count);
  const rest = rows.length - visible.length;
  const title = capital(table.title) || strings.table.untitled;
  const counted =
    table.total > table.rows.length
      ? strings.table.firstOf(table.rows.length, table.total)
      : strings.table.rows(table.rows.length);

  /** Up, down, and back to the order in which it came. */
  const sortBy = (column: number) =>
    setOrder((now) => {
      if (now?.column !== column) return { column, direction: "ascending" };
      return now.direction === "ascending" ? { column, direction: "descending" } : null;
    });

  return (
    <figure className="frame overflow-hidden rounded-xl border border-line bg-raised">
      <figcaption className="flex min-h-10 items-center gap-2 border-line border-b ps-3.5 pe-1.5 text-ui">
        <span className="truncate font-medium">{title}</span>
        <span className="flex-1 whitespace-nowrap text-fine text-ink-3">{counted}</span>
        <CopyButton label={strings.table.copy} text={() => toTsv(table.columns, rows)} />
        <IconButton
          small
          label={strings.table.download}
          icon={Download}
          onClick={() =>
            saveFile(`${title}.csv`, "text/csv;charset=utf-8", toCsv(table.columns, rows))
          }
        />
      </figcaption>
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to take the keyboard
        tabIndex={0}
        aria-label={title}
        className="thin-scroll max-h-[30rem] overflow-auto -outline-offset-2"
      >
        <table className="grid-table">
          <thead className="sticky top-0 bg-raised">
            <tr>
              {table.columns.map((name, at) => (
                <Head
                  // biome-ignore lint/suspicious/noArrayIndexKey: columns may share a name
                  key={at}
                  name={name}
                  numeric={formats[at] != null}
                  order={order?.column === at ? order.direction : null}
                  onSort={() => sortBy(at)}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {visible.map((row, line) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows have no names
              <tr key={line}>
                {row.map((cell, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: cells stand where their column stands
                  <td key={at} className={formats[at] == null ? "" : "number"}>
                    {show(cell, formats[at] ?? null)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length === 0 && (
          <p className="px-3.5 py-4 text-ink-3 text-ui">{strings.table.empty}</p>
        )}
      </section>
      {rest > 0 && (
        <button
          type="button"
          onClick={() => setCount(count === FIRST_ROWS ? MORE_ROWS : count + MORE_ROWS)}
          className="min-h-9 w-full border-line border-t font-medium text-accent text-ui -outline-offset-2 hover:bg-surface-2 touch:min-h-11"
        >
          {rows.length <= MORE_ROWS
            ? strings.table.showAll(rows.length)
            : strings.table.showMore(Math.min(rest, MORE_ROWS))}
        </button>
      )}
    </figure>
  );
}
