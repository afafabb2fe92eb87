import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { card, expect, test } from "./studio";

const TWO = {
  graphgen: 1,
  name: "Two steps",
  parameters: { wide: { sets: ["solid.width"], description: "How wide" } },
  nodes: {
    solid: { type: "images.solid", settings: { width: 64, height: 64 } },
    curves: { type: "images.curves", inputs: { image: "solid.image" } },
    wrong: { type: "images.save" },
  },
  view: { nodes: { solid: { x: 0, y: 0 }, curves: { x: 320, y: 0 }, wrong: { x: 640, y: 0 } } },
};

const TABS = ["inspector", "outline", "parameters", "queue", "history"];

async function check(page: Page, what: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"])
    .analyze();
  const told = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} ${target} ${failureSummary}`),
  );
  expect(told, what).toEqual([]);
}

for (const [theme, language] of [
  ["light", "en"],
  ["dark", "ko"],
] as const) {
  test(`axe finds nothing in ${theme}, ${language}`, async ({ page, studio }) => {
    await page.addInitScript(
      ([theme, language]) => {
        localStorage.setItem("graphgen-theme", theme!);
        localStorage.setItem("graphgen-language", language!);
      },
      [theme, language],
    );
    await studio.api("/api/workflows/axe", { method: "PUT", json: TWO });
    await studio.visit(page);
    await expect(page.locator(".card").first()).toBeVisible();
    await check(page, "library");
    await page.goto(`${studio.url}/#/w/axe`);
    await card(page, "solid").locator(".node-header").click();
    for (const id of TABS) {
      const tab = page.locator(`#tab-${id}`);
      if ((await tab.getAttribute("aria-selected")) === "false") await tab.click();
      await check(page, id);
    }
    await page.locator(".top-bar .menu button").first().click();
    await check(page, "menu");
    await page.keyboard.press("Escape");
    await page.goto(`${studio.url}/#/app/axe`);
    await expect(page.locator(".app-form")).toBeVisible();
    await check(page, "app");
  });
}

test("the outline tells of each node, and leads to it and to what is wrong", async ({ page, studio }) => {
  await studio.open(page, "outline", TWO);
  await page.getByRole("tab", { name: "Outline" }).press("Enter");
  const outline = page.getByRole("tabpanel", { name: "Outline" });
  await expect(outline.getByRole("button", { name: /solid/ }).first()).toBeVisible();
  await expect(outline).toContainText("Image from solid.image");
  await outline.getByRole("button", { name: /^wrong\.image/ }).press("Enter");
  await expect(card(page, "wrong")).toHaveClass(/selected/);
  await page.getByRole("tab", { name: "Node" }).click();
  await expect(page.getByRole("tabpanel")).toContainText("Inputs");
});
