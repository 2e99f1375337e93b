/** Writes .br and .gz beside every text asset, so that the server never compresses a request. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const out = new URL("../../../src/parlour/static/", import.meta.url);
const packable = /\.(js|css|html|svg|json)$/;

for (const entry of await readdir(out, { recursive: true, withFileTypes: true })) {
  const path = `${entry.parentPath}/${entry.name}`;
  if (!entry.isFile() || !packable.test(entry.name)) continue;
  const raw = await readFile(path);
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  await writeFile(`${path}.br`, brotliCompressSync(raw, quality));
  await writeFile(`${path}.gz`, gzipSync(raw, { level: 9 }));
}
