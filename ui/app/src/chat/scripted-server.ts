/** For tests: a server whose answers are scripted by route, and what it streams and stores. */
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { Message, ThreadView } from "../wire";
import { readAnswer } from "./answer";
import type { Conversation, Listener } from "./conversation";

export const silent: Listener = { accepted() {}, finished() {} };

/** The frames of an answer; `until` cuts the stream after so many. */
export function stream(frames: object[], { done = true } = {}): Response {
  const lines = frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`);
  if (done) lines.push("data: [DONE]\n\n");
  return new Response(lines.join(""), { headers: { "content-type": "text/event-stream" } });
}

export const start = {
  type: "start",
  messageId: "a1",
  messageMetadata: { turnId: "t1", userMessageId: "u1" },
};
export const words = [
  { type: "start-step" },
  { type: "text-start", id: "p1" },
  { type: "text-delta", id: "p1", delta: "It is " },
  { type: "text-delta", id: "p1", delta: "409.5." },
  { type: "text-end", id: "p1" },
  { type: "finish-step" },
  { type: "data-round", id: "round-1", data: { round: 1, kind: "answer" } },
];
export const finish = { type: "finish", finishReason: "stop", messageMetadata: { elapsedMs: 12 } };

export const stored = (
  messages: Partial<Message>[] = [],
  running: string | null = null,
): ThreadView => ({
  thread: { id: "t", title: "Sums", created_at: "", updated_at: "", running_turn: running },
  messages: messages.map((message) => ({
    id: "a1",
    role: "assistant",
    parts: [{ type: "text", text: "It is 409.5.", round: 1 }],
    status: "done",
    created_at: "",
    versions: ["a1"],
    ...message,
  })),
  next: null,
});

export type Answer = (init: RequestInit) => Response | Promise<Response>;

/** Answers of the server by route, used up in order; the last one stays. */
export const server: { routes: Record<string, Answer[]>; posted: unknown[]; asked: string[] } = {
  routes: {},
  posted: [],
  asked: [],
};

beforeEach(() => {
  Object.assign(server, { routes: {}, posted: [], asked: [] });
  vi.stubGlobal("fetch", async (input: string, init: RequestInit = {}) => {
    const method = init.method ?? "GET";
    if (method === "POST" && input === "/api/chat")
      server.posted.push(JSON.parse(String(init.body)));
    const route = `${method} ${input.split("?")[0]}`;
    server.asked.push(route);
    const answers = server.routes[route] ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) return new Response(null, { status: 404 });
    return answer(init);
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

export const lastText = (conversation: Conversation) => {
  const last = conversation.chat.lastMessage;
  return last === undefined ? "" : readAnswer(last, false).markdown;
};

export const isQuiet = (conversation: Conversation) =>
  vi.waitFor(
    () => expect([conversation.isLive, conversation.store.get().line]).toEqual([false, "online"]),
    5000,
  );
