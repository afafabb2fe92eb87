/** A node from afar: its outline, title and state. A thousand of them are on the screen at once, so there is no more to it. */

import type { ReactElement } from "react";

import { tint } from "./colors";
import type { GraphNode } from "./flow";

interface FarCardProps {
  readonly title: string;
  readonly label: string;
  readonly classes: string;
  readonly data: GraphNode["data"];
  /** As high as the whole card, so that nothing moves where the zoom passes the bound. */
  readonly height: number | undefined;
}

export function FarCard({ title, label, classes, data, height }: FarCardProps): ReactElement {
  const { view, layout } = data;
  const style = { height: height ?? layout.height, ...tint(view?.color) };
  const head = view?.color ? "node-header tinted" : "node-header";
  return (
    <section className={`${classes} node-far ${head}`} style={style} aria-label={label}>
      {title}
    </section>
  );
}
