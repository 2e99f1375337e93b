import { expect, test, vi } from "vitest";
import {
  type Ending,
  FIRST_WAIT_MS,
  isDrop,
  type Line,
  type Loaded,
  reconnector,
  TRIES,
} from "./reconnect";

const whole: Ending = { isAbort: false, isDisconnect: false, isError: false, finishReason: "stop" };
const cut: Ending = { isAbort: false, isDisconnect: true, isError: true };

/** A chat whose resumes end as scripted; `settled` resolves when the policy has come to a rest. */
function scripted(endings: (Ending | "gone" | "refused")[], found: Loaded[] = []) {
  const lines: Line[] = [];
  const waits: number[] = [];
  let refetched = 0;
  let idle = false;
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const policy = reconnector({
    resume: async () => {
      const next = endings.shift() ?? "refused";
      idle = next === "gone";
      if (typeof next !== "string") policy.ended(next);
    },
    refetch: async () => {
      refetched++;
      return found.shift() ?? "whole";
    },
    isIdle: () => idle,
    notify: (line) => {
      lines.push(line);
      if (line !== "reconnecting") settle();
    },
    wait: async (ms) => {
      waits.push(ms);
    },
  });
  return { policy, lines, waits, settled, refetched: () => refetched };
}

test("a polite end without a finish reason is a drop", () => {
  expect(isDrop({ ...whole, finishReason: undefined })).toBe(true);
  expect(isDrop(whole)).toBe(false);
  expect(isDrop({ ...whole, isAbort: true, finishReason: undefined })).toBe(false);
  expect(isDrop({ ...whole, isError: true, finishReason: undefined })).toBe(false);
});

test("a cut line comes back and then is quiet", async () => {
  const chat = scripted([whole]);
  expect(chat.policy.ended(cut)).toBe(true);
  await chat.settled;
  expect(chat.lines).toEqual(["reconnecting", "online"]);
  expect(chat.refetched()).toBe(0);
});

test("a run that ended meanwhile is fetched from the store", async () => {
  const chat = scripted(["gone"]);
  chat.policy.ended(cut);
  await chat.settled;
  expect(chat.refetched()).toBe(1);
  expect(chat.lines.at(-1)).toBe("online");
});

test("a second cut during the return counts as another try", async () => {
  const chat = scripted([cut, whole]);
  chat.policy.ended(cut);
  await chat.settled;
  expect(chat.waits).toEqual([FIRST_WAIT_MS, FIRST_WAIT_MS * 2]);
  expect(chat.lines.at(-1)).toBe("online");
});

test("after five tries it is left to the person, who can try again", async () => {
  const chat = scripted([]);
  chat.policy.ended(cut);
  await chat.settled;
  expect(chat.waits).toEqual([500, 1000, 2000, 4000, 8000]);
  expect(chat.lines.filter((line) => line === "reconnecting")).toHaveLength(TRIES);
  expect(chat.lines.at(-1)).toBe("lost");
});

test("who joins does not wait, and is not told of a line that works", async () => {
  const chat = scripted([whole]);
  await chat.policy.join();
  expect(chat.waits).toEqual([]);
  expect(chat.lines).toEqual(["online"]);
});

test("who cannot join comes back like one whose line was cut", async () => {
  const chat = scripted(["refused", whole]);
  await chat.policy.join();
  expect(chat.lines).toEqual(["reconnecting", "online"]);
});

test("what runs on although its stream is gone is asked for with pauses, and not for ever", async () => {
  const all = Array<"gone">(TRIES + 1).fill("gone");
  const chat = scripted(all, Array<Loaded>(TRIES + 1).fill("going"));
  await chat.policy.join();
  expect(chat.waits).toHaveLength(TRIES);
  expect(chat.lines.at(-1)).toBe("lost");
});

test("what could not be fetched is fetched again", async () => {
  const chat = scripted(["gone", "gone"], ["failed"]);
  await chat.policy.join();
  expect(chat.refetched()).toBe(2);
  expect(chat.lines.at(-1)).toBe("online");
});

test("a cut right after a return was given up begins a return of its own", async () => {
  const chat = scripted([whole]);
  chat.policy.ended(cut);
  chat.policy.cancel();
  chat.policy.ended(cut);
  await vi.waitFor(() =>
    expect(chat.lines).toEqual(["reconnecting", "online", "reconnecting", "online"]),
  );
});

test("who asks while another is coming back has their turn after it", async () => {
  const chat = scripted([whole, "gone"]);
  const first = chat.policy.join();
  void chat.policy.join();
  await first;
  expect(chat.refetched()).toBe(1);
});
