/** A thousand nodes do what a few do: they are opened, moved over, chosen, edited and undone. No time is judged here. */

import { crowd } from "./crowd";
import { card, expect, test } from "./studio";

const COUNT = 1000;

test("a workflow of a thousand nodes is opened, moved over, edited and saved", async ({ page, studio }) => {
  await studio.open(page, "many", crowd(COUNT));
  const cards = page.locator(".react-flow__node");
  await expect(cards).toHaveCount(COUNT, { timeout: 30_000 });
  await expect(page.locator(".far-wires path").first()).toBeAttached();
  await expect(page.locator(".react-flow__handle")).toHaveCount(0); // outlines: nothing to hit from so far away
  await expect(card(page, "sample_3")).toContainText("Sample");

  const viewport = page.locator(".react-flow__viewport");
  const before = await viewport.getAttribute("style");
  const box = (await page.getByTestId("canvas").boundingBox())!;
  await page.mouse.move(box.x + 8, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + 60, box.y + box.height / 2 + 30, { steps: 4 });
  await page.mouse.up();
  await expect(viewport).not.toHaveAttribute("style", before!);

  const first = (await card(page, "prompt_0").boundingBox())!;
  await page.mouse.move(first.x + first.width / 2, first.y + 4);
  await page.mouse.wheel(0, -1900);
  await expect(card(page, "prompt_0").locator("textarea").first()).toBeVisible();
  await expect(page.locator(".react-flow__edge").first()).toBeAttached(); // near by, wires are what they are elsewhere
  expect(await cards.count()).toBeLessThan(COUNT / 4);

  const text = card(page, "prompt_0").getByLabel("Text", { exact: true });
  await text.fill("a thousand apples");
  await expect
    .poll(async () => (await (await studio.api("/api/workflows/many")).json()).nodes.prompt_0.settings.text)
    .toBe("a thousand apples");
  await card(page, "prompt_0").locator(".node-header").click();
  await expect(card(page, "prompt_0")).toHaveClass(/selected/);
  await page.keyboard.press("Control+z");
  await expect(text).not.toHaveValue("a thousand apples");
});
