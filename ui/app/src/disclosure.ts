/** What people are told before they talk: shown first, acknowledged by sending, kept as a receipt. */
import type { DisclosureBody, ReceiptsBody } from "./contract/api";
import { request } from "./kit/http";
import { createStore } from "./kit/store";

interface DisclosureState {
  value: DisclosureBody | null;
  /** The edition whose words are on the screen; only that one can be acknowledged. */
  shown: string;
}

const store = createStore<DisclosureState>({ value: null, shown: "" });

const isDisclosure = (value: unknown): value is DisclosureBody =>
  typeof value === "object" && value !== null && "edition" in value && "lines" in value;

export const disclosure = {
  store,

  async load(): Promise<void> {
    try {
      const value = await request<DisclosureBody>("GET", "/api/disclosures?surface=chat");
      store.set({ value });
    } catch {
      // The server says it again with the refusal of the first message.
    }
  },

  receipts: () => request<ReceiptsBody>("GET", "/api/disclosures/receipts"),

  /** The words of an edition have been drawn. */
  drawn(edition: string): void {
    store.set({ shown: edition });
  },

  /** What goes with the next message: the edition that has to be shown and is. */
  toAcknowledge(): string | null {
    const { value, shown } = store.get();
    return value !== null && value.reason !== null && value.edition === shown ? shown : null;
  },

  /** The server took a message, so whatever had to be shown has been. */
  accepted(): void {
    store.set(({ value }) => ({ value: value && { ...value, reason: null }, shown: "" }));
  },

  /** The server asks to show something first; `problem` is its answer. */
  demanded(problem: unknown): void {
    const value =
      typeof problem === "object" && problem !== null && "disclosure" in problem
        ? problem.disclosure
        : null;
    if (isDisclosure(value)) store.set({ value });
  },
};
