/**
 * The build of the page: static files that work on any host and below any path.
 */

import { defineConfig, type Plugin } from "vite";
import { galleryPlugin } from "./gallery-plugin.ts";

/** Nothing from elsewhere, nothing inline, nothing evaluated. The development server puts styles into the page, so only builds have it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function policyPlugin(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [{ tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: POLICY }, injectTo: "head-prepend" }],
  };
}

/** The entry is small and fetches the page; the browser hears of that from the HTML already. */
function preloadPlugin(): Plugin {
  return {
    name: "preload-page",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: (_html, { bundle }) =>
        Object.values(bundle ?? {})
          .filter((chunk) => chunk.type === "chunk" && chunk.facadeModuleId?.endsWith("/page.tsx"))
          .map(({ fileName }) => ({ tag: "link", attrs: { rel: "modulepreload", crossorigin: true, href: `./${fileName}` }, injectTo: "head" as const })),
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [galleryPlugin(), policyPlugin(), preloadPlugin()],
  worker: { format: "es" },
  server: { host: "127.0.0.1", fs: { allow: [".."] } },
  preview: { host: "127.0.0.1" },
  build: { outDir: "dist", emptyOutDir: true, target: "es2023", assetsInlineLimit: 0, modulePreload: { polyfill: false }, manifest: true },
});
