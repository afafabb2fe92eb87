/** The screenshots of docs/: what a person sees, made by the embedded model. */

import { type Page } from "@playwright/test";

import { card, expect, test } from "../tests/studio";

const FOLDER = "../docs/pictures/editor";
const shoot = (page: Page, name: string) => page.screenshot({ path: `${FOLDER}/${name}.png` });

test.describe.configure({ mode: "serial" });

test("a workflow that has run", async ({ page, studio }) => {
  await studio.visit(page, "#/w/text_to_image");
  await page.getByRole("button", { name: /^Run/ }).first().click();
  await expect(card(page, "save").locator(".node-done, .node-cached")).toBeVisible({ timeout: 240_000 });
  await page.keyboard.press(".");
  await card(page, "sample").locator(".node-header").click();
  await page.waitForTimeout(800);
  await shoot(page, "graph");
});

test("dark, in Korean", async ({ browser, studio }) => {
  const context = await browser.newContext({
    colorScheme: "dark",
    locale: "ko-KR",
    viewport: { width: 1440, height: 900 },
  });
  const page = await context.newPage();
  await studio.visit(page, "#/w/image_to_image");
  await expect(card(page, "sample")).toBeVisible();
  await page.waitForTimeout(800);
  await shoot(page, "korean");
  await context.close();
});

test("the app view, and on a phone", async ({ page, studio }) => {
  await studio.visit(page, "#/app/text_to_image");
  await expect(page.locator(".app-result figure img")).toBeVisible();
  await shoot(page, "app");
  await page.setViewportSize({ width: 390, height: 844 });
  await shoot(page, "phone");
});

test("the library", async ({ page, studio }) => {
  await studio.visit(page);
  await expect(page.getByRole("link", { name: /Text to image/ }).first()).toBeVisible();
  await page.waitForTimeout(800);
  await shoot(page, "library");
});
