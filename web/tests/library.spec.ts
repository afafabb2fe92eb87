import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Page } from "@playwright/test";

import { card, expect, type Studio, test } from "./studio";

const ONE = {
  graphgen: 1,
  name: "A plain picture",
  nodes: { solid: { type: "images.solid", settings: { width: 64, height: 64 } } },
  view: { nodes: { solid: { x: 0, y: 0 } } },
};

const shelf = (page: Page) => page.getByRole("region", { name: "Your workflows" });
const entry = (page: Page, title: string) => page.locator(".card", { hasText: title });
const put = (studio: Studio, name: string, json: unknown) =>
  studio.api(`/api/workflows/${encodeURIComponent(name)}`, { method: "PUT", json });

async function choose(page: Page, title: string, item: string): Promise<void> {
  await entry(page, title)
    .getByRole("button", { name: `More about ${title}` })
    .click();
  await page.getByRole("menuitem", { name: item }).click();
}

test("examples have pictures, are searched, and the first change makes a copy", async ({ page, studio }) => {
  await studio.empty();
  await studio.visit(page);
  await expect(shelf(page)).toContainText("Nothing of yours yet");
  const example = entry(page, "Text to image");
  await expect
    .poll(() => example.locator("img").evaluate((one: HTMLImageElement) => one.naturalWidth))
    .toBeGreaterThan(0);
  await page.getByRole("searchbox").fill("inpaint");
  await expect(example).toHaveCount(0);
  await expect(page.locator(".card").first()).toBeVisible();
  await page.getByRole("searchbox").fill("zzz");
  await expect(page.getByText("No workflow matches “zzz”.")).toBeVisible();
});

test("a workflow is begun, named, copied, deleted and taken back", async ({ page, studio }) => {
  await studio.visit(page);
  await page.getByRole("button", { name: "New workflow" }).click();
  await page.getByLabel("Title of the workflow").fill("My picture");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("menuitem", { name: "Name, folder and description" }).click();
  await page.getByRole("textbox", { name: "Description" }).fill("What it is for");
  await page.getByLabel("File name").fill("no:way");
  await expect(page.getByRole("button", { name: "Done" })).toBeDisabled();
  await page.getByLabel("File name").fill("mine");
  await page.getByRole("button", { name: "Done" }).click();
  await expect(page).toHaveURL(/#\/w\/mine$/);
  await page.getByRole("link", { name: "graphgen" }).click();
  await expect(entry(page, "My picture")).toContainText("What it is for");
  await choose(page, "My picture", "Make a copy");
  await expect(page).toHaveURL(/mine%20copy$/);
  await page.getByRole("link", { name: "graphgen" }).click();
  await choose(page, "My picture copy", "Delete");
  await expect(entry(page, "My picture copy")).toHaveCount(0);
  await page.getByRole("button", { name: "Take back" }).click();
  await expect(entry(page, "My picture copy")).toBeVisible();
  await choose(page, "My picture copy", "Delete");
  await expect(entry(page, "My picture copy")).toHaveCount(0);
  await page.reload();
  await page.getByText("Deleted (").click();
  await page.getByRole("button", { name: "Bring back: My picture copy" }).click();
  await expect(entry(page, "My picture copy")).toBeVisible();
  const { workflows } = await (await studio.api("/api/workflows")).json();
  const own = workflows.filter((one: { own: boolean }) => one.own).map((one: { name: string }) => one.name);
  expect(own.sort()).toEqual(["mine", "mine copy"]);
});

test("earlier versions tell what changed, and come back", async ({ page, studio }) => {
  await studio.open(page, "old", ONE);
  const width = card(page, "solid").getByLabel("Width", { exact: true });
  await width.fill("128");
  await width.press("Enter");
  await expect(page.locator(".top-saving")).toContainText("Saved");
  await expect
    .poll(async () => (await (await studio.api("/api/workflows/old/versions")).json()).versions.length)
    .toBe(2);
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("menuitem", { name: "Earlier versions" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.locator(".history-changes")).toContainText("solid width: 64 → 128");
  await dialog.locator(".history-list button").nth(1).click();
  await expect(dialog.locator(".history-changes")).toContainText("solid added (Plain colour)");
  await dialog.getByLabel("Name of this version").fill("small");
  await dialog.getByRole("button", { name: "Apply" }).click();
  await expect(dialog.locator(".history-list li").nth(1)).toContainText("small");
  await expect(dialog.getByRole("button", { name: "Apply" })).toBeDisabled();
  await page.screenshot({ path: "../build/browser/history.png" });
  await dialog.getByRole("button", { name: "Go back to this version" }).click();
  await expect(width).toHaveValue("64");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(width).toHaveValue("128");
});

test("what one saves oneself and what one runs stays among the versions", async ({ page, studio }) => {
  await studio.open(page, "kept", { ...ONE, outputs: { picture: { from: "solid.image" } } });
  const width = card(page, "solid").getByLabel("Width", { exact: true });
  const marks = async () => {
    const { versions } = await (await studio.api("/api/workflows/kept/versions")).json();
    return versions.map(({ automatic, ran }: { automatic: boolean; ran: boolean }) => [automatic, ran]);
  };
  await width.fill("128");
  await width.press("Enter");
  await expect.poll(marks).toEqual([
    [true, false],
    [false, false],
  ]);
  await page.keyboard.press("Control+s");
  await expect.poll(async () => (await marks())[0]).toEqual([false, false]);
  await width.fill("96");
  await width.press("Control+Enter");
  await expect.poll(async () => (await marks())[0]).toEqual([true, true]);
});

test("a damaged file is marked, shown as it is, and replaced by the last version that was whole", async ({
  page,
  studio,
}) => {
  await studio.save("torn", { ...ONE, name: "Torn" });
  writeFileSync(join(studio.folder, "data", "workflows", "torn.json"), '{"graphgen": 1, "nodes": {"solid" ');
  await studio.visit(page);
  await expect(entry(page, "torn")).toContainText("The file is damaged");
  await entry(page, "torn").getByRole("link").click();
  await page.getByText("Show the file’s text").click();
  await expect(page.locator(".broken-file pre")).toHaveText('{"graphgen": 1, "nodes": {"solid" ');
  await expect(page.locator(".broken-file")).toContainText("JSON at position");
  const going = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export as a file" }).click();
  expect(readFileSync(await (await going).path(), "utf8")).toBe('{"graphgen": 1, "nodes": {"solid" ');
  await page.getByRole("button", { name: "Earlier versions" }).click();
  await page.getByRole("button", { name: "Go back to this version" }).click();
  await expect(card(page, "solid")).toBeVisible();
  const { versions } = await (await studio.api("/api/workflows/torn/versions")).json();
  expect(versions).toHaveLength(3); // the damaged one as well
});

test("examples that run here stand first, and others say what is not there", async ({ page, studio }) => {
  await studio.visit(page);
  const lacking = page.getByRole("region", { name: "Examples for other models" });
  await expect(page.getByRole("region", { name: "Examples", exact: true })).toContainText("Text to image");
  await expect(lacking.locator(".card", { hasText: "Flux.1 dev" })).toContainText("Not on this machine: FLUX.1-dev");
  await expect(lacking).not.toContainText("Text to image");
  await page.getByRole("searchbox").fill("lora.safetensors");
  await expect(page.locator(".card")).toHaveCount(1);
});

test("workflows go out and come in as files", async ({ page, studio }) => {
  await put(studio, "out", { ...ONE, name: "Outgoing" });
  await studio.visit(page);
  const going = page.waitForEvent("download");
  await choose(page, "Outgoing", "Export as a file");
  const file = await going;
  expect(file.suggestedFilename()).toBe("out.json");
  const path = await file.path();
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ ...ONE, name: "Outgoing" });
  const asked = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Import a file" }).click();
  await (await asked).setFiles({ name: "out.json", mimeType: "application/json", buffer: readFileSync(path) });
  await expect(page).toHaveURL(/#\/w\/out_2$/);
  await expect(card(page, "solid")).toBeVisible();
  await page.goto(`${studio.url}/#/`);
  const data = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["no"], "letter.json"));
    return transfer;
  });
  await page.locator(".library").dispatchEvent("drop", { dataTransfer: data });
  await expect(page.getByText("letter.json is no workflow")).toBeVisible();
});

test("a workflow goes out with the pictures it reads, and comes in again by being dropped", async ({
  page,
  studio,
}) => {
  const picture = readFileSync("../docs/pictures/examples/text_to_image.png");
  mkdirSync(join(studio.folder, "inputs", "cats"), { recursive: true });
  writeFileSync(join(studio.folder, "inputs", "cats", "one.png"), picture);
  const load = { type: "images.load", settings: { path: "cats/one.png" } };
  const lora = { type: "lora.load", settings: { path: "style.safetensors" } };
  await studio.save("handed on", { ...ONE, name: "Handed on", nodes: { load, lora } });
  await studio.visit(page);
  const going = page.waitForEvent("download");
  await choose(page, "Handed on", "Export with its pictures");
  const file = await going;
  expect(file.suggestedFilename()).toBe("handed on.graphgen.zip");
  const bytes = [...readFileSync(await file.path())];
  rmSync(join(studio.folder, "inputs", "cats"), { recursive: true });
  const data = await page.evaluateHandle((given) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(given)], "handed on.graphgen.zip"));
    return transfer;
  }, bytes);
  await page.locator(".library").dispatchEvent("drop", { dataTransfer: data });
  await expect(page).toHaveURL(/#\/w\/handed%20on_2$/);
  await expect(page.getByText("Not on this machine: style.safetensors")).toBeVisible();
  await expect(card(page, "load")).toBeVisible();
  const { nodes } = await (await studio.api("/api/workflows/handed%20on_2")).json();
  expect(readFileSync(join(studio.folder, "inputs", nodes.load.settings.path)).equals(picture)).toBe(true);
});

test("theme and language stay; nothing overflows on a phone", async ({ page, studio }) => {
  await studio.visit(page);
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  await page.getByRole("button", { name: "Menu" }).press("ArrowDown");
  await page.getByRole("menuitemradio", { name: "한국어" }).press("Enter");
  await page.reload();
  await expect(page.getByRole("heading", { name: "내 워크플로" })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.setViewportSize({ width: 390, height: 844 });
  for (const hash of ["#/", "#/w/text_to_image", "#/app/text_to_image"]) {
    await page.goto(`${studio.url}/${hash}`);
    await expect(page.locator("main > *").first()).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
    const bar = await page.locator(".top-bar").evaluate((one) => one.scrollWidth - one.clientWidth);
    expect(bar).toBeLessThanOrEqual(0);
  }
});
