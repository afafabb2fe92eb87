/** The app view as it is on a phone: with fingers, on a narrow screen. */

import type { Locator, Page } from "@playwright/test";

import { expect, test } from "./studio";

test.use({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true });

const PLAIN = {
  graphgen: 1,
  name: "Plain colours",
  description: "Pictures of one colour.",
  parameters: {
    color: { sets: ["solid.color"] },
    width: { sets: ["solid.width"] },
    height: { sets: ["solid.height"] },
    batch: { sets: ["solid.batch"] },
    quality: { sets: ["save.quality"] },
    format: { sets: ["save.format"] },
    seed: { sets: ["noise.seed"] },
  },
  nodes: {
    solid: { type: "images.solid", settings: { width: 60, height: 40, color: "#336699" } },
    save: { type: "images.save", inputs: { image: "solid.image" }, settings: { name: "phone" } },
    noise: { type: "noise.gaussian" },
  },
};

/** Draw a finger across something, by pixels to the right. */
async function swipe(target: Locator, by: number): Promise<void> {
  const box = (await target.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const touch = { pointerType: "touch", isPrimary: true, bubbles: true, clientY: y };
  await target.dispatchEvent("pointerdown", { ...touch, clientX: x });
  await target.dispatchEvent("pointerup", { ...touch, clientX: x + by });
}

const run = async (page: Page) => page.locator(".app-actions").getByRole("button", { name: "Run" }).tap();

test("an app is used with fingers: changed, run, looked at, swiped through, kept and shared", async ({
  page,
  studio,
}) => {
  // a headless browser has no programs to share with; what it is asked to share is looked at
  await page.addInitScript(() => {
    const shared: string[] = [];
    Object.assign(window, { shared });
    Object.assign(navigator, {
      canShare: () => true,
      share: ({ files }: ShareData) =>
        Promise.resolve(shared.push(...files!.map(({ name, type }) => `${name} ${type}`))),
    });
  });
  await studio.save("phone", PLAIN);
  await studio.visit(page, "#/app/phone");
  const form = page.locator(".app-form");
  await expect(form).toBeVisible();
  for (const one of await page.locator(".app button, .app input, .app select, .top-bar button, .top-bar a").all()) {
    if (!(await one.isVisible())) continue;
    const { height, width } = (await one.boundingBox())!;
    expect(Math.min(height, width), await one.evaluate((element) => element.outerHTML)).toBeGreaterThanOrEqual(24);
    if (await one.evaluate((element) => element.matches("button, a"))) expect(height).toBeGreaterThanOrEqual(44);
  }
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(await overflow()).toBeLessThanOrEqual(0);

  const pictures = page.locator(".app-result .app-picture");
  const strip = page.getByRole("region", { name: "Past pictures" }).getByRole("listitem");
  for (const [at, width] of [61, 62, 63].entries()) {
    await page.getByLabel("Width", { exact: true }).fill(String(width));
    await page.getByLabel("Width", { exact: true }).press("Enter");
    await run(page);
    await expect(strip).toHaveCount(at + 1, { timeout: 60_000 });
    await expect(pictures).toBeInViewport();
  }
  expect(await overflow()).toBeLessThanOrEqual(0);

  const download = page.waitForEvent("download");
  await page.locator(".app-result").getByRole("link", { name: "Download" }).tap();
  expect((await download).suggestedFilename()).toMatch(/^phone.*\.png$/);
  await page.locator(".app-result").getByRole("button", { name: "Share" }).tap();
  await expect
    .poll(() => page.evaluate(() => (window as unknown as { shared: string[] }).shared))
    .toEqual([expect.stringMatching(/^phone.*\.png image\/png$/)]);

  await strip.first().getByRole("button").tap();
  const dialog = page.getByRole("dialog");
  const width = dialog.locator(".piece-values div", { hasText: "Width" }).locator("dd");
  const large = dialog.locator(".piece-picture");
  await expect(width).toHaveText("63");
  await swipe(large, -120);
  await expect(width).toHaveText("62");
  await swipe(large, -120);
  await expect(width).toHaveText("61");
  await swipe(large, 20);
  await swipe(large, 120);
  await expect(width).toHaveText("62");
  await dialog.getByRole("button", { name: "Use these values" }).tap();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByLabel("Width", { exact: true })).toHaveValue("62");
});
