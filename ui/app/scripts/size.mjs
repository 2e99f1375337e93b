/** Fails when the page has grown past its budget: gzip kilobytes of what a first visit loads. */
import { readFileSync } from "node:fs";

const KB = 1024;
const BUDGETS = { shell: 170 * KB, style: 14 * KB, markdown: 155 * KB, font: 52 * KB };

const out = new URL("../../../src/parlour/static/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("assets/manifest.json", out), "utf8"));
const entry = Object.values(manifest).find((chunk) => chunk.isEntry);

const gzipped = (file) => readFileSync(new URL(`${file}.gz`, out)).length;
const raw = (file) => readFileSync(new URL(file, out)).length;

/** A chunk and everything it imports before it can run, without what `known` has loaded already. */
function closure(chunk, known = new Set()) {
  if (chunk === undefined || known.has(chunk.file)) return known;
  known.add(chunk.file);
  for (const name of chunk.imports ?? []) closure(manifest[name], known);
  return known;
}

const shell = closure(entry);
const markdown = Object.values(manifest).find((chunk) => chunk.src === "src/parts/markdown.tsx");
const lazy = [...closure(markdown)].filter((file) => !shell.has(file));
const sum = (files, size) => files.reduce((total, file) => total + size(file), 0);

const sizes = {
  shell: sum([...shell], gzipped),
  style: sum(entry.css ?? [], gzipped),
  markdown: sum(lazy, gzipped),
  font: sum(
    (entry.assets ?? []).filter((file) => /inter.*\.woff2$/.test(file)),
    raw,
  ),
};

let failed = false;
for (const [name, size] of Object.entries(sizes)) {
  const over = size > BUDGETS[name];
  failed ||= over;
  const used = (size / KB).toFixed(1).padStart(7);
  console.log(
    `${name.padEnd(10)}${used} KB of ${BUDGETS[name] / KB} KB${over ? "  too large" : ""}`,
  );
}
process.exit(failed ? 1 : 0);
