/** What the person said: a bubble on the far side, which can be edited in place. */
import { Pencil } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { Conversation } from "../chat/conversation";
import { textOf } from "../chat/convert";
import type { ChatMessage } from "../chat/types";
import { Button, IconButton } from "../kit/button";
import { isComposing } from "../kit/composing";
import { CopyButton } from "../kit/copy-button";
import { useStore } from "../kit/store";
import { Masked } from "../parts/masked";
import { strings } from "../strings";
import { AskedFrom } from "./in-view";
import { Versions } from "./versions";

interface EditorProps {
  text: string;
  onCancel: () => void;
  onSave: (text: string) => void;
}

function Editor({ text, onCancel, onSave }: EditorProps) {
  const [draft, setDraft] = useState(text);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(text.length, text.length);
  }, [text.length]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (isComposing(event)) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      onCancel();
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (draft.trim() !== "") onSave(draft);
    }
  };
  return (
    <div className="frame ms-auto w-full max-w-[85%] rounded-[1.25rem] border border-accent bg-raised p-3 ring-1 ring-accent max-sm:max-w-full">
      <textarea
        ref={box}
        value={draft}
        aria-label={strings.message.editLabel}
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={onKeyDown}
        className="thin-scroll field-sizing-content max-h-80 w-full resize-none bg-transparent px-1 text-answer outline-none"
      />
      <div className="mt-2 flex flex-wrap items-center justify-end gap-2">
        <p className="me-auto px-1 text-fine text-ink-3">{strings.message.editHint}</p>
        <Button look="quiet" onClick={onCancel}>
          {strings.cancel}
        </Button>
        <Button look="main" disabled={draft.trim() === ""} onClick={() => onSave(draft)}>
          {strings.message.editSend}
        </Button>
      </div>
    </div>
  );
}

interface QuestionProps {
  message: ChatMessage;
  conversation: Conversation;
  live: boolean;
  editing: boolean;
  onEdit: (id: string | null) => void;
}

export function Question({ message, conversation, live, editing, onEdit }: QuestionProps) {
  const text = textOf(message);
  const { masked } = useStore(conversation.store);
  if (editing && !live) {
    const leave = () => {
      onEdit(null);
      document.getElementById("message-box")?.focus();
    };
    return (
      <Editor
        text={text}
        onCancel={leave}
        onSave={(changed) => {
          leave();
          void conversation.edit(message.id, changed);
        }}
      />
    );
  }
  return (
    <div className="group/message flex flex-col items-end">
      <AskedFrom message={message} conversation={conversation} />
      <div
        dir="auto"
        className="frame max-w-[80%] whitespace-pre-wrap rounded-[1.25rem] rounded-ee-md border border-transparent bg-bubble px-4 py-2.5 text-answer [overflow-wrap:anywhere]"
      >
        <Masked text={text} values={masked} />
      </div>
      <div className="-mb-1.5 mt-0.5 flex h-7 items-center touch:-me-3 touch:mb-0 touch:h-11">
        <div
          role="toolbar"
          aria-label={strings.message.actions}
          className="flex items-center opacity-0 transition-opacity duration-100 focus-within:opacity-100 group-hover/message:opacity-100 touch:opacity-100"
        >
          <CopyButton label={strings.message.copyQuestion} text={() => text} />
          <IconButton
            small
            icon={Pencil}
            label={strings.message.edit}
            disabled={live}
            onClick={() => onEdit(message.id)}
          />
        </div>
        <Versions message={message} conversation={conversation} live={live} />
      </div>
    </div>
  );
}
