/** The palette of nodes, by keys alone: in categories, told about, added, and wired to the selected node. */

import { canvas, choose, palette, saved, shoot } from "./canvas";
import { card, expect, test } from "./studio";

const ONE = {
  graphgen: 1,
  nodes: { made: { type: "images.solid" } },
  view: { nodes: { made: { x: 0, y: 0 } } },
};

test("without a word all nodes stand in categories, the ones used last above; all about one is told", async ({
  page,
  studio,
}) => {
  await studio.open(page, "palette", ONE);
  await expect(canvas(page)).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(palette(page)).toBeFocused();
  const list = page.getByRole("listbox", { name: "Add a node" });
  await expect(list.getByRole("group", { name: "Used last" })).toHaveCount(0);
  await expect(
    list.getByRole("group", { name: "Samplers" }).getByRole("option", { name: /euler/ }).first(),
  ).toBeAttached();
  await choose(page, "preprocess.invert");
  await expect(card(page, "invert")).toBeVisible();
  await page.keyboard.press("Tab");
  const last = list.getByRole("group", { name: "Used last" });
  await expect(last.getByRole("option")).toHaveCount(1);
  await expect(last.getByRole("option")).toHaveAttribute("aria-selected", "true");

  // what a screen reader is told is what the field points at
  const active = async () => page.locator(`[id="${await palette(page).getAttribute("aria-activedescendant")}"]`);
  await expect(await active()).toContainText("preprocess.invert");
  await expect(await active()).toHaveAccessibleDescription(/Inputs Image image Outputs Image image/);
  await page.keyboard.press("ArrowDown");
  await expect(last.getByRole("option")).toHaveAttribute("aria-selected", "false");
  await expect(await active()).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("PageDown");
  await page.keyboard.press("PageUp");
  await page.keyboard.press("ArrowUp");
  await expect(await active()).toContainText("preprocess.invert");
  await shoot(page, "palette");
  await palette(page).fill("sample");
  await expect(list.getByRole("group")).toHaveCount(0);
  await expect(page.locator(".search-about")).toContainText("Outputs");
  await shoot(page, "palette-found");
  // what has no room beside the list is reached by Tab, and scrolled by the arrows
  await page.setViewportSize({ width: 1100, height: 260 });
  await palette(page).fill("sampling.sample");
  await page.keyboard.press("Tab");
  const about = page.locator(".search-about");
  await expect(about).toBeFocused();
  await page.keyboard.press("End");
  await expect.poll(() => about.evaluate((element) => element.scrollTop)).toBeGreaterThan(0);
  await page.keyboard.press("Escape");
  await expect(palette(page)).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(canvas(page)).toBeFocused();
});

test("Shift and Enter add a node and wire it to the selected one, in one step", async ({ page, studio }) => {
  await studio.open(page, "joined", ONE);
  await card(page, "made").locator(".node-title").click();
  await page.mouse.move(1200, 880);
  await page.keyboard.press("Tab");
  await expect(page.locator(".palette-keys")).toContainText("Shift+Enter adds it and wires it to made");
  await palette(page).fill("preprocess.blur");
  await page.keyboard.press("Shift+Enter");
  await expect(card(page, "blur")).toHaveClass(/selected/);
  await page.keyboard.press("Tab");
  await palette(page).fill("images.save");
  await page.keyboard.press("Shift+Enter");
  const { nodes } = await saved(page, studio, "joined");
  expect([nodes.blur!.inputs, nodes.save!.inputs]).toEqual([{ image: "made.image" }, { image: "blur.image" }]);
  await page.keyboard.press("Control+z");
  const before = await saved(page, studio, "joined");
  expect(Object.keys(before.nodes)).toEqual(["made", "blur"]);

  // where nothing fits it is added all the same, and said
  await page.keyboard.press("ArrowLeft");
  await expect(page.getByText("Plain colour, node made")).toBeAttached();
  await page.keyboard.press("Tab");
  await palette(page).fill("samplers.euler");
  await page.keyboard.press("Shift+Enter");
  await expect(page.locator(".notice", { hasText: "Added without a wire" })).toBeVisible();
  expect(Object.keys((await saved(page, studio, "joined")).nodes)).toHaveLength(3);
});
