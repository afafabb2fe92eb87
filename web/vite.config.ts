import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the editor from source and hands API calls to a server started with
// `graphgen serve --allow-origin http://127.0.0.1:5173`.
const server = process.env.GRAPHGEN_SERVER ?? "http://127.0.0.1:8420";

export default defineConfig({
  plugins: [react()],
  base: "/",
  build: { outDir: "../graphgen/server/static", emptyOutDir: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 900 },
  server: { proxy: { "/api": { target: server, ws: true, changeOrigin: true } } },
  // what takes long here is a machine that is busy with other things
  test: { include: ["src/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
