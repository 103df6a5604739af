// Builds the console into dist; in development, hands everything that is not the console to a running program.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const backend = process.env["BACKEND"] ?? "http://127.0.0.1:3000";
const proxied = ["/api", "/v1", "/v1beta", "/healthz", "/readyz", "/metrics"];

export default defineConfig({
  plugins: [react()],
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
