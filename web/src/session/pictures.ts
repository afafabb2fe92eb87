/** Pictures that runs gave, taken further: into an input of the workflow, and to the clipboard. */

import { upload } from "../api/client";
import { wordsOf } from "../api/socket";
import { type Catalogue, specOf } from "../model/catalogue";
import type { Document, Graph, Point } from "../model/document";
import { addNode, setSetting } from "../model/edits";
import { documentOf, editor, shownGraph } from "../model/editor";
import { freeName } from "../model/names";
import { notify } from "./notices";
import { studio } from "./studio";

/** A picture as it is dragged: where it is, and what it is called. */
export interface Carried {
  readonly url: string;
  readonly name: string;
}

const DRAGGED = "application/x-graphgen-picture";

/** Let a picture be dragged, onto the canvas or a field that takes one. */
export function carry(data: DataTransfer, picture: Carried): void {
  data.setData(DRAGGED, JSON.stringify(picture));
  data.effectAllowed = "copy";
}

export const carries = (data: DataTransfer | null): boolean => data?.types.includes(DRAGGED) ?? false;
export const carried = (data: DataTransfer): Carried => JSON.parse(data.getData(DRAGGED)) as Carried;

/** Put a picture into the inputs folder; returns what a setting is given for it. Throws where it is gone. */
async function asInput({ url, name }: Carried): Promise<string> {
  const data = await read(url);
  const bare = name.split("/").at(-1) || "picture";
  return (await upload(data, /\.\w+$/.test(bare) ? bare : `${bare}.${data.type.split("/").at(-1)}`)).name;
}

/** Put a picture into the inputs folder; null, after saying why, where that cannot be. */
export async function inputFor(picture: Carried): Promise<string | null> {
  try {
    return await asInput(picture);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
    return null;
  }
}

/** Load a picture in the workflow: by the chosen node, if it loads one, else by a new one at a place. */
export async function loadPicture(picture: Carried, at: Point | null, middle: Point): Promise<void> {
  const path = await inputFor(picture);
  if (path === null) return;
  const state = editor.getState();
  const graph = shownGraph(state);
  const [only] = at === null && state.selected.size === 1 ? state.selected : [];
  const setting =
    only === undefined ? null : pictureSetting(studio.getState().catalogue, documentOf(state), graph, only);
  const name = setting === null ? freeName("picture", graph.nodes) : only!;
  const load = { type: "images.load", settings: { path } };
  if (setting === null) state.edit("load", (one) => addNode(one, name, load, at ?? middle));
  else state.edit("load", (one) => setSetting(one, name, setting, path));
  state.select([name]);
  notify("info", "loadedBy", { node: name });
}

/** Return the setting of a node that takes a picture of the inputs folder, where nothing is wired to it. */
function pictureSetting(catalogue: Catalogue, document: Document, graph: Graph, name: string): string | null {
  const node = graph.nodes[name];
  const found = Object.entries((node && specOf(catalogue, document, node.type))?.settings.properties ?? {}).find(
    ([setting, { widget }]) =>
      widget?.root === "inputs" && String(widget.kinds).includes(".png") && node!.inputs?.[setting] === undefined,
  );
  return found?.[0] ?? null;
}

/** Browsers let pages that are safe alone write pictures: this machine's, or those that come over TLS. */
export const CAN_COPY = "clipboard" in navigator && "ClipboardItem" in window;

/** Put a picture on the clipboard; what is no PNG becomes one. */
export async function copyPicture(url: string): Promise<void> {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": read(url).then(asPng) })]);
    notify("info", "pictureCopied");
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

async function read(url: string): Promise<Blob> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`.trim());
  return answer.blob();
}

async function asPng(picture: Blob): Promise<Blob> {
  if (picture.type === "image/png") return picture;
  const drawn = await createImageBitmap(picture);
  const sheet = new OffscreenCanvas(drawn.width, drawn.height);
  sheet.getContext("2d")!.drawImage(drawn, 0, 0);
  return sheet.convertToBlob({ type: "image/png" });
}
