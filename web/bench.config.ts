/** The benchmark of the editor: `python -m benchmarks editor` runs it, and reads what it writes. */

import { defineConfig } from "@playwright/test";

import browserTests from "./playwright.config";

export default defineConfig({
  ...browserTests,
  testDir: "bench",
  testMatch: "*.bench.ts",
  workers: 1,
  timeout: 600_000,
  expect: { timeout: 120_000 },
});
