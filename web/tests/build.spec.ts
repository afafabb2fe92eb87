/** Building a graph: by keyboard and pointer, from nothing to one that the server accepts. */

import { canvas, choose, drag, middle, palette, problemsOf, saved, shoot, socket, zoomOf } from "./canvas";
import { card, expect, test } from "./studio";

/** Nodes that are made at once, without any model: a picture that is blurred twice, and a mask. */
const CHAIN = {
  graphgen: 1,
  nodes: {
    made: { type: "images.solid", version: 1 },
    soft: { type: "preprocess.blur", inputs: { image: "made.image" } },
    shape: { type: "masks.solid" },
    saved: { type: "images.save", inputs: { image: "soft.image" }, settings: { name: "chain" } },
  },
  view: {
    nodes: {
      made: { x: 0, y: 0 },
      soft: { x: 360, y: 0 },
      shape: { x: 0, y: 320 },
      saved: { x: 720, y: 0 },
    },
  },
};

test("a text-to-image graph is built from nothing, and the server finds nothing wrong with it", async ({
  page,
  studio,
}) => {
  await studio.open(page, "fresh", { graphgen: 1, nodes: {} });
  await expect(page.getByText("Press Tab or double-click")).toBeVisible();
  await expect(canvas(page)).not.toHaveClass(/canvas-bare/); // it has its first view
  await page.keyboard.press("-");
  await page.keyboard.press("-");
  await expect.poll(() => zoomOf(page)).toBeCloseTo(1 / 1.44, 2);
  await page.mouse.move(30, 320);
  await page.keyboard.press("Tab");
  await choose(page, "load model");
  await card(page, "load").getByLabel("Path", { exact: true }).fill("emoji");

  /** Draw a wire to an empty place, and put down the node that is asked for. */
  const add = async (from: string, side: "in" | "out", name: string, at: readonly [number, number], text: string) => {
    await drag(page, socket(page, from, side, name), { x: at[0], y: at[1] });
    await choose(page, text);
  };
  await add("load", "out", "text_encoder", [260, 100], "encode prompt");
  await add("load", "out", "text_encoder", [260, 490], "encode prompt");
  await add("load", "out", "denoiser", [500, 100], "classifier-free");
  await drag(page, socket(page, "encode", "out", "conditioning"), socket(page, "classifier_free", "in", "positive"));
  await drag(page, socket(page, "encode_2", "out", "conditioning"), socket(page, "classifier_free", "in", "negative"));
  await add("load", "out", "denoiser", [500, 420], "default schedule");
  await add("load", "out", "denoiser", [500, 540], "empty latent");
  await add("classifier_free", "out", "guider", [740, 300], "sample");
  await drag(page, socket(page, "default", "out", "schedule"), socket(page, "sample", "in", "schedule"));
  await drag(page, socket(page, "empty", "out", "latent"), socket(page, "sample", "in", "latent"));
  await add("sample", "in", "sampler", [690, 680], "euler");
  await add("sample", "in", "noise", [690, 760], "gaussian");
  await add("sample", "out", "latent", [800, 560], "decode latent");
  await drag(page, socket(page, "load", "out", "autoencoder"), socket(page, "decode", "in", "autoencoder"));
  await add("decode", "out", "image", [850, 120], "save picture");

  const workflow = await saved(page, studio, "fresh");
  expect(workflow.nodes.sample!.inputs).toEqual({
    guider: "classifier_free.guider",
    schedule: "default.schedule",
    latent: "empty.latent",
    sampler: "euler.sampler",
    noise: "gaussian.noise",
  });
  expect(await problemsOf(studio, workflow)).toEqual([]);
  await page.keyboard.press("Alt+l");
  await expect(async () => expect((await saved(page, studio, "fresh")).view).not.toEqual(workflow.view)).toPass();
  await page.keyboard.press("Escape");
  await shoot(page, "built");
});

test("a wire that cannot be is refused with the reason; one that can be led, spliced, cut and healed is", async ({
  page,
  studio,
}) => {
  await studio.open(page, "wires", CHAIN);
  // back into what it comes from
  await drag(page, socket(page, "soft", "out", "image"), socket(page, "soft", "in", "image"), { drop: false });
  await expect(page.locator(".wire-hint")).toHaveText("That would close a circle");
  await page.mouse.up();
  // a number from a picture
  await drag(page, socket(page, "made", "out", "image"), socket(page, "shape", "in", "width"), { drop: false });
  await expect(page.locator(".wire-hint")).toHaveText("image does not fit int");
  await expect(socket(page, "shape", "in", "width")).toHaveClass(/socket-faded/);
  await expect(socket(page, "soft", "in", "image")).toHaveClass(/socket-fits/);
  await shoot(page, "refused");
  await page.mouse.up();
  await expect(page.locator(".notice", { hasText: "Image does not fit Int" })).toBeVisible();
  // a mask is converted on its way
  await drag(page, socket(page, "shape", "out", "mask"), socket(page, "saved", "in", "image"), { drop: false });
  await expect(page.locator(".wire-hint")).toHaveText("through masks.to_image");
  await shoot(page, "converted");
  await page.mouse.up();
  expect((await saved(page, studio, "wires")).nodes.saved!.inputs).toEqual({ image: "shape.mask" });

  // the end of that wire is led to another socket
  const into = await middle(socket(page, "saved", "in", "image"));
  await page.mouse.move(into.x - 14, into.y); // a wire that is pointed at can be taken by its ends
  const held = page.locator(".react-flow__edgeupdater-target").last();
  await drag(page, held, socket(page, "soft", "in", "image"));
  expect((await saved(page, studio, "wires")).nodes).toMatchObject({ soft: { inputs: { image: "shape.mask" } } });
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  expect((await saved(page, studio, "wires")).nodes.saved!.inputs).toEqual({ image: "soft.image" });

  // drawn to an empty place, only what fits is offered
  await drag(page, socket(page, "shape", "out", "mask"), { x: into.x - 40, y: into.y + 300 });
  await expect(page.getByRole("listbox", { name: "Add a node" }).getByRole("option").first()).toBeVisible();
  await palette(page).fill("load model");
  await expect(page.getByText("Nothing found")).toBeVisible();
  await page.keyboard.press("Escape");

  // a node is dropped on a wire, and taken out again
  await page.mouse.dblclick(into.x - 60, into.y + 330);
  await choose(page, "preprocess.invert");
  await drag(page, card(page, "invert").locator(".node-title"), { x: into.x - 70, y: into.y - 6 });
  expect((await saved(page, studio, "wires")).nodes).toMatchObject({
    invert: { inputs: { image: "soft.image" } },
    saved: { inputs: { image: "invert.image" } },
  });
  await page.keyboard.press("Control+Delete");
  const healed = await saved(page, studio, "wires");
  expect(healed.nodes.saved!.inputs).toEqual({ image: "soft.image" });
  expect(healed.nodes).not.toHaveProperty("invert");
});

test("nodes are copied to another tab with their subgraph, and pasted with the wires from outside", async ({
  page,
  studio,
  context,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await studio.open(page, "copied", CHAIN);
  await card(page, "soft").locator(".node-title").click();
  await page.keyboard.press("Control+Shift+e");
  await expect(card(page, "subgraph")).toBeVisible();
  await page.keyboard.press("Control+c");
  await page.keyboard.press("Control+Shift+v");
  await expect(card(page, "subgraph_2")).toBeVisible();
  const here = await saved(page, studio, "copied");
  expect(here.nodes.subgraph_2!.inputs).toEqual({ image: "made.image" });
  expect(Object.keys(here.subgraphs!)).toEqual(["subgraph"]);

  const other = await context.newPage();
  await studio.open(other, "pasted", { graphgen: 1, nodes: {} });
  await expect(other.getByText("Press Tab or double-click")).toBeVisible();
  await other.keyboard.press("Control+v");
  await expect(card(other, "subgraph")).toBeVisible();
  expect((await saved(other, studio, "pasted")).subgraphs).toEqual(here.subgraphs);
  await other.keyboard.press("Control+x");
  await expect(card(other, "subgraph")).toHaveCount(0);
  await other.keyboard.press("Control+z");
  await expect(card(other, "subgraph")).toBeVisible();
  await other.close();
});

test("a subgraph is made, opened, given another input, named, and unpacked; the server takes it all along", async ({
  page,
  studio,
}) => {
  await studio.open(page, "parts", CHAIN);
  await card(page, "soft").locator(".node-title").click();
  await page.keyboard.press("Control+Shift+e");
  await card(page, "subgraph").locator(".node-title").dblclick();
  await expect(page.getByRole("navigation", { name: "Where you are" })).toContainText("Subgraph");
  await expect(card(page, ":inputs")).toBeVisible();
  // another input and another output, by wires to the empty sockets of the ends
  await drag(page, socket(page, ":inputs", "out", "+"), socket(page, "soft", "in", "sigma"));
  await drag(page, socket(page, "soft", "out", "image"), socket(page, ":outputs", "in", "+"));
  await expect(card(page, ":outputs")).toContainText("Image 2");
  await card(page, ":inputs")
    .getByRole("button", { name: /Inputs and outputs/ })
    .click();
  const dialog = page.getByRole("dialog");
  const field = dialog.locator("section", { hasText: "Outputs" }).getByLabel("Name").last();
  await field.fill("softer");
  await field.press("Enter");
  await dialog.getByRole("button", { name: "Move softer up" }).click();
  await shoot(page, "face");
  await page.keyboard.press("Escape");
  await shoot(page, "inside");
  const inside = await saved(page, studio, "parts");
  expect(Object.keys(inside.subgraphs!.subgraph!.outputs)).toEqual(["softer", "image"]);
  expect(inside.subgraphs!.subgraph).toMatchObject({
    inputs: { image: { type: "image" } },
    parameters: { sigma: { sets: ["soft.sigma"] } },
  });
  expect(await problemsOf(studio, inside)).toEqual([]);
  // it cannot be put into itself
  await page.keyboard.press("Tab");
  await palette(page).fill("subgraph");
  await expect(page.getByText("it would hold itself")).toBeVisible();
  await page.keyboard.press("Escape");

  await page.keyboard.press("Control+ArrowUp");
  await expect(card(page, "subgraph")).toHaveClass(/selected/);
  await card(page, "subgraph").getByRole("textbox", { name: "Sigma" }).fill("7");
  await page.keyboard.press("Enter");
  await expect(socket(page, "subgraph", "in", "sigma")).toBeVisible();
  expect((await saved(page, studio, "parts")).nodes.subgraph!.settings).toEqual({ sigma: 7 });
  await shoot(page, "outside");
  await page.keyboard.press("Escape");
  await card(page, "subgraph").locator(".node-title").click();
  await page.keyboard.press("Control+Shift+g");
  await expect(card(page, "soft")).toBeVisible();
  const unpacked = await saved(page, studio, "parts");
  expect(unpacked.nodes).toEqual({ ...CHAIN.nodes, soft: { ...CHAIN.nodes.soft, settings: { sigma: 7 } } });
  expect(unpacked).not.toHaveProperty("subgraphs");
});

test("frames, notes, points, modes, names and colours stand in the file and are undone", async ({ page, studio }) => {
  await studio.open(page, "looks", CHAIN);
  const before = await saved(page, studio, "looks");
  await card(page, "made").locator(".node-title").click();
  await card(page, "soft")
    .locator(".node-title")
    .click({ modifiers: ["Shift"] });
  await page.keyboard.press("Control+g");
  const frame = page.locator(".react-flow__node-group_frame");
  await frame.getByLabel("Title of the group").fill("Picture");
  const box = (await frame.locator(".group-title").boundingBox())!;
  await page.mouse.move(box.x + box.width - 30, box.y + 10);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 30, box.y + 90, { steps: 5 });
  await page.mouse.up();
  const moved = await saved(page, studio, "looks");
  const [made, soft] = [moved.view.nodes.made as { y: number }, moved.view.nodes.soft as { y: number }];
  expect(made.y).toBeGreaterThan(40);
  expect(soft.y).toBe(made.y);
  expect(moved.view.nodes.saved).toEqual(CHAIN.view.nodes.saved);

  const [from, to] = [
    await middle(socket(page, "soft", "out", "image")),
    await middle(socket(page, "saved", "in", "image")),
  ];
  await page.mouse.dblclick((from.x + to.x) / 2, (from.y + to.y) / 2);
  const point = page.locator(".wire-point");
  await drag(page, point, { x: (from.x + to.x) / 2, y: to.y + 120 });
  await card(page, "saved").locator(".node-title").click();
  await page.keyboard.press("m");
  await page.keyboard.press("F2");
  await page.getByLabel("Name in the workflow").fill("made");
  await expect(page.getByText("That name is taken.")).toBeVisible();
  await page.getByLabel("Name in the workflow").fill("kept");
  await page.getByLabel("Title", { exact: true }).fill("A keeper of pictures");
  await page.getByLabel("Hue 130").check({ force: true });
  await page.keyboard.press("Enter");
  await canvas(page).focus();
  await page.mouse.move(500, 620);
  await page.keyboard.press("Alt+n");
  await expect(page.getByPlaceholder("Write a note")).toBeFocused();
  await page.keyboard.type("Pictures are blurred twice.");
  await page.keyboard.press("Escape");
  await expect(canvas(page)).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByPlaceholder("Write a note")).toBeFocused();
  await shoot(page, "looks");
  const after = await saved(page, studio, "looks");
  expect(after.nodes.kept).toMatchObject({ mode: "mute", inputs: { image: "soft.image" } });
  expect(after.view.wires).toHaveProperty(["kept.image"]);
  expect(after.view.notes).toHaveLength(1);
  await point.dblclick();
  await expect(point).toHaveCount(0);
  await canvas(page).focus();
  while (await page.getByRole("button", { name: "Undo" }).isEnabled()) await page.keyboard.press("Control+z");
  expect(await saved(page, studio, "looks")).toEqual(before);
});

test("everything is done by keyboard: walking, the menu, the palette of commands, the page of shortcuts", async ({
  page,
  studio,
}) => {
  await studio.open(page, "keys", CHAIN);
  await expect(canvas(page)).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await expect(page.getByText("Blur picture, node soft")).toBeAttached();
  await page.keyboard.press("Shift+ArrowDown");
  expect((await saved(page, studio, "keys")).view.nodes.soft).toEqual({ x: 360, y: 8 });
  await page.keyboard.press("Shift+F10");
  await expect(page.getByRole("menu")).toBeVisible();
  await shoot(page, "menu");
  await page.getByRole("menuitemcheckbox", { name: /Bypass/ }).press("Enter");
  expect((await saved(page, studio, "keys")).nodes.soft!.mode).toBe("bypass");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search commands" }).fill("that needs the node");
  await page.keyboard.press("Enter");
  await expect(page.getByText("2 nodes selected")).toBeAttached();
  await page.keyboard.press("Delete");
  expect(Object.keys((await saved(page, studio, "keys")).nodes)).toEqual(["made", "shape"]);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toContainText("Delete and close the gap");
  await shoot(page, "shortcuts");
  await page.keyboard.press("Escape");
  await expect(canvas(page)).toBeFocused();
  // two that are added by keys alone stand side by side
  await page.keyboard.press("Tab");
  await choose(page, "preprocess.invert");
  await page.keyboard.press("Tab");
  await choose(page, "images.save");
  const { nodes } = (await saved(page, studio, "keys")).view as { nodes: Record<string, { x: number; y: number }> };
  expect(nodes.save!.x).toBeGreaterThan(nodes.invert!.x + 200);
  await page.keyboard.press("c");
  await page.getByRole("combobox", { name: "Search wires that fit" }).fill("invert");
  await shoot(page, "connect");
  await page.keyboard.press("Enter");
  expect((await saved(page, studio, "keys")).nodes.save!.inputs).toEqual({ image: "invert.image" });
  // a collapsed node without any wire can still be given one
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Alt+c");
  await expect(socket(page, "invert", "in", "image")).toBeAttached();
  await page.keyboard.press("F6");
  await expect(page.locator(".side :focus")).toBeAttached();
});
