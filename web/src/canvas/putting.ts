/** Putting down what was found in the palette: in a free place, wired to the loose end it was asked for, in one step. */

import { show } from "../commands/walk";
import { freePlace, rounded } from "../model/arrange";
import type { NodeSpec } from "../model/catalogue";
import { type DocNode, type Graph, INPUTS, type Point, subgraphName } from "../model/document";
import { addNode } from "../model/edits";
import { documentOf, editor, shownGraph } from "../model/editor";
import { joinWith } from "../model/joining";
import { freeName } from "../model/names";
import { type LooseEnd, socketFor } from "../model/search";
import { replaceType } from "../model/strays";
import { givenAt, takenAt, wire, wireOpen } from "../model/wiring";
import { notify } from "../session/notices";
import { rememberNode } from "../session/recent";
import { studio } from "../session/studio";
import { allRects } from "./chosen";
import { HEADER, layOut, SOCKET, WIDTH } from "./layout";
import type { PaletteRequest } from "./stage";

/** Between a new node and what is there. */
const GAP = 24;

/** Return what a wire that was let go lacks; null where none was. */
export function looseEnd({ wire: loose }: PaletteRequest): LooseEnd | null {
  if (!loose) return null;
  const state = editor.getState();
  const { catalogue } = studio.getState();
  const [document, graph] = [documentOf(state), shownGraph(state)];
  const type =
    loose.side === "out"
      ? givenAt(catalogue, document, graph, loose)
      : (takenAt(catalogue, document, graph, loose)?.type ?? null);
  return type === null ? null : { side: loose.side, type };
}

/** Put a node down as it was asked for; with `partner`, wire it to that node, if there is a wire that fits. */
export function putDown(request: PaletteRequest, spec: NodeSpec, partner: string | null): void {
  const state = editor.getState();
  const { replaces } = request;
  const isSubgraph = subgraphName(spec.id) !== null;
  rememberNode(spec.id);
  if (replaces !== null) {
    state.edit("replace", (graph) => replaceType(graph, replaces, spec, isSubgraph ? null : spec.version));
    return;
  }
  const name = freeName(spec.id.split(".").at(-1)!, { ...shownGraph(state).nodes, [INPUTS]: true });
  const node = { type: spec.id, ...(isSubgraph ? {} : { version: spec.version }) };
  const at = rounded(placeFor(request, node, spec));
  state.edit("add", (graph) => {
    const added = addNode(graph, name, node, at);
    return partner === null ? joined(added, request, spec, name) : partnered(added, name, partner);
  });
  state.select([name]);
  window.setTimeout(() => show(name)); // the canvas has it with the next drawing
}

function placeFor({ place, wire: loose }: PaletteRequest, node: DocNode, spec: NodeSpec): Point {
  // the first socket lies where the wire was let go
  if (loose) return { x: loose.side === "in" ? place.x - WIDTH : place.x, y: place.y - HEADER - SOCKET / 2 };
  const size = { width: WIDTH, height: layOut(node, spec, undefined).height };
  return freePlace(Object.values(allRects()), { ...place, ...size }, GAP);
}

/** Wire a new node to the loose end it was asked for. */
function joined<G extends Graph>(graph: G, request: PaletteRequest, spec: NodeSpec, name: string): G {
  const { wire: loose } = request;
  const { catalogue } = studio.getState();
  const end = looseEnd(request);
  const socket = end && socketFor(catalogue, spec, end);
  if (!loose || !socket) return graph;
  const there = { node: name, socket: socket.name };
  if (loose.side === "out") return wire(graph, loose, there, socket.many);
  const document = documentOf(editor.getState());
  return wire(graph, there, loose, takenAt(catalogue, document, graph, loose)?.many ?? false);
}

/** Wire a new node to another one by the likeliest wire; says so where none fits. */
function partnered<G extends Graph>(graph: G, name: string, partner: string): G {
  const { catalogue } = studio.getState();
  const join = joinWith(catalogue, documentOf(editor.getState()), graph, name, partner);
  if (join) return wireOpen(graph, join.from, join.into, join.taken);
  notify("info", "nothingJoins", { name: partner });
  return graph;
}
