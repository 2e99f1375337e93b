import { afterEach, expect, test } from "vitest";
import { adoptDocumentContext, lookAt, pageContext, toPageContext } from "./page-context";

afterEach(() => {
  lookAt(null);
  document.getElementById("parlour-context")?.remove();
});

function write(text: string): void {
  const block = document.createElement("script");
  block.type = "application/json";
  block.id = "parlour-context";
  block.textContent = text;
  document.head.append(block);
}

test("only what the server takes is kept, and a number may be an id", () => {
  expect(
    toPageContext({ kind: "chart", id: 7, title: "", url: 5, fields: { a: 1 }, left_out: 3 }),
  ).toEqual({ kind: "chart", id: "7", fields: { a: 1 } });
});

test.each([null, 5, "chart", [], {}, { title: "" }, { fields: [] }])("%j is no page", (given) => {
  expect(toPageContext(given)).toBeNull();
});

test("the document may say what is in view", () => {
  write('{"title": "Revenue"}');
  adoptDocumentContext();
  expect(pageContext.get().value).toEqual({ title: "Revenue" });
});

test("a block that is not JSON is as if there were none", () => {
  write("{");
  adoptDocumentContext();
  expect(pageContext.get().value).toBeNull();
});
