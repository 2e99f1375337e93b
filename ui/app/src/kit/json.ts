/** JSON as people write it: what fits on a line stays on a line. */

const LINE_CHARS = 72;

export function prettyJson(value: unknown, indent = ""): string {
  const flat = JSON.stringify(value) ?? "";
  if (value === null || typeof value !== "object") return flat;
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const entries = isList
    ? value.map((item: unknown) => prettyJson(item, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${JSON.stringify(key)}: ${prettyJson(item, inner)}`);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return `${open}${close}`;
  const line = isList ? `[${entries.join(", ")}]` : `{ ${entries.join(", ")} }`;
  if (!line.includes("\n") && indent.length + line.length <= LINE_CHARS) return line;
  return `${open}\n${entries.map((entry) => inner + entry).join(",\n")}\n${indent}${close}`;
}

/** The same text with what nobody can see written out, for a person who has to judge it. */
export const visible = (text: string) =>
  text.replace(
    /[^\P{C}\n]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`,
  );
