/** Whatever comes first: the page ends with what is true. */
import { expect, test, vi } from "vitest";
import type { Message } from "../wire";
import { Conversation } from "./conversation";
import { textOf } from "./convert";
import {
  finish,
  isQuiet,
  lastText,
  server,
  silent,
  start,
  stored,
  stream,
  words,
} from "./scripted-server";

const VIEW = "GET /api/threads/t";
const STREAM = "GET /api/chat/t/stream";

const question: Partial<Message> = {
  id: "u1",
  role: "user",
  parts: [{ type: "text", text: "What is it?" }],
};
const call = {
  type: "tool" as const,
  round: 1,
  call_id: "c1",
  name: "notes__add",
  title: "Add",
  arguments: {},
};
const asks: Partial<Message> = {
  turn: "t1",
  status: "waiting",
  parts: [
    {
      ...call,
      status: "waiting",
      approval: { id: "p1", server: "notes", tool: "add", arguments: {}, acts_as: "You" },
    },
  ],
};
const goesOn: Partial<Message> = { ...asks, turn: "t2", status: "running" };
const isDone: Partial<Message> = { turn: "t2" };
const askFrames = [
  start,
  { type: "start-step" },
  {
    type: "tool-input-available",
    toolCallId: "c1",
    toolName: "notes__add",
    input: {},
    dynamic: true,
  },
  { type: "tool-approval-request", approvalId: "p1", toolCallId: "c1" },
  { type: "finish-step" },
  { ...finish, finishReason: "tool-calls" },
];
const again = { ...start, messageMetadata: { turnId: "t2" } };

/** An answer of the server that comes when the test says so. */
function held(answer: () => Response) {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { answer: () => gate.then(answer), release: () => release() };
}

const view =
  (messages: Partial<Message>[], running: string | null = null) =>
  () =>
    Response.json(stored(messages, running));

test("a decision made elsewhere before the ended turn is looked up is followed here", async () => {
  server.routes = {
    "POST /api/chat": [() => stream(askFrames)],
    [VIEW]: [view([question, goesOn], "t2"), view([question, isDone])],
    [STREAM]: [() => stream([again, ...words, finish])],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("What is it?");
  await vi.waitFor(() => expect(lastText(conversation)).toBe("It is 409.5."));
  await isQuiet(conversation);
  expect(conversation.chat.messages).toHaveLength(2);
});

test("an answer that began while the conversation was being read is joined", async () => {
  server.routes = {
    [VIEW]: [view([question, goesOn]), view([question, isDone])],
    [STREAM]: [() => stream([again, ...words, finish])],
  };
  const conversation = new Conversation("t", false, silent);
  await conversation.refresh();
  await vi.waitFor(() => expect(lastText(conversation)).toBe("It is 409.5."));
});

test("what was asked elsewhere while the last answer ended is shown", async () => {
  const other: Partial<Message> = { ...question, id: "u2" };
  server.routes = {
    "POST /api/chat": [() => stream([start, ...words, finish])],
    [VIEW]: [view([question, {}, other, { id: "a2" }])],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("What is it?");
  await vi.waitFor(() => expect(conversation.chat.messages).toHaveLength(4));
});

test("a view that comes late does not take the place of a newer one", async () => {
  const late = held(view([question, asks]));
  server.routes = { [VIEW]: [late.answer, view([question, isDone])] };
  const conversation = new Conversation("t", false, silent);
  const first = conversation.refresh();
  await conversation.refresh();
  late.release();
  await first;
  expect(lastText(conversation)).toBe("It is 409.5.");
});

test("a view from before a question does not take it away", async () => {
  const late = held(view([question, {}]));
  const more: Partial<Message>[] = [{ ...question, id: "u2" }, { id: "a2" }];
  const second = { ...start, messageId: "a2", messageMetadata: { userMessageId: "u2" } };
  server.routes = {
    [VIEW]: [view([question, {}]), late.answer, view([question, {}, ...more])],
    "POST /api/chat": [() => stream([second, ...words, finish])],
  };
  const conversation = new Conversation("t", false, silent);
  await conversation.refresh();
  const looking = conversation.refresh();
  await conversation.send("And now?");
  late.release();
  await looking;
  await isQuiet(conversation);
  expect(conversation.chat.messages.map(textOf)[2]).toBe("And now?");
  expect(conversation.chat.messages).toHaveLength(4);
});

test("an answer whose stream cannot be had at first is joined after a pause", async () => {
  server.routes = {
    [VIEW]: [view([question, goesOn], "t2"), view([question, isDone])],
    [STREAM]: [
      () => Promise.reject(new TypeError("Failed to fetch")),
      () => stream([again, ...words, finish]),
    ],
  };
  const conversation = new Conversation("t", false, silent);
  await conversation.refresh();
  await vi.waitFor(() => expect(conversation.store.get().line).toBe("reconnecting"));
  await isQuiet(conversation);
  expect(lastText(conversation)).toBe("It is 409.5.");
});

test("what is sent before the conversation is loaded is sent after it, and nothing is missing", async () => {
  const late = held(view([question, {}]));
  const more: Partial<Message>[] = [{ ...question, id: "u2" }, { id: "a2" }];
  const second = { ...start, messageId: "a2", messageMetadata: { userMessageId: "u2" } };
  server.routes = {
    [VIEW]: [late.answer, view([question, {}, ...more])],
    "POST /api/chat": [() => stream([second, ...words, finish])],
  };
  const conversation = new Conversation("t", false, silent);
  const loading = conversation.refresh();
  await conversation.send("And now?");
  expect(server.posted).toEqual([]);
  late.release();
  await loading;
  await vi.waitFor(() => expect(conversation.chat.messages).toHaveLength(4));
  expect(conversation.store.get()).toMatchObject({ phase: "ready", queued: "" });
  expect(conversation.chat.messages.map(textOf)[2]).toBe("And now?");
});

test("what was sent to a conversation that is not there comes back into the box", async () => {
  const late = held(() => Response.json({ code: "thread_not_found" }, { status: 404 }));
  server.routes = { [VIEW]: [late.answer] };
  const conversation = new Conversation("t", false, silent);
  const loading = conversation.refresh();
  await conversation.send("Anybody?");
  late.release();
  await loading;
  expect(conversation.store.get()).toMatchObject({ phase: "missing", draft: "Anybody?" });
});

test("what is sent while the line comes back waits for the answer that is being made", async () => {
  const second = { ...start, messageId: "a2", messageMetadata: { userMessageId: "u2" } };
  server.routes = {
    "POST /api/chat": [
      () => stream([start, ...words.slice(0, 3)], { done: false }),
      () => stream([second, ...words, finish]),
    ],
    [STREAM]: [() => new Response(null, { status: 204 })],
    [VIEW]: [view([question, {}]), view([question, {}, { ...question, id: "u2" }, { id: "a2" }])],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("What is it?");
  expect(conversation.store.get().line).toBe("reconnecting");
  await conversation.send("And now?");
  expect(server.posted).toHaveLength(1);
  await vi.waitFor(() => expect(conversation.chat.messages).toHaveLength(4), 5000);
});
