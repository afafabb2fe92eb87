import { FAILING, plain, slow } from "./flows";
import { card, expect, test } from "./studio";

test("a sweep is found again: after a reload, in another tab, and when it is over", async ({ page, studio }) => {
  const others = [await studio.submit({ workflow: slow(21) }), await studio.submit({ workflow: slow(22) })];
  await studio.open(page, "again", plain("#336699", 60));
  await studio.submit({
    workflow: plain("#336699", 60),
    identity: "again",
    sweep: { axes: { color: ["#aa0000", "#0000aa"], width: [30, 31, 32] } },
  });
  await page.getByRole("tab", { name: /Queue/ }).click();
  await page.getByRole("button", { name: /^Show the pictures of again/ }).click();
  const grid = page.getByRole("dialog", { name: "Sweep over parameters" });
  await expect(grid.getByRole("status")).toHaveText("0 of 6 pictures so far");
  await page.reload();
  await expect(grid.getByRole("status")).toHaveText("0 of 6 pictures so far");
  const other = await page.context().newPage();
  await other.goto(`${studio.url}/#/w/again`);
  await expect(other.locator(".tab-badge")).toHaveText("3");
  await other.getByRole("button", { name: "Other ways to run" }).click();
  await other.getByRole("menuitem", { name: /^Sweep over parameters/ }).click();
  const second = other.getByRole("dialog", { name: "Sweep over parameters" });
  await expect(second.getByRole("status")).toHaveText("0 of 6 pictures so far");
  for (const { id } of others) await studio.api(`/api/runs/${id}`, { method: "DELETE" });
  for (const one of [grid, second]) {
    await expect(one.getByRole("status")).toHaveText("6 of 6 pictures", { timeout: 60_000 });
    await expect(one.getByRole("rowheader")).toHaveText(["#aa0000", "#0000aa"]);
  }
  await page.keyboard.press("Escape");
  await page.reload();
  await page.getByRole("tab", { name: "History" }).click();
  await expect(grid).toHaveCount(0);
  await expect(page.locator(".thumb")).toHaveCount(1);
  await page.getByRole("button", { name: /^Sweep Plain colours #\d+, 6 pictures/ }).click();
  await expect(grid.getByRole("status")).toHaveText("6 of 6 pictures");
  for (const width of [30, 32]) {
    await grid.getByRole("checkbox", { name: `Choose Color #aa0000, Width ${width} to compare` }).check();
  }
  await grid.getByRole("button", { name: "Compare" }).click();
  await expect(page.getByRole("dialog", { name: "Compare" })).toBeVisible();
});

test("runs that failed or were cancelled say why in the history, and run again", async ({ page, studio }) => {
  await studio.open(page, "ends", FAILING);
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const rows = page.locator(".ended");
  await expect(rows).toHaveCount(1, { timeout: 60_000 });
  await expect(rows).toContainText("width: must be at least 1 (got 0)");
  const { id: stopped } = await studio.submit({ workflow: slow(23), identity: "ends" });
  await expect
    .poll(async () => ((await (await studio.api(`/api/runs/${stopped}`)).json()) as { status: string }).status)
    .toBe("running");
  await studio.api(`/api/runs/${stopped}`, { method: "DELETE" });
  await expect(rows).toHaveCount(2, { timeout: 60_000 });
  await expect(rows.first()).toContainText("Cancelled");
  await page.getByLabel("How the runs ended").selectOption("Failed");
  await expect(rows).toHaveCount(1);
  await page.getByLabel("How the runs ended").selectOption("Done");
  await expect(rows).toHaveCount(0);
  await page.getByLabel("How the runs ended").selectOption("Failed");
  await rows.getByRole("button", { name: /^Failed/ }).click();
  const dialog = page.getByRole("dialog", { name: /^Fails #/ });
  await expect(dialog).toContainText("must be at least 1 (got 0)");
  await dialog.getByRole("button", { name: "Run again" }).click();
  await expect(rows).toHaveCount(2, { timeout: 60_000 });
  await expect(card(page, "solid").locator(".outcome-line")).toContainText("Failed");
});
