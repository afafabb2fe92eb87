/**
 * Measures the editor with workflows of several sizes, and writes the figures as JSON to where GRAPHGEN_BENCH_RESULTS says.
 *
 * Nothing is asserted of a time: machines differ. `python -m benchmarks editor` lays the figures out beside their aims.
 */

import { writeFileSync } from "node:fs";

import type { Page } from "@playwright/test";

import { crowd } from "../tests/crowd";
import { card, type Studio, test } from "../tests/studio";
import {
  answerTo,
  busyWith,
  emptyPlace,
  install,
  median,
  motionWhileDragging,
  type Place,
  settled,
  zoomTo,
} from "./meter";

const SIZES = (process.env.GRAPHGEN_BENCH_SIZES ?? "100,1000,3000").split(",").map(Number);
/** How long each movement is watched, in seconds, and how often each answer is taken. */
const SECONDS = 3;
const TIMES = 7;

interface Figure {
  readonly size: number;
  readonly name: string;
  readonly value: number;
}
const figures: Figure[] = [];

const tell = (size: number, name: string, value: number): void => {
  figures.push({ size, name, value });
  console.log(`${size} ${name}: ${value.toPrecision(4)}`);
};

test("the library", async ({ page, studio }) => {
  await studio.visit(page); // the first visit sets the cookie, and the browser keeps the parts
  const fresh = await page.context().browser()!.newContext();
  const state = await page.context().storageState();
  await fresh.addCookies(state.cookies);
  const first = await fresh.newPage();
  await first.goto(`${studio.url}/`);
  await first.getByRole("link", { name: /Text to image/ }).waitFor();
  const loaded = await first.evaluate(() => {
    const all = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
    const bytes = (of: PerformanceResourceTiming[]) => of.reduce((sum, { transferSize }) => sum + transferSize, 0);
    const parts = all.filter(({ name }) => name.includes("/assets/"));
    return {
      until: performance.now(),
      requests: all.length + 1,
      sent: bytes(all),
      scripts: bytes(parts.filter(({ name }) => name.endsWith(".js"))),
      whole: parts.filter(({ name }) => name.endsWith(".js")).reduce((sum, one) => sum + one.decodedBodySize, 0),
    };
  });
  await fresh.close();
  tell(0, "library shown", loaded.until);
  tell(0, "requests", loaded.requests);
  tell(0, "bytes sent", loaded.sent);
  tell(0, "bytes of scripts, sent", loaded.scripts);
  tell(0, "bytes of scripts", loaded.whole);
});

for (const size of SIZES) {
  test(`${size} nodes`, async ({ page, studio }) => {
    await save(studio, size);
    await install(page);
    await studio.visit(page);
    await page.getByRole("link", { name: new RegExp(`^${size} nodes`) }).waitFor();
    await timeOpening(page, size);
    await timeMotion(page, size);
    await timeEdits(page, size);
    await weigh(page, size);
  });
}

test.afterAll(() => {
  const path = process.env.GRAPHGEN_BENCH_RESULTS;
  if (path) writeFileSync(path, JSON.stringify(figures));
});

async function save(studio: Studio, size: number): Promise<void> {
  const answer = await studio.api(`/api/workflows/crowd_${size}`, { method: "PUT", json: crowd(size) });
  if (!answer.ok) throw new Error(await answer.text());
}

/** From the library, and anew by the address. */
async function timeOpening(page: Page, size: number): Promise<void> {
  let pressed = 0;
  const worked = await busyWith(page, async () => {
    pressed = await page.evaluate((hash) => {
      const now = performance.now();
      location.hash = hash;
      return now;
    }, `#/w/crowd_${size}`);
    await settled(page);
  });
  const opened = await settled(page);
  tell(size, "opened from the library", opened.at - pressed);
  tell(size, "main thread's work for it", worked);
  tell(size, "nodes drawn", opened.nodes);
  await page.reload();
  tell(size, "opened by its address", (await settled(page)).at);
}

async function timeMotion(page: Page, size: number): Promise<void> {
  const watch = async (name: string, from: Place, reach: number) => {
    const { rate, work } = await motionWhileDragging(page, from, reach, SECONDS);
    tell(size, name, rate);
    tell(size, `${name}, work for a frame`, work);
  };
  await watch("panning, all in view", await emptyPlace(page), 120);
  await zoomTo(page, 1);
  await watch("panning at zoom 1", await emptyPlace(page), 250);
  await watch("dragging a node", await headOf(page), 80);
}

async function timeEdits(page: Page, size: number): Promise<void> {
  const times = async (act: (turn: number) => Promise<void>) => {
    const all: number[] = [];
    for (let turn = 0; turn < TIMES; turn += 1) all.push(await answerTo(page, () => act(turn)));
    return median(all);
  };
  const head = await headOf(page);
  const free = await emptyPlace(page);
  tell(size, "selecting a node", await times((turn) => page.mouse.click(...at(turn % 2 ? free : head))));
  const id = await nameWithField(page);
  await card(page, id).locator("textarea").first().focus();
  tell(size, "a key in a text", await times((turn) => page.keyboard.press(`${turn}`)));
  await page.mouse.click(...at(free));
  tell(size, "undoing", await times(() => page.keyboard.press("Control+z")));
}

async function weigh(page: Page, size: number): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("HeapProfiler.collectGarbage");
  await cdp.send("Performance.enable");
  const { metrics } = await cdp.send("Performance.getMetrics");
  const heap = metrics.find(({ name }) => name === "JSHeapUsedSize")!.value;
  tell(size, "heap", heap);
}

const at = ({ x, y }: Place): [number, number] => [x, y];

/** Return a place on the head of a card near the middle. */
async function headOf(page: Page): Promise<Place> {
  const box = await cardNear(page, ".node-header");
  return { x: box.x, y: box.y };
}

async function nameWithField(page: Page): Promise<string> {
  return (await cardNear(page, "textarea")).id;
}

async function cardNear(page: Page, part: string): Promise<Place & { id: string }> {
  return page.evaluate((selector) => {
    const found = [...document.querySelectorAll(`.react-flow__node ${selector}`)].map((one) => {
      const { x, y, width, height } = one.getBoundingClientRect();
      const id = one.closest<HTMLElement>(".react-flow__node")!.dataset.id!;
      return { x: x + width / 2, y: y + height / 2, id };
    });
    const [nearest] = found.sort(
      (one, other) =>
        Math.hypot(one.x - innerWidth / 2, one.y - innerHeight / 2) -
        Math.hypot(other.x - innerWidth / 2, other.y - innerHeight / 2),
    );
    if (!nearest) throw new Error(`no card in view has ${selector}`);
    return nearest;
  }, part);
}
