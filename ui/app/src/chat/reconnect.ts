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

export interface Resumable {
  resume(): Promise<void>;
  /** The run is over and the stream is gone: fetch what was stored. */
  refetch(): Promise<void>;
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
  let busy = false;
  let cancelled = false;

  async function tryOnce(): Promise<boolean> {
    ended = undefined;
    await chat.resume();
    if (ended === "whole") return true;
    if (ended === undefined && chat.isIdle()) {
      await chat.refetch();
      return true;
    }
    return false;
  }

  async function run(): Promise<void> {
    if (busy) return;
    busy = true;
    cancelled = false;
    try {
      for (let attempt = 0; attempt < TRIES; attempt++) {
        chat.notify("reconnecting");
        await wait(FIRST_WAIT_MS * 2 ** attempt);
        if (cancelled) return;
        if (await tryOnce().catch(() => false)) {
          chat.notify("online");
          return;
        }
      }
      chat.notify("lost");
    } finally {
      busy = false;
    }
  }

  return {
    /** Tell it how a stream ended; answers whether a return is under way. */
    ended(ending: Ending): boolean {
      const drop = isDrop(ending);
      ended = drop ? "drop" : "whole";
      if (drop) void run();
      return drop;
    },
    retry: run,
    /** Join what runs; what has ended in this very moment is fetched. */
    join: tryOnce,
    cancel(): void {
      cancelled = true;
      chat.notify("online");
    },
  };
}
