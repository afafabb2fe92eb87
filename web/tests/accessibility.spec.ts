/** What axe says of all that the editor can show, in both themes; and what the outline tells those who cannot see it. */

import type { Page } from "@playwright/test";
import axe, { type RunOptions } from "axe-core";

import { slow } from "./flows";
import { card, expect, type Studio, test } from "./studio";

/** A node of each kind of field, a note, a frame, a subgraph, a part that is not installed, and what is wrong. */
const MANY = {
  graphgen: 1,
  name: "Two steps",
  parameters: {
    wide: { sets: ["solid.width"], description: "How wide" },
    color: { sets: ["solid.color"] },
  },
  nodes: {
    solid: { type: "images.solid", settings: { width: 64, height: 64 } },
    curves: { type: "images.curves", inputs: { image: "solid.image" } },
    painted: { type: "masks.paint", inputs: { image: "solid.image" } },
    loaded: { type: "images.load", settings: { path: "samples/red_apple.png" } },
    model: { type: "models.load", settings: { path: "emoji" } },
    noise: { type: "noise.gaussian", settings: { seed: 7 } },
    prompt: { type: "text.encode", settings: { text: "a red apple" } },
    inner: { type: "subgraph.bend", inputs: { image: "solid.image" }, mode: "bypass" },
    gone: { type: "acme.halftone", mode: "mute" },
    wrong: { type: "images.save" },
  },
  subgraphs: {
    bend: {
      inputs: { image: { type: "image" } },
      outputs: { image: { from: "bent.image" } },
      nodes: { bent: { type: "images.curves", inputs: { image: "inputs.image" } } },
    },
  },
  view: {
    nodes: {
      solid: { x: 0, y: 0 },
      curves: { x: 320, y: 0, color: "210" },
      wrong: { x: 640, y: 0 },
      painted: { x: 320, y: 320 },
      loaded: { x: 640, y: 240 },
      model: { x: 0, y: 320 },
      noise: { x: 960, y: 0 },
      prompt: { x: 960, y: 240 },
      inner: { x: 0, y: 520 },
      gone: { x: 640, y: 480, collapsed: true },
    },
    notes: [{ id: ":note", text: "Look here", x: 960, y: 480, width: 200, height: 90 }],
    groups: [{ id: ":group", title: "Fields", x: -30, y: -60, width: 1260, height: 880 }],
  },
};

const PLAIN = (color: string) => ({
  graphgen: 1,
  name: "Plain colours",
  parameters: { color: { sets: ["solid.color"] }, width: { sets: ["solid.width"] } },
  nodes: {
    solid: { type: "images.solid", settings: { width: 60, height: 40, color } },
    save: { type: "images.save", inputs: { image: "solid.image" } },
  },
  view: { nodes: { solid: { x: 0, y: 0 }, save: { x: 320, y: 0 } } },
});

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Ask axe about what is shown, or a part of it: all its rules, then, in the other theme, those about colours. */
async function check(page: Page, what: string, within = "html"): Promise<void> {
  // what a list of commands was asked for comes when the list is gone: in a later turn of the page
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  await expect(page.locator(within).first()).toBeVisible();
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const found = await page.evaluate(
    async ([within, rules]) => {
      const { axe } = window as unknown as { axe: typeof import("axe-core") };
      const root = document.documentElement;
      const ask = async (runOnly: RunOptions["runOnly"] & {}) => {
        const { violations } = await axe.run(within, { runOnly, resultTypes: ["violations"] });
        return violations.flatMap(({ id, nodes }) =>
          nodes.map(({ html, failureSummary }) => `${id} ${html.slice(0, 200)} ${failureSummary}`),
        );
      };
      const told = await ask({ type: "tag", values: rules });
      const before = root.dataset.theme ?? "light";
      root.dataset.theme = before === "dark" ? "light" : "dark";
      told.push(...(await ask({ type: "rule", values: ["color-contrast"] })));
      root.dataset.theme = before;
      return told;
    },
    [within, RULES] as const,
  );
  expect.soft(found, what).toEqual([]);
}

/** Wait until a run that was asked for is over. */
async function made(studio: Studio, asked: object): Promise<void> {
  const { id } = await studio.submit(asked);
  const status = async () => ((await (await studio.api(`/api/runs/${id}`)).json()) as { status: string }).status;
  await expect.poll(status, { timeout: 60_000 }).not.toMatch(/queued|running/);
}

const press = (page: Page, keys: string) => page.keyboard.press(keys);
const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: true });
const chooseFrom = async (page: Page, menu: string, item: string | RegExp) => {
  await button(page, menu).click();
  await page.getByRole("menuitem", { name: item }).click();
};
const head = (page: Page, name: string) => card(page, name).locator(".node-header");

test.beforeEach(async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" }); // axe would see colours on their way
});

test("axe finds nothing in the library, its menus and dialogs, nor where a file is broken", async ({
  page,
  studio,
}) => {
  await studio.save("axe", MANY);
  await studio.save("gone", PLAIN("#336699"));
  await studio.visit(page);
  await expect(page.locator(".card").first()).toBeVisible();
  const mine = page.locator(".card", { hasText: "Plain colours" });
  await mine.getByRole("button", { name: /^More about/ }).click();
  await check(page, "a workflow's menu");
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByText("Deleted (").click();
  await check(page, "the library with a notice and what was deleted");
  await page.getByRole("searchbox").fill("zzz");
  await expect(page.getByText("No workflow matches")).toBeVisible();
  await check(page, "nothing found");
  await page.goto(`${studio.url}/#/w/nowhere`);
  await expect(page.locator(".broken")).toBeVisible();
  await check(page, "a workflow that cannot be read");
});

test("axe finds nothing on the canvas, in its palettes and its menus", async ({ page, studio }) => {
  await studio.open(page, "axe", MANY);
  await expect(card(page, "solid")).toBeVisible();
  await press(page, "Tab");
  await expect(page.getByRole("combobox", { name: "Search nodes" })).toBeFocused();
  await check(page, "the palette", ".palette");
  await press(page, "Escape");
  for (const [keys, dialog] of [
    ["Control+k", "command-palette"],
    ["?", "shortcuts"],
  ] as const) {
    await press(page, keys);
    await check(page, dialog, `.${dialog}`);
    await press(page, "Escape");
  }
  await head(page, "solid").click();
  for (const [keys, dialog] of [
    ["c", "command-palette"],
    ["F2", "rename"],
  ] as const) {
    await press(page, keys);
    await check(page, `${dialog} of a node`, `.${dialog}`);
    await press(page, "Escape");
  }
  await head(page, "curves").click({ button: "right" });
  await check(page, "a node's menu", ".context-menu");
  await press(page, "Escape");
  const width = card(page, "solid").getByLabel("Width", { exact: true });
  await width.fill("-5");
  await width.press("Enter");
  await expect(page.locator(".number-told")).toBeVisible();
  await press(page, "Escape");
  await press(page, "0"); // what is far away is small, and near when one goes there
  await check(page, "the graph, with a number that may not be");
  await press(page, ".");
  for (const name of [/problem/, "Menu"]) {
    await button(page, name).click();
    await check(page, `the menu ${name}`, ".top-bar");
    await press(page, "Escape");
  }
});

test("axe finds nothing in the dialogs over the graph, nor in a subgraph", async ({ page, studio }) => {
  await studio.open(page, "dialogs", MANY);
  await expect(card(page, "solid")).toBeVisible();
  await chooseFrom(page, "Other ways to run", /^Sweep/);
  await check(page, "a sweep", "dialog");
  await press(page, "Escape");
  await button(page, "Menu").click();
  await check(page, "the menu", ".top-bar");
  await page.getByRole("menuitem", { name: "Name, folder and description" }).click();
  await check(page, "details", "dialog");
  await press(page, "Escape");
  await chooseFrom(page, "Menu", "Earlier versions");
  await check(page, "earlier versions", "dialog");
  await press(page, "Escape");
  await card(page, "loaded").getByRole("button", { name: "Choose a file" }).click();
  await expect(page.getByRole("dialog").locator("img").first()).toBeVisible();
  await check(page, "files to choose from", "dialog");
  await press(page, "Escape");
  await card(page, "model").getByRole("button", { name: "Choose a model" }).click();
  await expect(page.locator(".model").first()).toBeVisible();
  await check(page, "models to choose from", "dialog");
  await press(page, "Escape");
  await card(page, "painted").getByRole("button", { name: "Paint…" }).click();
  await check(page, "the mask painter", "dialog");
  await press(page, "Escape");
  await card(page, "inner").getByRole("button", { name: "Open" }).click();
  await expect(card(page, "bent")).toBeVisible();
  await check(page, "inside a subgraph", ".canvas");
  await press(page, "Control+k");
  await page.getByRole("combobox", { name: "Search commands" }).fill("inputs and outputs");
  await press(page, "Enter");
  await check(page, "the face of a subgraph", "dialog");
  await press(page, "Escape");
});

test("axe finds nothing in the panels, the pictures, the app and its results", async ({ page, studio }) => {
  for (const color of ["#cc3344", "#33aa66"]) await made(studio, { workflow: PLAIN(color), identity: "looked at" });
  await studio.open(page, "looked at", PLAIN("#336699"));
  await head(page, "solid").click();
  for (const name of ["Node", "Outline", "Parameters"]) {
    const tab = page.getByRole("tab", { name });
    if ((await tab.getAttribute("aria-selected")) === "false") await tab.click();
    await check(page, name, ".side");
  }
  await page.getByRole("button", { name: "Edit" }).first().click();
  await check(page, "a parameter that is edited", ".side");
  await page.getByRole("tab", { name: "History" }).click();
  await page.locator(".thumb input").nth(0).check();
  await page.locator(".thumb input").nth(1).check();
  await check(page, "what was made", ".side");
  await button(page, "Compare").click();
  await check(page, "two pictures compared", "dialog");
  await press(page, "Escape");
  await page.locator(".thumb button").first().click();
  await check(page, "a picture", "dialog");
  await press(page, "Escape");
  await page.goto(`${studio.url}/#/app/looked%20at`);
  await button(page, "Run").last().click();
  await expect(page.locator(".app-picture")).toBeVisible({ timeout: 60_000 });
  await check(page, "the app with a picture");
  for (const number of [1, 2, 3]) await studio.submit({ workflow: slow(number) });
  await page.goto(`${studio.url}/#/w/looked%20at`);
  await page.getByRole("tab", { name: /Queue/ }).click();
  await expect(page.locator(".queue-run").nth(2)).toBeVisible();
  await check(page, "runs in line", ".side");
  await button(page, "Cancel all…").click();
  await check(page, "asked before all are cancelled", "dialog");
  await button(page, /^Cancel all \d/).click();
  await expect(page.locator(".queue-run")).toHaveCount(0);
});

test("axe finds nothing in Korean", async ({ page, studio }) => {
  await page.addInitScript(() => localStorage.setItem("graphgen-language", "ko"));
  await studio.open(page, "axe", MANY);
  await expect(page.locator("html")).toHaveAttribute("lang", "ko");
  await head(page, "solid").click();
  await press(page, "0");
  await check(page, "graph");
  await page.goto(`${studio.url}/#/app/axe`);
  await expect(page.locator(".app-form")).toBeVisible();
  await check(page, "app");
});

test("the outline tells of each node, and leads to it and to what is wrong", async ({ page, studio }) => {
  await studio.open(page, "outline", MANY);
  await page.getByRole("tab", { name: "Outline" }).press("Enter");
  const outline = page.getByRole("tabpanel", { name: "Outline" });
  await expect(outline.getByRole("button", { name: /solid/ }).first()).toBeVisible();
  await expect(outline).toContainText("Image from solid.image");
  await outline.getByRole("button", { name: /^wrong\.image/ }).press("Enter");
  await expect(card(page, "wrong")).toHaveClass(/selected/);
  await page.getByRole("tab", { name: "Node" }).click();
  await expect(page.getByRole("tabpanel")).toContainText("Inputs");
});
