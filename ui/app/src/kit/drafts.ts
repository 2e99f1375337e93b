/** What was typed and not sent, one draft for each conversation; kept across reload and close. */
import { read, write } from "./storage";

const key = (thread: string) => `draft.${thread}`;

export const drafts = {
  get: (thread: string) => read(key(thread)) ?? "",
  set: (thread: string, text: string) => write(key(thread), text),
  /** The draft of the not yet begun conversation has no thread id. */
  fresh: "new",
};
