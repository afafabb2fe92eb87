/** The library, the app view and the graph: which keys and commands each has, and what leads from one to the other. */

import type { Page } from "@playwright/test";

import { card, expect, test } from "./studio";

const PLAIN = {
  graphgen: 1,
  name: "Plain colour",
  parameters: { width: { sets: ["solid.width"] } },
  nodes: {
    solid: { type: "images.solid", settings: { width: 60, height: 40, color: "#336699" } },
    save: { type: "images.save", inputs: { image: "solid.image" } },
  },
  view: { nodes: { solid: { x: 0, y: 0 }, save: { x: 320, y: 0 } } },
};

const focused = (page: Page) => page.evaluate(() => document.activeElement?.tagName);

test("Tab walks through the library and the app view, though on the graph it adds a node", async ({ page, studio }) => {
  await studio.save("plain", PLAIN);
  for (const [hash, seen] of [
    ["#/", page.getByRole("heading", { level: 1 })],
    ["#/app/plain", page.getByRole("textbox", { name: "Width" })],
  ] as const) {
    await studio.visit(page, hash);
    await expect(seen).toBeVisible();
    expect(await focused(page)).toBe("BODY");
    await page.keyboard.press("Tab");
    expect(await focused(page)).not.toBe("BODY");
  }
  await studio.visit(page, "#/w/plain");
  await expect(card(page, "save")).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("combobox", { name: "Search nodes" })).toBeFocused();
});

test("the library has commands and help of its own, and keeps nothing for later", async ({ page, studio }) => {
  await studio.save("plain", PLAIN);
  await studio.visit(page);
  const link = page.getByRole("link", { name: /Plain colour/ });
  await link.focus();
  await page.keyboard.press("Control+k");
  const commands = page.getByRole("dialog", { name: "All commands" });
  await expect(commands.getByRole("option", { name: "New workflow" })).toBeVisible();
  await expect(commands.getByRole("option", { name: /Add a node|Save now|^Run/ })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await expect(commands).toHaveCount(0);
  await expect(link).toBeFocused();
  await page.keyboard.press("F1");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(help.getByText("All commands")).toBeVisible();
  await expect(help.getByText("Run", { exact: true })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Menu" }).click();
  await expect(page.getByRole("menuitem", { name: /Keyboard shortcuts/ })).toBeVisible();
  await expect(page.getByRole("menuitem", { name: /Save now/ })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await expect(commands).toBeVisible();
  await page.evaluate(() => (location.hash = "#/w/plain"));
  await expect(card(page, "save")).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("Ctrl+Enter in a number's box runs with what was typed, on a card and in the app view", async ({
  page,
  studio,
}) => {
  await studio.save("plain", PLAIN);
  for (const [hash, width] of [
    ["#/w/plain", "33"],
    ["#/app/plain", "44"],
  ] as const) {
    await studio.visit(page, hash);
    const box = page.getByRole("textbox", { name: "Width" }).first();
    await box.click();
    await box.fill(width);
    const submitted = page.waitForRequest((one) => one.url().endsWith("/api/runs") && one.method() === "POST");
    await page.keyboard.press("Control+Enter");
    const { workflow } = (await submitted).postDataJSON() as { workflow: typeof PLAIN };
    expect(workflow.nodes.solid.settings.width).toBe(Number(width));
  }
});
