/**
 * One conversation, alive outside React: its chat, its history, its line to the server. Looking at
 * another conversation does not end this one.
 */
import { Chat } from "@ai-sdk/react";
import { api } from "../kit/api";
import { drafts } from "../kit/drafts";
import { newId } from "../kit/ids";
import { toFailure } from "../kit/problems";
import { createStore } from "../kit/store";
import type { ThreadView } from "../wire";
import { Box } from "./box";
import { initialState } from "./conversation-state";
import { askedNow, mergeStored, textOf, toChatMessage, withQuestionId } from "./convert";
import { Decisions } from "./decisions";
import { settled } from "./followups";
import { type Ending, reconnector } from "./reconnect";
import { hearData, until } from "./transient";
import { chatTransport } from "./transport";
import type { ChatMessage } from "./types";

const STOP_GRACE_MS = 1000; // the server's closing frames come first; see stop()

export interface Listener {
  accepted(conversation: Conversation): void;
  finished(conversation: Conversation): void;
}

export class Conversation {
  readonly chat: Chat<ChatMessage>;
  readonly store = createStore(initialState);
  readonly box: Box;
  readonly decisions = new Decisions(this);
  /** What was asked last. `target` is the message it replaces; a retry has to name it again. */
  #request: { kind: "submit" | "regenerate"; target: string | null } = {
    kind: "submit",
    target: null,
  };
  #accepted = true;
  #isNew: boolean;
  readonly #line: ReturnType<typeof reconnector>;

  constructor(
    readonly id: string,
    isNew: boolean,
    readonly listener: Listener,
  ) {
    this.#isNew = isNew;
    // The draft of the not yet begun conversation has no thread id.
    this.box = new Box(this.store, () => (this.#isNew ? drafts.fresh : id));
    this.store.set({ phase: isNew ? "ready" : "loading" });
    this.#line = reconnector({
      resume: () => this.chat.resumeStream(),
      refetch: () => this.refresh(),
      isIdle: () => this.chat.status === "ready",
      notify: (line) => this.store.set({ line }),
    });
    this.chat = new Chat<ChatMessage>({
      id,
      generateId: newId,
      transport: chatTransport({
        target: () => this.#request.target,
        accepted: () => this.#onAccepted(),
      }),
      onData: (part) => hearData(this.store, this.chat, part),
      onFinish: (ending) => this.#onFinish(ending),
    });
    if (isNew) this.box.restore(this.chat.messages);
  }

  get isNew(): boolean {
    return this.#isNew;
  }

  get isLive(): boolean {
    return this.chat.status === "submitted" || this.chat.status === "streaming";
  }

  /** Load the newest page and join the answer that is being made, if there is one. */
  async refresh(): Promise<void> {
    if (this.#isNew || this.isLive) return;
    try {
      const view = await api.thread(this.id);
      if (this.isLive) return;
      this.#show(view);
      if (!view.thread.running_turn) return;
      this.#accepted = true;
      void this.#line.join();
    } catch (error) {
      const failure = toFailure(error);
      if (this.store.get().phase === "ready" && failure.status !== 404) return;
      this.store.set({
        phase: failure.status === 404 ? "missing" : "failed",
        loadFailure: failure,
      });
    }
  }

  async send(text: string): Promise<void> {
    const words = text.trim();
    if (words === "") return;
    if (this.isLive) return this.box.queue(words);
    this.box.set("");
    await this.#push(words, null);
  }

  async edit(messageId: string, text: string): Promise<void> {
    const at = this.chat.messages.findIndex((message) => message.id === messageId);
    const words = text.trim();
    if (at === -1 || words === "" || this.isLive) return;
    this.chat.messages = this.chat.messages.slice(0, at);
    await this.#push(words, messageId);
  }

  async regenerate(messageId: string): Promise<void> {
    if (this.isLive) return;
    this.#begin("regenerate", messageId);
    await this.chat.regenerate({ messageId });
  }

  /** Ask again after a failure: the same request when it never arrived, else a new answer. */
  async retry(): Promise<void> {
    const last = this.chat.messages.at(-1);
    if (last === undefined || this.isLive) return;
    if (last.role === "assistant") return this.regenerate(last.id);
    const { kind, target } = this.#request;
    this.#begin(kind, target);
    if (kind === "regenerate") await this.chat.regenerate({ messageId: last.id });
    else await this.chat.sendMessage();
  }

  /** Put a message that was not sent back into the box, and show the conversation as it was. */
  async takeBack(): Promise<void> {
    const last = this.chat.messages.at(-1);
    if (last?.role !== "user") return;
    this.box.set(textOf(last));
    this.box.arrived();
    this.chat.messages = this.chat.messages.slice(0, -1);
    this.chat.clearError();
    this.store.set({ unsent: false });
    await this.refresh();
  }

  /**
   * Stop the answer. The server closes the stream in good order; cutting it here at once would race
   * those frames and lose the mark "stopped".
   */
  async stop(): Promise<void> {
    const wasCut = this.store.get().line !== "online";
    if (!this.isLive && !wasCut) return;
    this.store.set({ stopping: true });
    this.#line.cancel();
    await api.stop(this.id).catch(() => undefined);
    await until(this.chat, () => !this.isLive, STOP_GRACE_MS);
    if (this.isLive) await this.chat.stop();
    else if (wasCut) await this.refresh();
    this.store.set({ stopping: false });
  }

  reconnect(): void {
    void this.#line.retry();
  }

  async loadOlder(): Promise<void> {
    const { older, loadingOlder } = this.store.get();
    if (older === null || loadingOlder) return;
    this.store.set({ loadingOlder: true });
    try {
      const page = await api.messages(this.id, older);
      this.chat.messages = [...page.messages.map(toChatMessage), ...this.chat.messages];
      this.store.set({ older: page.next });
    } catch {
      // The button stays and can be pressed again.
    } finally {
      this.store.set({ loadingOlder: false });
    }
  }

  async showVersion(messageId: string): Promise<void> {
    if (this.isLive) return;
    this.#show(await api.version(this.id, messageId));
  }

  #show(view: ThreadView): void {
    this.chat.clearError();
    this.chat.messages = view.messages.map(toChatMessage);
    this.store.set({
      phase: "ready",
      title: view.thread.title,
      older: view.next,
      loadFailure: null,
      unsent: false,
      masked: view.masked ?? [],
    });
    this.box.restore(this.chat.messages);
  }

  #begin(kind: "submit" | "regenerate", target: string | null): void {
    this.#request = { kind, target };
    this.#accepted = false;
    this.store.set({ status: "", progress: {}, unsent: false, line: "online" });
  }

  async #push(text: string, target: string | null): Promise<void> {
    const id = newId();
    this.#begin("submit", target);
    this.box.sent(id, text);
    await this.chat.sendMessage({
      id,
      parts: [{ type: "text", text }],
      metadata: askedNow(),
    });
  }

  #onAccepted(): void {
    this.#accepted = true;
    this.box.arrived();
    this.#isNew = false;
    this.listener.accepted(this);
  }

  #onFinish(ending: Ending & { message: ChatMessage }): void {
    this.store.set({ status: "", progress: {} });
    if (!this.#accepted) {
      this.store.set({ unsent: this.#request.kind === "submit" });
      this.box.unqueue();
      return;
    }
    if (this.#line.ended(ending)) return;
    this.chat.messages = withQuestionId(this.chat.messages, ending.message);
    this.listener.finished(this);
    if (ending.isError || ending.isAbort || ending.finishReason === "interrupted")
      this.box.unqueue();
    void this.#settle();
  }

  /** After a turn: learn versions and the kept error, then send what waited. */
  async #settle(): Promise<void> {
    const queued = this.box.takeQueued();
    if (queued !== "") {
      // The chat still counts as busy inside its own callback.
      await until(this.chat, () => !this.isLive, STOP_GRACE_MS);
      return this.#push(queued, null);
    }
    const view = await api.thread(this.id).catch(() => null);
    if (view === null || this.isLive) return;
    this.chat.messages = mergeStored(this.chat.messages, view.messages);
    await settled(this, view);
  }
}
