/** What tests of the model share: a small catalogue, random graphs and edits of a seed, and what a document must keep. */

import { type Rect } from "./arrange";
import { type Catalogue, inputsOf, labelOf, type NodeSpec, specOf } from "./catalogue";
import { makeSubgraph } from "./collapse";
import {
  type Document,
  EMPTY,
  type Graph,
  graphOf,
  INPUTS,
  type Scope,
  splitReference,
  SUBGRAPH,
  type Subgraph,
  subgraphName,
  wireKey,
  wires,
  wiresOf,
  withGraph,
} from "./document";
import * as edits from "./edits";
import { copy, paste } from "./fragment";
import { freeName } from "./names";
import * as subgraphs from "./subgraphs";
import { unpack } from "./unpack";
import { passing, verdict, wire } from "./wiring";

type Sockets = Readonly<Record<string, string>>;

function spec(id: string, inputs: Sockets, outputs: Sockets, settings: readonly string[] = []): NodeSpec {
  return {
    id,
    title: id,
    category: "test",
    description: "",
    aliases: [],
    version: 1,
    device: "cpu",
    effect: false,
    inputs: Object.entries(inputs).map(([name, type]) => ({
      name,
      title: labelOf(name),
      type: type.replace("*", ""),
      description: "",
      required: !type.endsWith("?"),
      many: type.startsWith("*"),
    })),
    outputs: Object.entries(outputs).map(([name, type]) => ({ name, title: labelOf(name), type, description: "" })),
    settings: { properties: Object.fromEntries(settings.map((name) => [name, { type: "integer", default: 0 }])) },
    wireable: settings,
  };
}

const SPECS = [
  spec("make.image", {}, { image: "image" }, ["width", "seed"]),
  spec("make.mask", {}, { mask: "mask", whole: "int" }, ["size"]),
  spec("images.blur", { image: "image" }, { image: "image" }, ["radius"]),
  spec("images.cut", { image: "image", mask: "mask?" }, { inside: "image", outside: "image" }),
  spec("images.batch", { images: "*image" }, { image: "image" }),
  spec("files.save", { image: "image" }, { files: "files" }, ["quality"]),
];

export const CATALOGUE: Catalogue = {
  graphgen: "",
  nodes: Object.fromEntries(SPECS.map((one) => [one.id, one])),
  categories: { test: "Test" },
  types: { ancestors: {}, conversions: [{ from: "mask", to: "image", node: "masks.to_image", cost: 1, lossy: "" }] },
};

/** Random numbers that are the same for a seed (mulberry32). */
export class Chance {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }

  some<T>(from: readonly T[], share = 0.4): T[] {
    return from.filter(() => this.next() < share);
  }
}

type Edit = (document: Document, scope: Scope, chance: Chance) => Document;

const inGraph =
  (change: (graph: Graph, chance: Chance, document: Document, scope: Scope) => Graph): Edit =>
  (document, scope, chance) =>
    withGraph(document, scope, change(graphOf(document, scope), chance, document, scope));

const name = (graph: Graph, chance: Chance): string => chance.pick(Object.keys(graph.nodes)) ?? "";
const place = (chance: Chance) => ({ x: chance.below(900), y: chance.below(900) });
const types = (document: Document, scope: Scope): string[] => [
  ...Object.keys(CATALOGUE.nodes),
  ...Object.keys(document.subgraphs ?? {})
    .filter((one) => scope === null || !subgraphs.holds(document, one, scope))
    .map((one) => SUBGRAPH + one),
];
const rect = (chance: Chance): Rect => ({ ...place(chance), width: 200, height: 100 });

/** Wire two random sockets that fit. */
const connectAny = inGraph((graph, chance, document) => {
  const into = name(graph, chance);
  const target = graph.nodes[into];
  const taken = target && specOf(CATALOGUE, document, target.type);
  const sockets = target ? [...inputsOf(target, taken).map((one) => one.name), ...(taken?.wireable ?? [])] : [];
  const from = name(graph, chance);
  const outputs = graph.nodes[from] && specOf(CATALOGUE, document, graph.nodes[from].type)?.outputs;
  const ends = [
    { node: from, socket: chance.pick(outputs ?? [])?.name ?? "" },
    { node: into, socket: chance.pick(sockets) ?? "" },
  ] as const;
  const judged = verdict(CATALOGUE, document, graph, ...ends);
  return judged.ok ? wire(graph, ...ends, judged.many) : graph;
});

const removeAny = (heal: boolean): Edit =>
  inGraph((graph, chance, document) => {
    const gone = chance.some(Object.keys(graph.nodes), 0.15);
    if (gone.length >= Object.keys(graph.nodes).length) return graph;
    return edits.removeNodes(graph, gone, heal ? passing(CATALOGUE, document, graph) : undefined);
  });

/** All that can be done to a document, by what it is called when it fails. */
export const EDITS: Readonly<Record<string, Edit>> = {
  add: inGraph((graph, chance, document, scope) => {
    const type = chance.pick(types(document, scope))!;
    return edits.addNode(graph, freeName(type.split(".")[1]!, graph.nodes), { type }, place(chance));
  }),
  connect: connectAny,
  connectMore: connectAny,
  connectAgain: connectAny,
  disconnect: inGraph((graph, chance) => edits.disconnect(graph, chance.some(wires(graph), 0.1))),
  remove: removeAny(false),
  heal: removeAny(true),
  rename: inGraph((graph, chance) => edits.renameNode(graph, name(graph, chance), `n${chance.below(30)}`)),
  set: inGraph((graph, chance, document) => {
    const node = name(graph, chance);
    const known = graph.nodes[node] && specOf(CATALOGUE, document, graph.nodes[node].type);
    const setting = chance.pick(Object.keys(known?.settings.properties ?? {}));
    return setting ? edits.setSetting(graph, node, setting, chance.next() < 0.3 ? undefined : chance.below(9)) : graph;
  }),
  mode: inGraph((graph, chance) =>
    edits.setMode(graph, [name(graph, chance)], chance.pick(["mute", "bypass", null] as const) ?? null),
  ),
  pin: inGraph((graph, chance) => edits.pinNode(graph, name(graph, chance), { image: `${chance.below(9)}` })),
  move: inGraph((graph, chance) =>
    edits.move(graph, Object.fromEntries(chance.some(Object.keys(graph.nodes)).map((one) => [one, place(chance)]))),
  ),
  look: inGraph((graph, chance) => {
    const node = name(graph, chance);
    return node ? edits.changeNodeView(graph, node, { collapsed: chance.next() < 0.5, color: "30" }) : graph;
  }),
  route: inGraph((graph, chance) => {
    const one = chance.pick(wires(graph));
    return one ? edits.routeWire(graph, wireKey(one), chance.next() < 0.3 ? [] : [place(chance)]) : graph;
  }),
  group: inGraph((graph, chance) => {
    const id = `:group_${chance.below(4)}`;
    return edits.putGroup(graph, id, chance.next() < 0.3 ? null : { id, title: "", ...rect(chance) });
  }),
  note: inGraph((graph, chance) => {
    const id = `:note_${chance.below(4)}`;
    return edits.putNote(graph, id, chance.next() < 0.3 ? null : { id, text: "", ...rect(chance) });
  }),
  parameter: inGraph((graph, chance, document) => {
    const node = name(graph, chance);
    const known = graph.nodes[node] && specOf(CATALOGUE, document, graph.nodes[node].type);
    const setting = chance.pick(Object.keys(known?.settings.properties ?? {}));
    if (!setting || edits.parameterOf(graph, node, setting)) return graph;
    const taken = { ...graph.parameters, ...(graph as Subgraph).inputs };
    return edits.putParameter(graph, freeName("parameter", taken), { sets: [`${node}.${setting}`] });
  }),
  output: inGraph((graph, chance, document) => {
    const node = name(graph, chance);
    const output = graph.nodes[node] && chance.pick(specOf(CATALOGUE, document, graph.nodes[node].type)?.outputs ?? []);
    return output
      ? edits.putOutput(graph, freeName("out", graph.outputs ?? {}), { from: `${node}.${output.name}` })
      : graph;
  }),
  paste: (document, scope, chance) => {
    const from = chance.pick([null, ...Object.keys(document.subgraphs ?? {})])!;
    const fragment = copy(document, from, new Set(chance.some(Object.keys(graphOf(document, from).nodes), 0.3)));
    if (!fragment || Object.keys(graphOf(document, scope).nodes).length > 40) return document;
    const pasted = paste(document, scope, fragment, { at: place(chance), wired: chance.next() < 0.5 });
    return typeof pasted === "string" ? document : pasted.document;
  },
  wrap: (document, scope, chance) => {
    const ids = new Set(chance.some(Object.keys(graphOf(document, scope).nodes), 0.3));
    const made = makeSubgraph(CATALOGUE, document, scope, ids, "part");
    return made.ok ? made.document : document;
  },
  unpack: (document, scope, chance) => {
    const made = unpack(document, scope, name(graphOf(document, scope), chance));
    return made.ok ? made.document : document;
  },
  renameSubgraph: (document, _scope, chance) =>
    subgraphs.renameSubgraph(document, chance.pick(Object.keys(document.subgraphs ?? {})) ?? "", `s${chance.below(9)}`),
  renameFace: (document, _scope, chance) => {
    const [one, side, socket] = faceOf(document, chance);
    return socket ? subgraphs.renameFace(document, one, side, socket, `f${chance.below(9)}`) : document;
  },
  moveFace: (document, _scope, chance) => {
    const [one, side, socket] = faceOf(document, chance);
    return socket ? subgraphs.moveFace(document, one, side, socket, chance.next() < 0.5 ? -1 : 1) : document;
  },
  removeFace: (document, _scope, chance) => {
    const [one, side, socket] = faceOf(document, chance);
    return socket && chance.next() < 0.3 ? subgraphs.removeFace(document, one, side, socket) : document;
  },
  addInput: (document, _scope, chance) => {
    const one = chance.pick(Object.keys(document.subgraphs ?? {}));
    const taken = one ? { ...document.subgraphs![one]!.inputs, ...document.subgraphs![one]!.parameters } : {};
    return one ? subgraphs.addInput(document, one, freeName("more", taken), { type: "image" }) : document;
  },
  dropUnused: (document) => subgraphs.dropSubgraphs(document, subgraphs.unusedSubgraphs(document)),
};

function faceOf(document: Document, chance: Chance): readonly [string, subgraphs.Side, string | undefined] {
  const one = chance.pick(Object.keys(document.subgraphs ?? {})) ?? "";
  const side = chance.pick(["inputs", "outputs", "parameters"] as const)!;
  return [one, side, chance.pick(Object.keys(document.subgraphs?.[one]?.[side] ?? {}))];
}

/** Make a random document by so many edits. */
export function randomDocument(seed: number, steps: number): Document {
  const chance = new Chance(seed);
  const building = ["add", "add", "connect", "connect", "connect", "set", "parameter", "output", "route", "note"];
  let document: Document = EMPTY;
  for (let step = 0; step < steps; step += 1) document = EDITS[chance.pick(building)!]!(document, null, chance);
  return document;
}

/** List what a document names that is not there: nothing, if it is well formed. */
export function dangling(document: Document): readonly string[] {
  const scopes: readonly Scope[] = [null, ...Object.keys(document.subgraphs ?? {})];
  const found = scopes.flatMap((scope) => danglingIn(document, scope).map((what) => `${scope ?? "workflow"}: ${what}`));
  const circles = Object.entries(document.subgraphs ?? {})
    .filter(([one, { nodes }]) => subgraphs.subgraphsUnder(document, Object.values(nodes)).has(one))
    .map(([one]) => `${one} holds itself`);
  return [...found, ...circles];
}

function danglingIn(document: Document, scope: Scope): readonly string[] {
  const graph = graphOf(document, scope);
  const found: string[] = [];
  const look = (from: string, where: string) => {
    const [node, socket] = splitReference(from);
    if (node === INPUTS && scope !== null) {
      if (!(graph as Subgraph).inputs?.[socket]) found.push(`${where} from ${from}`);
      return;
    }
    const known = graph.nodes[node] && specOf(CATALOGUE, document, graph.nodes[node].type);
    if (!known?.outputs.some((output) => output.name === socket)) found.push(`${where} from ${from}`);
  };
  for (const [key, node] of Object.entries(graph.nodes)) {
    const known = specOf(CATALOGUE, document, node.type);
    const inner = subgraphName(node.type);
    if (inner !== null && !document.subgraphs?.[inner]) found.push(`${key} is a ${node.type}`);
    const sockets = [...(known?.inputs ?? []).map((one) => one.name), ...Object.keys(known?.settings.properties ?? {})];
    for (const [input, value] of Object.entries(node.inputs ?? {})) {
      if (!sockets.includes(input)) found.push(`wire into ${key}.${input}`);
      if (!wiresOf(value).length) found.push(`no wire in ${key}.${input}`);
      if (node.settings?.[input] !== undefined) found.push(`wire and value at ${key}.${input}`);
      for (const from of wiresOf(value)) look(from, `${key}.${input}`);
    }
    for (const setting of Object.keys(node.settings ?? {})) {
      if (!sockets.includes(setting)) found.push(`setting ${key}.${setting}`);
    }
    if (edits.upstream(graph, wiresUp(graph, key)).has(key)) found.push(`${key} is in a circle`);
  }
  for (const [key, { from }] of Object.entries(graph.outputs ?? {})) look(from, `output ${key}`);
  for (const [key, { sets }] of Object.entries(graph.parameters ?? {})) {
    if (!sets.length) found.push(`parameter ${key} sets nothing`);
    for (const target of sets) {
      const [node, setting] = splitReference(target);
      const known = graph.nodes[node] && specOf(CATALOGUE, document, graph.nodes[node].type);
      if (!known?.settings.properties?.[setting]) found.push(`parameter ${key} sets ${target}`);
    }
  }
  const routed = new Set(wires(graph).map(wireKey));
  for (const key of Object.keys(graph.view?.wires ?? {})) if (!routed.has(key)) found.push(`points of ${key}`);
  for (const key of Object.keys(graph.view?.nodes ?? {})) if (!graph.nodes[key]) found.push(`place of ${key}`);
  const ids = [...(graph.view?.groups ?? []), ...(graph.view?.notes ?? [])].map(({ id }) => id);
  if (new Set(ids).size < ids.length) found.push("two frames of one id");
  return found;
}

function wiresUp(graph: Graph, node: string): string[] {
  return Object.values(graph.nodes[node]!.inputs ?? {}).flatMap((value) =>
    wiresOf(value).map((from) => splitReference(from)[0]),
  );
}
