/** A sweep over one or two parameters: asked for, and shown as a grid while its pictures come. */

import { createStore } from "zustand/vanilla";

import type { Document, Json } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { submit } from "./running";
import { workspace } from "./workspace";

export interface Axis {
  readonly parameter: string;
  readonly values: readonly Json[];
}

/** The sweep that is shown: the run, what is swept along which side, and the workflow as it was. */
export interface ShownSweep {
  readonly run: string;
  readonly across: Axis;
  readonly down: Axis | null;
  readonly document: Document;
}

export interface Sweeping {
  readonly open: boolean;
  readonly shown: ShownSweep | null;
}

export const sweeping = createStore<Sweeping>()(() => ({ open: false, shown: null }));

export const openSweep = (): void => sweeping.setState({ open: true });
export const closeSweep = (): void => sweeping.setState({ open: false });
/** Choose anew what is swept. */
export const forgetSweep = (): void => sweeping.setState({ shown: null });

/** Put a sweep in line, as one run. */
export async function startSweep(across: Axis, down: Axis | null): Promise<void> {
  const document = documentOf(editor.getState());
  const axes = Object.fromEntries(
    (down ? [down, across] : [across]).map(({ parameter, values }) => [parameter, [...values]]),
  );
  const run = await submit({ sweep: { axes, how: "product" } });
  if (run) sweeping.setState({ shown: { run: run.id, across, down, document } });
}

workspace.subscribe(({ opened }, before) => {
  if (opened !== before.opened) sweeping.setState({ open: false, shown: null });
});
