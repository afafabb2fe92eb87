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
