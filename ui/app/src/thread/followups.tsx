/** What could be asked next, under the last answer: one press asks it. */
import { CornerDownRight } from "lucide-react";
import type { Conversation } from "../chat/conversation";
import { useStore } from "../kit/store";
import { strings } from "../strings";

export function Followups({ conversation, under }: { conversation: Conversation; under: string }) {
  const { followups } = useStore(conversation.store);
  if (followups.under !== under || followups.questions.length === 0) return null;
  return (
    <ul aria-label={strings.message.followups} className="mt-2 flex flex-col items-start gap-1.5">
      {followups.questions.map((question) => (
        <li key={question} className="max-w-full">
          <button
            type="button"
            onClick={() => void conversation.send(question)}
            className="frame inline-flex min-h-8 max-w-full items-center gap-2 rounded-xl border border-line-strong bg-raised px-3 py-1.5 text-start text-ui transition-colors duration-100 hover:border-ink-3 hover:bg-surface-2 touch:min-h-11"
          >
            <CornerDownRight aria-hidden="true" className="size-3.5 shrink-0 text-ink-3" />
            <span className="[overflow-wrap:anywhere]">{question}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
