import { existsSync } from "node:fs";

import { defineConfig } from "@playwright/test";

const browser = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
if (!browser) {
  throw new Error(
    "the browser tests need Chromium: on Debian `apt-get install chromium`, or name one with CHROMIUM=...",
  );
}

export default defineConfig({
  testDir: "tests",
  outputDir: "../build/browser",
  workers: 2,
  fullyParallel: false,
  forbidOnly: true,
  timeout: 180_000, // ceilings alone: what is waited for comes sooner, on a busy machine late
  expect: { timeout: 45_000 },
  reporter: [["line"]],
  use: {
    viewport: { width: 1440, height: 900 },
    colorScheme: "light",
    locale: "en-US",
    screenshot: "only-on-failure",
    launchOptions: { executablePath: browser, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] },
  },
});
