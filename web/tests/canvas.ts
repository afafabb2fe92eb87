/** The canvas as people use it: its sockets and nodes, wires that are drawn, what is saved of it. */

import type { Locator, Page } from "@playwright/test";

import { card, expect, type Studio } from "./studio";

export const canvas = (page: Page) => page.getByTestId("canvas");
export const socket = (page: Page, node: string, side: "in" | "out", name: string) =>
  card(page, node).locator(`.react-flow__handle[data-handleid="${side}:${name}"]`);
export const palette = (page: Page) => page.getByRole("combobox", { name: "Search nodes" });

export async function middle(of: Locator): Promise<{ x: number; y: number }> {
  const box = (await of.boundingBox())!;
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Keep a picture of the page, to be looked at. */
export const shoot = (page: Page, name: string) => page.screenshot({ path: `../build/shots/${name}.png` });

/** How large the graph is shown; 1 is its own size. */
export const zoomOf = (page: Page) =>
  page.locator(".react-flow__viewport").evaluate((element) => new DOMMatrix(getComputedStyle(element).transform).a);

/** Press at one place, move to others, and, unless told otherwise, let go. */
export async function drag(page: Page, from: Locator, to: Locator | { x: number; y: number }, { drop = true } = {}) {
  const start = await middle(from);
  const end = "boundingBox" in to ? await middle(to) : to;
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move(start.x + 3, start.y + 3);
  await page.mouse.move((start.x + end.x) / 2, (start.y + end.y) / 2, { steps: 4 });
  await page.mouse.move(end.x, end.y, { steps: 4 });
  if (drop) await page.mouse.up();
}

/** Find a node in the palette that is open, and put it down. */
export async function choose(page: Page, text: string) {
  await palette(page).fill(text);
  await page.keyboard.press("Enter");
}

/** Return a workflow as it is saved, once everything is. */
export async function saved(page: Page, studio: Studio, name: string) {
  // a command that a dialog was asked for is carried out when the dialog is gone: in a later turn of the page
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  await expect(page.locator(".top-saving")).toHaveText("Saved");
  return (await (await studio.api(`/api/workflows/${name}`)).json()) as {
    nodes: Record<string, { type: string; mode?: string; inputs?: Record<string, unknown>; settings?: unknown }>;
    outputs?: Record<string, { from: string }>;
    subgraphs?: Record<string, { inputs: object; outputs: object; nodes: object; parameters?: object }>;
    view: { nodes: Record<string, object>; groups?: object[]; notes?: object[]; wires?: Record<string, object[]> };
  };
}

/** Return what the server finds wrong with a workflow. */
export async function problemsOf(studio: Studio, workflow: unknown): Promise<unknown[]> {
  const checked = (await (await studio.api("/api/check", { json: { workflow } })).json()) as { problems: unknown[] };
  return checked.problems;
}
