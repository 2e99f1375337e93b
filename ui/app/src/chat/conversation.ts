/**
 * One conversation, alive outside React: its chat, its history, its line to the server. Looking at
 * another conversation does not end this one.
 */
import { Chat } from "@ai-sdk/react";
import { lastAssistantMessageIsCompleteWithApprovalResponses } from "ai";
import { api } from "../kit/api";
import { drafts } from "../kit/drafts";
import { newId } from "../kit/ids";
import { type Failure, toFailure } from "../kit/problems";
import { createStore } from "../kit/store";
import type { ThreadView } from "../wire";
import { mergeStored, textOf, toChatMessage } from "./convert";
import { type Line, reconnector } from "./reconnect";
import { chatTransport } from "./transport";
import type { ChatMessage } from "./types";
import { unsent } from "./unsent";

const STOP_GRACE_MS = 1000; // the server's closing frames come first; see stop()

export interface Progress {
  done: number;
  total: number;
  text: string;
}

export interface ConversationState {
  phase: "loading" | "ready" | "missing" | "failed";
  title: string;
  loadFailure: Failure | null;
  /** Where the messages before the loaded ones begin; null when all are loaded. */
  older: string | null;
  loadingOlder: boolean;
  status: string;
  /** How many parts the answer had when the status came; with more parts it is old news. */
  statusAt: number;
  progress: Record<string, Progress>;
  line: Line;
  stopping: boolean;
  draft: string;
  queued: string;
  /** The last request never reached the server, so its message is only here. */
  unsent: boolean;
}

export interface Listener {
  accepted(conversation: Conversation): void;
  finished(conversation: Conversation): void;
}

export class Conversation {
  readonly chat: Chat<ChatMessage>;
  readonly store = createStore<ConversationState>({
    phase: "ready",
    title: "",
    loadFailure: null,
    older: null,
    loadingOlder: false,
    status: "",
    statusAt: 0,
    progress: {},
    line: "online",
    stopping: false,
    draft: "",
    queued: "",
    unsent: false,
  });
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
    this.store.set({ phase: isNew ? "ready" : "loading", draft: drafts.get(this.#draftKey) });
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
      sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
      onData: (part) => this.#onData(part),
      onFinish: (ending) => this.#onFinish(ending),
    });
    if (isNew) this.#restoreUnsent();
  }

  get isNew(): boolean {
    return this.#isNew;
  }

  get #draftKey(): string {
    return this.#isNew ? drafts.fresh : this.id;
  }

  get isLive(): boolean {
    return this.chat.status === "submitted" || this.chat.status === "streaming";
  }

  setDraft(draft: string): void {
    this.store.set({ draft });
    drafts.set(this.#draftKey, draft);
  }

  /** Load the newest page and join the answer that is being made, if there is one. */
  async refresh(): Promise<void> {
    if (this.#isNew || this.isLive) return;
    try {
      const view = await api.thread(this.id);
      if (this.isLive) return;
      this.#show(view);
      if (view.thread.running_turn) void this.#join();
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
    if (this.isLive) {
      const { queued } = this.store.get();
      this.store.set({ queued: queued === "" ? words : `${queued}\n${words}` });
      this.setDraft("");
      return;
    }
    this.setDraft("");
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
    this.setDraft(textOf(last));
    unsent.clear(this.#draftKey);
    this.chat.messages = this.chat.messages.slice(0, -1);
    this.chat.clearError();
    this.store.set({ unsent: false });
    await this.refresh();
  }

  unqueue(): void {
    const { queued, draft } = this.store.get();
    this.store.set({ queued: "" });
    this.setDraft([queued, draft].filter((text) => text !== "").join("\n"));
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
    await this.#until(() => !this.isLive, STOP_GRACE_MS);
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
    });
    this.#restoreUnsent();
  }

  #restoreUnsent(): void {
    const lost = unsent.take(this.#draftKey, this.chat.messages);
    if (lost !== null && this.store.get().draft === "") this.setDraft(lost);
  }

  async #join(): Promise<void> {
    this.#accepted = true;
    await this.chat.resumeStream();
  }

  #begin(kind: "submit" | "regenerate", target: string | null): void {
    this.#request = { kind, target };
    this.#accepted = false;
    this.store.set({ status: "", progress: {}, unsent: false, line: "online" });
  }

  async #push(text: string, target: string | null): Promise<void> {
    const id = newId();
    this.#begin("submit", target);
    unsent.keep(this.#draftKey, id, text);
    await this.chat.sendMessage({
      id,
      parts: [{ type: "text", text }],
      metadata: { createdAt: new Date().toISOString() },
    });
  }

  #onAccepted(): void {
    this.#accepted = true;
    unsent.clear(this.#draftKey);
    this.#isNew = false;
    this.listener.accepted(this);
  }

  #onData(part: { type: string; data: unknown }): void {
    if (part.type === "data-status") {
      const last = this.chat.lastMessage;
      const statusAt = last?.role === "assistant" ? last.parts.length : 0;
      this.store.set({ status: (part.data as { text: string }).text, statusAt });
    }
    if (part.type === "data-progress") {
      const { call_id, callId, done, total, text } = part.data as {
        call_id?: string;
        callId?: string;
        done: number;
        total?: number;
        text?: string;
      };
      const progress = { done, total: total ?? 0, text: text ?? "" };
      const id = call_id ?? callId ?? "";
      this.store.set((state) => ({ progress: { ...state.progress, [id]: progress } }));
    }
  }

  #onFinish(ending: {
    message: ChatMessage;
    isAbort: boolean;
    isDisconnect: boolean;
    isError: boolean;
    finishReason?: string | undefined;
  }): void {
    this.store.set({ status: "", progress: {} });
    if (!this.#accepted) {
      this.store.set({ unsent: this.#request.kind === "submit" });
      this.#returnQueued();
      return;
    }
    if (this.#line.ended(ending)) return;
    this.#adoptUserId(ending.message);
    this.listener.finished(this);
    if (ending.isError || ending.isAbort || ending.finishReason === "interrupted")
      this.#returnQueued();
    void this.#settle();
  }

  /** After a turn: learn versions and the kept error, then send what waited. */
  async #settle(): Promise<void> {
    const { queued } = this.store.get();
    if (queued !== "") {
      this.store.set({ queued: "" });
      // The chat still counts as busy inside its own callback.
      await this.#until(() => !this.isLive, STOP_GRACE_MS);
      return this.#push(queued, null);
    }
    const view = await api.thread(this.id).catch(() => null);
    if (view === null || this.isLive) return;
    this.chat.messages = mergeStored(this.chat.messages, view.messages);
    this.store.set({ title: view.thread.title });
  }

  #returnQueued(): void {
    if (this.store.get().queued !== "") this.unqueue();
  }

  /** The server may have given the question an id of its own; edits have to name that one. */
  #adoptUserId(answer: ChatMessage): void {
    const id = answer.metadata?.userMessageId;
    const at = this.chat.messages.findIndex((message) => message.id === answer.id) - 1;
    const question = this.chat.messages[at];
    if (id === undefined || question?.role !== "user" || question.id === id) return;
    this.chat.messages = this.chat.messages.with(at, { ...question, id });
  }

  /** Wait for a condition of the chat, at most `limitMs`. */
  #until(condition: () => boolean, limitMs: number): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        release();
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      const release = this.chat["~registerStatusCallback"](() => condition() && done());
    });
  }
}
