/**
 * A message on its way: kept until the server has it, so that a crash or a reload loses nothing. What
 * another tab has just sent is still on its way there: taking it would send it twice.
 */
import { newId } from "../kit/ids";
import { read, write } from "../kit/storage";
import type { ChatMessage } from "./types";

const ON_ITS_WAY_MS = 30_000; // a request without an answer is given up before (idle-fetch.ts)

interface Kept {
  id: string;
  text: string;
  tab: string;
  at: number;
}

const key = (thread: string) => `unsent.${thread}`;

/** This tab, also after a reload. */
function thisTab(): string {
  try {
    const known = sessionStorage.getItem("parlour.tab") ?? newId();
    sessionStorage.setItem("parlour.tab", known);
    return known;
  } catch {
    return "";
  }
}

export const unsent = {
  keep: (thread: string, id: string, text: string) =>
    write(key(thread), JSON.stringify({ id, text, tab: thisTab(), at: Date.now() } satisfies Kept)),
  clear: (thread: string) => write(key(thread), null),
  /** The text that never arrived, if there is one; forgets it then, and when it has arrived. */
  take(thread: string, arrived: ChatMessage[]): string | null {
    const raw = read(key(thread));
    if (raw === null) return null;
    let kept: Kept;
    try {
      kept = JSON.parse(raw) as Kept;
    } catch {
      write(key(thread), null);
      return null;
    }
    if (kept.tab !== thisTab() && Date.now() - kept.at < ON_ITS_WAY_MS) return null;
    write(key(thread), null);
    return arrived.some((message) => message.id === kept.id) ? null : kept.text;
  },
};
