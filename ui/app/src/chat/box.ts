/** What was typed: the draft, what waits for its turn, and what is on its way. Nothing is lost. */
import type { Chat } from "@ai-sdk/react";
import { drafts } from "../kit/drafts";
import type { Failure } from "../kit/problems";
import type { Store } from "../kit/store";
import type { ConversationState } from "./conversation-state";
import { textOf } from "./convert";
import type { Loaded } from "./reconnect";
import type { ChatMessage } from "./types";
import { unsent } from "./unsent";

export class Box {
  constructor(
    readonly store: Store<ConversationState>,
    readonly key: () => string,
  ) {
    this.store.set({ draft: drafts.get(key()) });
  }

  set(draft: string): void {
    this.store.set({ draft });
    drafts.set(this.key(), draft);
  }

  /** Behind the answer that is being made; several become one message. */
  queue(words: string): void {
    const { queued } = this.store.get();
    this.store.set({ queued: queued === "" ? words : `${queued}\n${words}` });
    this.set("");
  }

  /** What waited, which now goes on its way. */
  takeQueued(): string {
    const { queued } = this.store.get();
    this.store.set({ queued: "" });
    return queued;
  }

  /** What waited comes back in front of what is typed. */
  unqueue(): void {
    this.#putBack(this.takeQueued());
  }

  /** A message that was not sent comes back, unless it is `but`. False: there is none. */
  takeBack(chat: Chat<ChatMessage>, but = ""): boolean {
    const words = chat.lastMessage?.id === but ? "" : this.#withdraw(chat);
    this.#putBack(words);
    return words !== "";
  }

  /** What the server did not take before goes first, in one message with these words. */
  withUnsent(chat: Chat<ChatMessage>, words: string): string {
    const unsent = this.#withdraw(chat);
    return unsent === "" ? words : `${unsent}\n${words}`;
  }

  /** The conversation could not be had: one that is on the screen stays there. */
  notLoaded(failure: Failure): Loaded {
    const missing = failure.status === 404;
    if (this.store.get().phase === "ready" && !missing) return "failed";
    this.store.set({ phase: missing ? "missing" : "failed", loadFailure: failure });
    this.unqueue();
    return "whole";
  }

  sent(id: string, text: string): void {
    unsent.keep(this.key(), id, text);
    this.store.set({ asked: id });
  }

  arrived(): void {
    unsent.clear(this.key());
  }

  /** A message that a crash or a reload kept from arriving is in the box again. */
  restore(messages: ChatMessage[]): void {
    const lost = unsent.take(this.key(), messages);
    if (lost !== null) this.#putBack(lost);
  }

  /** Take a message that was not sent off the screen: its words, or none. */
  #withdraw(chat: Chat<ChatMessage>): string {
    const last = chat.lastMessage;
    if (!this.store.get().unsent || last?.role !== "user") return "";
    this.arrived();
    chat.messages = chat.messages.slice(0, -1);
    chat.clearError();
    this.store.set({ unsent: false });
    return textOf(last);
  }

  /** In front of what was typed meanwhile. */
  #putBack(text: string): void {
    if (text === "") return;
    const { draft } = this.store.get();
    this.set(draft === "" ? text : `${text}\n${draft}`);
  }
}
