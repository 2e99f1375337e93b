/** The messages before the loaded ones, a page at a time. */
import type { Chat } from "@ai-sdk/react";
import { api } from "../kit/api";
import type { Store } from "../kit/store";
import type { ConversationState } from "./conversation-state";
import { toChatMessage } from "./convert";
import type { ChatMessage } from "./types";

export async function loadOlder(
  thread: string,
  chat: Chat<ChatMessage>,
  store: Store<ConversationState>,
): Promise<void> {
  const { older, loadingOlder } = store.get();
  if (older === null || loadingOlder) return;
  store.set({ loadingOlder: true });
  try {
    const page = await api.messages(thread, older);
    if (store.get().older !== older) return; // another branch is shown meanwhile
    chat.messages = [...page.messages.map(toChatMessage), ...chat.messages];
    store.set({ older: page.next });
  } catch {
    // The button stays and can be pressed again.
  } finally {
    store.set({ loadingOlder: false });
  }
}
