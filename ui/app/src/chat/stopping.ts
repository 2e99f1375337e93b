/**
 * Stopping an answer. It has stopped when the server says so: until then the words go on, and the
 * page says why.
 */
import type { Chat } from "@ai-sdk/react";
import { api } from "../kit/api";
import { toFailure } from "../kit/problems";
import type { Store } from "../kit/store";
import type { ConversationState } from "./conversation-state";
import { until } from "./transient";
import type { ChatMessage } from "./types";

const GRACE_MS = 1000; // for the server's closing frames; cutting the line at once would race them

interface Stoppable {
  readonly id: string;
  readonly chat: Chat<ChatMessage>;
  readonly store: Store<ConversationState>;
  readonly isLive: boolean;
  refresh(): Promise<void>;
}

interface Hooks {
  /** Whether the server has the message; before that there is nothing to stop. */
  isAccepted(): boolean;
  /** What was asked last: when it is another one, nobody wants to stop that. */
  request(): object;
  line: { cancel(): void; retry(): Promise<void> };
}

export class Stopping {
  constructor(
    readonly it: Stoppable,
    readonly hooks: Hooks,
  ) {}

  async stop(): Promise<void> {
    const { it } = this;
    const wasCut = it.store.get().line !== "online";
    if (!it.isLive && !wasCut) return;
    it.store.set({ stopping: true });
    if (this.hooks.isAccepted()) await this.#ask(wasCut && !it.isLive);
  }

  /** The server has the message: what was to be stopped before is stopped now. */
  accepted(): void {
    if (this.it.store.get().stopping) void this.#ask(false);
  }

  async #ask(wasCut: boolean): Promise<void> {
    const { it, hooks } = this;
    const request = hooks.request();
    hooks.line.cancel();
    const failure = await api.stop(it.id).then(() => null, toFailure);
    if (hooks.request() !== request) return;
    if (failure === null || failure.status === 404) {
      await until(it.chat, () => !it.isLive, GRACE_MS);
      if (hooks.request() !== request) return;
      if (it.isLive) await it.chat.stop();
      else if (wasCut) await it.refresh();
      it.store.set({ stopping: false, unstopped: "" });
      return;
    }
    const unstopped = failure.code === "stop_pending" ? "pending" : "failed";
    it.store.set({ stopping: false, unstopped: it.isLive || wasCut ? unstopped : "" });
    if (wasCut) void hooks.line.retry();
  }
}
