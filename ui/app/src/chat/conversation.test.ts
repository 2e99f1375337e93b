import { expect, test, vi } from "vitest";
import { drafts } from "../kit/drafts";
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

test("a message is streamed, and then carries what only the server knows", async () => {
  server.routes = {
    "POST /api/chat": [() => stream([start, ...words, finish])],
    "GET /api/threads/t": [() => Response.json(stored([{ versions: ["a0", "a1"] }]))],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("What is 17.5 % of 2,340?");
  expect(lastText(conversation)).toBe("It is 409.5.");
  await vi.waitFor(() => {
    expect(conversation.chat.lastMessage?.metadata?.versions).toEqual(["a0", "a1"]);
  });
  expect(conversation.chat.messages[0]?.id).toBe("u1");
  expect(conversation.isNew).toBe(false);
});

test("a refused message stays on the screen and is sent again with the same id", async () => {
  const refusal = { code: "overloaded", detail: "Too much to do.", retryable: true };
  server.routes = {
    "POST /api/chat": [
      () => Response.json(refusal, { status: 503 }),
      () => stream([start, ...words, finish]),
    ],
    "GET /api/threads/t": [() => Response.json(stored([{}]))],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("Hello");
  expect(conversation.store.get().unsent).toBe(true);
  expect(conversation.chat.messages.map(textOf)).toEqual(["Hello"]);
  await conversation.retry();
  expect(lastText(conversation)).toBe("It is 409.5.");
  const ids = server.posted.map((body) => (body as { message: { id: string } }).message.id);
  expect(ids[0]).toBe(ids[1]);
});

test("a message that never arrived is back in the box after a reload", async () => {
  server.routes = { "POST /api/chat": [() => Promise.reject(new TypeError("Failed to fetch"))] };
  const before = new Conversation("t", true, silent);
  await before.send("Do not lose me");
  expect(before.store.get().draft).toBe("");
  const after = new Conversation("t2", true, silent);
  expect(after.store.get().draft).toBe("Do not lose me");
  expect(drafts.get(drafts.fresh)).toBe("Do not lose me");
});

test("a stream that ends politely in the middle is resumed without doubled words", async () => {
  server.routes = {
    "POST /api/chat": [() => stream([start, ...words.slice(0, 3)], { done: false })],
    "GET /api/chat/t/stream": [() => stream([start, ...words, finish])],
    "GET /api/threads/t": [() => Response.json(stored([{}]))],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("Hello");
  expect(conversation.store.get().line).toBe("reconnecting");
  await isQuiet(conversation);
  expect(lastText(conversation)).toBe("It is 409.5.");
  expect(conversation.chat.messages).toHaveLength(2);
});

test("an answer that was completed while the line was down comes from the store", async () => {
  server.routes = {
    "POST /api/chat": [() => stream([start, ...words.slice(0, 3)], { done: false })],
    "GET /api/chat/t/stream": [() => new Response(null, { status: 204 })],
    "GET /api/threads/t": [
      () =>
        Response.json(
          stored([{ id: "u1", role: "user", parts: [{ type: "text", text: "Hello" }] }, {}]),
        ),
    ],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("Hello");
  await isQuiet(conversation);
  expect(lastText(conversation)).toBe("It is 409.5.");
});

test("opening a conversation joins the answer that is being made", async () => {
  server.routes = {
    "GET /api/threads/t": [() => Response.json(stored([{ parts: [], status: "running" }], "t1"))],
    "GET /api/chat/t/stream": [() => stream([start, ...words, finish])],
  };
  const conversation = new Conversation("t", false, silent);
  expect(conversation.store.get().phase).toBe("loading");
  await conversation.refresh();
  await vi.waitFor(() => expect(lastText(conversation)).toBe("It is 409.5."));
  expect(conversation.chat.messages).toHaveLength(1);
});

test("an edit names the old message and takes its place", async () => {
  server.routes = {
    "POST /api/chat": [() => stream([start, ...words, finish])],
    "GET /api/threads/t": [() => Response.json(stored())],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("First");
  await conversation.edit("u1", "Second");
  expect(server.posted[1]).toMatchObject({ trigger: "submit-message", messageId: "u1" });
  expect(conversation.chat.messages.map(textOf)).toEqual(["Second", "It is 409.5."]);
});

test("a conversation that is not there says so", async () => {
  server.routes = {
    "GET /api/threads/t": [() => Response.json({ code: "thread_not_found" }, { status: 404 })],
  };
  const conversation = new Conversation("t", false, silent);
  await conversation.refresh();
  expect(conversation.store.get().phase).toBe("missing");
});

test("words typed while an answer is made are sent after it", async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const second = { ...start, messageId: "a2", messageMetadata: { userMessageId: "u2" } };
  server.routes = {
    "POST /api/chat": [
      async () => {
        await gate;
        return stream([start, ...words, finish]);
      },
      () => stream([second, ...words, finish]),
    ],
    "GET /api/threads/t": [() => Response.json(stored())],
  };
  const conversation = new Conversation("t", true, silent);
  const first = conversation.send("One");
  await conversation.send("Two");
  expect(conversation.store.get().queued).toBe("Two");
  release();
  await first;
  await vi.waitFor(() => expect(conversation.chat.messages).toHaveLength(4));
  expect(conversation.chat.messages.map((message) => message.role)).toEqual([
    "user",
    "assistant",
    "user",
    "assistant",
  ]);
});

test("words that did not arrive come back in front of what was typed since", async () => {
  server.routes = { "POST /api/chat": [() => Promise.reject(new TypeError("Failed to fetch"))] };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("First");
  conversation.box.set("Second");
  await conversation.takeBack();
  expect(conversation.store.get().draft).toBe("First\nSecond");
  expect(conversation.chat.messages).toEqual([]);
});

test("what was refused goes with what is sent next, and nothing only looks sent", async () => {
  const refusal = { code: "disclosure_required", detail: "Something has to be shown first." };
  server.routes = {
    "POST /api/chat": [
      () => Response.json(refusal, { status: 428 }),
      () => stream([start, ...words, finish]),
    ],
    "GET /api/threads/t": [() => Response.json(stored([{}]))],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("First");
  await conversation.send("Second");
  expect(conversation.chat.messages.map(textOf)).toEqual(["First\nSecond", "It is 409.5."]);
  const parts = server.posted.map(
    (body) => (body as { message: { parts: object[] } }).message.parts,
  );
  expect(parts[1]).toEqual([{ type: "text", text: "First\nSecond" }]);
  expect(conversation.store.get().unsent).toBe(false);
});

test("a refused edit that more is typed after is still that edit", async () => {
  const more = { ...start, messageId: "a2", messageMetadata: { userMessageId: "u2" } };
  server.routes = {
    "POST /api/chat": [
      () => stream([start, ...words, finish]),
      () => Response.json({ code: "overloaded" }, { status: 503 }),
      () => stream([more, ...words, finish]),
    ],
    "GET /api/threads/t": [() => Response.json(stored())],
  };
  const conversation = new Conversation("t", true, silent);
  await conversation.send("First");
  await conversation.edit("u1", "Second");
  await conversation.send("Third");
  expect(server.posted[2]).toMatchObject({ trigger: "submit-message", messageId: "u1" });
  expect(conversation.chat.messages.map(textOf)).toEqual(["Second\nThird", "It is 409.5."]);
});

test.each(["edit", "regenerate"] as const)(
  "%s leaves what was refused in the box",
  async (what) => {
    const more = { ...start, messageId: "a2", messageMetadata: { userMessageId: "u2" } };
    server.routes = {
      "POST /api/chat": [
        () => stream([start, ...words, finish]),
        () => Response.json({ code: "overloaded" }, { status: 503 }),
        () => stream([more, ...words, finish]),
      ],
      "GET /api/threads/t": [() => Response.json(stored())],
    };
    const conversation = new Conversation("t", true, silent);
    await conversation.send("First");
    await conversation.send("Second");
    if (what === "edit") await conversation.edit("u1", "Third");
    else await conversation.regenerate("a1");
    expect(conversation.chat.messages).toHaveLength(2);
    expect(conversation.store.get()).toMatchObject({ draft: "Second", unsent: false });
  },
);

test("a reload loses neither what did not arrive nor what was typed since", async () => {
  server.routes = { "POST /api/chat": [() => Promise.reject(new TypeError("Failed to fetch"))] };
  const before = new Conversation("t", true, silent);
  await before.send("First");
  before.box.set("Second");
  expect(new Conversation("t2", true, silent).store.get().draft).toBe("First\nSecond");
});

test("what another tab is sending is left to it, until nobody can be sending it any more", async () => {
  server.routes = { "POST /api/chat": [() => Promise.reject(new TypeError("Failed to fetch"))] };
  await new Conversation("t", true, silent).send("On its way");
  sessionStorage.setItem("parlour.tab", "another");
  expect(new Conversation("t2", true, silent).store.get().draft).toBe("");
  vi.setSystemTime(Date.now() + 60_000);
  expect(new Conversation("t3", true, silent).store.get().draft).toBe("On its way");
  vi.useRealTimers();
});
