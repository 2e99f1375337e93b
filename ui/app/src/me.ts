/** Who is here, what answers, and what people must be told: asked once, before anything is shown. */
import { api } from "./kit/api";
import { type Failure, toFailure } from "./kit/problems";
import { createStore } from "./kit/store";
import { loadLimits } from "./limits";
import type { Me } from "./wire";

export const me = createStore<{ value: Me | null; failure: Failure | null }>({
  value: null,
  failure: null,
});

export async function loadMe(): Promise<void> {
  me.set({ failure: null });
  try {
    const value = await api.me();
    me.set({ value });
    if (!value.local) void loadLimits();
  } catch (error) {
    me.set({ failure: toFailure(error) });
  }
}
