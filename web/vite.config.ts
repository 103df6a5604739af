// Builds the console into dist; in development, hands everything that is not the console to a running program.
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const backend = process.env["BACKEND"] ?? "http://127.0.0.1:3000";
const proxied = ["/api", "/v1", "/v1beta", "/model", "/healthz", "/readyz", "/metrics"];

/**
 * Semi's styles come in pieces, some of them late. In a layer they give way to ours wherever they come; only our
 * resets give way to them. And they have the font of what is around them.
 */
const layered: Plugin = {
  name: "semi-in-a-layer",
  enforce: "pre",
  transform(code, id) {
    if (!/@douyinfe[\\/].*\.css$/.test(id)) return undefined;
    const plain = code
      .replace(/@charset [^;]+;/g, "")
      .replace(/font-family:[^;}]+/g, "font-family: inherit");
    return { code: `@layer reset, semi;\n@layer semi {\n${plain}\n}`, map: null };
  },
};

export default defineConfig({
  plugins: [layered, react()],
  build: {
    target: "es2021",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    reportCompressedSize: false,
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(proxied.map((path) => [path, { target: backend, ws: true }])),
  },
  test: {
    environment: "jsdom",
    setupFiles: ["tests/setup.ts"],
    include: ["tests/**/*.test.{ts,tsx}"],
    testTimeout: 20_000,
  },
});
