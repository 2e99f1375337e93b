/** What went wrong, what to do, and what to quote. Never a stack, never raw data. */
import { RotateCcw, TriangleAlert } from "lucide-react";
import { Button } from "../kit/button";
import { adviceFor, type Failure } from "../kit/problems";
import { strings } from "../strings";

interface FailureCardProps {
  failure: Failure;
  title?: string;
  onRetry?: (() => void) | undefined;
  /** The message never arrived; it can go back into the box. */
  onTakeBack?: (() => void) | undefined;
}

export function FailureCard({ failure, title, onRetry, onTakeBack }: FailureCardProps) {
  const { message, code, reference } = failure;
  const advice = adviceFor(failure);
  return (
    <section
      aria-label={title ?? strings.errors.title}
      className="frame rounded-xl border border-danger-line bg-danger-soft px-4 py-3 text-ui"
    >
      <p className="flex items-center gap-2 font-medium text-danger">
        <TriangleAlert aria-hidden="true" className="size-4 shrink-0" strokeWidth={2} />
        {title ?? strings.errors.title}
      </p>
      <p className="mt-1.5">{[message, advice].filter((text) => text !== "").join(" ")}</p>
      <p className="mt-1.5 break-all text-fine text-ink-3">
        {strings.errors.code} <code className="font-mono">{code}</code>
        {reference !== "" && (
          <>
            {" · "}
            {strings.errors.reference} <code className="font-mono select-all">{reference}</code>
          </>
        )}
      </p>
      {(onRetry !== undefined || onTakeBack !== undefined) && (
        <div className="mt-3 flex flex-wrap gap-2">
          {onRetry !== undefined && (
            <Button onClick={onRetry}>
              <RotateCcw aria-hidden="true" className="size-3.5" />
              {strings.retry}
            </Button>
          )}
          {onTakeBack !== undefined && (
            <Button look="quiet" onClick={onTakeBack}>
              {strings.errors.takeBack}
            </Button>
          )}
        </div>
      )}
    </section>
  );
}
