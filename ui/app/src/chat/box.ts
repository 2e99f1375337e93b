/** What was typed: the draft, what waits for its turn, and what is on its way. Nothing is lost. */
import { drafts } from "../kit/drafts";
import type { Store } from "../kit/store";
import type { ConversationState } from "./conversation-state";
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
    const { draft } = this.store.get();
    const queued = this.takeQueued();
    if (queued !== "") this.set([queued, draft].filter((text) => text !== "").join("\n"));
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
    if (lost !== null && this.store.get().draft === "") this.set(lost);
  }
}
