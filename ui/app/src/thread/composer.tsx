/** The box at the bottom: grows with the words, keeps the draft, sends or stops from one place. */
import { ArrowUp, LoaderCircle, Square, Undo2 } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useRef } from "react";
import type { Conversation } from "../chat/conversation";
import { isComposing } from "../kit/composing";
import { isTouch } from "../kit/media";
import { useStore } from "../kit/store";
import { blocking, limits } from "../limits";
import { me } from "../me";
import { strings } from "../strings";
import { NOTICE_ID } from "./disclosure";
import { QUOTA_ID } from "./quota";

const DEFAULT_CHARS_MAX = 32_000; // until the server has said its own limit

interface ComposerProps {
  conversation: Conversation;
  live: boolean;
  begun: boolean;
  /** The arrow up in an empty box. */
  onEditLast: () => void;
}

const round =
  "grid size-9 shrink-0 place-items-center rounded-full transition-colors duration-100 touch:size-11";

function Queued({ text, why, onUndo }: { text: string; why: string; onUndo: () => void }) {
  return (
    <div className="mx-3 flex items-start gap-2 border-line border-b py-2 text-ui">
      <p className="line-clamp-2 flex-1 text-ink-2">
        <span className="text-ink-3">{why}: </span>
        {text}
      </p>
      <button
        type="button"
        onClick={onUndo}
        className="inline-flex min-h-6 items-center gap-1 rounded px-1 font-medium text-accent touch:min-h-11"
      >
        <Undo2 aria-hidden="true" className="size-3.5" />
        {strings.composer.unqueue}
      </button>
    </div>
  );
}

export function Composer({ conversation, live, begun, onEditLast }: ComposerProps) {
  const { draft, queued, stopping, phase } = useStore(conversation.store);
  const { value } = useStore(me);
  const box = useRef<HTMLTextAreaElement>(null);
  const hint = useId();
  const limit = value?.limits.message_chars_max ?? DEFAULT_CHARS_MAX;
  const over = draft.length - limit;
  const empty = draft.trim() === "";
  const usual = begun ? strings.composer.placeholderAgain : strings.composer.placeholder;
  const off = blocking(useStore(limits)) !== undefined;
  const sendable = !empty && over <= 0 && !off;

  useEffect(() => {
    // On a phone the keyboard would cover half of what people came to read.
    if (conversation.id !== "" && !isTouch()) box.current?.focus({ preventScroll: true });
  }, [conversation]);

  const send = () => {
    if (sendable) void conversation.send(draft);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (isComposing(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
    }
    if (event.key === "ArrowUp" && draft === "" && begun && !live) {
      event.preventDefault();
      onEditLast();
    }
  };

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      className="frame rounded-[1.375rem] border border-line-strong bg-raised shadow-box transition-[border-color,box-shadow] duration-150 focus-within:border-accent focus-within:ring-3 focus-within:ring-accent/15"
    >
      {queued !== "" && (
        <Queued
          text={queued}
          why={phase === "loading" ? strings.composer.queuedLoading : strings.composer.queued}
          onUndo={() => conversation.box.unqueue()}
        />
      )}
      <div className="flex items-end gap-2 p-1.5">
        <textarea
          ref={box}
          id="message-box"
          rows={1}
          value={draft}
          aria-label={strings.composer.label}
          aria-describedby={`${NOTICE_ID} ${off ? QUOTA_ID : hint}`}
          disabled={off && empty}
          aria-invalid={over > 0}
          placeholder={off ? strings.limits.placeholder : usual}
          enterKeyHint="send"
          autoComplete="off"
          onChange={(event) => conversation.box.set(event.target.value)}
          onKeyDown={onKeyDown}
          className="thin-scroll field-sizing-content max-h-[13.25rem] min-h-9 flex-1 resize-none bg-transparent px-3 py-1.5 text-base leading-6 outline-none touch:min-h-11 touch:py-2.5"
        />
        {over > 0 && (
          <output className="self-center whitespace-nowrap text-danger text-fine">
            {strings.composer.tooLong(over)}
          </output>
        )}
        {live && empty ? (
          <button
            type="button"
            aria-label={stopping ? strings.composer.stopping : strings.composer.stop}
            data-hint={strings.composer.stop}
            onClick={() => void conversation.stop()}
            className={`${round} bg-ink text-surface hover:bg-ink-2`}
          >
            {stopping ? (
              <LoaderCircle aria-hidden="true" className="size-4 animate-spin-calm" />
            ) : (
              <Square aria-hidden="true" className="size-3.5 fill-current" />
            )}
          </button>
        ) : (
          <button
            type="submit"
            aria-label={strings.composer.send}
            data-hint={strings.composer.send}
            disabled={!sendable}
            className={`${round} bg-accent text-on-accent hover:bg-accent-strong disabled:bg-surface-3 disabled:text-ink-3`}
          >
            <ArrowUp aria-hidden="true" className="size-5" strokeWidth={2} />
          </button>
        )}
      </div>
      <span id={hint} className="sr-only">
        {strings.composer.hint}
      </span>
    </form>
  );
}
