/** One conversation on the screen: its messages, its line to the server, its box. */
import { useChat } from "@ai-sdk/react";
import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useStickToBottom } from "use-stick-to-bottom";
import type { Conversation } from "../chat/conversation";
import { sizeOf } from "../chat/transient";
import { type Failure, toFailure } from "../kit/problems";
import { useStore } from "../kit/store";
import { refusedBy } from "../limits";
import { FailureCard } from "../parts/failure-card";
import { strings } from "../strings";
import { Announcer } from "./announcer";
import { Answer, Working } from "./answer";
import { Composer } from "./composer";
import { DisclosureCard, DisclosureLine, DisclosureNotice } from "./disclosure";
import { Empty } from "./empty";
import { useFirstPart } from "./first-part";
import { LineState, StopState } from "./line-state";
import { Older } from "./older";
import { Question } from "./question";
import { Quota } from "./quota";
import { Skeleton, Unavailable } from "./unavailable";

/** Rendering is the bottleneck, not the line: 20 frames of text a second read as smooth. */
const THROTTLE_MS = 50;

/** Messages that are always laid out: more than a screen of them, so that none changes in sight. */
const NEAR = 10;

/** What a limit says stands above the box, in the person's own time. */
function failureOf(error: unknown): Failure {
  const failure = toFailure(error);
  const told = failure.limit === undefined || failure.limit === "turns_at_once";
  return told ? failure : { ...failure, message: strings.limits.refused, retryable: false };
}

export function Thread({ conversation }: { conversation: Conversation }) {
  const state = useStore(conversation.store);
  const { messages, status, error } = useChat({ chat: conversation.chat, throttle: THROTTLE_MS });
  const [editing, setEditing] = useState<string | null>(null);
  const stick = useStickToBottom({
    initial: conversation.isNew ? false : "instant", // a greeting is read from its top
    resize: "instant",
  });
  const scroller = useRef<HTMLElement | null>(null);
  const heightBefore = useRef(0);
  const live = status === "submitted" || status === "streaming";
  const last = messages.at(-1);

  const setScroller = useCallback(
    (element: HTMLElement | null) => {
      scroller.current = element;
      stick.scrollRef(element);
    },
    [stick.scrollRef],
  );

  const keepPlace = () => {
    heightBefore.current = scroller.current?.scrollHeight ?? 0;
  };
  const { shown, whole } = useFirstPart(messages, state.phase === "ready", keepPlace);
  const firstId = shown[0]?.id;
  const loadOlder = () => {
    keepPlace();
    void conversation.loadOlder();
  };
  // Earlier messages grow the page upward; what people read stays where it is.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new first message moves things
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null || heightBefore.current === 0) return;
    element.scrollTop += element.scrollHeight - heightBefore.current;
    heightBefore.current = 0;
  }, [firstId]);

  // A question just asked is always worth seeing, wherever people were reading. Not its id: that
  // changes once the server has stored it, when people may be reading elsewhere.
  const lastQuestion = messages.findLast((message) => message.role === "user")?.id;
  const { scrollToBottom } = stick;
  useEffect(() => {
    if (state.asked !== "") void scrollToBottom({ animation: "instant" });
  }, [state.asked, scrollToBottom]);

  const failure = status === "error" && state.line === "online" ? failureOf(error) : null;
  const limit = failure?.limit;
  useEffect(() => {
    if (limit !== undefined) refusedBy(limit);
  }, [limit]);

  if (state.phase === "missing" || state.phase === "failed") {
    return <Unavailable conversation={conversation} failure={state.loadFailure} />;
  }
  const shownInMessage = last?.parts.some((part) => part.type === "data-error") === true;
  const empty = messages.length === 0;
  const retry = () => void conversation.retry();
  const takeBack = state.unsent ? () => void conversation.takeBack() : undefined;

  return (
    <>
      {conversation.isNew && !empty && <h1 className="sr-only">{strings.list.untitled}</h1>}
      <div className="relative min-h-0 flex-1">
        <section
          ref={setScroller}
          aria-label={strings.thread.log}
          // Opening something grows the page; what people opened has to stay under their eyes.
          onClickCapture={(event) => {
            if ((event.target as Element).closest("[aria-expanded]") !== null) stick.stopScroll();
          }}
          className="thin-scroll h-full overflow-y-auto overflow-x-hidden [overflow-anchor:none] sm:[scrollbar-gutter:stable_both-edges]"
        >
          <div ref={stick.contentRef}>
            {state.phase === "loading" && <Skeleton />}
            {state.phase === "ready" && empty && <Empty conversation={conversation} />}
            {!empty && (
              <div className="mx-auto w-full max-w-column px-4 pt-4 pb-6">
                <Older
                  more={whole && state.older !== null}
                  loading={state.loadingOlder}
                  scroller={scroller}
                  onMore={loadOlder}
                />
                {shown.map((message, at) => {
                  const isLast = message === last;
                  const mine = message.role === "user";
                  return (
                    <article
                      key={message.metadata?.sentAs ?? message.id}
                      className={`known-height -mx-2 px-2 ${mine ? "pt-2 first:pt-0" : "pt-1"} ${at < shown.length - NEAR ? "lazy-layout" : ""}`}
                    >
                      <h2 className="sr-only">
                        {mine ? strings.thread.you : strings.thread.assistant}
                      </h2>
                      {mine ? (
                        <Question
                          message={message}
                          conversation={conversation}
                          live={live}
                          editing={editing === message.id}
                          onEdit={setEditing}
                        />
                      ) : (
                        <Answer
                          message={message}
                          conversation={conversation}
                          live={live && isLast}
                          last={isLast}
                          cut={isLast && state.line !== "online"}
                          status={isLast && sizeOf(message) <= state.statusAt ? state.status : ""}
                          progress={state.progress}
                        />
                      )}
                    </article>
                  );
                })}
                {live && last?.role === "user" && (
                  <div className="pt-1">
                    <Working text={state.status} />
                  </div>
                )}
                {failure !== null && !shownInMessage && (
                  <div className="pt-3">
                    {failure.code === "disclosure_required" ? (
                      <DisclosureCard onSend={retry} onTakeBack={takeBack} />
                    ) : (
                      <FailureCard
                        failure={failure}
                        title={state.unsent ? strings.errors.sendTitle : strings.errors.title}
                        onRetry={retry}
                        onTakeBack={takeBack}
                      />
                    )}
                  </div>
                )}
                <LineState conversation={conversation} />
                <StopState conversation={conversation} />
              </div>
            )}
          </div>
        </section>
        <div
          aria-hidden="true"
          className="fade pointer-events-none absolute inset-x-0 top-0 h-4 bg-linear-to-b from-surface to-transparent"
        />
        <div
          aria-hidden="true"
          className="fade pointer-events-none absolute inset-x-0 bottom-0 h-6 bg-linear-to-t from-surface to-transparent"
        />
        {!stick.isAtBottom && !empty && (
          <button
            type="button"
            onClick={() => void stick.scrollToBottom({ animation: "instant" })}
            className="frame absolute bottom-3 left-1/2 inline-flex min-h-9 -translate-x-1/2 animate-rise items-center gap-1.5 rounded-full border border-line-strong bg-raised px-3.5 font-medium text-ui shadow-pop hover:bg-surface-2 touch:min-h-11"
          >
            <ArrowDown aria-hidden="true" className="size-4" />
            {strings.thread.latest}
          </button>
        )}
      </div>
      <div className="relative mx-auto w-full max-w-column px-4 pb-[max(0.625rem,env(safe-area-inset-bottom))]">
        <Quota />
        <DisclosureNotice />
        <Composer
          conversation={conversation}
          live={live || state.line === "reconnecting"}
          begun={!empty}
          onEditLast={() => setEditing(lastQuestion ?? null)}
        />
        <DisclosureLine />
      </div>
      <Announcer
        live={live}
        failed={failure !== null || shownInMessage}
        last={last}
        status={state.status}
      />
    </>
  );
}
