import type { Page } from "@playwright/test";

import { card, expect, type Studio, test } from "./studio";

const ONE = {
  graphgen: 1,
  name: "A plain picture",
  nodes: { solid: { type: "images.solid", settings: { width: 64, height: 64 } } },
  view: { nodes: { solid: { x: 0, y: 0 } } },
};

const width = (page: Page) => card(page, "solid").getByLabel("Width", { exact: true });
const folder = (page: Page, name: string) =>
  page.locator(".folder-place", { has: page.getByText(name, { exact: true }) });
const entry = (page: Page, title: string) => page.locator(".card", { hasText: title });

async function names(studio: Studio): Promise<string[]> {
  const { workflows } = await (await studio.api("/api/workflows")).json();
  return workflows.flatMap(({ own, name }: { own: boolean; name: string }) => (own ? [name] : [])).sort();
}

async function rename(page: Page, place: string, file: string): Promise<void> {
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("menuitem", { name: "Name, folder and description" }).click();
  await page.getByRole("combobox", { name: "Folder" }).fill(place);
  await page.getByLabel("File name").fill(file);
  await page.getByRole("button", { name: "Done" }).click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
}

test("a workflow is renamed with its versions, and a second tab follows", async ({ page, studio }) => {
  await studio.empty();
  await studio.open(page, "before", ONE);
  await width(page).fill("128");
  await width(page).press("Enter");
  await expect(page.locator(".top-saving")).toContainText("Saved");
  const other = await page.context().newPage();
  await other.goto(`${studio.url}/#/w/before`);
  await expect(width(other)).toHaveValue("128");
  await rename(page, "plain", "after");
  await expect(page).toHaveURL(/#\/w\/plain%2Fafter$/);
  await expect(other).toHaveURL(/#\/w\/plain%2Fafter$/);
  await expect(other.getByText("This workflow is called plain/after now.")).toBeVisible();
  expect(await names(studio)).toEqual(["plain/after"]);
  expect(
    (await (await studio.api("/api/deleted-workflows")).json()).workflows.map(({ name }: { name: string }) => name),
  ).not.toContain("before");
  await width(other).fill("256");
  await width(other).press("Enter");
  await expect(width(page)).toHaveValue("256");
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("menuitem", { name: "Earlier versions" }).click();
  await expect(page.locator(".history-list > li")).not.toHaveCount(1);
  await page.keyboard.press("Escape");
  await page.goto(`${studio.url}/#/`);
  await page.goto(`${studio.url}/#/w/before`); // an old link
  await expect(page).toHaveURL(/#\/w\/plain%2Fafter$/);
  await expect(width(page)).toHaveValue("256");
  expect(await names(studio)).toEqual(["plain/after"]);
  await other.close();
});

test("workflows lie in folders, which are closed and take what is dragged onto them", async ({ page, studio }) => {
  await studio.empty();
  await studio.save("shapes/one", { ...ONE, name: "Beige" });
  await studio.save("two", { ...ONE, name: "Azure" });
  await studio.visit(page);
  await expect(folder(page, "shapes").locator(".card")).toHaveCount(1);
  await entry(page, "Azure").dragTo(folder(page, "shapes"));
  await expect(folder(page, "shapes").locator(".card")).toHaveCount(2);
  expect(await names(studio)).toEqual(["shapes/one", "shapes/two"]);
  await entry(page, "Beige").dragTo(page.locator(".folder-place").first());
  await expect(folder(page, "shapes").locator(".card")).toHaveCount(1);
  expect(await names(studio)).toEqual(["one", "shapes/two"]);
  await page.getByText("shapes", { exact: true }).click();
  await expect(entry(page, "Azure")).toHaveCount(0);
  await page.reload();
  await expect(entry(page, "Beige")).toBeVisible();
  await expect(entry(page, "Azure")).toHaveCount(0);
  await page.getByRole("searchbox").fill("azure"); // what is searched for is shown wherever it lies
  await expect(entry(page, "Azure")).toBeVisible();
  await page.getByRole("button", { name: "More about Azure" }).click();
  await page.getByRole("menuitem", { name: "Make a copy" }).click();
  await expect(page).toHaveURL(/#\/w\/shapes%2Ftwo%20copy$/);
  await expect(width(page)).toHaveValue("64");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("menuitem", { name: "Name, folder and description" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("File name")).toHaveValue("two copy");
  expect(await dialog.evaluate((one) => one.scrollWidth - one.clientWidth)).toBeLessThanOrEqual(0);
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 1280, height: 720 });
  await rename(page, "", "three");
  expect(await names(studio)).toEqual(["one", "shapes/two", "three"]);
});
