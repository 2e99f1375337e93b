import { expect, test } from "vitest";
import { rowsOf } from "./details";

const answer = {
  model: "openai:m-1",
  route: { name: "main", model: "m-1", region: "eu-central" },
  usage: { input: 10, output: 5, cost_micros: 1200 },
};
const names = (dev: boolean) => rowsOf(answer, dev).map(([name]) => name);

test("developers see by which route an answer came, and what it cost", () => {
  const rows = Object.fromEntries(rowsOf(answer, true));
  expect(rows["Route"]).toBe("main · m-1 · eu-central");
  expect(rows["Cost"]).toContain("0.0012");
});

test("a region that nobody stated is not made up", () => {
  const nowhere = { ...answer, route: { ...answer.route, region: "" } };
  expect(Object.fromEntries(rowsOf(nowhere, true))["Route"]).toContain("region not stated");
});

test("what has no price says so", () => {
  const unpriced = { ...answer, usage: { input: 10, output: 5 } };
  expect(Object.fromEntries(rowsOf(unpriced, true))["Cost"]).toContain("not known");
});

test("everybody else sees neither", () => {
  expect(names(true)).toContain("Route");
  expect(names(false)).not.toContain("Route");
  expect(names(false)).not.toContain("Cost");
  expect(names(false)).toContain("Tokens in");
});
