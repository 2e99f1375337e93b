/** A message on its way: kept until the server has it, so that a crash or a reload loses nothing. */
import { read, write } from "../kit/storage";
import type { ChatMessage } from "./types";

const key = (thread: string) => `unsent.${thread}`;

export const unsent = {
  keep: (thread: string, id: string, text: string) =>
    write(key(thread), JSON.stringify({ id, text })),
  clear: (thread: string) => write(key(thread), null),
  /** The text that never arrived, if there is one; forgets it either way. */
  take(thread: string, arrived: ChatMessage[]): string | null {
    const raw = read(key(thread));
    if (raw === null) return null;
    write(key(thread), null);
    try {
      const { id, text } = JSON.parse(raw) as { id: string; text: string };
      return arrived.some((message) => message.id === id) ? null : text;
    } catch {
      return null;
    }
  },
};
