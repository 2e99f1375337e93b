/**
 * The page in a language that nobody speaks: each word of the catalogue stands between ⟦ and ⟧, and
 * it is read from right to left. What shows no such marks did not come from the catalogue. Only the
 * tests build it (tests/browser/test_language.py).
 */
import { mergeConfig, type Plugin } from "vite";
import page from "./vite.config";

/** Names of keys are what stands on the keyboard; the two others are settings and no words. */
const mark = `
const MARKED = new Set(["keys", "language", "direction"]);
const pseudo = (value) => {
  if (typeof value === "string") return value === "" ? "" : "⟦" + value + "⟧";
  if (typeof value === "function") return (...given) => pseudo(value(...given));
  if (Array.isArray(value)) return value.map(pseudo);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) =>
    [name, MARKED.has(name) ? inner : pseudo(inner)]));
};
export const strings = {...pseudo(plain), language: "en-XA", direction: "rtl"};
`;

function pseudoLanguage(): Plugin {
  return {
    name: "parlour-pseudo-language",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("/src/strings.ts")) return null;
      return code.replace("export const strings =", "const plain =") + mark;
    },
  };
}

export default mergeConfig(page, {
  plugins: [pseudoLanguage()],
  build: { outDir: process.env["PARLOUR_PSEUDO_OUT"] },
});
