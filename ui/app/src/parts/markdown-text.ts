/** What has to be known of a markdown text before it is drawn. */

const withoutFences = (text: string) =>
  text.replace(/^(`{3,}|~{3,})[\s\S]*?(^\1|$(?![\s\S]))/gm, "");

/** The heading levels that a text uses, in order, as digits: "23" for ## and ###. */
export function headingLevels(text: string): string {
  if (!text.includes("#")) return "";
  const used = withoutFences(text).matchAll(/^ {0,3}(#{1,6})[ \t]/gm);
  return [...new Set(Array.from(used, ([, marks = ""]) => marks.length))].sort().join("");
}

/**
 * The text without the table that is only just beginning. Until the line of dashes has come, the
 * header is a paragraph full of bars, and people would see it turn into a table.
 */
export function withoutHalfTable(text: string): string {
  const start = text.lastIndexOf("\n\n") + 1;
  const block = text.slice(start).replace(/^\n+/, "");
  if (!/^ {0,3}\|/.test(block)) return text;
  const lines = block.split("\n");
  const ruled = lines.length > 2 && /^[\s|:-]+$/.test(lines[1] ?? "");
  return ruled ? text : text.slice(0, text.length - block.length);
}
