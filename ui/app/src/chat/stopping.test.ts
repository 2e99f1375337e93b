import { expect, test, vi } from "vitest";
import { Conversation } from "./conversation";
import { finish, lastText, server, silent, start, stored, words } from "./scripted-server";

const POST = "POST /api/chat";
const STOP = "POST /api/chat/t/stop";
const VIEW = "GET /api/threads/t";

/** A stream that is written by the test. */
function open() {
  let control: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      control = given;
    },
  });
  const say = (...frames: object[]) => {
    for (const frame of frames)
      control.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(frame)}\n\n`));
  };
  return {
    response: () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
    say,
    end(...frames: object[]) {
      say(...frames);
      control.close();
    },
  };
}

const pending = () =>
  Response.json(
    { code: "stop_pending", detail: "It is stored.", retryable: true },
    { status: 503 },
  );
const accepted = () => Response.json({ turn_id: "t1" }, { status: 202 });
const interrupted = {
  ...finish,
  finishReason: "interrupted",
  messageMetadata: { stopped: true, status: "stopped" },
};

async function streaming() {
  const line = open();
  server.routes = { [POST]: [line.response], [VIEW]: [() => Response.json(stored([{}]))] };
  const conversation = new Conversation("t", true, silent);
  void conversation.send("Count");
  await vi.waitFor(() => expect(conversation.isLive).toBe(true));
  line.say(start, ...words.slice(0, 3));
  await vi.waitFor(() => expect(lastText(conversation)).toBe("It is"));
  return { line, conversation };
}

const stopStates = (conversation: Conversation) => {
  const { stopping, unstopped } = conversation.store.get();
  return { stopping, unstopped };
};

test("a stop that is not confirmed leaves the words coming, until they end", async () => {
  const { line, conversation } = await streaming();
  server.routes[STOP] = [pending];
  await conversation.stop();
  expect(stopStates(conversation)).toEqual({ stopping: false, unstopped: "pending" });
  expect(conversation.isLive).toBe(true);
  line.say({ type: "text-delta", id: "p1", delta: "409" });
  await vi.waitFor(() => expect(lastText(conversation)).toBe("It is 409"));
  line.end(interrupted);
  await vi.waitFor(() => expect(conversation.isLive).toBe(false));
  expect(stopStates(conversation)).toEqual({ stopping: false, unstopped: "" });
});

test("a stop that reaches nobody says so, and can be asked for again", async () => {
  const { line, conversation } = await streaming();
  server.routes[STOP] = [() => Promise.reject(new TypeError("Failed to fetch")), accepted];
  await conversation.stop();
  expect(stopStates(conversation)).toEqual({ stopping: false, unstopped: "failed" });
  expect(conversation.isLive).toBe(true);
  const stopped = conversation.stop();
  line.end(interrupted);
  await stopped;
  expect(stopStates(conversation)).toEqual({ stopping: false, unstopped: "" });
});

test("after a confirmed stop without a closing word the page shows what is stored", async () => {
  const { conversation } = await streaming();
  server.routes[STOP] = [accepted];
  server.routes[VIEW] = [
    () =>
      Response.json(stored([{ status: "stopped", parts: [{ type: "text", text: "It is 40" }] }])),
  ];
  await conversation.stop();
  await vi.waitFor(() => expect(lastText(conversation)).toBe("It is 40"));
  expect(conversation.chat.lastMessage?.metadata?.stopped).toBe(true);
});

test("what is stopped before the server has it is stopped as soon as it has", async () => {
  const line = open();
  let accept = () => {};
  const gate = new Promise<void>((resolve) => {
    accept = resolve;
  });
  server.routes = {
    [POST]: [() => gate.then(line.response)],
    [STOP]: [accepted],
    [VIEW]: [() => Response.json(stored([{ status: "stopped" }]))],
  };
  const conversation = new Conversation("t", true, silent);
  void conversation.send("Count");
  await conversation.stop();
  expect(stopStates(conversation).stopping).toBe(true);
  expect(server.asked).not.toContain(`${STOP}`);
  accept();
  await vi.waitFor(() => expect(server.asked).toContain(STOP));
  line.end(start, interrupted);
  await vi.waitFor(() => expect(stopStates(conversation).stopping).toBe(false));
});

test("a stop whose answer comes late does not stop what was asked after it", async () => {
  const { line, conversation } = await streaming();
  let answer = () => {};
  const gate = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const second = open();
  server.routes[STOP] = [() => gate.then(accepted)];
  server.routes[POST] = [second.response];
  const stopping = conversation.stop();
  line.end(interrupted);
  await vi.waitFor(() => expect(conversation.isLive).toBe(false));
  void conversation.send("And now?");
  await vi.waitFor(() => expect(conversation.isLive).toBe(true));
  answer();
  await stopping;
  expect(conversation.isLive).toBe(true);
  second.end({ ...start, messageId: "a2" }, ...words, finish);
  await vi.waitFor(() => expect(conversation.isLive).toBe(false));
});
