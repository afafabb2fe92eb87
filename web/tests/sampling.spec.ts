import { readFileSync } from "node:fs";

import { plain, slow } from "./flows";
import { card, expect, test } from "./studio";

/** Keeps what the sampler's card said of itself whenever its forming picture came or changed. */
function watchPreviews(): void {
  const states: string[] = [];
  Object.assign(window, { states });
  new MutationObserver(() => {
    const shown = document.querySelector('.react-flow__node[data-id="sample"]');
    if (shown?.querySelector('img[alt="The picture as it forms"]')) {
      states.push(shown.querySelector(".outcome-word")?.textContent ?? "");
    }
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["src"] });
}

test("a picture is seen as it forms; a copy of an example knows what ran before it, after a reload too", async ({
  page,
  studio,
}) => {
  await studio.visit(page, "#/w/text_to_image");
  const line = (name: string) => card(page, name).locator(".outcome-line");
  await expect(line("sample")).toBeVisible();
  await page.evaluate(watchPreviews);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(line("sample")).toContainText("Done", { timeout: 150_000 });
  expect(await page.evaluate(() => (window as unknown as { states: string[] }).states)).toContain("Running");
  await expect(card(page, "sample").getByAltText("The picture as it forms")).toBeVisible();
  await expect(line("save")).toContainText(/Done|Cached/, { timeout: 60_000 });
  const steps = card(page, "schedule").getByRole("textbox", { name: "Steps" });
  await steps.fill("3");
  await steps.press("Enter");
  await expect(page).toHaveURL(/text_to_image%20copy$/);
  for (let visit = 0; visit < 2; visit += 1) {
    await expect(line("sample")).toContainText("because “schedule” changed");
    await expect(line("positive")).toContainText(/Done|Cached/);
    await expect(page.locator(".top-saving")).toHaveText("Saved");
    if (!visit) await page.reload();
  }
});

interface Line {
  readonly running: readonly string[];
  readonly waiting: readonly string[];
}

test("the live mode draws anew after each change, and an older run that waits gives way", async ({ page, studio }) => {
  const draw = JSON.parse(readFileSync("../workflows/text_to_image.json", "utf8")) as {
    nodes: { schedule: { settings: object } };
  };
  draw.nodes.schedule.settings = { steps: 2 };
  const queue = async () => (await (await studio.api("/api/queue")).json()) as Line;
  await studio.open(page, "draws", draw);
  await page.getByRole("button", { name: "Other ways to run" }).click();
  await page.getByRole("menuitemradio", { name: "Live: run after each change" }).click();
  await expect(card(page, "save").locator(".outcome-line")).toContainText(/Done|Cached/, { timeout: 150_000 });
  const others = [await studio.submit({ workflow: slow(51) }), await studio.submit({ workflow: slow(52) })];
  await expect.poll(async () => (await queue()).running.length).toBe(2);
  const steps = card(page, "schedule").getByRole("textbox", { name: "Steps" });
  const change = async (to: number) => {
    await steps.fill(String(to));
    await steps.press("Enter");
  };
  await change(3);
  await expect.poll(async () => (await queue()).waiting.length).toBe(1);
  const [older] = (await queue()).waiting;
  await change(4);
  await expect.poll(async () => (await queue()).waiting.filter((id) => id !== older).length).toBe(1);
  await expect.poll(async () => (await queue()).waiting.includes(older!)).toBe(false);
  for (const { id } of others) await studio.api(`/api/runs/${id}`, { method: "DELETE" });
  await expect(card(page, "sample").locator(".outcome-line")).toContainText("Done", { timeout: 60_000 });
  await expect(card(page, "save").locator(".outcome-line")).toContainText("Done", { timeout: 60_000 });
  await expect(page.locator("#run-estimate")).toHaveText("All cached");
});

test("an older run of the live mode that is at work gives way too", async ({ page, studio }) => {
  const { nodes, ...rest } = plain("#8844aa", 81);
  await studio.open(page, "gives way", { ...rest, nodes: { ...nodes, ...slow(61).nodes }, outputs: slow(61).outputs });
  const runs = async () => {
    const answer = await studio.api("/api/runs?identity=gives%20way");
    return ((await answer.json()) as { runs: { status: string }[] }).runs.map(({ status }) => status);
  };
  await page.getByRole("button", { name: "Other ways to run" }).click();
  await page.getByRole("menuitemradio", { name: "Live: run after each change" }).click();
  await expect.poll(runs).toEqual(["running"]);
  await page.getByLabel("Width", { exact: true }).fill("82");
  await page.getByLabel("Width", { exact: true }).press("Enter");
  await expect.poll(runs).toEqual(["running", "cancelled"]);
  await page.getByRole("button", { name: "Live", exact: true }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await expect.poll(runs).toEqual(["cancelled", "cancelled"]);
});
