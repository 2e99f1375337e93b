/** What a stream says in passing: a status in words, how far a tool is. It is not kept. */
import type { Chat } from "@ai-sdk/react";
import type { Store } from "../kit/store";
import type { ConversationState } from "./conversation-state";
import type { ChatMessage, DataTypes } from "./types";

/** How much of an answer there is to see: it grows with each word, each tool and each result. */
export const sizeOf = ({ parts }: ChatMessage): number =>
  parts.reduce((size, part) => {
    const words = "text" in part ? part.text.length : 0;
    const over = "state" in part && String(part.state).startsWith("output-") ? 1 : 0;
    return size + 1 + words + over;
  }, 0);

/** Remember values that are hidden from the model, so that the page can mark them. */
export function addMasked(store: Store<ConversationState>, values: string[]): void {
  store.set(({ masked }) => ({ masked: [...new Set([...masked, ...values])] }));
}

export function hearData(
  store: Store<ConversationState>,
  chat: Chat<ChatMessage>,
  part: { type: string; data: unknown },
): void {
  if (part.type === "data-status") {
    const last = chat.lastMessage;
    const statusAt = last?.role === "assistant" ? sizeOf(last) : 0;
    store.set({ status: (part.data as DataTypes["status"]).text, statusAt });
  }
  if (part.type === "data-notice") {
    const { kind, text } = part.data as DataTypes["notice"];
    if (kind === "masked") addMasked(store, text.split("\n"));
  }
  if (part.type === "data-progress") {
    const { call_id, callId, done, total, text } = part.data as DataTypes["progress"];
    const progress = { done, total: total ?? 0, text: text ?? "" };
    const id = call_id ?? callId ?? "";
    store.set((state) => ({ progress: { ...state.progress, [id]: progress }, status: "" }));
  }
}

/** Words that come are a line that works, whoever still waits for the end of them. */
export function watchLine(store: Store<ConversationState>, chat: Chat<ChatMessage>): void {
  chat["~registerStatusCallback"](() => {
    if (chat.status === "streaming") store.set({ line: "online" });
  });
}

/** Wait for a condition of the chat, at most `limitMs`. */
export function until(
  chat: Chat<ChatMessage>,
  condition: () => boolean,
  limitMs: number,
): Promise<void> {
  if (condition()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      release();
      resolve();
    };
    const timer = setTimeout(done, limitMs);
    const release = chat["~registerStatusCallback"](() => condition() && done());
  });
}
