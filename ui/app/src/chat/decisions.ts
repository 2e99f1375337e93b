/** Decisions on calls that wait for a person: made here, made elsewhere, or by nobody in time. */
import { api } from "../kit/api";
import { type Failure, toFailure } from "../kit/problems";
import { createStore } from "../kit/store";

const LOOK_MS = 4000; // how soon a decision on another device shows here

export type Decision = "approve" | "decline";

interface DecisionsState {
  /** What was decided while other calls of the same answer still wait, by approval. */
  decided: Record<string, Decision>;
  sending: string;
  failure: Failure | null;
}

interface Asking {
  readonly id: string;
  refresh(): Promise<void>;
}

export class Decisions {
  readonly store = createStore<DecisionsState>({ decided: {}, sending: "", failure: null });
  readonly #shown = new Set<string>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(readonly conversation: Asking) {}

  /** A card is on the screen: look now and then whether it is answered elsewhere. */
  watch(approval: string): () => void {
    this.#shown.add(approval);
    this.#timer ??= setInterval(() => void this.look(), LOOK_MS);
    void this.look();
    return () => {
      this.#shown.delete(approval);
      if (this.#shown.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  async decide(approval: string, decision: Decision): Promise<void> {
    if (this.store.get().sending !== "") return;
    this.store.set({ sending: approval, failure: null });
    try {
      const { going_on } = await api.decide(this.conversation.id, approval, decision);
      this.#note({ [approval]: decision });
      if (going_on) await this.conversation.refresh();
    } catch (error) {
      const failure = toFailure(error);
      // Answered elsewhere or too late: the conversation knows what became of it.
      if (failure.status === 409 || failure.status === 404) await this.conversation.refresh();
      else this.store.set({ failure });
    } finally {
      this.store.set({ sending: "" });
    }
  }

  /** What became of the calls on the screen. */
  async look(): Promise<void> {
    if (document.visibilityState !== "visible" || this.store.get().sending !== "") return;
    const found = await api.approvals(this.conversation.id).catch(() => null);
    if (found === null || this.#shown.size === 0) return;
    const open = found.approvals.filter(({ state }) => state === "waiting");
    const decided = found.approvals.filter(
      ({ state }) => state === "approved" || state === "declined",
    );
    this.#note(
      Object.fromEntries(
        decided.map(({ id, state }) => [id, state === "approved" ? "approve" : "decline"]),
      ),
    );
    const known = new Set(found.approvals.map(({ id }) => id));
    const gone = [...this.#shown].some((id) => !known.has(id));
    if (gone || (open.length === 0 && decided.length > 0)) await this.conversation.refresh();
  }

  #note(decided: Record<string, Decision>): void {
    const before = this.store.get().decided;
    if (Object.entries(decided).every(([id, decision]) => before[id] === decision)) return;
    this.store.set({ decided: { ...before, ...decided } });
  }
}
