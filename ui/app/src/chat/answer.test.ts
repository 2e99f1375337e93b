import { expect, test } from "vitest";
import { isVisiblyWorking, readAnswer } from "./answer";
import type { ChatMessage, ChatPart } from "./types";

const message = (parts: ChatPart[]): ChatMessage => ({
  id: "a",
  role: "assistant",
  parts,
  metadata: {},
});

const call: ChatPart = {
  type: "dynamic-tool",
  toolCallId: "c1",
  toolName: "sales__search_dashboards",
  state: "input-available",
  input: {},
};

test("text that led to a tool is work as soon as the tool appears", () => {
  const before = readAnswer(
    message([{ type: "step-start" }, { type: "text", text: "Let me look." }]),
    true,
  );
  expect(before.items[0]).toMatchObject({ final: true });
  const after = readAnswer(
    message([{ type: "step-start" }, { type: "text", text: "Let me look." }, call]),
    true,
  );
  expect(after.items[0]).toMatchObject({ final: false });
  expect(after.markdown).toBe("");
});

test("nothing moves when the chat is not live, whatever the parts say", () => {
  const parts: ChatPart[] = [{ type: "reasoning", text: "Hm", state: "streaming" }, call];
  expect(isVisiblyWorking(readAnswer(message(parts), false))).toBe(false);
  expect(isVisiblyWorking(readAnswer(message(parts), true))).toBe(true);
});

test("a preliminary result is not a result", () => {
  const part: ChatPart = {
    ...call,
    state: "output-available",
    output: { text: "34 of 68" },
    preliminary: true,
  };
  expect(readAnswer(message([part]), true).items[0]).toMatchObject({ tool: { state: "running" } });
});

test("a withdrawn answer is replaced, not kept beside its replacement", () => {
  const view = readAnswer(
    message([
      { type: "text", text: "A secret" },
      { type: "data-replace", data: { text: "Withdrawn." } },
    ]),
    false,
  );
  expect(view.markdown).toBe("Withdrawn.");
  expect(view.items).toHaveLength(1);
});

test("a restarted round drops what it had said", () => {
  const view = readAnswer(
    message([
      { type: "step-start" },
      { type: "text", text: "Half a sen" },
      { type: "data-restart", data: { round: 1 } },
      { type: "text", text: "A whole sentence." },
    ]),
    false,
  );
  expect(view.markdown).toBe("A whole sentence.");
});

test("a tool without a title is named by what follows its server", () => {
  expect(readAnswer(message([call]), true).items[0]).toMatchObject({
    tool: { title: "search dashboards" },
  });
});

test("output that is not ours is shown as it is, never as [object Object]", () => {
  const part: ChatPart = { ...call, state: "output-available", output: { deleted: true } };
  expect(readAnswer(message([part]), false).items[0]).toMatchObject({
    tool: { text: '{"deleted":true}' },
  });
});
