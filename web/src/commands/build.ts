import { allRects, chosenIds, chosenNode, chosenNodes, chosenWires, chooseWires, rectsOf } from "../canvas/chosen";
import { shownEdges } from "../canvas/flow";
import { stopsOf, middleOf, nearestPart } from "../canvas/geometry";
import { askForNode, focusField, onCanvas, placeForNew, stage } from "../canvas/stage";
import { around, freePlace, rounded } from "../model/arrange";
import { type Mode, wireKey } from "../model/document";
import { documentOf, editor, shownGraph } from "../model/editor";
import { changeNodeView, putGroup, putNote, putOutput, routeWire, setMode } from "../model/edits";
import { freeName } from "../model/names";
import { specOf } from "../model/catalogue";
import { pinNodes } from "../session/pinning";
import { studio } from "../session/studio";
import { say, language } from "../i18n";
import type { Command } from "./command";
import { show } from "./walk";

const isNodeChosen = (): boolean => chosenNodes().length > 0;
const modesOf = () => chosenNodes().map((name) => shownGraph(editor.getState()).nodes[name]?.mode);
const areAll = (mode: Mode) => isNodeChosen() && modesOf().every((one) => one === mode);

function toggleMode(mode: Mode): void {
  const names = chosenNodes();
  const next = areAll(mode) ? null : mode;
  editor.getState().edit(mode, (graph) => setMode(graph, names, next));
}

const viewOf = (name: string) => shownGraph(editor.getState()).view?.nodes?.[name];
const areCollapsed = () => isNodeChosen() && chosenNodes().every((name) => viewOf(name)?.collapsed);
const areExpanded = () => isNodeChosen() && chosenNodes().every((name) => viewOf(name)?.expanded);

function changeViews(label: string, change: { collapsed?: boolean; expanded?: boolean }): void {
  const names = chosenNodes();
  editor.getState().edit(label, (graph) => names.reduce((one, name) => changeNodeView(one, name, change), graph));
}

function frameIds(): Record<string, true> {
  const { view } = shownGraph(editor.getState());
  return Object.fromEntries([...(view?.groups ?? []), ...(view?.notes ?? [])].map(({ id }) => [id, true]));
}

const MARGIN = 24;
const TITLE = 36;

/** Put a frame around what is chosen. */
function addGroup(): void {
  const id = freeName(":group", frameIds());
  const box = around(Object.values(rectsOf(chosenIds())));
  if (!box) return;
  const frame = {
    ...rounded({ x: box.x - MARGIN, y: box.y - MARGIN - TITLE }),
    width: Math.round(box.width + 2 * MARGIN),
    height: Math.round(box.height + 2 * MARGIN + TITLE),
  };
  editor.getState().edit("group", (graph) => putGroup(graph, id, { id, title: "", ...frame }));
  editor.getState().select([id]);
}

function addNote(): void {
  const id = freeName(":note", frameIds());
  const size = { width: 220, height: 140 };
  const place = rounded(freePlace(Object.values(allRects()), { ...onCanvas(placeForNew()), ...size }, MARGIN));
  editor.getState().edit("note", (graph) => putNote(graph, id, { id, text: "", ...place, ...size }));
  editor.getState().select([id]);
  window.setTimeout(() => show(id)); // the canvas has it with the next drawing
  focusField(id);
}

/** Lead the chosen wires through another point: at the pointer if there is one, else in their middle. */
function addPoints(): void {
  const { flow } = stage.getState();
  const chosen = chosenWires();
  if (!flow) return;
  const nodes = new Map(flow.getNodes().map((node) => [node.id, node]));
  const keys = new Set(chosen.map(wireKey));
  for (const edge of shownEdges().filter(({ id }) => keys.has(id))) {
    const stops = stopsOf(edge, nodes);
    if (stops.length > 1) addPoint(edge.id, stops, middleOf(stops));
  }
}

/** Lead a wire through one more point, between the two that it passes on its way there. */
export function addPoint(key: string, stops: ReturnType<typeof stopsOf>, at: { x: number; y: number }): void {
  const points = stops.slice(1, -1);
  const part = nearestPart(stops, at);
  const led = [...points.slice(0, part), rounded(at), ...points.slice(part)];
  editor.getState().edit("route", (graph) => routeWire(graph, key, led));
}

/** Let the graph give the first output of the chosen node, or not any more. */
function toggleOutput(): void {
  const name = chosenNode();
  const state = editor.getState();
  const graph = shownGraph(state);
  if (name === null) return;
  const spec = specOf(studio.getState().catalogue, documentOf(state), graph.nodes[name]!.type);
  const output = spec?.outputs[0]?.name;
  const given = Object.entries(graph.outputs ?? {}).find(([, { from }]) => from.startsWith(`${name}.`))?.[0];
  if (given) state.edit("output", (one) => putOutput(one, given, null));
  else if (output) {
    const free = freeName(output, graph.outputs ?? {});
    state.edit("output", (one) => putOutput(one, free, { from: `${name}.${output}` }));
  }
}

const isOutput = (): boolean => {
  const name = chosenNode();
  return Object.values(shownGraph(editor.getState()).outputs ?? {}).some(({ from }) => from.startsWith(`${name}.`));
};

export const buildCommands: readonly Command[] = [
  {
    id: "addNode",
    label: "addNode",
    group: "build",
    keys: ["Tab"],
    onCanvas: true,
    menu: ["canvas"],
    run: () => askForNode(placeForNew()),
  },
  {
    id: "connect",
    label: "connectTo",
    group: "build",
    keys: ["c"],
    onCanvas: true,
    menu: ["node"],
    isEnabled: () => chosenNode() !== null,
    run: () => stage.setState({ dialog: "connect" }),
  },
  {
    id: "rename",
    label: "rename",
    group: "build",
    keys: ["F2"],
    menu: ["node", "group"],
    isEnabled: () => chosenIds().size === 1 && ![...chosenIds()][0]!.startsWith(":note"),
    run: () => stage.setState({ dialog: "rename" }),
  },
  {
    id: "mute",
    label: "mute",
    group: "build",
    keys: ["Mod+m", "m"],
    onCanvas: true,
    menu: ["node"],
    isEnabled: isNodeChosen,
    isOn: () => areAll("mute"),
    run: () => toggleMode("mute"),
  },
  {
    id: "bypass",
    label: "bypass",
    group: "build",
    keys: ["Mod+b", "b"],
    onCanvas: true,
    menu: ["node"],
    isEnabled: isNodeChosen,
    isOn: () => areAll("bypass"),
    run: () => toggleMode("bypass"),
  },
  {
    id: "pin",
    label: "pinResults",
    group: "build",
    keys: ["p"],
    onCanvas: true,
    menu: ["node"],
    isEnabled: () => isNodeChosen() && !areAll("pin"),
    run: () => void pinNodes(chosenNodes().filter((_, index) => modesOf()[index] !== "pin")),
  },
  {
    id: "unpin",
    label: "unpin",
    group: "build",
    keys: ["p"],
    onCanvas: true,
    menu: ["node"],
    isEnabled: () => areAll("pin"),
    run: () => toggleMode("pin"),
  },
  {
    id: "collapse",
    label: "collapse",
    group: "build",
    keys: ["Alt+c"],
    menu: ["node"],
    isEnabled: isNodeChosen,
    isOn: areCollapsed,
    run: () => changeViews("collapse", { collapsed: !areCollapsed() }),
  },
  {
    id: "expand",
    label: "showAllSettings",
    group: "build",
    keys: ["Alt+x"],
    menu: ["node"],
    isEnabled: isNodeChosen,
    isOn: areExpanded,
    run: () => changeViews("expand", { expanded: !areExpanded() }),
  },
  {
    id: "output",
    label: "giveAsOutput",
    group: "build",
    keys: ["Alt+o"],
    menu: ["node"],
    isEnabled: () => chosenNode() !== null,
    isOn: isOutput,
    run: toggleOutput,
  },
  {
    id: "group",
    label: "addGroup",
    group: "build",
    keys: ["Mod+g"],
    menu: ["node", "canvas"],
    isEnabled: () => chosenIds().size > 0,
    run: addGroup,
  },
  { id: "note", label: "addNote", group: "build", keys: ["Alt+n"], menu: ["canvas"], run: addNote },
  {
    id: "route",
    label: "addPoint",
    group: "build",
    keys: ["r"],
    onCanvas: true,
    menu: ["wire"],
    isEnabled: () => chosenWires().length > 0,
    run: addPoints,
  },
  {
    id: "selectWires",
    label: "selectWires",
    group: "edit",
    keys: ["w"],
    onCanvas: true,
    menu: ["node"],
    isEnabled: isNodeChosen,
    run: () => {
      const names = new Set(chosenNodes());
      const edges = shownEdges();
      chooseWires(edges.filter(({ source, target }) => names.has(source) || names.has(target)).map(({ id }) => id));
    },
  },
];

/** Say how many nodes, wires and the like are chosen, for those who do not see them. */
export function tellChosen(): string {
  const name = chosenNode();
  const { code } = language.getState();
  if (name === null) return chosenNodes().length ? say(code, "chosenCount", { count: chosenNodes().length }) : "";
  const state = editor.getState();
  const node = shownGraph(state).nodes[name]!;
  const title = viewOf(name)?.title ?? specOf(studio.getState().catalogue, documentOf(state), node.type)?.title;
  return say(code, "chosenOne", { title: title ?? node.type, name });
}
