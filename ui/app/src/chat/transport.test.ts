import { expect, test } from "vitest";
import { requestBody } from "./transport";
import type { ChatMessage } from "./types";

const question: ChatMessage = { id: "u1", role: "user", parts: [{ type: "text", text: "Hello" }] };
const answer: ChatMessage = { id: "a1", role: "assistant", parts: [{ type: "text", text: "Hi" }] };

test("only the new message is sent, never the history", () => {
  expect(
    requestBody("t", [question, answer, { ...question, id: "u2" }], "submit-message", null),
  ).toEqual({
    id: "t",
    trigger: "submit-message",
    message: { id: "u2", role: "user", parts: [{ type: "text", text: "Hello" }] },
  });
});

test("an edit names the message it replaces and has an id of its own", () => {
  const body = requestBody("t", [{ ...question, id: "u2" }], "submit-message", "u1");
  expect(body).toMatchObject({ messageId: "u1", message: { id: "u2" } });
});

test("a new answer names the old one", () => {
  expect(requestBody("t", [question], "regenerate-message", "a1")).toMatchObject({
    trigger: "regenerate-message",
    messageId: "a1",
  });
});

test("the page that a question was asked from goes with it", () => {
  const asked = { ...question, metadata: { page: { title: "Revenue" } } };
  expect(requestBody("t", [asked], "submit-message", null)).toMatchObject({
    context: { title: "Revenue" },
  });
  expect(requestBody("t", [question], "submit-message", null)).not.toHaveProperty("context");
});
