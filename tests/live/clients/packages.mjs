// Where `import "ai"` looks: in the node_modules of the folder named by PACKAGES, so that the same
// driver runs with any installed version.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const parentURL = pathToFileURL(`${process.env.PACKAGES}/package.json`).href;

registerHooks({
  resolve(specifier, context, next) {
    const ours = context.parentURL?.startsWith(import.meta.url.replace("packages.mjs", ""));
    const bare = /^[@a-z]/.test(specifier) && !specifier.startsWith("node:");
    return next(specifier, ours && bare ? { ...context, parentURL } : context);
  },
});
