// Chats of the `ai` package, driven by lines of JSON on stdin; each is answered by one line.
//
// {"do": "open", "chat": "a", "id": "c1", "api": "http://…/api/chat", "headers": {}}
// {"do": "send" | "edit" | "regenerate" | "resume" | "stop", "chat": "a", …}    starts, at once
// {"do": "decide", "chat": "a", "approval": "p1", "approved": true}
// {"do": "settled", "chat": "a"}      when what was started last is over
// {"do": "until", "chat": "a", "text": "words"}    when the last message has said them
// {"do": "until", "chat": "a", "answers": 2}       when the server has answered so many requests
// {"do": "until", "chat": "a", …, "ready": true}   and nothing is being answered
// {"do": "reload", "chat": "a"}       forget the answer, as a page that is loaded again has
// {"do": "view", "chat": "a"}         messages, status, error, endings, data
// {"do": "check", "frames": […]}      against the schema of the client; answers those it refuses
import { createInterface } from "node:readline";
import {
  AbstractChat,
  DefaultChatTransport,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  uiMessageChunkSchema,
} from "ai";

// The least state a chat can have: what React, Svelte and Vue bring, without any of them.
class State {
  #status = "ready";
  error = undefined;
  seen = () => {};
  #messages = [];
  get status() {
    return this.#status;
  }
  set status(status) {
    this.#status = status;
    this.seen();
  }
  get messages() {
    return this.#messages;
  }
  set messages(messages) {
    this.#messages = messages;
    this.seen();
  }
  pushMessage = (message) => {
    this.messages = [...this.#messages, message];
  };
  popMessage = () => {
    this.messages = this.#messages.slice(0, -1);
  };
  replaceMessage = (index, message) => {
    this.messages = this.#messages.with(index, structuredClone(message));
  };
  snapshot = (thing) => structuredClone(thing);
}

class PlainChat extends AbstractChat {
  constructor(options) {
    const state = new State();
    super({ ...options, state });
    this.seen = (callback) => {
      state.seen = callback;
    };
  }
}

const chats = new Map();

function open({ chat: name, id, api, headers }) {
  const held = { endings: [], data: [], errors: [], last: Promise.resolve(), waiting: null };
  held.answers = 0;
  held.chat = new PlainChat({
    id,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
    transport: new DefaultChatTransport({
      api,
      headers,
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        held.answers += 1;
        held.waiting?.();
        return response;
      },
    }),
    onFinish: ({ isAbort, isDisconnect, isError, finishReason }) =>
      held.endings.push({ isAbort, isDisconnect, isError, finishReason }),
    onData: (part) => held.data.push(part),
    onError: (error) => held.errors.push(error.message),
  });
  held.chat.seen(() => held.waiting?.());
  chats.set(name, held);
}

function textOf(message) {
  return (message?.parts ?? []).map((part) => part.text ?? "").join("");
}

function until(held, { text = "", answers = 0, ready = false }) {
  return new Promise((resolve) => {
    held.waiting = () => {
      const last = held.chat.messages.at(-1);
      const said = last?.role === "assistant" && textOf(last).includes(text);
      if (held.answers < answers || (text && !said)) return;
      if (ready && held.chat.status !== "ready") return;
      held.waiting = null;
      resolve();
    };
    held.waiting();
  });
}

function view({ chat, endings, data, errors }) {
  const error = chat.error && {
    name: chat.error.name,
    message: chat.error.message,
    statusCode: chat.error.statusCode,
  };
  return { messages: chat.messages, status: chat.status, error, endings, data, errors };
}

async function refused(frames) {
  const { validate } =
    typeof uiMessageChunkSchema === "function" ? uiMessageChunkSchema() : uiMessageChunkSchema;
  const results = await Promise.all(frames.map((frame) => validate(frame)));
  return frames.filter((_, at) => !results[at].success);
}

const starts = {
  send: (chat, { text, id }) => chat.sendMessage({ id, role: "user", parts: [{ type: "text", text }] }),
  edit: (chat, { text, messageId }) => chat.sendMessage({ text, messageId }),
  regenerate: (chat, { messageId }) => chat.regenerate(messageId ? { messageId } : {}),
  resume: (chat) => chat.resumeStream(),
  stop: (chat) => chat.stop(),
  // Sent by itself once every call of the last step is decided.
  decide: (chat, { approval, approved }) =>
    chat.addToolApprovalResponse({ id: approval, approved }),
};

async function answer(command) {
  if (command.do === "open") return open(command);
  if (command.do === "check") return refused(command.frames);
  const held = chats.get(command.chat);
  if (command.do === "view") return view(held);
  if (command.do === "settled") return held.last.then(() => view(held));
  if (command.do === "until") return until(held, command);
  if (command.do === "reload") {
    held.chat.messages = held.chat.messages.slice(0, 1);
    return;
  }
  held.last = starts[command.do](held.chat, command);
  held.last.catch((error) => held.errors.push(String(error)));
}

for await (const line of createInterface({ input: process.stdin })) {
  const done = await answer(JSON.parse(line));
  process.stdout.write(`${JSON.stringify(done ?? null)}\n`);
}
process.exit(0);
