/** A table inside an answer: it scrolls in its own box and can be copied. */
import { type ComponentProps, useRef } from "react";
import { CopyButton } from "../kit/copy-button";
import { toTsv } from "../kit/table";
import { strings } from "../strings";

function readCells(table: HTMLTableElement | null): string[][] {
  if (table === null) return [];
  return Array.from(table.rows, (row) => Array.from(row.cells, (cell) => cell.textContent.trim()));
}

export function MarkdownTable({ children }: ComponentProps<"table">) {
  const table = useRef<HTMLTableElement>(null);
  const copy = () => {
    const [columns = [], ...rows] = readCells(table.current);
    return toTsv(columns, rows);
  };
  return (
    <div className="frame group/table relative rounded-xl border border-line bg-raised">
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to take the keyboard
        tabIndex={0}
        aria-label={strings.table.untitled}
        className="thin-scroll max-h-[32rem] overflow-auto rounded-xl"
      >
        <table ref={table} className="grid-table">
          {children}
        </table>
      </section>
      <div className="absolute end-1 top-1 rounded-lg bg-raised opacity-0 transition-opacity focus-within:opacity-100 group-hover/table:opacity-100 touch:hidden">
        <CopyButton label={strings.table.copy} text={copy} />
      </div>
    </div>
  );
}
