/** All conversations of this tab, and the word between tabs. */

import { newId } from "../kit/ids";
import { go } from "../kit/router";
import { limits, loadLimits } from "../limits";
import { threads } from "../shell/threads";
import { Conversation, type Listener } from "./conversation";
import { textOf } from "./convert";

const KEPT = 12; // conversations that stay in memory when nothing happens in them

const open = new Map<string, Conversation>();
let fresh: Conversation | null = null;

/** Other tabs of the same person hear that something happened, and look. */
const tabs = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("parlour");

const listener: Listener = {
  accepted(conversation) {
    open.set(conversation.id, conversation);
    if (fresh === conversation) {
      fresh = null;
      go(conversation.id, true);
    }
    const question = conversation.chat.messages.findLast((message) => message.role === "user");
    threads.started(conversation.id, question === undefined ? "" : textOf(question));
    if (!conversation.isNew) tabs?.postMessage(conversation.id);
  },
  finished(conversation) {
    threads.finished(conversation.id);
    if (limits.get().all.length > 0) void loadLimits();
    tabs?.postMessage(conversation.id);
  },
};

function forgetIdle(): void {
  for (const [id, conversation] of open) {
    if (open.size <= KEPT) return;
    if (!conversation.isLive && conversation.store.get().line === "online") open.delete(id);
  }
}

/** The conversation of an address; null is the one that has not begun. */
export function conversationFor(id: string | null): Conversation {
  if (id === null) {
    fresh ??= new Conversation(newId(), true, listener);
    return fresh;
  }
  let conversation = open.get(id);
  if (conversation === undefined) {
    forgetIdle();
    conversation = new Conversation(id, false, listener);
    void conversation.refresh();
  }
  open.delete(id);
  open.set(id, conversation); // newest last, so that the oldest idle ones are forgotten
  return conversation;
}

export function forget(id: string): void {
  open.delete(id);
}

/** Look again when the page comes back into view or another tab did something. */
export function watchOtherTabs(): void {
  tabs?.addEventListener("message", (event: MessageEvent<string>) => {
    void open.get(event.data)?.refresh();
    void threads.refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    const id = [...open.keys()].at(-1);
    if (id !== undefined) void open.get(id)?.refresh();
    void threads.refresh();
  });
}
