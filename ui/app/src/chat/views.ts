/**
 * What the server says of a conversation, in the right order: a view is as old as the moment it was
 * asked for, however long it took to come, and never takes the place of something newer.
 */
import { api } from "../kit/api";
import type { ThreadView } from "../wire";

export class Views {
  #asked = 0;
  #shown = 0;

  /** The newest page; null when what is on the screen has become newer meanwhile. */
  async load(thread: string): Promise<ThreadView | null> {
    this.#asked += 1;
    const mine = this.#asked;
    const view = await api.thread(thread);
    if (mine < this.#shown) return null;
    this.#shown = mine;
    return view;
  }

  /** Something newer than all that was asked for is on the screen. */
  outdate(): void {
    this.#asked += 1;
    this.#shown = this.#asked;
  }
}

/** The turn that runs in a conversation. The message knows when it began while the view was read. */
export function runningTurn({ thread, messages }: ThreadView): string | undefined {
  const last = messages.at(-1);
  return thread.running_turn ?? (last?.status === "running" ? last.turn : undefined) ?? undefined;
}

/** Whether the conversation has gone on elsewhere after the message that is the last one here. */
export function hasGoneOn({ messages }: ThreadView, last: string | undefined): boolean {
  const at = messages.findIndex(({ id }) => id === last);
  return at !== -1 && at < messages.length - 1;
}
