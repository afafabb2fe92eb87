/** The editor without a pointer: a workflow from opening to deleting, and where the keyboard is after each thing. */

import type { Locator, Page } from "@playwright/test";

import { card, expect, test } from "./studio";

const press = async (page: Page, ...keys: readonly string[]) => {
  for (const key of keys) await page.keyboard.press(key);
};

/** Expect that something has the keyboard, is on the page, and shows that it has it. */
async function expectFocus(page: Page, what: string): Promise<void> {
  const found = () =>
    page.evaluate(() => {
      const here = document.activeElement;
      if (!here || here === document.body) return "nothing has the keyboard";
      const { width, height, right, bottom, left, top } = here.getBoundingClientRect();
      const isSeen = width > 0 && height > 0 && right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
      if (!isSeen) return `out of sight: ${here.outerHTML.slice(0, 120)}`;
      return here.matches(":focus-visible") ? "" : `not shown: ${here.outerHTML.slice(0, 120)}`;
    });
  await expect.poll(found, { message: what }).toBe("");
}

/** Press Tab until something has the keyboard; on the way, it is always seen where that is. */
async function tabTo(page: Page, target: Locator, key = "Tab"): Promise<void> {
  for (let step = 0; step < 80; step += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await press(page, key);
    await expectFocus(page, `step ${step}`);
  }
  throw new Error(`${key} does not lead to ${String(target)}`);
}

const canvas = (page: Page) => page.getByTestId("canvas");

/** Add a node by its name, beside the chosen one. */
async function add(page: Page, text: string): Promise<void> {
  await press(page, "Tab");
  await expect(page.getByRole("combobox", { name: "Search nodes" })).toBeFocused();
  await page.keyboard.type(text);
  await press(page, "Enter");
  await expect(canvas(page)).toBeFocused();
}

/** Wire the chosen node: the first wire that speaks of a text. */
async function connect(page: Page, text: string): Promise<void> {
  await press(page, "c");
  await expect(page.getByRole("combobox", { name: "Search wires" })).toBeFocused();
  await page.keyboard.type(text);
  await press(page, "Enter");
  await expect(canvas(page)).toBeFocused();
}

async function command(page: Page, text: string): Promise<void> {
  await press(page, "Control+k");
  await expect(page.getByRole("combobox", { name: "Search commands" })).toBeFocused();
  await page.keyboard.type(text);
  await press(page, "Enter");
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve))); // it is carried out when the list is gone
}

test("a workflow is opened, built, set, run, looked at, undone, named and deleted with the keyboard alone", async ({
  page,
  studio,
}) => {
  await studio.empty();
  await studio.save("walk", { graphgen: 1, name: "A walk", nodes: {} });
  await studio.visit(page);
  await tabTo(page, page.getByRole("link", { name: /A walk/ }).first());
  await press(page, "Enter");
  await expect(canvas(page)).toBeFocused();

  await add(page, "plain colour");
  await add(page, "resize picture");
  await connect(page, "plain colour");
  await add(page, "save picture");
  await connect(page, "resize picture");
  await expect(page.locator("#run-estimate")).toContainText("3 nodes"); // all are wired

  await press(page, "Enter");
  await expect(card(page, "save").getByLabel("Name", { exact: true })).toBeFocused();
  await press(page, "Control+a");
  await page.keyboard.type("walked");
  await press(page, "Tab", "ArrowDown");
  await expect(card(page, "save").getByLabel("Format", { exact: true })).toHaveValue("1");
  await press(page, "Tab", "ArrowLeft");
  await expect(card(page, "save").getByRole("slider", { name: "Quality" })).toHaveValue("91");
  await press(page, "Escape");
  await expect(canvas(page)).toBeFocused();
  await press(page, "ArrowLeft", "ArrowLeft", "Enter");
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toBeFocused();
  await page.keyboard.type("40*2");
  await press(page, "Enter", "ArrowUp");
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("81");
  await press(page, "Escape", "Escape");
  await expect(canvas(page)).toBeFocused();

  await press(page, "Control+Enter");
  await expect(card(page, "save").locator(".outcome-line")).toContainText(/Done|Cached/, { timeout: 60_000 });
  await press(page, "F6");
  await expectFocus(page, "the panel");
  await tabTo(page, page.getByRole("tab", { name: "History" }));
  await press(page, "Enter");
  await tabTo(page, page.locator(".thumb button").first(), "Shift+Tab");
  await press(page, "Enter");
  const picture = page.getByRole("dialog", { name: /A walk #/ });
  await expect(picture).toBeVisible();
  for (let step = 0; step < 12; step += 1) {
    await press(page, "Tab");
    const isOutside = () =>
      page.evaluate(() => {
        const here = document.activeElement;
        return here !== document.body && here?.closest("dialog") === null; // the browser's own bar comes in between
      });
    expect(await isOutside()).toBe(false);
  }
  await press(page, "Escape");
  await expect(picture).toHaveCount(0);
  await expect(page.locator(".thumb button").first()).toBeFocused();

  await press(page, "Alt+g", "Control+z");
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("512");
  await expectFocus(page, "after undo");
  await press(page, "Control+Shift+z");
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("81");
  await expect(canvas(page)).toBeFocused();

  await command(page, "name, folder");
  const details = page.getByRole("dialog", { name: /description/ });
  await tabTo(page, details.getByLabel("File name"));
  await press(page, "Control+a");
  await page.keyboard.type("walked");
  await press(page, "Enter");
  await expect(details).toHaveCount(0);
  await expect(page).toHaveURL(/#\/w\/walked$/);
  await expectFocus(page, "after a dialog was closed");

  await press(page, "Alt+g", "ArrowRight", "Delete");
  await expect(card(page, "solid")).toHaveCount(0);
  await expect(canvas(page)).toBeFocused();
  await command(page, "delete");
  await expect(page.getByRole("heading", { name: "Your workflows" })).toBeVisible();
  await expectFocus(page, "in the library");
});

test("what has the keyboard may go away: the view has it then; Escape closes what is in front alone", async ({
  page,
  studio,
}) => {
  const solid = { type: "images.solid", settings: { width: 64 } };
  await studio.open(page, "keeps", { graphgen: 1, nodes: { solid }, view: { nodes: { solid: { x: 0, y: 0 } } } });
  await expect(canvas(page)).toBeFocused();
  await press(page, "ArrowRight", "Tab");
  await expect(page.locator(".palette")).toBeVisible();
  await press(page, "Escape");
  await expect(page.locator(".palette")).toHaveCount(0);
  await expect(card(page, "solid")).toHaveClass(/selected/);
  await press(page, "Control+d");
  await expect(card(page, "solid_2")).toHaveClass(/selected/);
  await press(page, "Enter");
  await expect(card(page, "solid_2").getByLabel("Width", { exact: true })).toBeFocused();
  const undo = page.getByRole("button", { name: "Undo" });
  await undo.focus();
  await press(page, "Enter");
  await expect(card(page, "solid_2")).toHaveCount(0);
  await expect(undo).toBeDisabled();
  await expect(canvas(page)).toBeFocused();
  await page.reload();
  await expect(card(page, "solid")).toBeVisible();
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await press(page, "F6", "Shift+Tab");
  const skip = page.getByRole("button", { name: "Skip to what is shown" });
  await tabTo(page, skip, "Shift+Tab");
  await press(page, "Enter");
  await expect(canvas(page)).toBeFocused();
});

test("a run is told of when it begins and ends, and no more; that all is saved is not told", async ({
  page,
  studio,
}) => {
  await studio.open(page, "told", {
    graphgen: 1,
    nodes: {
      solid: { type: "images.solid", settings: { width: 33 } },
      save: { type: "images.save", inputs: { image: "solid.image" } },
    },
  });
  await expect(card(page, "save")).toBeVisible();
  await page.evaluate(() => {
    const told: string[] = [];
    Object.assign(window, { told });
    const live =
      "[role=status]:not([aria-live=off]), [role=alert], [role=log], [aria-live=polite], [aria-live=assertive]";
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const element = target instanceof Element ? target : target.parentElement;
        const text = element?.closest(live)?.textContent?.trim();
        if (text && told.at(-1) !== text) told.push(text);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  const width = card(page, "solid").getByLabel("Width", { exact: true });
  await width.fill("34");
  await width.press("Control+Enter");
  await expect(card(page, "save").locator(".outcome-line")).toContainText(/Done|Cached/, { timeout: 60_000 });
  await expect(page.locator(".top-saving")).toHaveText("Saved");
  const told = await page.evaluate(() => (window as unknown as { told: string[] }).told);
  expect(told.at(-1)).toMatch(/done|finished|ended/i);
  expect(told.length, told.join(" | ")).toBeLessThanOrEqual(3);
});

test("at twice the size, nothing is cut at the side", async ({ page, studio }) => {
  await page.setViewportSize({ width: 640, height: 360 }); // 1280 by 720 at 200 %
  await studio.visit(page);
  for (const hash of ["#/", "#/w/text_to_image", "#/app/text_to_image"]) {
    await page.goto(`${studio.url}/${hash}`);
    await expect(page.locator("main > *").first()).toBeVisible();
    const over = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    await expect.poll(over, { message: hash }).toBeLessThanOrEqual(0);
    const bar = page.locator(".top-bar");
    expect(await bar.evaluate((one) => one.scrollWidth - one.clientWidth), hash).toBeLessThanOrEqual(0);
  }
});
