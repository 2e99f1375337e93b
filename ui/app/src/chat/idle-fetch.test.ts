import { expect, test, vi } from "vitest";
import { idleFetch } from "./idle-fetch";

const streamOf = (start: (stream: ReadableStreamDefaultController<Uint8Array>) => void) =>
  new Response(new ReadableStream<Uint8Array>({ start }), { status: 200 });

test("a stream passes through unchanged", async () => {
  const fetch = idleFetch(async () => new Response("data: {}\n\n"));
  expect(await (await fetch("/x")).text()).toBe("data: {}\n\n");
});

test("a line without a byte for too long is a lost network", async () => {
  vi.useFakeTimers();
  try {
    const fetch = idleFetch(
      async (_input, init) =>
        streamOf((stream) => {
          init?.signal?.addEventListener("abort", () =>
            stream.error(new DOMException("", "AbortError")),
          );
        }),
      1000,
    );
    const reading = (await fetch("/x")).text();
    const failed = expect(reading).rejects.toThrow(/network/);
    await vi.advanceTimersByTimeAsync(1001);
    await failed;
  } finally {
    vi.useRealTimers();
  }
});

test("204 passes untouched, so that nothing to resume is not an error", async () => {
  const nothing = new Response(null, { status: 204 });
  expect(await idleFetch(async () => nothing)("/x")).toBe(nothing);
});

test("an abort by the chat stays an abort", async () => {
  const control = new AbortController();
  control.abort(new DOMException("stopped", "AbortError"));
  const fetch = idleFetch(async (_input, init) => {
    init?.signal?.throwIfAborted();
    return new Response("");
  });
  await expect(fetch("/x", { signal: control.signal })).rejects.toThrow("stopped");
});
