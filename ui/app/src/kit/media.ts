/** Media queries as values. */
import { useSyncExternalStore } from "react";

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = matchMedia(query);
      list.addEventListener("change", changed);
      return () => list.removeEventListener("change", changed);
    },
    () => matchMedia(query).matches,
  );
}

export const isWide = "(min-width: 56rem)"; // the list beside the thread, else in a drawer
export const isTouch = () => matchMedia("(pointer: coarse)").matches;
