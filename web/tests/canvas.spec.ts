/** How the canvas is drawn and moved: the small map, what is painted, and what is a picture while it moves. */

import type { Page } from "@playwright/test";

import { expect, test } from "./studio";

const PAIR = {
  graphgen: 1,
  nodes: {
    made: { type: "images.solid" },
    soft: { type: "preprocess.blur", inputs: { image: "made.image" } },
  },
  view: { nodes: { made: { x: 0, y: 0 }, soft: { x: 3000, y: 1600 } } },
};

/** Return where the canvas is looked at, and how near. */
const viewOf = (page: Page) =>
  page.locator(".react-flow__viewport").evaluate((element) => {
    const { a, e, f } = new DOMMatrix(getComputedStyle(element).transform);
    return { zoom: a, x: e, y: f };
  });

test("the map shows all nodes and what is seen of them, and leads there", async ({ page, studio }) => {
  await studio.open(page, "map", PAIR);
  const map = page.getByRole("img", { name: "Map of the graph" });
  const seen = map.locator(".map-view");
  const painted = () =>
    map.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, index) => index % 4 === 3 && value > 0).length;
    });
  await expect.poll(painted).toBeGreaterThan(20);
  const all = await viewOf(page);
  await map.hover();
  await page.mouse.wheel(0, -900);
  await expect.poll(async () => (await viewOf(page)).zoom).toBeGreaterThan(all.zoom * 2);
  const [whole, shown] = [(await map.boundingBox())!, (await page.getByTestId("canvas").boundingBox())!];
  const { zoom } = await viewOf(page);
  const frame = async () => (await seen.boundingBox())!;
  // from its left edge to its right one the map shows from the left edge of the one node to the right one of the other
  await expect.poll(async () => ((await frame()).width * zoom) / shown.width).toBeCloseTo(188 / 3248, 3);

  const [x, y] = [whole.x + whole.width / 2 - 40, whole.y + whole.height / 2];
  await page.mouse.click(x, y);
  await expect.poll(async () => (await frame()).x + (await frame()).width / 2).toBeCloseTo(x, 0);
  const before = await viewOf(page);
  await page.mouse.down();
  await page.mouse.move(x + 60, y + 10, { steps: 3 });
  await expect.poll(async () => (await frame()).x + (await frame()).width / 2).toBeCloseTo(x + 60, 0);
  await page.mouse.up();
  expect((await viewOf(page)).x).toBeLessThan(before.x - 500);
});

test("the canvas is a picture while it is moved, and painted anew when it is at rest", async ({ page, studio }) => {
  await studio.open(page, "motion", PAIR);
  const flow = page.locator(".react-flow");
  const hint = () => page.locator(".react-flow__viewport").evaluate((one) => getComputedStyle(one).willChange);
  await expect(page.locator(".painting")).toHaveAttribute("data-nodes", "2");
  await expect(flow).not.toHaveAttribute("data-moving");
  const box = (await page.getByTestId("canvas").boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + 30);
  await page.mouse.down();
  await expect(async () => {
    await page.mouse.move(box.x + box.width / 2, box.y + 60, { steps: 4 });
    await page.mouse.move(box.x + box.width / 2 + 20, box.y + 40, { steps: 4 });
    expect(await hint()).toBe("transform");
  }).toPass();
  await page.mouse.up();
  await expect(flow).not.toHaveAttribute("data-moving");
  expect(await hint()).toBe("auto");
});

test("what is painted from afar is as the page is: light or dark, with what is wrong and what is chosen", async ({
  page,
  studio,
}) => {
  await studio.open(page, "painted", { ...PAIR, nodes: { ...PAIR.nodes, soft: { type: "preprocess.blur" } } });
  const painting = page.locator(".painting");
  await expect(painting).toHaveAttribute("data-nodes", "2");
  /** Return the colour at a place of the graph, as it is painted. */
  const colorAt = (place: { x: number; y: number }) =>
    painting.evaluate((canvas: HTMLCanvasElement, place) => {
      const brush = canvas.getContext("2d")!;
      const { x, y } = brush.getTransform().transformPoint(place);
      return [...brush.getImageData(Math.round(x), Math.round(y), 1, 1).data.slice(0, 3)];
    }, place);
  const [inside, edge] = [
    { x: 14, y: 70 },
    { x: 3000 + 2, y: 1600 + 60 },
  ];
  await expect.poll(() => colorAt(inside)).toEqual([255, 255, 255]);
  await expect.poll(async () => (await colorAt(edge))[0]! - (await colorAt(edge))[1]!).toBeGreaterThan(60); // red: wrong
  await page.emulateMedia({ colorScheme: "dark" });
  await expect.poll(async () => Math.max(...(await colorAt(inside)))).toBeLessThan(80);

  await page.keyboard.press("Control+a");
  await expect(page.getByText("2 nodes selected")).toBeAttached();
  const around = { x: -5, y: 40 };
  await expect.poll(async () => (await colorAt(around))[2]!).toBeGreaterThan(200); // blue: chosen
});
