/** What the assistant did and said: the way there in a quiet voice, then the answer. */
import { Check, Hand, Info, RotateCcw, RotateCw } from "lucide-react";
import { memo, useId, useMemo, useState } from "react";
import { type AnswerView, type Item, isVisiblyWorking, readAnswer } from "../chat/answer";
import type { Conversation } from "../chat/conversation";
import type { Progress } from "../chat/conversation-state";
import type { Decisions } from "../chat/decisions";
import type { ChatMessage } from "../chat/types";
import { IconButton } from "../kit/button";
import { CopyButton } from "../kit/copy-button";
import { ApprovalCard } from "../parts/approval-card";
import { FailureCard } from "../parts/failure-card";
import { Markdown } from "../parts/markdown-lazy";
import { Reasoning } from "../parts/reasoning";
import { Sources } from "../parts/sources";
import { ToolRow } from "../parts/tool-row";
import { WholeResult } from "../parts/whole-result";
import { hasWidget, keptOf, Widget } from "../parts/widget";
import { strings } from "../strings";
import { Details } from "./details";
import { Followups } from "./followups";
import { useSteadyHeight } from "./steady-height";
import { Versions } from "./versions";

interface AnswerProps {
  message: ChatMessage;
  conversation: Conversation;
  live: boolean;
  last: boolean;
  /** The line is cut and being mended: the answer goes on elsewhere, so nothing is offered yet. */
  cut: boolean;
  status: string;
  progress: Record<string, Progress>;
}

interface ItemViewProps {
  item: Item;
  thread: string;
  progress: Record<string, Progress>;
  decisions: Decisions;
}

function ItemView({ item, thread, progress, decisions }: ItemViewProps) {
  switch (item.kind) {
    case "reasoning":
      return <Reasoning text={item.text} live={item.live} elapsedMs={item.elapsedMs} />;
    case "text":
      if (item.withdrawn) {
        return <p className="border-line border-s-2 ps-3 text-ink-2 text-ui italic">{item.text}</p>;
      }
      return <Markdown text={item.text} live={item.live} quiet={!item.final} />;
    case "tool":
      if (item.tool.state === "approval")
        return <ApprovalCard tool={item.tool} decisions={decisions} />;
      return (
        <>
          <ToolRow tool={item.tool} progress={progress[item.tool.id]} />
          {(hasWidget(item.tool.widget) || keptOf(item.tool.widget) !== "") && (
            <div className="space-y-2.5 pt-1.5 pb-1">
              <WholeResult widget={item.tool.widget} thread={thread} />
            </div>
          )}
        </>
      );
    case "widget":
      return <Widget widget={item.widget} />;
    case "notice":
      return (
        <p className="flex items-start gap-2 text-ink-2 text-ui">
          <Info aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-ink-3" />
          {item.text}
        </p>
      );
    case "restart":
      return (
        <p className="flex items-center gap-2 text-ink-3 text-ui">
          <RotateCw aria-hidden="true" className="size-3.5 shrink-0" />
          {strings.message.restarted}
        </p>
      );
  }
}

/** The answer stands apart from the work before it; rows of work stand close together. */
function gapBefore(item: Item, before: Item | undefined): string {
  if (before === undefined) return "";
  const isRow = ({ kind }: Item) => kind === "tool" || kind === "reasoning";
  if (item.kind === "text" && item.final) return before.kind === "text" ? "" : "!mt-4";
  return isRow(item) && isRow(before) ? "!mt-1" : "";
}

/** Why the text ends where it ends, when it is not simply complete. */
function endingOf(message: ChatMessage, view: AnswerView, live: boolean): string {
  if (live || view.failure !== null) return "";
  const { stopped, status, finishReason } = message.metadata ?? {};
  if (stopped === true || status === "stopped") return strings.message.stopped;
  if (finishReason === "length") return strings.message.length;
  if (finishReason === "content-filter" || finishReason === "content_filter") {
    return strings.message.filtered;
  }
  return "";
}

export function Working({ text }: { text: string }) {
  return (
    <p className="flex min-h-7 items-center gap-2 text-ui">
      <span aria-hidden="true" className="relative flex size-2">
        <span className="absolute inset-0 animate-ping rounded-full bg-accent opacity-40" />
        <span className="dot size-2 rounded-full bg-accent" />
      </span>
      <span className="shimmer">{text === "" ? strings.work.thinking : text}</span>
    </p>
  );
}

function Actions({ message, conversation, live, last, view }: AnswerProps & { view: AnswerView }) {
  const [open, setOpen] = useState(false);
  const details = useId();
  return (
    <>
      <div className="-ms-1.5 mt-1.5 flex h-7 items-center touch:-ms-3.5 touch:h-11">
        <div
          role="toolbar"
          aria-label={strings.message.actions}
          className={`flex items-center transition-opacity duration-100 ${last || open ? "" : "opacity-0 focus-within:opacity-100 group-hover/message:opacity-100 touch:opacity-100"}`}
        >
          {view.markdown !== "" && (
            <CopyButton label={strings.message.copy} text={() => view.markdown} />
          )}
          <IconButton
            small
            icon={RotateCcw}
            label={strings.message.regenerate}
            onClick={() => void conversation.regenerate(message.id)}
          />
          <IconButton
            small
            icon={Info}
            label={strings.message.details}
            aria-expanded={open}
            aria-controls={details}
            onClick={() => setOpen(!open)}
          />
        </div>
        <Versions message={message} conversation={conversation} live={live} />
      </div>
      <div id={details} hidden={!open} className="pb-3">
        {open && <Details metadata={message.metadata ?? {}} />}
      </div>
    </>
  );
}

export const Answer = memo(function Answer(props: AnswerProps) {
  const { message, conversation, live, last, cut, status, progress } = props;
  const view = useMemo(() => readAnswer(message, live), [message, live]);
  const ending = endingOf(message, view, live);
  const withdrawn = view.items.some((item) => item.kind === "text" && item.withdrawn);
  const steady = useSteadyHeight(withdrawn, live);
  return (
    <div className="group/message">
      <div ref={steady.box} style={steady.style} className="space-y-2.5">
        {view.items.map((item, at) => (
          <div key={item.key} className={gapBefore(item, view.items[at - 1])}>
            <ItemView
              item={item}
              thread={conversation.id}
              progress={progress}
              decisions={conversation.decisions}
            />
          </div>
        ))}
        {live && (status !== "" || !isVisiblyWorking(view)) && <Working text={status} />}
        {view.sources.length > 0 && <Sources sources={view.sources} />}
        {ending !== "" && (
          <p className="flex items-center gap-1.5 text-ink-3 text-ui">
            {ending === strings.message.stopped ? (
              <Hand aria-hidden="true" className="size-3.5" />
            ) : (
              <Check aria-hidden="true" className="size-3.5" />
            )}
            {ending}
          </p>
        )}
        {view.failure !== null && !live && (
          <FailureCard
            failure={view.failure}
            onRetry={last ? () => void conversation.regenerate(message.id) : undefined}
          />
        )}
      </div>
      {!live && !cut && <Actions {...props} view={view} />}
      {!live && !cut && last && <Followups conversation={conversation} under={message.id} />}
    </div>
  );
});
