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
import { initialState, NOTHING_RUNS } from "./conversation-state";
import { askedNow, mergeStored, toChatMessage, withQuestionId } from "./convert";
import { Decisions } from "./decisions";
import { settled } from "./followups";
import { loadOlder } from "./older";
import { type Ending, isDrop, type Loaded, reconnector } from "./reconnect";
import { Stopping } from "./stopping";
import { hearData, until, watchLine } from "./transient";
import { chatTransport } from "./transport";
import type { ChatMessage } from "./types";
import { hasGoneOn, runningTurn, Views } from "./views";

const END_MS = 1000; // for the chat to be done with the callback of its end

type Ended = Ending & { message: ChatMessage };

export interface Listener {
  accepted(conversation: Conversation): void;
  finished(conversation: Conversation): void;
}

export class Conversation {
  readonly chat: Chat<ChatMessage>;
  readonly store = createStore(initialState);
  readonly box: Box;
  readonly decisions = new Decisions(this);
  readonly #views = new Views();
  /** What was asked last. `target` is the message it replaces; a retry has to name it again. */
  #request: { kind: "submit" | "regenerate"; target: string | null } = {
    kind: "submit",
    target: null,
  };
  #accepted = true;
  #isNew: boolean;
  readonly #line: ReturnType<typeof reconnector>;
  readonly #stopping: Stopping;

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
      refetch: () => this.#load(),
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
    this.#stopping = new Stopping(this, {
      isAccepted: () => this.#accepted,
      request: () => this.#request,
      line: this.#line,
    });
    watchLine(this.store, this.chat);
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
    if ((await this.#load()) === "going") void this.#line.join();
  }

  async send(text: string): Promise<void> {
    const words = text.trim();
    if (words === "") return;
    const { phase, line } = this.store.get();
    if (this.isLive || phase === "loading" || line === "reconnecting") return this.box.queue(words);
    this.box.set("");
    const target = this.store.get().unsent ? this.#request.target : null;
    await this.#push(this.box.withUnsent(this.chat, words), target);
  }

  async edit(messageId: string, text: string): Promise<void> {
    const at = this.chat.messages.findIndex((message) => message.id === messageId);
    const words = text.trim();
    if (at === -1 || words === "" || this.isLive) return;
    this.box.takeBack(this.chat, messageId);
    this.chat.messages = this.chat.messages.slice(0, at);
    await this.#push(words, messageId);
  }

  async regenerate(messageId: string): Promise<void> {
    if (this.isLive) return;
    this.box.takeBack(this.chat, messageId);
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
    if (this.box.takeBack(this.chat)) await this.refresh();
  }

  stop = (): Promise<void> => this.#stopping.stop();

  reconnect = (): void => void this.#line.retry();

  loadOlder = (): Promise<void> => loadOlder(this.id, this.chat, this.store);

  async showVersion(messageId: string): Promise<void> {
    if (this.isLive) return;
    const view = await api.version(this.id, messageId);
    if (this.isLive) return;
    this.#views.outdate();
    this.#show(view);
  }

  /** Show the newest page. `going`: an answer is being made there, and somebody has to join it. */
  async #load(): Promise<Loaded> {
    try {
      const view = await this.#views.load(this.id);
      if (view === null || this.isLive) return "whole"; // whoever made it old looks by themselves
      this.#show(view);
      if (runningTurn(view) === undefined) {
        this.store.set(NOTHING_RUNS);
        void this.#sendQueued();
        return "whole";
      }
      this.#accepted = true;
      return "going";
    } catch (error) {
      return this.box.notLoaded(toFailure(error));
    }
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
    this.store.set({ ...NOTHING_RUNS, unsent: false, line: "online" });
  }

  async #push(text: string, target: string | null): Promise<void> {
    const id = newId();
    this.#begin("submit", target);
    this.box.sent(id, text);
    const parts = [{ type: "text" as const, text }];
    await this.chat.sendMessage({ id, parts, metadata: askedNow() });
  }

  /** Send what was typed while nothing could be sent; false: there is nothing. */
  #sendQueued(): boolean {
    const queued = this.box.takeQueued();
    // The chat still counts as busy inside its own callback.
    const free = () => until(this.chat, () => !this.isLive, END_MS);
    if (queued !== "") void free().then(() => this.#push(queued, null));
    return queued !== "";
  }

  #onAccepted(): void {
    this.#accepted = true;
    this.box.arrived();
    this.#isNew = false;
    this.#stopping.accepted();
    this.listener.accepted(this);
  }

  #onFinish(ending: Ended): void {
    const goesOn = this.#accepted && isDrop(ending);
    this.store.set(goesOn ? { status: "", progress: {} } : NOTHING_RUNS);
    this.#views.outdate();
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
    void this.#settle(ending);
  }

  /**
   * After a turn: send what waited, else learn versions and the kept error. The conversation may
   * have gone on elsewhere by then: a decision was made on another device.
   */
  async #settle({ isAbort, message }: Ended): Promise<void> {
    if (this.#sendQueued()) return;
    const view = await this.#views.load(this.id).catch(() => null);
    if (view === null || this.isLive) return;
    const joins = ![undefined, message.metadata?.turnId].includes(runningTurn(view));
    const more = isAbort || hasGoneOn(view, this.chat.lastMessage?.id);
    if (joins || more) this.#show(view);
    else this.chat.messages = mergeStored(this.chat.messages, view.messages);
    if (joins) return void this.#line.join();
    await settled(this, view);
  }
}
