/** The build: hashed assets, no inline script or style, everything served by Parlour itself. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/**
 * Two tags that Vite cannot write by itself: the theme script, which blocks on purpose so that a
 * dark page never flashes light, and the preload of the font.
 */
function headTags(): Plugin {
  const source = readFileSync(new URL("./src/theme-boot.js", import.meta.url), "utf8");
  const name = `assets/theme-${createHash("sha256").update(source).digest("hex").slice(0, 8)}.js`;
  return {
    name: "parlour-head-tags",
    configureServer(server) {
      server.middlewares.use(`/${name}`, (_request, response) => {
        response.setHeader("content-type", "text/javascript");
        response.end(source);
      });
    },
    generateBundle() {
      this.emitFile({ type: "asset", fileName: name, source });
    },
    transformIndexHtml(_html, context) {
      const font = Object.keys(context.bundle ?? {}).find((file) => /inter.*\.woff2$/.test(file));
      const theme = {
        tag: "script",
        attrs: { src: `/${name}` },
        injectTo: "head-prepend" as const,
      };
      if (font === undefined) return [theme];
      const attrs = {
        rel: "preload",
        as: "font",
        type: "font/woff2",
        href: `/${font}`,
        crossorigin: "",
      };
      return [theme, { tag: "link", attrs, injectTo: "head" as const }];
    },
  };
}

const server = process.env["PARLOUR_URL"] ?? "http://127.0.0.1:8010";

export default defineConfig({
  plugins: [react(), tailwindcss(), headTags()],
  build: {
    outDir: "../../src/parlour/static",
    emptyOutDir: true,
    assetsInlineLimit: 0, // data: URLs would need a wider policy
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    manifest: "assets/manifest.json",
  },
  server: { proxy: { "/api": server, "/health": server } },
});
