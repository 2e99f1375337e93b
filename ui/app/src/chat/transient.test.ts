import { afterEach, expect, test, vi } from "vitest";
import { Conversation } from "./conversation";
import { sizeOf } from "./transient";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** A stream that a test fills as it goes. */
function open() {
  const pipe = new TransformStream<Uint8Array, Uint8Array>();
  const writer = pipe.writable.getWriter();
  const push = (...frames: object[]) => {
    const lines = frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`).join("");
    void writer.write(new TextEncoder().encode(lines));
  };
  return { body: pipe.readable, push, close: () => void writer.close() };
}

test("a status stands until more of the answer can be seen", async () => {
  const { body, push, close } = open();
  vi.stubGlobal("fetch", async (input: string) =>
    input === "/api/chat"
      ? new Response(body, { headers: { "content-type": "text/event-stream" } })
      : new Response(null, { status: 404 }),
  );
  const conversation = new Conversation("t", true, { accepted() {}, finished() {} });
  const sending = conversation.send("Hello");
  const isNews = () => {
    const { status, statusAt } = conversation.store.get();
    const last = conversation.chat.lastMessage;
    return status !== "" && (last === undefined || sizeOf(last) <= statusAt);
  };
  push({ type: "start", messageId: "a1", messageMetadata: { turnId: "t1", userMessageId: "u1" } });
  push({ type: "start-step" }, { type: "text-start", id: "p1" });
  push({ type: "text-delta", id: "p1", delta: "It is " });
  push({ type: "data-status", data: { text: "Still working…" }, transient: true });
  await vi.waitFor(() => expect(conversation.store.get().status).toBe("Still working…"));
  expect(isNews()).toBe(true);
  push({ type: "text-delta", id: "p1", delta: "409.5." });
  await vi.waitFor(() => expect(isNews()).toBe(false));
  push({ type: "text-end", id: "p1" }, { type: "finish-step" });
  push({ type: "finish", finishReason: "stop" });
  close();
  await sending;
  expect(conversation.store.get().status).toBe("");
});
