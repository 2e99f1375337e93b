/** The list of conversations: newest first, one page at a time, changes shown before they are sure. */
import { api } from "../kit/api";
import { createStore } from "../kit/store";
import { strings } from "../strings";
import type { Thread, ThreadPage } from "../wire";
import { toasts } from "./toasts";

const UNDO_MS = 6000; // how long a deleted conversation can be brought back
const SEARCH_PAGES_MAX = 20;
const TITLE_CHARS = 60;
const HERE = "here"; // this tab is streaming it; the list of the server may not know yet

export interface ThreadsState {
  items: Thread[];
  next: string | null;
  phase: "loading" | "ready" | "failed";
  loadingMore: boolean;
}

const store = createStore<ThreadsState>({
  items: [],
  next: null,
  phase: "loading",
  loadingMore: false,
});
const removing = new Map<string, () => void>();

const byTime = (a: Thread, b: Thread) => b.updated_at.localeCompare(a.updated_at);

/** Newer rows over older ones, without those that are being deleted. */
export function mergeThreads(older: Thread[], newer: Thread[]): Thread[] {
  const rows = new Map(older.map((thread) => [thread.id, thread]));
  for (const thread of newer) rows.set(thread.id, thread);
  return [...rows.values()].filter((thread) => !removing.has(thread.id)).sort(byTime);
}

function upsert(id: string, change: Partial<Thread>): void {
  store.set(({ items }) => {
    const now = new Date().toISOString();
    const known = items.find((thread) => thread.id === id);
    const base = known ?? { id, title: "", created_at: now, updated_at: now };
    return { items: mergeThreads(items, [{ ...base, ...change }]) };
  });
}

/** Rows that the newest page cannot speak for: older ones, and one that is only just beginning. */
function outside(items: Thread[], page: ThreadPage): Thread[] {
  const oldest = page.next === null ? "" : (page.threads.at(-1)?.updated_at ?? "");
  return items.filter((thread) => thread.updated_at < oldest || thread.running_turn === HERE);
}

async function refresh(): Promise<void> {
  try {
    const page = await api.threads(null);
    const { items, next, phase } = store.get();
    const first = phase !== "ready";
    store.set({
      items: mergeThreads(outside(items, page), page.threads),
      next: first ? page.next : next,
      phase: "ready",
    });
  } catch {
    if (store.get().phase === "loading") store.set({ phase: "failed" });
  }
}

async function loadMore(): Promise<void> {
  const { next, loadingMore } = store.get();
  if (next === null || loadingMore) return;
  store.set({ loadingMore: true });
  try {
    const page = await api.threads(next);
    store.set(({ items }) => ({ items: mergeThreads(items, page.threads), next: page.next }));
  } catch {
    // The button stays and can be pressed again.
  } finally {
    store.set({ loadingMore: false });
  }
}

/** A search looks through titles, so older pages are fetched first, up to a bound. */
async function loadAll(): Promise<void> {
  for (let page = 0; page < SEARCH_PAGES_MAX && store.get().next !== null; page++) await loadMore();
}

async function rename(id: string, title: string): Promise<void> {
  const before = store.get().items.find((thread) => thread.id === id)?.title ?? "";
  upsert(id, { title });
  try {
    await api.rename(id, title);
  } catch {
    upsert(id, { title: before });
    toasts.show({ text: strings.list.renameFailed });
  }
}

/** Gone from the list at once, gone for good after a few seconds in which it can be undone. */
function remove(thread: Thread): void {
  const restore = () => {
    removing.delete(thread.id);
    store.set(({ items }) => ({ items: mergeThreads(items, [thread]) }));
  };
  const finish = () => {
    if (!removing.has(thread.id)) return;
    clearTimeout(timer);
    removeEventListener("pagehide", finish);
    api.remove(thread.id).then(
      () => removing.delete(thread.id),
      () => {
        restore();
        toasts.show({ text: strings.list.removeFailed });
      },
    );
  };
  const timer = setTimeout(finish, UNDO_MS);
  addEventListener("pagehide", finish);
  removing.set(thread.id, finish);
  store.set(({ items }) => ({ items: items.filter((row) => row.id !== thread.id) }));
  const undo = () => {
    clearTimeout(timer);
    removeEventListener("pagehide", finish);
    restore();
  };
  const title = thread.title || strings.list.untitled;
  toasts.show({
    text: strings.list.removed(title),
    action: { label: strings.undo, run: undo },
    ms: UNDO_MS,
  });
}

export const threads = {
  store,
  refresh,
  loadMore,
  loadAll,
  rename,
  remove,
  started(id: string, question: string): void {
    const known = store.get().items.find((thread) => thread.id === id);
    const title = known?.title || question.slice(0, TITLE_CHARS);
    upsert(id, { title, running_turn: HERE, updated_at: new Date().toISOString() });
  },
  finished(id: string): void {
    upsert(id, { running_turn: null });
    void refresh();
  },
};
