/**
 * When to come back to an answer whose line was cut. Waits 0.5, 1, 2, 4, 8 s (or until the browser
 * says it is online again), asks for the stream, and after five tries leaves it to the person.
 */

export type Line = "online" | "reconnecting" | "lost";

export interface Ending {
  isAbort: boolean;
  isDisconnect: boolean;
  isError: boolean;
  finishReason?: string | undefined;
}

/** What came of looking: all is on the screen, an answer is still being made, or nothing came. */
export type Loaded = "whole" | "going" | "failed";

export interface Resumable {
  resume(): Promise<void>;
  /** The run is over and the stream is gone: fetch what was stored. */
  refetch(): Promise<Loaded>;
  isIdle(): boolean;
  notify(line: Line): void;
  wait?(ms: number): Promise<void>;
}

export const TRIES = 5;
export const FIRST_WAIT_MS = 500;

/** A polite end without a finish reason is a server that died, not an answer that is complete. */
export const isDrop = (ending: Ending) =>
  ending.isDisconnect || (!ending.isAbort && !ending.isError && ending.finishReason === undefined);

const waitOrOnline = (ms: number) =>
  new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done, { once: true });
  });

export function reconnector(chat: Resumable) {
  const wait = chat.wait ?? waitOrOnline;
  let ended: "whole" | "drop" | undefined;
  let current = 0; // the return that is under way, 0 when none is
  let begun = 0;
  let wanted = false; // somebody has asked for another one meanwhile

  async function tryOnce(): Promise<boolean> {
    ended = undefined;
    wanted = false;
    await chat.resume();
    if (ended === "whole") return true;
    if (ended === undefined && chat.isIdle()) return (await chat.refetch()) === "whole";
    return false;
  }

  /** One at a time: two who come back at once would hang up on each other. */
  async function comeBack(atOnce: boolean): Promise<void> {
    wanted = true;
    if (current !== 0) return;
    begun += 1;
    current = begun;
    const mine = current;
    try {
      for (let attempt = atOnce ? -1 : 0; attempt < TRIES; attempt++) {
        if (attempt >= 0) {
          chat.notify("reconnecting");
          await wait(FIRST_WAIT_MS * 2 ** attempt);
          if (current !== mine) return;
        }
        const over = await tryOnce().catch(() => false);
        if (current !== mine) return;
        if (over && wanted) attempt = -2;
        else if (over) return chat.notify("online");
      }
      chat.notify("lost");
    } finally {
      if (current === mine) current = 0;
    }
  }

  return {
    /** Tell it how a stream ended; answers whether a return is under way. */
    ended(ending: Ending): boolean {
      const drop = isDrop(ending);
      ended = drop ? "drop" : "whole";
      if (drop) void comeBack(false);
      return drop;
    },
    retry: () => comeBack(false),
    /** Join what runs; what has ended in this very moment is fetched. */
    join: () => comeBack(true),
    cancel(): void {
      current = 0;
      chat.notify("online");
    },
  };
}
