/** Small signs for buttons, drawn so that they need no font. Each fills its button's text height. */

import type { ReactElement } from "react";

const PATHS = {
  dice: "M3 3h10v10H3zM5.5 5.5h.01M10.5 5.5h.01M8 8h.01M5.5 10.5h.01M10.5 10.5h.01",
  lock: "M4 7.5h8V13H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  next: "M3 8h6M6 5v6M11 6l1.5-1v6",
  shuffle: "M2 5h2.5l6 6H14M2 11h2.5l2-2M9 6.5 10.5 5H14M12 3l2 2-2 2M12 9l2 2-2 2",
  more: "M4 8h.01M8 8h.01M12 8h.01",
  folder: "M2.5 4.5h4l1.5 1.5h5.5v7h-11z",
  reset: "M4 6h5.5a3 3 0 0 1 0 6H6M6.5 3.5 4 6l2.5 2.5",
  parameter: "M8 3l5 5-5 5-5-5z",
  up: "M4 10l4-4 4 4",
  down: "M4 6l4 4 4-4",
  close: "M4 4l8 8M12 4l-8 8",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  undo: "M5 9.5 2.5 7 5 4.5M3 7h6.5a3.5 3.5 0 0 1 0 7H7",
  redo: "M11 9.5 13.5 7 11 4.5M13 7H6.5a3.5 3.5 0 0 0 0 7H9",
  play: "M5 3.5v9l7.5-4.5z",
  stop: "M4.5 4.5h7v7h-7z",
  saved: "M3 8.5l3.2 3.2L13 5",
  changed: "M8 8h.01",
  saving: "M8 3v2.5M8 10.5V13M3 8h2.5M10.5 8H13",
  trouble: "M8 2.5 14 13H2zM8 7v2.5M8 11.2h.01",
  graph: "M2.5 3h4v3.5h-4zM9.5 9.5h4V13h-4zM6.5 5h2a2 2 0 0 1 2 2v2.5",
  app: "M3 3h10v10H3zM5.5 6h5M5.5 8.5h5M5.5 11h2.5",
  search: "M7 3a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM10 10l3.5 3.5",
  add: "M8 3v10M3 8h10",
  import: "M8 2.5v7.5M5 7.5 8 10.5l3-3M3 13.5h10",
  share: "M8 10V2.5M5 5.5l3-3 3 3M4 8H3v5.5h10V8h-1",
  node: "M3 4h10v8H3zM3 7h10",
  outline: "M3 4h.01M6 4h7.5M5 8h.01M8 8h5.5M5 12h.01M8 12h5.5",
  panel: "M2.5 3h11v10h-11zM10 3v10",
  queue: "M3 4h10M3 8h7M3 12h4M12 9v4M10.5 11.5 12 13l1.5-1.5",
  pictures: "M2.5 5h9v8h-9zM5 5V2.5h8.5v8H11.5M3 12l3-3.5 2 2 1.5-1.5 2 2.5",
  grid: "M3 3h4v4H3zM9 3h4v4H9zM3 9h4v4H3zM9 9h4v4H9z",
  grip: "M6 4h.01M10 4h.01M6 8h.01M10 8h.01M6 12h.01M10 12h.01",
  first: "M4 3.5h8M4 10l4-4 4 4M8 6v7.5",
  back: "M10 3 5 8l5 5",
  forth: "M6 3l5 5-5 5",
  check: "M3 8.5l3.5 3.5L13 4.5",
  clock: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3l2 1.5",
  hourglass: "M4 2.5h8M4 13.5h8M5 2.5c0 3 6 4 6 5.5s-6 2.5-6 5.5M11 2.5c0 3-6 4-6 5.5s6 2.5 6 5.5",
  kept: "M9 2 4 9h4l-1 5 5-7H8z",
  skip: "M3 4l5 4-5 4zM8.5 4l4.5 4-4.5 4z",
  stale: "M12.5 8A4.5 4.5 0 1 1 11 4.6M11.5 2v3h-3",
  perhaps: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.3 8.6 8 9 8 10M8 12.5h.01",
  pin: "M6 2.5h4l-.5 4 2 2h-7l2-2zM8 8.5V14",
  enter: "M9 3h4v4M13 3 8.5 7.5M7 4H3.5v8.5H12V9",
} as const;

export type IconName = keyof typeof PATHS;

/** Draw a sign; what it means is said by its button's label. */
export function Icon({ name, filled = false }: { readonly name: IconName; readonly filled?: boolean }): ReactElement {
  return (
    <svg className={filled ? "icon icon-filled" : "icon"} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
