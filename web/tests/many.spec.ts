/**
 * A thousand nodes do what a few do: they are opened, moved over, chosen, moved, wired, edited and undone, also from afar,
 * where they are painted. No time is judged here.
 */

import type { Page } from "@playwright/test";

import { crowd } from "./crowd";
import { card, expect, type Studio, test } from "./studio";

const COUNT = 1000;

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Open a thousand nodes, and wait until all of them, and all wires, are painted. */
async function openMany(page: Page, studio: Studio, name: string) {
  await studio.open(page, name, crowd(COUNT));
  const painting = page.locator(".painting");
  await expect(painting).toHaveAttribute("data-nodes", `${COUNT}`, { timeout: 30_000 });
  await expect(painting).toHaveAttribute("data-wires", `${wiresOf(crowd(COUNT))}`);
}

const wiresOf = ({ nodes }: ReturnType<typeof crowd>): number =>
  Object.values(nodes).flatMap(({ inputs }) => Object.values(inputs ?? {})).length;

/** Return where on the screen a place of the graph is. */
async function onScreen(page: Page, { x, y }: Place): Promise<Place> {
  const box = (await page.getByTestId("canvas").boundingBox())!;
  return page.locator(".react-flow__viewport").evaluate(
    (element, { x, y, box }) => {
      const place = new DOMMatrix(getComputedStyle(element).transform).transformPoint({ x, y });
      return { x: place.x + box.x, y: place.y + box.y };
    },
    { x, y, box },
  );
}

const placeOf = (name: string): Place => crowd(COUNT).view!.nodes![name]!;
const beside = ({ x, y }: Place, by: Place): Place => ({ x: x + by.x, y: y + by.y });
const press = async (page: Page, place: Place) => {
  const { x, y } = await onScreen(page, place);
  await page.mouse.click(x, y);
};
const saved = async (studio: Studio, name: string) =>
  (await (await studio.api(`/api/workflows/${name}`)).json()) as ReturnType<typeof crowd>;

test("a workflow of a thousand nodes is opened, moved over, edited and saved", async ({ page, studio }) => {
  await openMany(page, studio, "many");
  const cards = page.locator(".react-flow__node");
  await expect(cards).toHaveCount(0); // painted, all of them

  const viewport = page.locator(".react-flow__viewport");
  const before = await viewport.getAttribute("style");
  const box = (await page.getByTestId("canvas").boundingBox())!;
  await page.mouse.move(box.x + 8, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + 60, box.y + box.height / 2 + 30, { steps: 4 });
  await page.mouse.up();
  await expect(viewport).not.toHaveAttribute("style", before!);

  const first = await onScreen(page, placeOf("prompt_0"));
  await page.mouse.move(first.x + 8, first.y + 4);
  await page.mouse.wheel(0, -1900);
  await expect(card(page, "prompt_0").locator("textarea").first()).toBeVisible();
  expect(await cards.count()).toBeLessThan(COUNT / 4);

  const text = card(page, "prompt_0").getByLabel("Text", { exact: true });
  await text.fill("a thousand apples");
  await expect.poll(async () => (await saved(studio, "many")).nodes.prompt_0!.settings!.text).toBe("a thousand apples");
  await card(page, "prompt_0").locator(".node-header").click();
  await expect(card(page, "prompt_0")).toHaveClass(/selected/);
  await page.keyboard.press("Control+z");
  await expect(text).not.toHaveValue("a thousand apples");
});

test("nodes that are only painted are pointed at, chosen, framed by a box, dragged and undone", async ({
  page,
  studio,
}) => {
  await openMany(page, studio, "afar");
  const corner = { x: 40, y: 40 };
  const at = await onScreen(page, beside(placeOf("sample_3"), corner));
  await page.mouse.move(at.x, at.y);
  await expect(card(page, "sample_3")).toContainText("Sample");
  await expect(page.locator(".react-flow__node")).toHaveCount(1);
  await press(page, beside(placeOf("sample_3"), corner));
  await expect(page.getByText("Sample, node sample_3")).toBeAttached();
  await press(page, beside(placeOf("sample_3"), { x: -26, y: 20 })); // between two nodes, where nothing is
  await expect(page.getByText("Sample, node sample_3")).toHaveCount(0);

  const [from, to] = [placeOf("guider_20"), placeOf("sample_20")]; // four in a row
  const [start, end] = [
    await onScreen(page, beside(from, { x: -26, y: -20 })),
    await onScreen(page, beside(to, { x: 40, y: 60 })),
  ];
  await page.keyboard.down("Shift");
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move(end.x, end.y, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up("Shift");
  await expect(page.getByText("4 nodes selected")).toBeAttached();

  const held = await onScreen(page, beside(placeOf("noise_20"), corner));
  await page.mouse.move(held.x, held.y);
  await page.mouse.down();
  await page.mouse.move(held.x + 10, held.y + 5);
  await page.mouse.move(held.x + 20, held.y + 12, { steps: 3 });
  await expect(page.locator(".moving-wires path").first()).toBeAttached();
  await page.mouse.up();
  await expect(page.locator(".moving-wires")).toHaveCount(0);
  await expect.poll(async () => (await saved(studio, "afar")).view!.nodes!.guider_20).not.toEqual(from);
  const after = (await saved(studio, "afar")).view!.nodes!;
  expect(after.sample_20!.x - to.x).toBe(after.guider_20!.x - from.x);
  expect(after.prompt_20).toEqual(placeOf("prompt_20"));
  await page.keyboard.press("Control+z");
  await expect.poll(async () => (await saved(studio, "afar")).view!.nodes!.sample_20).toEqual(to);
});

test("a wire is hit from afar as from near by: it is chosen, and cut", async ({ page, studio }) => {
  await openMany(page, studio, "wired");
  const [from, to] = [placeOf("cut_30"), placeOf("resize_30")];
  await press(page, { x: (from.x + 248 + to.x) / 2, y: from.y + 44 });
  const chosen = page.locator(".react-flow__edge.selected");
  await expect(chosen).toHaveCount(1);
  const [node, input] = (await chosen.getAttribute("data-id"))!.split(".") as [string, string];
  const source = crowd(COUNT).nodes[node]!.inputs![input];
  expect(source).toBeTruthy();
  const saidOf = async () => (await saved(studio, "wired")).nodes[node]!.inputs?.[input];
  await page.keyboard.press("Delete");
  await expect.poll(saidOf).toBeUndefined();
  await page.keyboard.press("Control+z");
  await expect.poll(saidOf).toBe(source);
});
