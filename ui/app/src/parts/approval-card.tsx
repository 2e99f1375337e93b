/**
 * A tool call that waits for a person: what, on what, as whom, whether it can be undone, why it asks,
 * until when, and exactly what would be sent. Two plain verbs, the safe one first.
 */
import { Check, CircleSlash, LoaderCircle, ShieldQuestion } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import type { ToolView } from "../chat/answer";
import type { Decision, Decisions } from "../chat/decisions";
import { Button } from "../kit/button";
import { clock, whenAgain } from "../kit/format";
import { prettyJson, visible } from "../kit/json";
import { useStore } from "../kit/store";
import { strings } from "../strings";
import { DataBlock } from "./code-block";

const TICK_MS = 5000;
const words = strings.approval;
const text = (value: unknown) => (typeof value === "string" ? value : "");

/** Seconds that are left; null when it does not expire. */
function useLeft(expiresAt: string, onExpired: () => void): number | null {
  const end = new Date(expiresAt).getTime();
  const [now, setNow] = useState(Date.now);
  const expired = useRef(onExpired);
  expired.current = onExpired;
  useEffect(() => {
    if (Number.isNaN(end)) return;
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    const wait = end - Date.now();
    // Timers beyond 24 days run at once; nothing waits so long.
    const last = setTimeout(() => {
      setNow(Date.now());
      expired.current();
    }, Math.max(0, wait) + 500);
    return () => {
      clearInterval(timer);
      clearTimeout(last);
    };
  }, [end]);
  return Number.isNaN(end) ? null : Math.max(0, Math.round((end - now) / 1000));
}

function Fact({ name, children }: { name: string; children: string }) {
  return (
    <div className="flex flex-wrap gap-x-2">
      <dt className="w-24 shrink-0 text-ink-3">{name}</dt>
      <dd className="min-w-0 flex-1 basis-48 [overflow-wrap:anywhere]">{children}</dd>
    </div>
  );
}

/** Where the keyboard goes on when the buttons are gone; a phone would only open its keys. */
const goOn = () => {
  if (matchMedia("(hover: hover)").matches) document.getElementById("message-box")?.focus();
};

interface ApprovalCardProps {
  tool: ToolView;
  decisions: Decisions;
}

export function ApprovalCard({ tool, decisions }: ApprovalCardProps) {
  const { decided, sending, failure } = useStore(decisions.store);
  const title = useId();
  const { id, descriptor } = tool.approval ?? { id: "", descriptor: {} };
  useEffect(() => (id === "" ? undefined : decisions.watch(id)), [decisions, id]);
  const expiresAt = text(descriptor["expiresAt"]);
  const left = useLeft(expiresAt, () => void decisions.look());
  if (tool.approval === undefined) return null;

  const mine = decided[id];
  const over = left === 0;
  const server = text(descriptor["server"]);
  const reason = words.reasons[text(descriptor["reason"])] ?? "";
  const decide = (decision: Decision) => {
    goOn();
    void decisions.decide(id, decision);
  };
  return (
    <section
      aria-labelledby={title}
      data-approval={id}
      className="frame rounded-xl border border-line-strong bg-raised p-4 text-ui shadow-box"
    >
      <p className="flex items-center gap-2 font-medium text-ink-2">
        <ShieldQuestion aria-hidden="true" className="size-4 text-accent" />
        {words.title}
      </p>
      <h3 id={title} className="mt-1.5 font-medium text-[0.9375rem] [overflow-wrap:anywhere]">
        {words.what(visible(tool.title), visible(server))}
      </h3>
      {reason !== "" && <p className="mt-1 text-ink-2">{reason}</p>}
      <dl className="mt-3 space-y-1">
        <Fact name={words.asName}>{visible(text(descriptor["actsAs"]))}</Fact>
        <Fact name={words.undoName}>
          {descriptor["undoable"] === true ? words.undoable : words.final}
        </Fact>
        {left !== null && (
          <Fact name={words.expiresName}>
            {over
              ? words.expired
              : words.expires(clock(expiresAt, !whenAgain(expiresAt, new Date())), left)}
          </Fact>
        )}
      </dl>
      <h4 className="mt-3 mb-1 font-medium text-fine text-ink-3">
        {words.arguments(visible(text(descriptor["tool"]) || tool.name))}
      </h4>
      <DataBlock text={visible(prettyJson(descriptor["arguments"] ?? tool.input))} />
      {failure !== null && (
        <p role="alert" className="mt-3 text-danger">
          {failure.message || strings.errors.advice["network"]}
        </p>
      )}
      {mine === undefined ? (
        <div className="mt-3 flex flex-wrap items-center gap-2 max-sm:flex-col max-sm:items-stretch">
          <Button
            className="max-sm:justify-center"
            disabled={over || sending !== ""}
            onClick={() => decide("decline")}
          >
            <CircleSlash aria-hidden="true" className="size-3.75" />
            {words.decline}
          </Button>
          <Button
            look="main"
            className="max-sm:justify-center"
            disabled={over || sending !== ""}
            onClick={() => decide("approve")}
          >
            <Check aria-hidden="true" className="size-3.75" />
            {words.allow}
          </Button>
          {sending === id && (
            <LoaderCircle aria-hidden="true" className="size-4 animate-spin-calm text-accent" />
          )}
        </div>
      ) : (
        <p role="status" className="mt-3 flex items-center gap-1.5 font-medium text-ink-2">
          {mine === "approve" ? words.allowed : words.declined}
        </p>
      )}
      {mine === undefined && <p className="mt-2 text-fine text-ink-3">{words.aside}</p>}
    </section>
  );
}
