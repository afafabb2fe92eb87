import { card, expect, test } from "./studio";

/** One node for each kind of field, none of which loads a model. */
const FIELDS = {
  graphgen: 1,
  nodes: {
    solid: { type: "images.solid", settings: { width: 64, height: 64 } },
    noise: { type: "noise.gaussian", settings: { seed: 7 } },
    save: { type: "images.save", inputs: { image: "solid.image" } },
    prompt: { type: "text.encode", settings: { text: "a red apple" } },
    curves: { type: "images.curves", inputs: { image: "solid.image" } },
    painted: { type: "masks.paint", inputs: { image: "solid.image" } },
    loaded: { type: "images.load", settings: { path: "samples/red_apple.png" } },
    model: { type: "models.load", settings: { path: "emoji" } },
    choice: { type: "values.choice", settings: { options: ["one", "two"] } },
  },
  view: {
    nodes: {
      solid: { x: 0, y: 0 },
      noise: { x: 0, y: 320 },
      model: { x: 0, y: 520 },
      save: { x: 300, y: 0 },
      loaded: { x: 300, y: 220 },
      choice: { x: 300, y: 380 },
      prompt: { x: 600, y: 0 },
      curves: { x: 900, y: 0 },
      painted: { x: 0, y: 680 },
    },
  },
};

test("numbers are typed, reckoned, dragged and bounded; what is wrong is shown at once", async ({ page, studio }) => {
  await studio.open(page, "fields", FIELDS);
  const width = card(page, "solid").getByLabel("Width", { exact: true });
  await width.fill("1024/2+8");
  await width.press("Enter");
  await expect(width).toHaveValue("520");
  await width.press("Shift+ArrowUp");
  await expect(width).toHaveValue("530");
  await width.fill("99999999");
  await width.press("Enter");
  expect(Number(await width.inputValue())).toBeLessThan(99999999);
  await width.fill("no number");
  await expect(width).toHaveAttribute("aria-invalid", "true");
  await width.press("Tab");
  await expect(page.getByRole("alert").filter({ hasText: "no number" })).toContainText("Allowed: whole numbers from 1");
  await width.fill("-5");
  await width.press("Tab");
  await expect(page.getByRole("alert").filter({ hasText: "-5 is not allowed; it is 1 now" })).toBeVisible();
  await width.fill("77");
  await page.reload();
  await expect(width).toHaveValue("77");
  const name = card(page, "solid").locator(".scrub", { hasText: "Height" });
  const box = (await name.boundingBox())!;
  await page.mouse.move(box.x + 5, box.y + 5);
  await page.mouse.down();
  await page.mouse.move(box.x + 65, box.y + 5, { steps: 5 });
  await page.mouse.up();
  await expect(card(page, "solid").getByLabel("Height", { exact: true })).toHaveValue("74");
  await page.keyboard.press("Escape");
  await page.locator(".react-flow__pane").click({ position: { x: 20, y: 20 } });
  await page.keyboard.press("Control+z");
  await expect(card(page, "solid").getByLabel("Height", { exact: true })).toHaveValue("64");
});

test("seeds are thrown, stay, and count on before each run", async ({ page, studio }) => {
  await studio.open(page, "seeds", FIELDS);
  const noise = card(page, "noise");
  const seed = noise.getByLabel("Seed", { exact: true });
  await noise.getByRole("button", { name: "Throw the dice" }).click();
  await expect(seed).not.toHaveValue("7");
  await seed.fill("41");
  await seed.press("Enter");
  await noise.getByRole("button", { name: "Before each run: stays the same" }).click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(seed).toHaveValue("42");
});

test("Ctrl and arrows weigh the words of a prompt", async ({ page, studio }) => {
  await studio.open(page, "weights", FIELDS);
  const text = card(page, "prompt").getByLabel("Text", { exact: true });
  await text.evaluate((area: HTMLTextAreaElement) => {
    area.focus();
    area.setSelectionRange(3, 3);
  });
  await page.keyboard.press("Control+ArrowUp");
  await page.keyboard.press("Control+ArrowUp");
  await expect(text).toHaveValue("a (red:1.2) apple");
});

test("a file is chosen by its looks or dropped, a model by what it is", async ({ page, studio }) => {
  await studio.open(page, "files", FIELDS);
  await card(page, "loaded").getByRole("button", { name: "Choose a file" }).click();
  const dialog = page.getByRole("dialog", { name: "Choose a file" });
  await expect(dialog.locator("img").first()).toBeVisible();
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  await dialog.locator("input[type=file]").setInputFiles({ name: "dot.png", mimeType: "image/png", buffer: png });
  await expect(card(page, "loaded").getByLabel("Path", { exact: true })).toHaveValue(/^uploads\/.+\.png$/);
  await card(page, "model").getByRole("button", { name: "Choose a model" }).click();
  const models = page.getByRole("dialog", { name: "Choose a model" }).locator(".model");
  await expect(models.first()).toContainText("Stable Diffusion 1.x");
  await page.keyboard.press("Escape");
  await expect(models).toHaveCount(0);
});

test("a curve is bent by pointer and keys, a mask is painted and kept", async ({ page, studio }) => {
  await studio.open(page, "drawing", FIELDS);
  const curve = card(page, "curves").getByRole("group", { name: "Curve" });
  await curve.dblclick({ position: { x: 60, y: 20 } });
  await expect(curve.getByRole("slider")).toHaveCount(3);
  await curve.getByRole("slider").nth(1).press("ArrowUp");
  await card(page, "painted").getByRole("button", { name: "Paint…" }).click();
  const stage = page.getByRole("application", { name: "Paint a mask" });
  const box = (await stage.boundingBox())!;
  await page.mouse.move(box.x + 40, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + 160, box.y + 120, { steps: 8 });
  await page.mouse.up();
  await page.screenshot({ path: "../build/browser/painter.png" });
  await page.getByRole("button", { name: "Use this mask" }).click();
  const path = card(page, "painted").getByLabel("Path", { exact: true });
  await expect(path).toHaveValue(/^uploads\/.+\.png$/);
  const checked = await studio.api("/api/workflows/drawing");
  await expect
    .poll(async () => (await (await studio.api("/api/workflows/drawing")).json()).nodes.painted.settings?.path)
    .toBe(await path.inputValue());
  expect(checked.ok).toBe(true);
});

test("a setting becomes a parameter, and the app view shows just those, on a phone as well", async ({
  page,
  studio,
}) => {
  await studio.open(page, "face", FIELDS);
  await card(page, "solid").locator(".node-header").click();
  await page.getByRole("button", { name: "Make “Width” a parameter" }).click();
  await page.getByRole("tab", { name: "Parameters" }).click();
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Name", { exact: true }).last().fill("breadth");
  await page.getByLabel("Description").fill("How broad the picture is");
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("link", { name: "Show as an app" }).click();
  await expect(page.getByText("How broad the picture is")).toBeVisible();
  await page.setViewportSize({ width: 390, height: 844 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  await page.getByLabel("Breadth", { exact: true }).fill("96");
  await page.getByLabel("Breadth", { exact: true }).press("Enter");
  await page.screenshot({ path: "../build/browser/app-phone.png" });
  await expect
    .poll(async () => (await (await studio.api("/api/workflows/face")).json()).nodes.solid.settings.width)
    .toBe(96);
});
