import { FAILING, plain, slow } from "./flows";
import { card, expect, test } from "./studio";

/** Cheap nodes alone: a subgraph used once and for each item of a list, and one that fails. */
const ZONES = {
  graphgen: 1,
  name: "Zones",
  parameters: { height: { sets: ["solid.height"] }, color: { sets: ["solid.color"] } },
  nodes: {
    numbers: { type: "flow.numbers", settings: { start: 32, count: 3 } },
    each: { type: "subgraph.draw", map: { over: ["width"] }, inputs: { width: "numbers.numbers" } },
    solid: { type: "images.solid", settings: { width: 64, height: 48 } },
    curves: { type: "images.curves", inputs: { image: "solid.image" } },
    save: { type: "images.save", inputs: { image: "curves.image" } },
    saved: { type: "images.save", map: { over: ["image"] }, inputs: { image: "each.image" } },
  },
  subgraphs: {
    draw: {
      parameters: { width: { sets: ["plain.width"] } },
      outputs: { image: { from: "plain.image" } },
      nodes: { plain: { type: "images.solid", settings: { height: 20 } } },
      view: { nodes: { plain: { x: 0, y: 0 } } },
    },
  },
  view: {
    nodes: {
      numbers: { x: 0, y: 0 },
      each: { x: 300, y: 0 },
      saved: { x: 600, y: 0 },
      solid: { x: 0, y: 260 },
      curves: { x: 300, y: 330 },
      save: { x: 600, y: 330 },
    },
  },
};

const run = (page: import("@playwright/test").Page) => page.getByRole("button", { name: "Run", exact: true }).click();

test("each node says how it stands and shows what it made, after a reload too", async ({ page, studio }) => {
  await studio.open(page, "zones", ZONES);
  await expect(card(page, "save").locator(".outcome-line")).toContainText("it has not run yet");
  await run(page);
  await expect(card(page, "save").locator(".outcome-line")).toContainText(/Done|Cached/, { timeout: 60_000 });
  for (let visit = 0; visit < 2; visit += 1) {
    await expect(card(page, "each").locator(".outcome-line")).toContainText(/Done|Cached/);
    await expect(card(page, "each").locator(".pager")).toContainText("1 / 3");
    await card(page, "each").getByRole("button", { name: "Next picture" }).click();
    await expect(card(page, "each").locator(".pager")).toContainText("2 / 3");
    await expect(card(page, "solid").locator(".value-picture img")).toBeVisible();
    if (!visit) await page.reload();
  }
});

test("a change says what runs again and why", async ({ page, studio }) => {
  const solid = { type: "images.solid", settings: { width: 64, height: 48, color: "#806040" } }; // in no other test's cache
  await studio.open(page, "stale", { ...ZONES, nodes: { ...ZONES.nodes, solid } });
  await run(page);
  await expect(card(page, "save").locator(".outcome-line")).toContainText(/Done|Cached/, { timeout: 60_000 });
  const height = card(page, "solid").getByLabel("Height", { exact: true });
  await height.fill("52");
  await height.press("Enter");
  await expect(card(page, "solid").locator(".outcome-line")).toContainText("Will run“Height” changed");
  await expect(card(page, "solid").locator(".past-badge")).toHaveText("Before: “Height” changed");
  await expect(card(page, "solid").locator(".value-picture img")).toHaveCSS("opacity", "1");
  await expect(card(page, "curves").locator(".outcome-line")).toContainText("because “solid” changed");
  await expect(card(page, "each").locator(".past-badge")).toHaveCount(0);
  await expect(card(page, "each").locator(".outcome-line")).not.toContainText("Will run");
  await card(page, "solid").locator(".node-header").click();
  await expect(page.getByRole("region", { name: "How it stands" })).toContainText("48 → 52");
});

test("the selection runs alone, everything again, and by itself after a change", async ({ page, studio }) => {
  const solid = { type: "images.solid", settings: { width: 64, height: 31 } };
  await studio.open(page, "selection", { ...ZONES, name: "Parts", nodes: { ...ZONES.nodes, solid } });
  await card(page, "curves").locator(".node-header").click();
  await page.keyboard.press("Alt+Enter");
  await expect(card(page, "curves").locator(".outcome-line")).toContainText(/Done|Cached/, { timeout: 60_000 });
  await expect(card(page, "save").locator(".outcome-line")).toContainText("Will run");
  await expect(page.locator("#run-estimate")).toContainText("to run");
  await page.getByRole("button", { name: "Other ways to run" }).click();
  await page.getByRole("menuitem", { name: "Run everything again" }).click();
  await expect(card(page, "solid").locator(".outcome-line")).toContainText("Done", { timeout: 60_000 });
  await expect(card(page, "save").locator(".outcome-line")).toContainText("Done");
  await page.getByRole("button", { name: "Other ways to run" }).click();
  await page.getByRole("menuitemradio", { name: "Live: run after each change" }).click();
  const height = card(page, "solid").getByLabel("Height", { exact: true });
  await height.fill("77");
  await height.press("Enter");
  await expect(card(page, "save").locator(".outcome-line")).toContainText("Done");
  const picture = card(page, "solid").locator(".value-picture img");
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalHeight)).toBe(77);
});

test("the queue shows what runs and what waits, is reordered and emptied", async ({ page, studio }) => {
  const ids: string[] = [];
  for (let number = 0; number < 5; number += 1) {
    ids.push((await studio.submit({ workflow: slow(number), identity: `slow ${number}` })).id);
  }
  const waiting = async () => (await (await studio.api("/api/queue")).json()).waiting as string[];
  await studio.open(page, "line", ZONES);
  await page.getByRole("tab", { name: /Queue/ }).click();
  await expect(page.locator(".tab-badge")).toHaveText("5");
  await expect(page.getByRole("progressbar", { name: "Progress of slow 0" })).toBeVisible();
  const rows = page.getByRole("list", { name: "Waiting in line" }).getByRole("listitem");
  await expect(rows).toHaveCount(3);
  await rows.nth(0).getByRole("button", { name: "Move down" }).click();
  await expect.poll(waiting).toEqual([ids[3], ids[2], ids[4]]);
  await rows.nth(2).getByRole("button", { name: "Move up" }).press("Alt+ArrowUp");
  await expect.poll(waiting).toEqual([ids[3], ids[4], ids[2]]);
  await rows.nth(2).dragTo(rows.nth(0));
  await expect.poll(waiting).toEqual([ids[2], ids[3], ids[4]]);
  await expect(rows.nth(0)).toContainText("slow 2");
  await rows
    .nth(1)
    .getByRole("button", { name: /^Cancel slow 3/ })
    .click();
  await expect(rows).toHaveCount(2);
  await page.locator(".react-flow__pane").click({ position: { x: 10, y: 10 } });
  await page.keyboard.press("Control+Shift+Enter");
  await expect(rows.nth(0)).toContainText("this workflow");
  await page.getByRole("button", { name: "Cancel all…" }).click();
  await page.getByRole("button", { name: /^Cancel all \d/ }).click();
  await expect(page.getByText("Nothing runs and nothing waits", { exact: false })).toBeVisible({ timeout: 30_000 });
  await expect(page.locator(".tab-badge")).toHaveCount(0);
});

test("the history shows pictures, gives their values back, opens and compares them", async ({ page, studio }) => {
  await studio.open(page, "plain", plain("#336699", 60));
  await page.getByRole("tab", { name: "History" }).click();
  await expect(page.getByText("What you run appears here", { exact: false })).toBeVisible();
  for (const [color, width] of [
    ["#cc3344", 61],
    ["#33aa66", 62],
    ["#3355cc", 63],
  ] as const) {
    await studio.submit({ workflow: plain(color, width), identity: "plain" });
  }
  const thumbs = page.locator(".thumb button");
  await expect(thumbs).toHaveCount(3, { timeout: 60_000 });
  await page.getByLabel("Find by words, names or values").fill("33AA66");
  await expect(thumbs).toHaveCount(1);
  await thumbs.first().click();
  const large = page.getByRole("dialog", { name: /Plain colours #/ });
  await expect(large).toContainText("#33aa66");
  await large.getByRole("button", { name: "Use these values" }).click();
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("62");
  await page.getByLabel("Find by words, names or values").fill("");
  await expect(thumbs).toHaveCount(3);
  await page.locator(".thumb input").nth(0).check();
  await page.locator(".thumb input").nth(2).check();
  await page.getByRole("button", { name: "Compare" }).click();
  const line = page.getByLabel("Where one picture ends and the other begins");
  await line.press("ArrowRight");
  await expect(line).toHaveValue("51");
  await page.keyboard.press("Escape");
  await thumbs.nth(2).click();
  await large.getByRole("button", { name: "Open its workflow" }).click();
  await expect(page).toHaveURL(/#\/w\/plain.+$/);
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("61");
});

/** Let go of a file over a part of the page, as from the computer's own windows. */
async function drop(page: import("@playwright/test").Page, target: string, name: string, type: string, data: Buffer) {
  const files = await page.evaluateHandle(
    ([text, called, kind]) => {
      const transfer = new DataTransfer();
      const bytes = Uint8Array.from(atob(text!), (one) => one.charCodeAt(0));
      transfer.items.add(new File([bytes], called!, { type: kind! }));
      return transfer;
    },
    [data.toString("base64"), name, type],
  );
  await page.dispatchEvent(target, "drop", { dataTransfer: files, clientX: 300, clientY: 300 });
}

test("a dropped picture gives its workflow back; other files are told or loaded", async ({ page, studio }) => {
  const asked = { workflow: plain("#aa44cc", 64), parameters: { width: 48 }, identity: "given" };
  const { id } = await studio.submit(asked);
  const done = async () =>
    (await (await studio.api(`/api/runs/${id}`)).json()) as { status: string; files: { url: string }[] };
  await expect.poll(async () => (await done()).status, { timeout: 60_000 }).toBe("done");
  const picture = Buffer.from(await (await studio.api((await done()).files[0]!.url)).arrayBuffer());
  await studio.visit(page);
  await page.locator(".library").waitFor();
  await drop(page, ".library", "given.png", "image/png", picture);
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("48");
  await expect(page.getByText("The workflow that made given.png is open", { exact: false })).toBeVisible();
  const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  await drop(page, ".react-flow__pane", "dot.png", "image/png", Buffer.from(dot, "base64"));
  await expect(card(page, "picture").getByLabel("Path", { exact: true })).toHaveValue(/^uploads\/.+\.png$/);
  await drop(page, ".react-flow__pane", "broken.json", "application/json", Buffer.from("{"));
  await expect(page.getByText("broken.json is no workflow of graphgen", { exact: false })).toBeVisible();
  await drop(page, ".react-flow__pane", "own.json", "application/json", Buffer.from(JSON.stringify(ZONES)));
  await expect(card(page, "each")).toBeVisible();
  await expect(page).toHaveURL(/#\/w\/own$/);
  await page.goto(`${studio.url}/#/`);
  const choosing = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Import a file" }).click();
  await (await choosing).setFiles({ name: "chosen.png", mimeType: "image/png", buffer: picture });
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("48");
});

test("whoever goes back before a workflow from a file is saved stays there", async ({ page, studio }) => {
  await studio.open(page, "former", plain("#336699", 60));
  await expect(card(page, "solid")).toBeVisible();
  let letGo = () => {};
  const gate = new Promise<void>((go) => (letGo = go));
  await page.route("**/api/workflows/late", async (route) => {
    await gate;
    await route.continue();
  });
  await drop(page, ".react-flow__pane", "late.json", "application/json", Buffer.from(JSON.stringify(ZONES)));
  await expect(card(page, "each")).toBeVisible();
  await expect(page).toHaveURL(/#\/w\/late$/);
  await page.goBack();
  await expect(page).toHaveURL(/#\/w\/former$/);
  letGo();
  await expect.poll(async () => (await studio.api("/api/workflows/late")).status).toBe(200);
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("60");
  await expect(page).toHaveURL(/#\/w\/former$/);
});

test("a sweep over two parameters fills a grid, whose pictures give their values", async ({ page, studio }) => {
  await studio.open(page, "grid", plain("#336699", 60));
  await page.getByRole("button", { name: "Other ways to run" }).click();
  await page.getByRole("menuitem", { name: /^Sweep over parameters/ }).click();
  const dialog = page.getByRole("dialog", { name: "Sweep over parameters" });
  const [across, down] = [dialog.getByRole("group", { name: "Across" }), dialog.getByRole("group", { name: "Down" })];
  await across.getByLabel("Parameter").selectOption("width");
  await across.getByLabel("Values").fill("30..32x");
  await expect(across.getByText("Write values like 1..4, 8")).toBeVisible();
  await across.getByLabel("Values").fill("30..32");
  await down.getByLabel("Parameter").selectOption("color");
  await down.getByLabel("Values").fill("#aa0000, #0000aa");
  await expect(dialog.getByRole("status")).toHaveText("6 pictures");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await expect(dialog.getByRole("rowheader")).toHaveText(["#aa0000", "#0000aa"]);
  await expect(dialog.getByRole("columnheader")).toHaveCount(4);
  await expect(dialog.getByRole("status")).toHaveText("6 of 6 pictures", { timeout: 60_000 });
  await dialog.getByRole("button", { name: "Picture of Color #0000aa, Width 31" }).click();
  await page.getByRole("button", { name: "Use these values" }).click();
  await page.keyboard.press("Escape");
  await expect(card(page, "solid").getByLabel("Width", { exact: true })).toHaveValue("31");
  await expect(card(page, "solid").getByLabel("Color", { exact: true })).toHaveValue("#0000aa");
});

test("what failed says why, with the traceback at the side, and what needs it is skipped", async ({ page, studio }) => {
  await studio.open(page, "fails", FAILING);
  await run(page);
  await expect(card(page, "solid")).toContainText("width: must be at least 1 (got 0)", { timeout: 60_000 });
  await expect(card(page, "save").locator(".outcome-line")).toContainText("Skipped“solid” failed");
  await card(page, "solid").locator(".node-header").click();
  await page.getByText("Traceback", { exact: true }).click();
  await expect(page.locator(".story pre")).toContainText("graphgen");
});

test("what is wrong, why a node runs and why it is skipped is said in Korean", async ({ page, studio }) => {
  await page.addInitScript(() => localStorage.setItem("graphgen-language", "ko"));
  const wrong = plain("#336699", 60);
  await studio.open(page, "wrong", { ...wrong, nodes: { ...wrong.nodes, curves: { type: "images.curves" } } });
  await page.getByRole("button", { name: "문제 1개" }).click();
  await expect(page.getByRole("menuitem", { name: /curves\.image: 연결된 것이 없습니다/ })).toBeVisible();
  await studio.open(page, "fails in Korean", FAILING);
  await expect(card(page, "save").locator(".outcome-line")).toContainText("아직 실행한 적이 없습니다");
  await page.getByRole("button", { name: "실행", exact: true }).click();
  await expect(card(page, "save").locator(".outcome-line")).toContainText("“solid” 노드가 실패했습니다", {
    timeout: 60_000,
  });
});
