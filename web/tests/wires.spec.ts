/** Wires by pointer: taken by their ends, led through points, refused where something would be lost. */

import { drag, middle, saved, shoot, socket } from "./canvas";
import { expect, test } from "./studio";

const FAN = {
  graphgen: 1,
  nodes: {
    made: { type: "images.solid" },
    soft: { type: "preprocess.blur", inputs: { image: "made.image" } },
    curved: { type: "images.curves" },
    saved: { type: "images.save", inputs: { image: "soft.image" } },
  },
  outputs: { picture: { from: "soft.image" } },
  view: {
    nodes: {
      made: { x: 0, y: 0 },
      soft: { x: 360, y: 0 },
      curved: { x: 360, y: 200 },
      saved: { x: 760, y: 0 },
    },
    outputs: { x: 760, y: 300 },
  },
};

test("a wire is picked up at the socket it goes into: led elsewhere, let go of, put back", async ({ page, studio }) => {
  await studio.open(page, "picked", FAN);
  // a click alone changes nothing
  await socket(page, "soft", "in", "image").click();
  await expect(page.getByRole("button", { name: "Undo" })).toBeDisabled();
  await drag(page, socket(page, "soft", "in", "image"), socket(page, "curved", "in", "image"));
  const moved = await saved(page, studio, "picked");
  expect([moved.nodes.soft!.inputs, moved.nodes.curved!.inputs]).toEqual([undefined, { image: "made.image" }]);
  // where it cannot go, it stays, and the reason is told
  await drag(page, socket(page, "curved", "in", "image"), socket(page, "made", "in", "width"));
  await expect(page.locator(".notice", { hasText: "circle" })).toBeVisible();
  expect((await saved(page, studio, "picked")).nodes.curved!.inputs).toEqual({ image: "made.image" });
  // off the socket it is gone, and comes back by one step
  const at = await middle(socket(page, "curved", "in", "image"));
  await drag(page, socket(page, "curved", "in", "image"), { x: at.x - 90, y: at.y + 200 });
  expect((await saved(page, studio, "picked")).nodes.curved!.inputs).toBeUndefined();
  await page.keyboard.press("Control+z");
  expect((await saved(page, studio, "picked")).nodes.curved!.inputs).toEqual({ image: "made.image" });
  // from an input without a wire, one is drawn back to what it may come from
  await drag(page, socket(page, "soft", "in", "image"), socket(page, "curved", "out", "image"));
  expect((await saved(page, studio, "picked")).nodes.soft!.inputs).toEqual({ image: "curved.image" });
  // what the workflow gives is led elsewhere in the same way
  const output = page.locator('.react-flow__node[data-id=":outputs"] [data-handleid="in:picture"]');
  await drag(page, output, socket(page, "saved", "in", "image"));
  const after = await saved(page, studio, "picked");
  expect([after.nodes.saved!.inputs, after.outputs ?? {}]).toEqual([{ image: "soft.image" }, {}]);
});

test("a click with Alt leads a wire through a point, as a double click does", async ({ page, studio }) => {
  await studio.open(page, "points", FAN);
  const [from, to] = [
    await middle(socket(page, "soft", "out", "image")),
    await middle(socket(page, "saved", "in", "image")),
  ];
  await page.keyboard.down("Alt");
  await page.mouse.click((from.x + to.x) / 2, from.y);
  await page.keyboard.up("Alt");
  await expect(page.locator(".wire-point")).toHaveCount(1);
  expect((await saved(page, studio, "points")).view.wires!["saved.image"]).toHaveLength(1);
  await page.mouse.click((from.x + to.x) / 2 + 60, from.y);
  await expect(page.locator(".wire-point")).toHaveCount(1);
  await page.keyboard.press("Delete");
  expect((await saved(page, studio, "points")).nodes.saved!.inputs).toBeUndefined();
});

const FACE = {
  graphgen: 1,
  nodes: {
    use: { type: "subgraph.part" },
    saved: { type: "images.save", inputs: { image: "use.image" } },
  },
  subgraphs: {
    part: {
      inputs: { size: { type: "int" } },
      outputs: { image: { from: "made.image" } },
      nodes: { made: { type: "images.solid", settings: { width: 77, height: 78 } } },
      view: { nodes: { made: { x: 300, y: 0 } }, inputs: { x: 0, y: 0 }, outputs: { x: 640, y: 0 } },
    },
  },
  view: { nodes: { use: { x: 0, y: 0 }, saved: { x: 360, y: 0 } } },
};

test("a setting that is led to a subgraph's input keeps its value, or the wire is refused", async ({
  page,
  studio,
}) => {
  await studio.open(page, "kept", FACE);
  await page.getByRole("button", { name: "Open the subgraph" }).click();
  const inner = (name: string) => page.locator(`.react-flow__node[data-id=":inputs"] [data-handleid="out:${name}"]`);
  // nothing comes in there from outside: the value would be lost
  await drag(page, socket(page, "made", "in", "width"), inner("size"), { drop: false });
  await expect(page.locator(".wire-hint")).toContainText("width would lose its value");
  await shoot(page, "loses-value");
  await page.mouse.up();
  await expect(page.locator(".notice", { hasText: "Width would lose its value" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Undo" })).toBeDisabled();
  // at the empty socket it becomes a parameter, whose value the node outside has as its own
  await drag(page, socket(page, "made", "in", "width"), inner("+"));
  const { subgraphs } = await saved(page, studio, "kept");
  expect(subgraphs!.part!.parameters).toEqual({ width: { sets: ["made.width"] } });
  expect(subgraphs!.part!.nodes).toEqual(FACE.subgraphs.part.nodes);
  await drag(page, socket(page, "made", "in", "width"), inner("+"));
  await expect(page.locator(".notice", { hasText: "is a parameter of the subgraph already" })).toBeVisible();
  await page.keyboard.press("Control+ArrowUp");
  const outside = page.locator('.react-flow__node[data-id="use"]').getByLabel("Width", { exact: true });
  await expect(outside).toHaveValue("77");
});
