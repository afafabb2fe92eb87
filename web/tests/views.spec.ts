/** The library, the app view and the graph: which keys and commands each has, and what leads from one to the other. */

import type { Page } from "@playwright/test";

import { slow } from "./flows";
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
  await studio.empty();
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

test("a node that no output takes says so, and runs by itself; what was saved before stays in sight", async ({
  page,
  studio,
}) => {
  const look = { type: "images.curves", inputs: { image: "solid.image" } };
  await studio.open(page, "loose", {
    ...PLAIN,
    nodes: { ...PLAIN.nodes, look },
    view: { nodes: { ...PLAIN.view.nodes, look: { x: 320, y: 320 } } },
  });
  await expect(card(page, "look")).toContainText(/Not needed\s*no output takes it/);
  await expect(card(page, "save")).not.toContainText("Not needed");
  await page.keyboard.press("Control+Enter");
  await expect(card(page, "save").getByRole("img", { name: /Picture of/ })).toBeVisible();
  await expect(card(page, "look")).toContainText("Not needed");
  await card(page, "look").locator(".node-title").click();
  await expect(page.getByRole("region", { name: "How it stands" })).toContainText("Alt+Enter runs it");
  await page.keyboard.press("Alt+Enter");
  await expect(card(page, "look").getByRole("img", { name: /Picture of/ })).toBeVisible();
  await expect(card(page, "look")).toContainText("Done");
  await expect(card(page, "save").getByRole("img", { name: /Picture of/ })).toBeVisible();
});

test("a run that is asked to stop says so until it has", async ({ page, studio }) => {
  await studio.open(page, "stops", slow(9041));
  await expect(card(page, "waits")).toContainText("Will run");
  await page.keyboard.press("Control+Enter");
  await expect(card(page, "waits")).toContainText("Running");
  let letGo = (): void => undefined;
  const gate = new Promise<void>((go) => (letGo = go));
  await page.route("**/api/runs/*", async (route) => {
    if (route.request().method() !== "GET") await gate;
    await route.continue();
  });
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("button", { name: "Stopping…" })).toBeVisible();
  await expect(card(page, "waits")).toContainText("Stopping…");
  letGo();
  await expect(page.getByRole("button", { name: /Stop/ })).toHaveCount(0);
});

test("a workflow that is empty has no mistake", async ({ page, studio }) => {
  await studio.open(page, "empty", { graphgen: 1, name: "Empty", nodes: {} });
  await expect(page.getByText("Nothing to run yet")).toBeVisible();
  await expect(page.getByRole("button", { name: "1 problem" })).toHaveCount(0);
});

test("what keeps a run off is no longer told once it is mended", async ({ page, studio }) => {
  const solid = { ...PLAIN.nodes.solid, settings: { ...PLAIN.nodes.solid.settings, color: "no colour" } };
  await studio.open(page, "mended", { ...PLAIN, nodes: { ...PLAIN.nodes, solid } });
  await expect(card(page, "solid")).toBeVisible();
  await page.keyboard.press("Control+Enter");
  const notice = page.getByText("The workflow cannot run yet");
  await expect(notice).toBeVisible();
  await card(page, "solid").getByRole("textbox", { name: "Color", exact: true }).fill("#336699");
  await expect(notice).toHaveCount(0);
});

test("the app view says when what it shows was made with other values", async ({ page, studio }) => {
  await studio.open(page, "past", PLAIN);
  await page.evaluate(() => (location.hash = "#/app/past"));
  const width = page.getByRole("textbox", { name: "Width" });
  await width.press("Control+Enter");
  const result = page.getByRole("region", { name: "Result" });
  await expect(result.getByRole("img").first()).toBeVisible();
  const hint = page.getByText("Made with other values");
  await expect(hint).toHaveCount(0);
  await width.fill("72");
  await expect(hint).toBeVisible();
  await width.fill("60");
  await expect(hint).toHaveCount(0);
  // a program runs it with a value of its own
  const { id } = await studio.submit({ workflow: PLAIN, identity: "past", parameters: { width: 90 } });
  await expect.poll(async () => (await (await studio.api(`/api/runs/${id}`)).json()).status).toBe("done");
  await page.reload();
  await expect(hint).toBeVisible();
});

test("a name that cannot be says why, and is not thrown away", async ({ page, studio }) => {
  await studio.open(page, "named", {
    graphgen: 1,
    nodes: { inner: { type: "subgraph.bend" } },
    subgraphs: {
      bend: {
        inputs: { image: { type: "image" }, other: { type: "image" } },
        outputs: { image: { from: "bent.image" } },
        nodes: { bent: { type: "images.curves", inputs: { image: "inputs.image" } } },
      },
    },
  });
  await card(page, "inner").getByRole("button", { name: "Open the subgraph" }).click();
  await page.keyboard.press("Control+k");
  await page.getByRole("option", { name: "Inputs and outputs" }).click();
  const dialog = page.getByRole("dialog", { name: "Inputs and outputs", exact: true });
  const name = dialog.getByRole("textbox", { name: "Name", exact: true }).first();
  await name.fill("good words");
  await name.press("Tab");
  await expect(name).toHaveValue("good words");
  await expect(dialog).toContainText("A name is a letter, then");
  await name.fill("other");
  await expect(dialog).toContainText("That name is taken");
  await name.fill("photo");
  await name.press("Enter");
  await expect(dialog).not.toContainText("That name is taken");
  await name.fill("1x");
  await name.press("Escape");
  await expect(name).toHaveValue("photo");
});

test("a copy has a title of its own, and workflows of one title are told apart by their files", async ({
  page,
  studio,
}) => {
  await studio.save("first", { ...PLAIN, name: "Twins" });
  await studio.save("second", { ...PLAIN, name: "Twins" });
  await studio.visit(page, "#/w/second");
  await expect(page.locator(".top-file")).toHaveText("second");
  await studio.visit(page);
  const twins = page.locator(".card", { hasText: "Twins" });
  await expect(twins.filter({ hasText: "first" })).toHaveCount(1);
  await expect(twins.filter({ hasText: "second" })).toHaveCount(1);
  await studio.visit(page, "#/w/seeds");
  const title = page.getByLabel("Title of the workflow");
  await expect(title).not.toHaveValue("");
  const before = await title.inputValue();
  await page.locator(".react-flow__node input[type=text]").first().fill("12");
  await expect(title).toHaveValue(`${before} copy`);
});

test("a reload stays in the subgraph that is shown", async ({ page, studio }) => {
  await studio.open(page, "deep", {
    graphgen: 1,
    nodes: { inner: { type: "subgraph.bend" } },
    subgraphs: { bend: { nodes: { within: { type: "images.solid" } }, outputs: { image: { from: "within.image" } } } },
  });
  await card(page, "inner").getByRole("button", { name: "Open the subgraph" }).click();
  await expect(card(page, "within")).toBeVisible();
  await page.reload();
  await expect(card(page, "within")).toBeVisible();
  await studio.visit(page, "#/w/deep");
  await expect(card(page, "inner")).toBeVisible();
});

test("a mask is painted over a picture of the graph in place of the one from a file", async ({ page, studio }) => {
  await studio.open(page, "masked", {
    graphgen: 1,
    nodes: {
      picture: { type: "images.load", settings: { path: "samples/red_apple.png" } },
      marked: { type: "images.load", settings: { path: "samples/red_apple_mask.png" } },
      white: { type: "masks.from_image", inputs: { image: "marked.image" } },
      fitted: { type: "masks.resize", inputs: { mask: "white.mask" } },
    },
    view: {
      nodes: { picture: { x: 0, y: 0 }, marked: { x: 0, y: 400 }, white: { x: 320, y: 0 }, fitted: { x: 640, y: 0 } },
    },
  });
  await card(page, "picture").locator(".node-header").click({ button: "right" });
  await page.getByRole("menuitem", { name: "Paint a mask over this picture" }).click();
  await expect(card(page, "painted")).toBeVisible();
  const inputs = async () => (await (await studio.api("/api/workflows/masked")).json()).nodes;
  await expect.poll(async () => (await inputs()).fitted.inputs).toEqual({ mask: "painted.mask" });
  expect((await inputs()).painted.inputs).toEqual({ image: "picture.image" });
  await card(page, "painted").getByRole("button", { name: "Paint" }).click();
  await expect(page.locator(".painter-stage img")).toHaveAttribute("src", /red_apple\.png/);
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 } });
  test("the library leads to the app of what has parameters, and to the graph of the rest", async ({
    page,
    studio,
  }) => {
    await studio.empty();
    await studio.save("handy", { ...PLAIN, name: "Handy" });
    await studio.save("bare", { ...PLAIN, name: "Bare", parameters: {} });
    await studio.visit(page);
    await expect(page.getByRole("link", { name: /Bare/ })).toHaveAttribute("href", "#/w/bare");
    await page.getByRole("link", { name: /Handy/ }).click();
    await expect(page.getByRole("textbox", { name: "Width" })).toBeVisible();
    expect(new URL(page.url()).hash).toBe("#/app/handy");
  });
});

test("why a number is not taken is told until something else is done", async ({ page, studio }) => {
  await studio.open(page, "numbers", PLAIN);
  const width = card(page, "solid").getByRole("textbox", { name: "Width" });
  await width.fill("abc");
  await width.press("Tab");
  await expect(page.locator(".number-told")).toContainText("abc");
  await page.locator(".react-flow__pane").click({ position: { x: 20, y: 20 } });
  await expect(page.locator(".number-told")).toHaveCount(0);
});
