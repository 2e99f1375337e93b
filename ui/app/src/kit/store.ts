/** A value outside React that components can read: no provider, no context, equal values are quiet. */
import { useSyncExternalStore } from "react";

export interface Store<T> {
  get(): T;
  set(change: Partial<T> | ((value: T) => Partial<T>)): void;
  subscribe(listener: () => void): () => void;
}

export function createStore<T extends object>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(change) {
      const part = typeof change === "function" ? change(value) : change;
      const keys = Object.keys(part) as (keyof T)[];
      if (keys.every((key) => Object.is(value[key], part[key]))) return;
      value = { ...value, ...part };
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T extends object>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
