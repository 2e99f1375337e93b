import { expect, test } from "vitest";
import type { Message } from "../wire";
import { readAnswer } from "./answer";
import { mergeStored, textOf, toChatMessage } from "./convert";

const stored = (change: Partial<Message> = {}): Message => ({
  id: "a1",
  role: "assistant",
  status: "done",
  created_at: "2026-11-20T10:00:00Z",
  versions: ["a1"],
  parts: [
    { type: "reasoning", text: "A product.", round: 1, elapsed_ms: 6200 },
    { type: "text", text: "Let me see.", round: 1 },
    {
      type: "tool",
      call_id: "c1",
      name: "parlour__calculator",
      title: "Calculator",
      arguments: { expression: "17.5 / 100 * 2340" },
      status: "ok",
      text: "409.5",
      round: 1,
    },
    { type: "text", text: "It is **409.5**.", round: 2 },
  ],
  ...change,
});

test("a stored message reads as a streamed one: work first, then the answer", () => {
  const view = readAnswer(toChatMessage(stored()), false);
  expect(view.items.map((item) => item.kind)).toEqual(["reasoning", "text", "tool", "text"]);
  expect(view.items.map((item) => item.kind === "text" && item.final)).toEqual([
    false,
    false,
    false,
    true,
  ]);
  expect(view.markdown).toBe("It is **409.5**.");
});

test("how long it thought survives a reload", () => {
  const [first] = readAnswer(toChatMessage(stored()), false).items;
  expect(first).toMatchObject({ kind: "reasoning", elapsedMs: 6200, live: false });
});

test("a failed tool keeps the words of its failure", () => {
  const parts: Message["parts"] = [
    {
      type: "tool",
      call_id: "c",
      name: "n",
      title: "T",
      arguments: {},
      status: "failed",
      text: "No.",
      round: 1,
    },
  ];
  const [item] = readAnswer(toChatMessage(stored({ parts })), false).items;
  expect(item).toMatchObject({ kind: "tool", tool: { state: "failed", text: "No." } });
});

test("a call that was still running when its turn ended is unfinished, not running", () => {
  const parts: Message["parts"] = [
    {
      type: "tool",
      call_id: "c",
      name: "n",
      title: "T",
      arguments: {},
      status: "running",
      round: 1,
    },
  ];
  const message = toChatMessage(stored({ parts, status: "stopped" }));
  expect(readAnswer(message, false).items[0]).toMatchObject({ tool: { state: "unfinished" } });
  expect(readAnswer(message, true).items[0]).toMatchObject({ tool: { state: "running" } });
  expect(message.metadata?.stopped).toBe(true);
});

test("a kept error is shown after a reload", () => {
  const parts: Message["parts"] = [
    { type: "text", text: "I was", round: 1 },
    { type: "error", code: "turn_lost", message: "Lost.", retryable: true, reference: "req_1" },
  ];
  const view = readAnswer(toChatMessage(stored({ parts, status: "failed" })), false);
  expect(view.failure).toEqual({
    code: "turn_lost",
    message: "Lost.",
    retryable: true,
    reference: "req_1",
  });
  expect(view.markdown).toBe("I was");
});

test("what the server adds after a turn leaves the streamed parts alone", () => {
  const local = toChatMessage(stored({ versions: [] }));
  const [merged] = mergeStored([local], [stored({ versions: ["a0", "a1"], parts: [] })]);
  expect(merged?.parts).toBe(local.parts);
  expect(merged?.metadata?.versions).toEqual(["a0", "a1"]);
});

test("a question keeps its line breaks", () => {
  const question = stored({ role: "user", parts: [{ type: "text", text: "one\ntwo" }] });
  expect(textOf(toChatMessage(question))).toBe("one\ntwo");
});

test("where an answer was begun anew is told after a reload, in front of that round", () => {
  const message = toChatMessage(stored({ metadata: { restarts: [2] } }));
  const kinds = readAnswer(message, false).items.map((item) => item.kind);
  expect(kinds).toEqual(["reasoning", "text", "tool", "restart", "text"]);
});

test("the route of an answer is kept with its figures", () => {
  const route = { name: "main", model: "m-1", region: "eu" };
  expect(toChatMessage(stored({ metadata: { route } })).metadata?.route).toEqual(route);
});

test("what was told beside an answer is told after a reload, in its place", () => {
  const parts: Message["parts"] = [
    { type: "notice", kind: "route_switched", text: "B answers.", round: 1 },
    ...stored().parts,
    { type: "notice", kind: "tool_failed", text: "Not everything worked.", round: 2 },
  ];
  const view = readAnswer(toChatMessage(stored({ parts, metadata: { restarts: [1] } })), false);
  const told = view.items.map((item) => (item.kind === "notice" ? item.text : item.kind));
  expect(told).toEqual([
    "restart",
    "B answers.",
    "reasoning",
    "text",
    "tool",
    "text",
    "Not everything worked.",
  ]);
});

test("a withdrawn answer stays one after a reload", () => {
  const parts: Message["parts"] = [
    { type: "text", text: "Withdrawn.", round: 1, withdrawn: "secret" },
  ];
  const [item] = readAnswer(toChatMessage(stored({ parts })), false).items;
  expect(item).toMatchObject({ kind: "text", text: "Withdrawn.", withdrawn: true });
});
