/** Thinking, folded away: one calm line that can be opened. */
import { ChevronRight } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { strings } from "../strings";
import { Markdown } from "./markdown-lazy";

interface ReasoningProps {
  text: string;
  live: boolean;
  elapsedMs: number;
}

/** How long it took: what the server measured, else what was seen here. 0 when unknown. */
function useElapsed(live: boolean, known: number): number {
  const began = useRef(0);
  const [seen, setSeen] = useState(0);
  useEffect(() => {
    if (live) began.current ||= performance.now();
    else if (began.current > 0) setSeen(performance.now() - began.current);
  }, [live]);
  return known > 0 ? known : seen;
}

export function Reasoning({ text, live, elapsedMs }: ReasoningProps) {
  const [open, setOpen] = useState(false);
  const content = useId();
  const ms = useElapsed(live, elapsedMs);
  if (text === "" && !live) return null;
  const done = ms > 0 ? strings.work.thought(ms / 1000) : strings.work.thoughtSome;
  return (
    <div>
      <button
        type="button"
        aria-expanded={open}
        aria-controls={content}
        onClick={() => setOpen(!open)}
        className="-mx-1.5 inline-flex min-h-7 items-center gap-1.5 rounded-md px-1.5 text-ink-3 text-ui hover:text-ink touch:min-h-11"
      >
        <span className={live ? "shimmer" : ""}>{live ? strings.work.thinking : done}</span>
        <ChevronRight
          aria-hidden="true"
          className={`size-3.5 transition-transform duration-150 rtl:rotate-180 ${open ? "rotate-90 rtl:rotate-90" : ""}`}
        />
      </button>
      <section
        id={content}
        hidden={!open}
        aria-label={strings.work.thinking}
        className="ms-0.5 border-line border-s-2 ps-4 [&:not([hidden])]:my-1.5"
      >
        {open && <Markdown text={text} live={live} quiet />}
      </section>
    </div>
  );
}
