import { card, expect, test } from "./studio";

/** Cheap nodes alone: a subgraph used once and for each item of a list, and one that fails. */
const ZONES = {
  graphgen: 1,
  name: "Zones",
  parameters: { height: { sets: ["solid.height"] }, color: { sets: ["solid.color"] } },
  nodes: {
    numbers: { type: "flow.numbers", settings: { start: 32, count: 3 } },
    each: { type: "subgraph.draw", map: { over: ["width"] }, inputs: { width: "numbers.numbers" } },
    solid: { type: "images.solid", settings: { width: 64, height: 48 } },
    curves: { type: "images.curves", inputs: { image: "solid.image" } },
    save: { type: "images.save", inputs: { image: "curves.image" } },
    saved: { type: "images.save", map: { over: ["image"] }, inputs: { image: "each.image" } },
  },
  subgraphs: {
    draw: {
      parameters: { width: { sets: ["plain.width"] } },
      outputs: { image: { from: "plain.image" } },
      nodes: { plain: { type: "images.solid", settings: { height: 20 } } },
      view: { nodes: { plain: { x: 0, y: 0 } } },
    },
  },
  view: {
    nodes: {
      numbers: { x: 0, y: 0 },
      each: { x: 300, y: 0 },
      saved: { x: 600, y: 0 },
      solid: { x: 0, y: 260 },
      curves: { x: 300, y: 330 },
      save: { x: 600, y: 330 },
    },
  },
};

const run = (page: import("@playwright/test").Page) => page.getByRole("button", { name: "Run", exact: true }).click();

test("each node says how it stands and shows what it made, after a reload too", async ({ page, studio }) => {
  await studio.open(page, "zones", ZONES);
  await expect(card(page, "save").locator(".outcome-line")).toContainText("it has not run yet");
  await run(page);
  await expect(card(page, "save").locator(".outcome-line")).toContainText(/Done|Cached/, { timeout: 60_000 });
  for (let visit = 0; visit < 2; visit += 1) {
    await expect(card(page, "each").locator(".outcome-line")).toContainText(/Done|Cached/);
    await expect(card(page, "each").locator(".pager")).toContainText("1 / 3");
    await card(page, "each").getByRole("button", { name: "Next picture" }).click();
    await expect(card(page, "each").locator(".pager")).toContainText("2 / 3");
    await expect(card(page, "solid").locator(".value-picture img")).toBeVisible();
    if (!visit) await page.reload();
  }
});

test("a change says what runs again and why", async ({ page, studio }) => {
  await studio.open(page, "stale", ZONES);
  await run(page);
  await expect(card(page, "save").locator(".outcome-line")).toContainText(/Done|Cached/, { timeout: 60_000 });
  const height = card(page, "solid").getByLabel("Height", { exact: true });
  await height.fill("52");
  await height.press("Enter");
  await expect(card(page, "solid").locator(".outcome-line")).toContainText("Will run“Height” changed");
  await expect(card(page, "curves").locator(".outcome-line")).toContainText("because “solid” changed");
  await expect(card(page, "each").locator(".outcome-line")).not.toContainText("Will run");
  await card(page, "solid").locator(".node-header").click();
  await expect(page.getByRole("region", { name: "How it stands" })).toContainText("48 → 52");
});
