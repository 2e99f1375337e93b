/** One thing the assistant did, in words; what went in and came back is a click away. */
import {
  Check,
  ChevronRight,
  Circle,
  CircleSlash,
  LoaderCircle,
  TriangleAlert,
} from "lucide-react";
import { useId, useState } from "react";
import type { ToolView } from "../chat/answer";
import type { Progress } from "../chat/conversation-state";
import { duration } from "../kit/format";
import { prettyJson } from "../kit/json";
import { readTable } from "../kit/table";
import { strings } from "../strings";
import { DataBlock } from "./code-block";

const SUMMARY_CHARS = 90;

const icons = {
  running: LoaderCircle,
  done: Check,
  failed: TriangleAlert,
  unfinished: CircleSlash,
  approval: Circle,
  denied: CircleSlash,
};

/** The outcome in one breath: a count for tables, the first line of anything else. */
export function summaryOf(tool: ToolView): string {
  if (tool.state === "failed") {
    return tool.text.startsWith("Not called: ")
      ? strings.work.notCalledTool
      : strings.work.failedTool;
  }
  if (tool.state === "denied") return strings.approval.causes[tool.cause ?? ""] ?? "";
  if (tool.state === "unfinished") return strings.work.unfinished;
  if (tool.state !== "done") return "";
  const table = readTable(tool.widget);
  if (table !== null) return strings.table.rows(table.total);
  const line = tool.text.split("\n", 1)[0]?.trim() ?? "";
  if (/^[[{]/.test(line)) return "";
  return line.length > SUMMARY_CHARS ? `${line.slice(0, SUMMARY_CHARS - 1)}…` : line;
}

/** Data as people read it: JSON in lines, everything else as it came. */
function asText(value: unknown): string {
  if (typeof value !== "string") return prettyJson(value);
  if (!/^\s*[[{]/.test(value)) return value;
  try {
    return prettyJson(JSON.parse(value));
  } catch {
    return value;
  }
}

function Detail({ title, value }: { title: string; value: unknown }) {
  const text = asText(value);
  const empty = text === "" || text === "{}";
  return (
    <div>
      <h3 className="mb-1 font-medium text-fine text-ink-3">{title}</h3>
      {empty ? (
        <p className="text-ink-3 text-ui">{strings.work.empty}</p>
      ) : (
        <DataBlock text={text} />
      )}
    </div>
  );
}

const progressWords = ({ done, total, text }: Progress) =>
  text === "" ? strings.work.progress(done, total) : text;

function titleOf({ title, state }: ToolView): string {
  if (state === "running") return strings.work.running(title);
  return state === "done" ? strings.work.done(title) : title;
}

interface ToolRowProps {
  tool: ToolView;
  progress: Progress | undefined;
}

export function ToolRow({ tool, progress }: ToolRowProps) {
  const [open, setOpen] = useState(false);
  const content = useId();
  const running = tool.state === "running";
  const Icon = icons[tool.state];
  const title = titleOf(tool);
  const summary = running && progress !== undefined ? progressWords(progress) : summaryOf(tool);
  const failed = tool.state === "failed";
  return (
    <div className="text-ui">
      <button
        type="button"
        aria-expanded={open}
        aria-controls={content}
        onClick={() => setOpen(!open)}
        className="group/tool -mx-1.5 flex min-h-7 max-w-[calc(100%+0.75rem)] items-center gap-2 rounded-md px-1.5 py-0.5 text-start text-ink-2 hover:text-ink touch:min-h-11"
      >
        <Icon
          aria-hidden="true"
          strokeWidth={2}
          className={`size-3.75 shrink-0 ${running ? "animate-spin-calm text-accent" : failed ? "text-danger" : tool.state === "done" ? "text-accent" : "text-ink-3"}`}
        />
        <span className={`shrink-0 max-sm:shrink ${running ? "shimmer" : ""}`}>{title}</span>
        {summary !== "" && (
          <span className={`-ms-1 min-w-0 truncate ${failed ? "text-danger" : "text-ink-3"}`}>
            <span aria-hidden="true">· </span>
            {summary}
          </span>
        )}
        <ChevronRight
          aria-hidden="true"
          className={`size-3.5 shrink-0 text-ink-3 transition-transform duration-150 rtl:rotate-180 ${open ? "rotate-90 rtl:rotate-90" : ""}`}
        />
      </button>
      {failed && !open && tool.text !== "" && (
        <p className="ps-6 text-ink-3 text-ui">{tool.text}</p>
      )}
      <section
        id={content}
        hidden={!open}
        aria-label={title}
        className="ms-1.5 space-y-3 border-line border-s-2 ps-4 [&:not([hidden])]:my-2"
      >
        {open && (
          <>
            <Detail title={strings.work.arguments} value={tool.input} />
            {!running && <Detail title={strings.work.result} value={tool.text} />}
            <p className="text-fine text-ink-3">
              <code className="font-mono">{tool.name}</code>
              {tool.elapsedMs > 0 && ` · ${duration(tool.elapsedMs)}`}
            </p>
          </>
        )}
      </section>
    </div>
  );
}
