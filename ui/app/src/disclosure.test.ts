import { afterEach, expect, test, vi } from "vitest";
import type { DisclosureBody } from "./contract/api";
import { disclosure } from "./disclosure";

const told = (edition: string, reason: DisclosureBody["reason"] = "first"): DisclosureBody => ({
  edition,
  reason,
  locale: "en",
  text: "An AI answers.",
  lines: [{ text: "An AI answers.", lang: "en", placement: ["in_header"], rules: [] }],
});

afterEach(() => {
  disclosure.store.set({ value: null, shown: "" });
  vi.unstubAllGlobals();
});

test("what was not drawn is not acknowledged", () => {
  disclosure.store.set({ value: told("d_1") });
  expect(disclosure.toAcknowledge()).toBeNull();
  disclosure.drawn("d_1");
  expect(disclosure.toAcknowledge()).toBe("d_1");
});

test("words that were replaced before anybody saw them are not acknowledged", () => {
  disclosure.store.set({ value: told("d_1") });
  disclosure.drawn("d_1");
  disclosure.demanded({ code: "disclosure_required", disclosure: told("d_2", "changed") });
  expect(disclosure.toAcknowledge()).toBeNull();
  disclosure.drawn("d_2");
  expect(disclosure.toAcknowledge()).toBe("d_2");
});

test("an acknowledgement goes with one message; a reminder has to be drawn again", () => {
  disclosure.store.set({ value: told("d_1") });
  disclosure.drawn("d_1");
  disclosure.accepted();
  expect(disclosure.toAcknowledge()).toBeNull();
  disclosure.demanded({ disclosure: told("d_1", "again") });
  expect(disclosure.toAcknowledge()).toBeNull();
  disclosure.drawn("d_1");
  expect(disclosure.toAcknowledge()).toBe("d_1");
});

test("a refusal that carries nothing to show changes nothing", () => {
  for (const problem of [null, "no", {}, { disclosure: null }, { disclosure: { edition: "d" } }]) {
    disclosure.demanded(problem);
    expect(disclosure.store.get().value).toBeNull();
  }
});

test("a server that does not answer leaves the page as it is", async () => {
  vi.stubGlobal("fetch", async () => new Response("no", { status: 503 }));
  await disclosure.load();
  expect(disclosure.store.get().value).toBeNull();
});
