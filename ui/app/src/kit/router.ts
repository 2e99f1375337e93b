/** Two places: `/` begins a conversation, `/c/<id>` shows one. */
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
const tell = () => {
  for (const listener of listeners) listener();
};

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
};

/** The thread in the address, or null for a new conversation. */
export function threadInAddress(): string | null {
  const match = /^\/c\/([^/]+)\/?$/.exec(location.pathname);
  return match?.[1] === undefined ? null : decodeURIComponent(match[1]);
}

export const addressOf = (thread: string | null) =>
  thread === null ? "/" : `/c/${encodeURIComponent(thread)}`;

export function go(thread: string | null, replace = false): void {
  if (thread === threadInAddress()) return;
  history[replace ? "replaceState" : "pushState"](null, "", addressOf(thread));
  tell();
}

export const useThreadInAddress = () => useSyncExternalStore(subscribe, threadInAddress);
