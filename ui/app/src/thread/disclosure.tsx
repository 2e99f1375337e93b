/** That an AI answers, always in sight: above the box until people have sent, below it after that. */
import { Info } from "lucide-react";
import { useEffect, useState } from "react";
import type { DisclosureBody, ShownReceiptBody } from "../contract/api";
import { disclosure } from "../disclosure";
import { Button } from "../kit/button";
import { Dialog } from "../kit/dialog";
import { dateTime } from "../kit/format";
import { useStore } from "../kit/store";
import { me } from "../me";
import { strings } from "../strings";

const words = strings.disclosure;

/** The element that the message box is described by while something has to be read. */
export const NOTICE_ID = "disclosure-notice";

function Lines({ value }: { value: DisclosureBody }) {
  return value.lines.map((line) => (
    <span key={line.text} lang={line.lang} dir="auto">
      {line.text}{" "}
    </span>
  ));
}

/** What has to be read before the next message is sent. Sending says that it has been. */
export function DisclosureNotice() {
  const { value } = useStore(disclosure.store);
  const reason = value?.reason ?? null;
  const edition = value?.edition ?? "";
  useEffect(() => {
    if (reason !== null) disclosure.drawn(edition);
  }, [reason, edition]);
  if (value === null || reason === null) return null;
  return (
    <section
      aria-label={words.label}
      className="frame mb-2 flex items-start gap-2.5 rounded-xl border border-transparent bg-surface-2 px-3.5 py-2.5 text-ink-2 text-ui"
    >
      <Info aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-accent" />
      <p id={NOTICE_ID}>
        <Lines value={value} />
        {reason !== "first" && <span className="block text-ink-3">{words[reason]}</span>}
      </p>
    </section>
  );
}

function Receipts() {
  const [found, setFound] = useState<ShownReceiptBody[] | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    disclosure.receipts().then(
      ({ receipts }) => setFound(receipts),
      () => setFailed(true),
    );
  }, []);
  if (failed) return <p role="status">{words.receiptsFailed}</p>;
  if (found === null) return <p role="status">{strings.loading}</p>;
  if (found.length === 0) return <p>{words.noReceipt}</p>;
  return (
    <ol className="space-y-2">
      {found.map((receipt) => (
        <li key={receipt.seq}>
          <time dateTime={receipt.at} className="block font-medium tabular-nums">
            {words.shownAt(dateTime(receipt.at))}
          </time>
          <code className="break-all font-mono text-fine text-ink-3">
            {String(receipt.body["receipt"] ?? receipt.hash)}
          </code>
        </li>
      ))}
    </ol>
  );
}

/** The line below the box, and the way to its receipt. */
export function DisclosureLine() {
  const { value } = useStore(disclosure.store);
  const { value: person } = useStore(me);
  const [open, setOpen] = useState(false);
  const due = value !== null && value.reason !== null;
  return (
    <div
      id="disclosure-line"
      aria-busy={value === null}
      className="min-h-4.5 pt-2 text-balance text-center text-fine text-ink-3"
    >
      {due ? words.sending : value === null ? person?.disclosure : <Lines value={value} />}
      {value !== null && !due && (
        <button
          type="button"
          onClick={() => setOpen(true)}
          className="reach rounded px-1 underline decoration-line underline-offset-3 hover:text-ink-2 hover:decoration-current"
        >
          {words.receipt}
        </button>
      )}
      {value !== null && (
        <Dialog open={open} onClose={() => setOpen(false)} title={words.label}>
          <div className="space-y-4 text-start text-ui text-wrap leading-relaxed">
            <p className="text-ink-2">
              <Lines value={value} />
            </p>
            <h3 className="font-medium">{words.receiptTitle}</h3>
            <Receipts />
          </div>
        </Dialog>
      )}
    </div>
  );
}

interface DisclosureCardProps {
  onSend: () => void;
  onTakeBack?: (() => void) | undefined;
}

/** In the place of a message that was refused because something has to be read first. */
export function DisclosureCard({ onSend, onTakeBack }: DisclosureCardProps) {
  return (
    <section
      aria-label={words.cardTitle}
      className="frame rounded-xl border border-line bg-surface-2 px-4 py-3 text-ui"
    >
      <p role="alert">
        <span className="block font-medium">{words.cardTitle}</span>
        {words.cardText}
      </p>
      <div className="mt-3 flex flex-wrap gap-2">
        <Button onClick={onSend}>{words.send}</Button>
        {onTakeBack !== undefined && (
          <Button look="quiet" onClick={onTakeBack}>
            {strings.errors.takeBack}
          </Button>
        )}
      </div>
    </section>
  );
}
