import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "@playwright/test";

import { card, expect, type Studio, test } from "./studio";

const TWO = {
  graphgen: 1,
  name: "Two pictures",
  nodes: {
    one: { type: "images.solid", settings: { width: 64, height: 64 } },
    two: { type: "images.solid", settings: { width: 64, height: 64 } },
  },
  view: { nodes: { one: { x: 0, y: 0 }, two: { x: 320, y: 0 } } },
};

const width = (page: Page, node: string) => card(page, node).getByLabel("Width", { exact: true });
const sign = (page: Page) => page.locator(".top-saving");

async function type(page: Page, node: string, value: number): Promise<void> {
  await width(page, node).fill(String(value));
  await width(page, node).press("Enter");
}

async function saved(studio: Studio, name: string) {
  const { nodes } = await (await studio.api(`/api/workflows/${name}`)).json();
  return [nodes.one.settings.width, nodes.two.settings.width];
}

test("two tabs see each other's changes; where both changed a setting, that is told", async ({ page, studio }) => {
  await studio.open(page, "tabs", TWO);
  const other = await page.context().newPage();
  await other.goto(`${studio.url}/#/w/tabs`);
  await expect(width(other, "two")).toHaveValue("64");
  await Promise.all([type(page, "one", 100), type(other, "two", 200)]);
  await expect(width(page, "two")).toHaveValue("200");
  await expect(width(other, "one")).toHaveValue("100");
  await expect.poll(() => saved(studio, "tabs")).toEqual([100, 200]);
  await Promise.all([type(page, "one", 111), type(other, "one", 222)]);
  const told = async () =>
    (await Promise.all([page, other].map((one) => one.locator(".notice-warning").allTextContents()))).flat().join();
  await expect.poll(told).toContain("one.width");
  await other.close();
});

test("another browser meets them as well, and a program's change arrives by itself", async ({
  page,
  browser,
  studio,
}) => {
  await studio.open(page, "browsers", TWO);
  const context = await browser.newContext();
  const other = await context.newPage();
  await studio.visit(other, "#/w/browsers");
  await expect(width(other, "two")).toHaveValue("64");
  await type(page, "one", 100);
  await expect(width(other, "one")).toHaveValue("100");
  const answer = await studio.api("/api/workflows/browsers");
  const document = await answer.json();
  document.nodes.two.settings.width = 300;
  await studio.api("/api/workflows/browsers", {
    method: "PUT",
    json: document,
    headers: { "If-Match": answer.headers.get("ETag")! },
  });
  for (const one of [page, other]) await expect(width(one, "two")).toHaveValue("300");
  await context.close();
});

test("a server that is killed while one types is bridged", async ({ page, studio }) => {
  await studio.open(page, "killed", TWO);
  await expect(width(page, "one")).toHaveValue("64");
  await studio.kill();
  await type(page, "one", 128);
  await expect(sign(page)).toContainText("Not saved");
  await type(page, "two", 256);
  await studio.start();
  await expect(sign(page)).toContainText("Saved");
  expect(await saved(studio, "killed")).toEqual([128, 256]);
});

test("what was typed right before a reload, or before the tab died, is there again", async ({ page, studio }) => {
  await studio.open(page, "reload", TWO);
  await type(page, "one", 128);
  await page.reload();
  await expect(width(page, "one")).toHaveValue("128");
  await expect(sign(page)).toContainText("Saved");
  await studio.kill();
  await type(page, "two", 256); // can only be in the browser
  const context = page.context();
  await page.close({ runBeforeUnload: false });
  await studio.start();
  const next = await context.newPage();
  await next.goto(`${studio.url}/#/w/reload`);
  await expect(width(next, "two")).toHaveValue("256");
  await expect.poll(() => saved(studio, "reload")).toEqual([128, 256]);
});

test("typing into an example makes a copy without a letter lost", async ({ page, studio }) => {
  await studio.visit(page, "#/w/seeds");
  const field = page.locator(".react-flow__node input[type=text], .react-flow__node textarea").first();
  await field.click();
  await field.press("End");
  await page.keyboard.type("12");
  await expect(field).toBeFocused();
  await expect(field).toHaveValue(/12$/);
  await page.keyboard.press("Tab");
  await expect(sign(page)).toContainText("Saved");
});

test("a file that is damaged or too new is told, and not written over", async ({ page, studio }) => {
  const folder = join(studio.folder, "data", "workflows");
  mkdirSync(folder, { recursive: true });
  const files = { newer: JSON.stringify({ ...TWO, graphgen: 99 }), broken: '{"graphgen": 1, "nodes"', list: "[]" };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.json`), text);
  for (const [name, text] of Object.entries(files)) {
    await studio.visit(page, `#/w/${name}`);
    await expect(page.getByRole("heading", { name: `“${name}” cannot be shown` })).toBeVisible();
    await page.keyboard.press("Control+z");
    await page.getByRole("link", { name: "All workflows" }).last().click();
    await expect(page.getByRole("heading", { name: "Workflows", exact: true })).toBeVisible();
    expect(readFileSync(join(folder, `${name}.json`), "utf8")).toBe(text);
  }
});
