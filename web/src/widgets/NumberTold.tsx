import { type ReactElement, useEffect } from "react";
import { createPortal } from "react-dom";

import { useSay } from "../i18n";
import type { SettingSchema } from "../model/catalogue";

/** What was typed and could not be, and the value that it became; null where the old one stays. */
export interface Told {
  readonly typed: string;
  readonly became: number | null;
  readonly at: Place;
}

/** Where it is told: on the page, or in the dialog that is open. */
interface Place {
  readonly left: number;
  readonly top: number;
  readonly parent: Element;
}

interface NumberToldProps {
  readonly told: Told;
  readonly schema: SettingSchema;
  onClose(): void;
}

/** Milliseconds for which it is shown at most. */
const SHOWN = 8000;
const WIDTH = 240;

const GAP = 12;

/** Return the place beside what a number's box stands in, so that no field near it is covered; else the place below it. */
export function beside(box: Element): Place {
  const { right, top, bottom } = box.getBoundingClientRect();
  const parent = box.closest("dialog") ?? document.body;
  const around = box.closest(".node, .side, dialog")?.getBoundingClientRect();
  const sides = around ? [around.right + GAP, around.left - GAP - WIDTH] : [];
  const free = sides.find((left) => left >= 0 && left + WIDTH <= window.innerWidth);
  if (free !== undefined) return { left: free, top, parent };
  return { left: Math.max(8, right - WIDTH), top: bottom + 4, parent };
}

/**
 * Say at a number's box why what was typed is not there, and what may be, until the next click or key. Over all else, so
 * that no card grows.
 */
export function NumberTold({ told, schema, onClose }: NumberToldProps): ReactElement {
  const say = useSay();
  const allowed = useAllowed(schema);
  useEffect(() => {
    const timer = window.setTimeout(onClose, SHOWN);
    // what is used next may lie under it
    window.addEventListener("pointerdown", onClose, true);
    window.addEventListener("keydown", onClose, true);
    return () => {
      window.clearTimeout(timer);
      window.removeEventListener("pointerdown", onClose, true);
      window.removeEventListener("keydown", onClose, true);
    };
    // the time runs from when it is told
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [told]);
  const { typed, became, at } = told;
  return createPortal(
    <p role="alert" className="number-told" style={{ left: at.left, top: at.top, width: WIDTH }} onClick={onClose}>
      {became === null ? say("notANumber", { typed, allowed }) : say("numberMoved", { typed, value: became, allowed })}
    </p>,
    at.parent,
  );
}

/** Say in words which numbers a setting takes. */
function useAllowed({ type, minimum, maximum }: SettingSchema): string {
  const say = useSay();
  const kind = say(type === "integer" ? "kindWhole" : "kindNumber");
  if (minimum !== undefined && maximum !== undefined)
    return say("allowedBetween", { kind, least: minimum, most: maximum });
  if (minimum !== undefined) return say("allowedFrom", { kind, least: minimum });
  return maximum === undefined ? kind : say("allowedTo", { kind, most: maximum });
}
