import { card, expect, test } from "./studio";

test("a workflow is opened, run, and each of its nodes says how it stands", async ({ page, studio }) => {
  await studio.visit(page);
  await page.getByRole("link", { name: /Text to image/ }).click();
  await expect(card(page, "sample")).toBeVisible();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(card(page, "save").locator(".node-done, .node-cached")).toBeVisible({ timeout: 60_000 });
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(card(page, "sample").locator(".node-cached")).toBeVisible();
});
