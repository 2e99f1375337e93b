/** Short words at the bottom of the page, each with at most one thing to do. */

import { newId } from "../kit/ids";
import { createStore } from "../kit/store";

export interface Toast {
  id: string;
  text: string;
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 5000;
const store = createStore<{ items: Toast[] }>({ items: [] });

export const toasts = {
  store,
  show({ ms = SHOWN_MS, ...toast }: Omit<Toast, "id"> & { ms?: number }): void {
    const id = newId();
    store.set(({ items }) => ({ items: [...items.slice(-2), { ...toast, id }] }));
    setTimeout(() => toasts.close(id), ms);
  },
  close(id: string): void {
    store.set(({ items }) => ({ items: items.filter((toast) => toast.id !== id) }));
  },
};
