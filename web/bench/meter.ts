/** What is measured of a page: when it is drawn, how many frames it shows in motion, how long it takes to answer a key. */

import type { CDPSession, Page } from "@playwright/test";

/** A place on the screen. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

declare global {
  interface Window {
    meter: {
      /** When a node was drawn last, and how many are: as cards, or painted. */
      drawn: { at: number; nodes: number };
      /** Times of frames in which the canvas had moved. */
      frames: number[];
      /** How long the latest key or press took until what it did was drawn. */
      answered: number | null;
    };
  }
}

/** Put the meters into a page, before anything of it is loaded. */
export async function install(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.meter = { drawn: { at: 0, nodes: 0 }, frames: [], answered: null };
    let seen = "";
    const watch = (): void => {
      const { drawn, frames } = window.meter;
      const painted = Number(document.querySelector<HTMLElement>(".painting")?.dataset.nodes ?? 0);
      const nodes = document.getElementsByClassName("react-flow__node").length + painted;
      if (nodes !== drawn.nodes) window.meter.drawn = { at: performance.now(), nodes };
      const dragged = document.querySelector<HTMLElement>(".react-flow__node.dragging") ?? null;
      const moving = dragged ?? document.querySelector<HTMLElement>(".react-flow__viewport");
      if (moving && moving.style.transform !== seen) {
        seen = moving.style.transform;
        frames.push(performance.now());
      }
      requestAnimationFrame(watch);
    };
    requestAnimationFrame(watch);
    const answer = (event: Event): void => {
      window.meter.answered = null;
      const channel = new MessageChannel();
      channel.port1.onmessage = () => (window.meter.answered = performance.now() - event.timeStamp);
      requestAnimationFrame(() => channel.port2.postMessage(null)); // it comes after the frame
    };
    window.addEventListener("keydown", answer, true);
    window.addEventListener("pointerdown", answer, true);
  });
}

/** Wait until no more nodes come, and return how many there are and since when, in milliseconds of the page's own clock. */
export async function settled(page: Page): Promise<{ at: number; nodes: number }> {
  await page.waitForFunction(() => {
    const { drawn } = window.meter;
    return drawn.nodes > 0 && performance.now() - drawn.at > 1500;
  });
  return page.evaluate(() => window.meter.drawn);
}

/** How often the mouse is moved: more often than any screen shows it. */
const EVERY = 8;

/** Frames a second, and the main thread's work for each in milliseconds of the processor's time. */
export interface Motion {
  readonly rate: number;
  readonly work: number;
}

/** Press the mouse, move it to and fro for so long, and return in how many frames the canvas had moved. */
export async function motionWhileDragging(page: Page, from: Place, reach: number, seconds: number): Promise<Motion> {
  const cdp = await page.context().newCDPSession(page);
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 3, from.y + 3);
  await page.evaluate(() => (window.meter.frames = []));
  const worked = await busyWith(page, () => swing(cdp, from, reach, seconds));
  const frames = await page.evaluate(() => window.meter.frames);
  await page.mouse.up();
  await cdp.detach();
  const span = (frames.at(-1) ?? 0) - (frames[0] ?? 0);
  if (frames.length < 2) throw new Error("nothing moved");
  return { rate: ((frames.length - 1) / span) * 1000, work: worked / frames.length };
}

async function swing(cdp: CDPSession, from: Place, reach: number, seconds: number): Promise<void> {
  const began = Date.now();
  const sent: Promise<unknown>[] = [];
  while (Date.now() - began < seconds * 1000) {
    const turn = (Date.now() - began) / 1000;
    const [x, y] = [from.x + reach * Math.sin(turn * 3), from.y + reach * 0.6 * Math.sin(turn * 4.1)];
    sent.push(cdp.send("Input.dispatchMouseEvent", { type: "mouseMoved", x, y, button: "left", buttons: 1 }));
    await new Promise((done) => setTimeout(done, EVERY));
  }
  await Promise.all(sent);
}

/** Do something with a key or a press, and return how long the page took to draw what came of it, in milliseconds. */
export async function answerTo(page: Page, act: () => Promise<void>): Promise<number> {
  await page.evaluate(() => (window.meter.answered = null));
  await act();
  await page.waitForFunction(() => window.meter.answered !== null);
  return page.evaluate(() => window.meter.answered!);
}

/** Zoom in the middle of the canvas by the wheel. */
export async function zoomTo(page: Page, wanted: number): Promise<void> {
  const now = await page
    .locator(".react-flow__viewport")
    .evaluate((one) => new DOMMatrix(getComputedStyle(one).transform).a);
  const box = (await page.getByTestId("canvas").boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.wheel(0, -Math.log2(wanted / now) / 0.002);
  await settled(page);
}

/** Point at a place near the middle of the canvas where nothing lies, and return it. */
export async function emptyPlace(page: Page): Promise<Place> {
  const box = (await page.getByTestId("canvas").boundingBox())!;
  for (let far = 0; far < box.height / 2; far += 9) {
    for (let angle = 0; angle < 2 * Math.PI; angle += 12 / (far + 9)) {
      const x = box.x + box.width / 2 + far * Math.cos(angle);
      const y = box.y + box.height / 2 + far * Math.sin(angle);
      await page.mouse.move(x, y); // what is only painted is an element while it is pointed at
      const isEmpty = await page.evaluate(
        ([x, y]) => document.elementFromPoint(x!, y!)?.classList.contains("react-flow__pane"),
        [x, y],
      );
      if (isEmpty) return { x, y };
    }
  }
  throw new Error("the canvas is full");
}

/** Do something, and return for how long the page's main thread worked at it, in milliseconds of the processor's time. */
export async function busyWith(page: Page, act: () => Promise<void>): Promise<number> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  const total = async () => {
    const { metrics } = await cdp.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")!.value * 1000;
  };
  const before = await total();
  await act();
  const worked = (await total()) - before;
  await cdp.detach();
  return worked;
}

/** The middle one of some figures. */
export function median(figures: readonly number[]): number {
  return [...figures].sort((one, other) => one - other)[Math.floor(figures.length / 2)]!;
}
