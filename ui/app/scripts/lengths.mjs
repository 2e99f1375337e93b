/** Fails when a source file is too long to be read in one go: it holds more than one concern. */
import { readdirSync, readFileSync } from "node:fs";

const LINES_MAX = 250;
const LOOSE = new Map([["styles.css", 400]]); // one sheet, read by its headlines

const src = new URL("../src/", import.meta.url);
const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.parentPath.includes("contract"))
  .map((entry) => ({ name: entry.name, path: `${entry.parentPath}/${entry.name}` }));

let failed = false;
for (const { name, path } of files) {
  const lines = readFileSync(path, "utf8").split("\n").length - 1;
  if (lines <= (LOOSE.get(name) ?? LINES_MAX)) continue;
  failed = true;
  console.log(`${path}: ${lines} lines, at most ${LOOSE.get(name) ?? LINES_MAX}`);
}
process.exit(failed ? 1 : 0);
