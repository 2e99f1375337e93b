/** ‹ 2 / 3 ›: the other versions of an edited question or of an answer made again. */
import { ChevronLeft, ChevronRight } from "lucide-react";
import type { Conversation } from "../chat/conversation";
import type { ChatMessage } from "../chat/types";
import { IconButton } from "../kit/button";
import { toasts } from "../shell/toasts";
import { strings } from "../strings";

interface VersionsProps {
  message: ChatMessage;
  conversation: Conversation;
  live: boolean;
}

export function Versions({ message, conversation, live }: VersionsProps) {
  const versions = message.metadata?.versions ?? [];
  const at = versions.indexOf(message.id);
  if (versions.length < 2 || at === -1) return null;
  const show = (id: string | undefined) => {
    if (id === undefined) return;
    conversation.showVersion(id).catch(() => toasts.show({ text: strings.message.versionFailed }));
  };
  return (
    <div className="flex items-center text-ink-3">
      <IconButton
        small
        icon={ChevronLeft}
        className="rtl:-scale-x-100"
        label={strings.message.previous}
        disabled={live || at === 0}
        onClick={() => show(versions[at - 1])}
      />
      <span className="px-0.5 text-fine tabular-nums">
        <span aria-hidden="true">{strings.message.versionShort(at + 1, versions.length)}</span>
        <span className="sr-only">{strings.message.version(at + 1, versions.length)}</span>
      </span>
      <IconButton
        small
        icon={ChevronRight}
        className="rtl:-scale-x-100"
        label={strings.message.next}
        disabled={live || at === versions.length - 1}
        onClick={() => show(versions[at + 1])}
      />
    </div>
  );
}
