/** Which page of the host a conversation, or one question of it, is about. */
import { AppWindow } from "lucide-react";
import type { Conversation } from "../chat/conversation";
import type { ChatMessage } from "../chat/types";
import { strings } from "../strings";
import type { PageContext } from "../wire";

const nameOf = (page: PageContext) => page.title ?? page.kind?.replaceAll("_", " ") ?? page.url;

/** Under the greeting: what "this" means. */
export function InView({ page }: { page: PageContext }) {
  const name = nameOf(page);
  if (name === undefined) return null;
  return (
    <p className="mt-3 flex max-w-full items-center gap-2 text-ink-2 text-ui">
      <AppWindow aria-hidden="true" className="size-4 shrink-0 text-ink-3" />
      <span className="min-w-0 truncate">
        {strings.inView.now} <span className="font-medium text-ink">{name}</span>
      </span>
    </p>
  );
}

interface AskedFromProps {
  message: ChatMessage;
  conversation: Conversation;
}

/** Over a question that was asked from another page than the one before it. */
export function AskedFrom({ message, conversation }: AskedFromProps) {
  const page = message.metadata?.page;
  const name = page === undefined ? undefined : nameOf(page);
  if (name === undefined) return null;
  const { messages } = conversation.chat;
  const at = messages.findIndex(({ id }) => id === message.id);
  const before = messages.slice(0, Math.max(at, 0)).findLast(({ role }) => role === "user");
  const then = before?.metadata?.page;
  if (then !== undefined && nameOf(then) === name) return null;
  return (
    <p className="mb-1 max-w-[80%] truncate text-fine text-ink-3">
      <span className="sr-only">{strings.inView.asked} </span>
      {name}
    </p>
  );
}
