/** What is left of the limits, and until when nothing can be sent. */
import type { LimitBody } from "./contract/api";
import { api } from "./kit/api";
import { createStore } from "./kit/store";

export type Limit = LimitBody;

/** `refused`: a limit that has refused a message, although it is not used up to the last. */
export const limits = createStore<{ all: Limit[]; refused: Limit["limit"] | null }>({
  all: [],
  refused: null,
});

const LOOK_AGAIN_MS_MAX = 3_600_000; // timers are cut off beyond 25 days, and laptops sleep

let timer: ReturnType<typeof setTimeout> | undefined;

/** Ask where we stand. Without an answer the page goes on as it is: the server decides. */
export async function loadLimits(): Promise<void> {
  try {
    const { limits: all } = await api.limits();
    const refused = limits.get().refused;
    const stands = all.find((one) => one.limit === refused);
    limits.set({ all, refused: stands?.near === true ? refused : null });
  } catch {
    return;
  }
  lookAgain();
}

/** A message was refused: whatever the figures say, the next one would be, too. */
export function refusedBy(limit: string): void {
  const known = limits.get().all.find((one) => one.limit === limit);
  limits.set({ refused: limit === "turns_at_once" ? null : (known?.limit ?? null) });
  void loadLimits();
}

function lookAgain(): void {
  clearTimeout(timer);
  const { all } = limits.get();
  const waits = all.filter((one) => one.near).map((one) => one.resets_in_s ?? 0);
  if (waits.length === 0) return;
  const next = Math.min(...waits) * 1000 + 1000;
  timer = setTimeout(() => void loadLimits(), Math.min(next, LOOK_AGAIN_MS_MAX));
}

const inTheWay = (one: Limit, refused: Limit["limit"] | null) =>
  one.limit !== "turns_at_once" && (one.left <= 0 || one.limit === refused);

/** The limit that lasts longest of those that let nothing through; undefined when all do. */
export function blocking(state: { all: Limit[]; refused: Limit["limit"] | null }) {
  return state.all
    .filter((one) => inTheWay(one, state.refused))
    .sort((one, two) => (two.resets_in_s ?? 0) - (one.resets_in_s ?? 0))[0];
}

/** The limit nearest to its end of those that people should know about. */
export function nearest(state: { all: Limit[] }) {
  return state.all
    .filter((one) => one.near)
    .sort((one, two) => one.left / one.allowed - two.left / two.allowed)[0];
}
