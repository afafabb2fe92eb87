/** Where nodes stand and how large they are: aligned, spread, made wider; frames and notes with what lies in them. */

import type { Page } from "@playwright/test";

import { drag, middle, saved, shoot } from "./canvas";
import { card, expect, type Studio, test } from "./studio";

const LOOSE = {
  graphgen: 1,
  nodes: {
    one: { type: "images.solid" },
    two: { type: "preprocess.blur" },
    three: { type: "preprocess.invert" },
  },
  view: {
    nodes: { one: { x: 0, y: 0 }, two: { x: 300, y: 137 }, three: { x: 650, y: 60 } },
    groups: [{ id: ":group", title: "Frame", x: 0, y: 340, width: 400, height: 220 }],
    notes: [{ id: ":note", text: "A note", x: 60, y: 420, width: 200, height: 100 }],
  },
};

type Places = Record<string, { x: number; y: number; width?: number }>;

async function places(page: Page, studio: Studio, name: string): Promise<Places> {
  return (await saved(page, studio, name)).view.nodes as Places;
}

/** Select all nodes, and nothing else. */
async function selectNodes(page: Page) {
  await card(page, "one").locator(".node-title").click();
  for (const name of ["two", "three"]) {
    await card(page, name)
      .locator(".node-title")
      .click({ modifiers: ["Shift"] });
  }
  await expect(page.getByText("3 nodes selected")).toBeAttached();
}

test("selected nodes are aligned at an edge and spread evenly, each in one step", async ({ page, studio }) => {
  await studio.open(page, "aligned", LOOSE);
  await expect(card(page, "one").locator(".outcome-line")).toBeVisible(); // cards have the height they keep
  await selectNodes(page);
  const heights = await Promise.all(
    ["one", "two", "three"].map((name) => card(page, name).evaluate((element: HTMLElement) => element.offsetHeight)),
  );
  const widths = await Promise.all(
    ["one", "two", "three"].map((name) => card(page, name).evaluate((element: HTMLElement) => element.offsetWidth)),
  );
  const all = async () => Object.values(await places(page, studio, "aligned"));
  const back = async () => {
    await page.keyboard.press("Control+z");
    expect(await places(page, studio, "aligned")).toEqual(LOOSE.view.nodes);
  };

  await page.keyboard.press("Alt+Shift+ArrowUp");
  expect((await all()).map(({ y }) => y)).toEqual([0, 0, 0]);
  expect((await all()).map(({ x }) => x)).toEqual([0, 300, 650]);
  await back();
  await page.keyboard.press("Alt+Shift+ArrowLeft");
  expect((await all()).map(({ x }) => x)).toEqual([0, 0, 0]);
  await back();
  await page.keyboard.press("Alt+Shift+ArrowRight");
  expect(new Set((await all()).map(({ x }, index) => x + widths[index]!)).size).toBe(1);
  await back();
  await page.keyboard.press("Alt+Shift+ArrowDown");
  expect(new Set((await all()).map(({ y }, index) => y + heights[index]!)).size).toBe(1);
  await back();
  await page.keyboard.press("Alt+Shift+h");
  const [one, two, three] = await all();
  const gaps = [two!.x - one!.x - widths[0]!, three!.x - two!.x - widths[1]!];
  expect(Math.abs(gaps[0]! - gaps[1]!)).toBeLessThanOrEqual(1);
  expect([one!.x, three!.x]).toEqual([0, 650]);
  await back();
  // their middles, which have no keys, are found by name
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search commands" }).fill("align");
  await shoot(page, "align");
  await page
    .getByRole("option", { name: /middle/i })
    .first()
    .click();
  const middles = (await all()).map(({ y }, index) => y + heights[index]! / 2);
  expect(Math.max(...middles) - Math.min(...middles)).toBeLessThanOrEqual(1);
});

test("a node is made narrower and wider by its edge, within bounds, and that is undone", async ({ page, studio }) => {
  await studio.open(page, "wider", LOOSE);
  await card(page, "three").locator(".node-title").click();
  const edge = card(page, "three").locator(".width-handle");
  const from = await middle(edge);
  await drag(page, edge, { x: from.x - 30, y: from.y });
  await expect.poll(async () => (await places(page, studio, "wider")).three!.width ?? 248).toBeLessThan(230);
  const narrow = (await places(page, studio, "wider")).three!;
  expect(await card(page, "three").evaluate((element: HTMLElement) => element.offsetWidth)).toBe(narrow.width);
  expect(narrow.x).toBe(650);
  const to = await middle(edge);
  await drag(page, edge, { x: to.x - 700, y: to.y });
  await expect.poll(async () => (await places(page, studio, "wider")).three!.width).toBe(180);
  while (await page.getByRole("button", { name: "Undo" }).isEnabled()) await page.keyboard.press("Control+z");
  expect(await places(page, studio, "wider")).toEqual(LOOSE.view.nodes);
});

test("frames and notes are resized by their corners; a frame takes along what lies in it, and leaves it when it goes", async ({
  page,
  studio,
}) => {
  await studio.open(page, "frames", LOOSE);
  const view = async () =>
    (await saved(page, studio, "frames")).view as unknown as {
      groups: { x: number; y: number; width: number; height: number }[];
      notes: { x: number; y: number; width: number; height: number }[];
    };
  const frame = page.locator(".react-flow__node-group_frame");
  const note = page.locator(".react-flow__node-note");
  await note.locator(".note-grip").click();
  const corner = note.locator(".react-flow__resize-control.handle.bottom.right");
  const at = await middle(corner);
  await drag(page, corner, { x: at.x + 40, y: at.y + 20 });
  await expect.poll(async () => (await view()).notes[0]!.width).toBeGreaterThan(220);
  expect((await view()).notes[0]!.height).toBeGreaterThan(100);
  await page.keyboard.press("Control+z");
  expect((await view()).notes).toEqual(LOOSE.view.notes);

  const title = (await frame.locator(".group-title").boundingBox())!;
  const grip = { x: title.x + title.width - 12, y: title.y + 6 };
  await page.mouse.click(grip.x, grip.y);
  const corner2 = frame.locator(".react-flow__resize-control.handle.bottom.right");
  const low = await middle(corner2);
  await drag(page, corner2, { x: low.x + 60, y: low.y + 30 });
  await expect.poll(async () => (await view()).groups[0]!.width).toBeGreaterThan(400);
  await page.keyboard.press("Control+z");
  expect((await view()).groups).toEqual(LOOSE.view.groups);

  await page.mouse.move(grip.x, grip.y);
  await page.mouse.down();
  await page.mouse.move(grip.x + 30, grip.y + 20, { steps: 4 });
  await page.mouse.up();
  await expect.poll(async () => (await view()).groups[0]!.x).toBeGreaterThan(0);
  const moved = await view();
  const [group, inside] = [moved.groups[0]!, moved.notes[0]!];
  expect([inside.x - group.x, inside.y - group.y]).toEqual([60, 80]);
  await page.keyboard.press("Control+z");
  expect(await view()).toMatchObject({ groups: LOOSE.view.groups, notes: LOOSE.view.notes });
  await page.keyboard.press("Delete");
  expect(await view()).toMatchObject({ groups: [], notes: LOOSE.view.notes });
});

test("a node is duplicated, cut and pasted, collapsed, unfolded, and given as an output, by keys", async ({
  page,
  studio,
  context,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await studio.open(page, "keyed", LOOSE);
  await card(page, "one").locator(".node-title").click();
  await page.keyboard.press("Control+d");
  await expect(card(page, "one_2")).toHaveClass(/selected/);
  await page.keyboard.press("Control+x");
  await expect(card(page, "one_2")).toHaveCount(0);
  await page.keyboard.press("Control+v");
  await expect(card(page, "one_2")).toHaveCount(1);
  await card(page, "one").locator(".node-title").click();
  await page.keyboard.press("Alt+c");
  await expect(card(page, "one").getByLabel("Width", { exact: true })).toHaveCount(0);
  await page.keyboard.press("Alt+c");
  await expect(card(page, "one").getByLabel("Width", { exact: true })).toBeVisible();
  await page.keyboard.press("Alt+x");
  await page.keyboard.press("Alt+o");
  const after = await saved(page, studio, "keyed");
  expect(after.view.nodes.one).toMatchObject({ expanded: true });
  expect(after.outputs).toEqual({ image: { from: "one.image" } });
});
