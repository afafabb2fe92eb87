/** Workflows without places, as programs write them: laid out as they are shown, and not changed by that. */

import type { Page } from "@playwright/test";

import { card, expect, type Studio, test } from "./studio";

const BARE = {
  graphgen: 1,
  nodes: {
    saved: { type: "images.save", inputs: { image: "both.image" } },
    both: { type: "images.batch", inputs: { images: ["soft.image", "curved.image"] } },
    curved: { type: "images.curves", inputs: { image: "made.image" } },
    soft: { type: "preprocess.blur", inputs: { image: "made.image" } },
    made: { type: "images.solid", settings: { width: 64, height: 64 } },
    inner: { type: "subgraph.pair" },
  },
  subgraphs: {
    pair: {
      outputs: { image: { from: "second.image" } },
      nodes: {
        first: { type: "images.solid" },
        second: { type: "preprocess.blur", inputs: { image: "first.image" } },
      },
    },
  },
};

type Nodes = Readonly<Record<string, { readonly type: string; readonly inputs?: object }>>;

/** Return where cards are on the screen, once all are there. */
async function boxes(page: Page, names: readonly string[]) {
  for (const name of names) await expect(card(page, name)).toBeVisible({ timeout: 5_000 });
  const found = await Promise.all(names.map(async (name) => [name, (await card(page, name).boundingBox())!] as const));
  return Object.fromEntries(found);
}

/** Look at all of it until no card lies on another and each wire leads to the right. */
async function expectLaidOut(page: Page, nodes: Nodes) {
  await expect(async () => {
    await page.keyboard.press("."); // all of it in view, as it lies by now
    const all = await boxes(page, Object.keys(nodes));
    for (const [name, { inputs }] of Object.entries(nodes)) {
      for (const from of Object.values(inputs ?? {}).flat() as string[]) {
        const source = all[from.split(".")[0]!]!;
        expect(source.x + source.width, `${from} into ${name}`).toBeLessThan(all[name]!.x);
      }
      for (const [other, box] of Object.entries(all)) {
        if (other <= name) continue;
        const one = all[name]!;
        const isApart =
          one.x + one.width <= box.x ||
          box.x + box.width <= one.x ||
          one.y + one.height <= box.y ||
          box.y + box.height <= one.y;
        expect(isApart, `${name} beside ${other}`).toBe(true);
      }
    }
  }).toPass();
}

async function onServer(studio: Studio, name: string) {
  const answer = await studio.api(`/api/workflows/${name}`);
  const document = (await answer.json()) as { nodes: Nodes; view?: { nodes: object } };
  return { etag: answer.headers.get("ETag"), document };
}

test("a file without places is laid out, and as it was until something is changed", async ({ page, studio }) => {
  await studio.save("bare", BARE);
  const before = await onServer(studio, "bare");
  const written: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "PUT") written.push(request.url());
  });
  await studio.visit(page, "#/w/bare");
  await expectLaidOut(page, BARE.nodes);
  await page.screenshot({ path: "../build/shots/places.png" });
  await expect(page.getByRole("button", { name: "Undo" })).toBeDisabled();
  await expect(page.locator(".top-saving")).toHaveText("Saved");

  // inside a subgraph, when it is shown
  await card(page, "inner").getByRole("button", { name: "Open the subgraph" }).click();
  await expectLaidOut(page, BARE.subgraphs.pair.nodes);
  await page.keyboard.press("Control+ArrowUp");
  await expect(card(page, "saved")).toBeVisible();
  expect(written).toEqual([]);
  expect(await onServer(studio, "bare")).toEqual(before);

  // with the first change the places are saved; that change alone is undone
  const width = card(page, "made").getByLabel("Width", { exact: true });
  await width.fill("72");
  await width.press("Enter");
  await expect.poll(() => written.length).toBeGreaterThan(0);
  await expect(page.locator(".top-saving")).toHaveText("Saved");
  const { document } = await onServer(studio, "bare");
  expect(Object.keys(document.view!.nodes).sort()).toEqual(Object.keys(BARE.nodes).sort());
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(width).toHaveValue("64");
  await expect(page.getByRole("button", { name: "Undo" })).toBeDisabled();
  await expectLaidOut(page, BARE.nodes);
});

test("nodes that a program adds without a place stand beside what they are wired to", async ({ page, studio }) => {
  const view = { nodes: { made: { x: 40, y: 40 }, soft: { x: 360, y: 40 } } };
  const { made, soft } = BARE.nodes;
  await studio.open(page, "grown", { graphgen: 1, nodes: { made, soft }, view });
  await expect(card(page, "soft")).toBeVisible();
  const nodes = {
    made,
    soft,
    more: { type: "images.curves", inputs: { image: "made.image" } },
    last: { type: "images.save", inputs: { image: "more.image" } },
    alone: { type: "masks.solid" },
  };
  await studio.save("grown", { graphgen: 1, nodes, view });
  await expectLaidOut(page, nodes);
  await page.screenshot({ path: "../build/shots/places-grown.png" });
  const after = await boxes(page, ["made", "soft", "more"]);
  expect(after.more!.x).toBeGreaterThan(after.made!.x + after.made!.width);
  expect((await onServer(studio, "grown")).document.view).toEqual(view);
});
