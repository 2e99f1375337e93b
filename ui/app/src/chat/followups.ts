/**
 * When an answer has ended: its title and what is hidden in it, then the questions to ask next, which
 * the server makes after the answer.
 */
import { api } from "../kit/api";
import { me } from "../me";
import type { ThreadView } from "../wire";
import type { Conversation } from "./conversation";
import { addMasked } from "./transient";

export async function settled(conversation: Conversation, view: ThreadView): Promise<void> {
  conversation.store.set({ title: view.thread.title });
  addMasked(conversation.store, view.masked ?? []);
  const last = conversation.chat.lastMessage;
  const turn = last?.metadata?.turnId;
  if (me.get().value?.followups !== true || last?.role !== "assistant" || turn === undefined)
    return;
  const made = await api.followups(conversation.id, turn).catch(() => null);
  // People may have gone on meanwhile: then nobody waits for these any more.
  if (made === null || conversation.isLive || conversation.chat.lastMessage?.id !== last.id) return;
  conversation.store.set({
    title: made.title,
    followups: { under: last.id, questions: made.questions },
  });
}
