/**
 * What tells of the shown run while the person looks elsewhere: the page's title and sign show how far it is, and then
 * how it ended; who wants it gets a notification of the desktop.
 */

import { say, language } from "../i18n";
import { documentOf, editor } from "../model/editor";
import { isOpen, progressOf, type RunState } from "../model/runs";
import { preferences } from "./preferences";
import { studio } from "./studio";
import { workspace } from "./workspace";

/** Seconds: who waited less is told nothing. */
const LONG = 10;

/** When the run that is followed was first seen here, in milliseconds since 1970. */
let since = 0;
/** How a run ended that nobody has looked at yet. */
let unseen: "done" | "failed" | null = null;

/** Show in the title and the sign how the shown run stands, from now on. */
export function drawAttention(): void {
  studio.subscribe((now, before) => {
    if (now.run === before.run) return;
    const isSame = now.run?.id === before.run?.id;
    if (!isSame) since = Date.now();
    if (isSame && isOpen(before.run) && !isOpen(now.run)) finish(now.run!);
    draw();
  });
  workspace.subscribe(draw);
  editor.subscribe((now, before) => {
    if (documentOf(now).name !== documentOf(before).name) draw();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unseen = null;
    draw();
  });
  draw();
}

function finish({ status }: RunState): void {
  if (!document.hidden || (status !== "done" && status !== "failed")) return;
  unseen = status;
  if (preferences.getState().notify && Date.now() - since >= LONG * 1000) showNotification(status);
}

function showNotification(status: "done" | "failed"): void {
  const { code } = language.getState();
  try {
    const shown = new Notification(nameOfPage(), { body: say(code, `news_${status}`), icon: "/icon.svg", tag: "run" });
    shown.onclick = () => window.focus();
  } catch {
    // a browser for phones shows none without a service worker: the title has to do there
  }
}

const nameOfPage = (): string => documentOf(editor.getState()).name || workspace.getState().name || "graphgen";

function draw(): void {
  const { run } = studio.getState();
  const open = isOpen(run);
  const share = open ? progressOf(run!).share : 0;
  const before = open ? `${Math.round(share * 100)} % · ` : unseen ? `${unseen === "done" ? "✓" : "✗"} ` : "";
  const title = before + (workspace.getState().name === null ? "graphgen" : `${nameOfPage()} · graphgen`);
  if (document.title === title) return; // the sign says what the title says
  document.title = title;
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]")!;
  link.href = open
    ? signOf(share, "#2f7df0")
    : unseen
      ? signOf(1, unseen === "done" ? "#2c9a4b" : "#dc4437")
      : "/icon.svg";
}

/** Draw a ring that is closed so far. The colours are seen on light and dark tabs. */
function signOf(share: number, color: string): string {
  const [radius, width] = [12, 7];
  const round = 2 * Math.PI * radius;
  const ring = (stroke: string, rest: string) =>
    `<circle cx="16" cy="16" r="${radius}" fill="none" stroke="${stroke}" stroke-width="${width}" ${rest}/>`;
  const part = `stroke-dasharray="${(share * round).toFixed(1)} ${round.toFixed(1)}" transform="rotate(-90 16 16)"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ring("#8a919c", "")}${ring(color, part)}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
