/**
 * What can be done to a graph: each a function from a graph to another one.
 *
 * None of them checks what a workflow means (the server does); all of them keep what refers to a node in step with it:
 * wires, parameters, outputs, places.
 */

import {
  type DocNode,
  type Graph,
  type GroupView,
  type Json,
  type Mode,
  type Names,
  type NodeView,
  type NoteView,
  type Output,
  type Parameter,
  type Point,
  splitReference,
  type View,
  type Wire,
  wireKey,
  wires,
  wiresOf,
  without,
} from "./document";

/** Add a node under a free name. */
export function addNode<G extends Graph>(graph: G, name: string, node: DocNode, at: Point): G {
  return { ...graph, nodes: { ...graph.nodes, [name]: node }, view: placed(graph.view, name, at) };
}

/** Replace a node; the same graph where it is not there. */
export function changeNode<G extends Graph>(graph: G, name: string, change: (node: DocNode) => DocNode): G {
  const node = graph.nodes[name];
  if (!node) return graph;
  const changed = change(node);
  return changed === node ? graph : { ...graph, nodes: { ...graph.nodes, [name]: changed } };
}

/** Give a setting a value, or with undefined its default again. A wire into it is taken away. */
export function setSetting<G extends Graph>(graph: G, name: string, setting: string, value: Json | undefined): G {
  const changed = changeNode(graph, name, (node) => {
    const rest = without(node.settings ?? {}, [setting]);
    const inputs = node.inputs && without(node.inputs, [setting]);
    return tidy(
      { ...node, ...(inputs ? { inputs } : {}), settings: value === undefined ? rest : { ...rest, [setting]: value } },
      node,
    );
  });
  return prunedRoutes(changed);
}

/** Set or clear the mode of nodes. */
export function setMode<G extends Graph>(graph: G, names: Iterable<string>, mode: Mode | null): G {
  let changed = graph;
  for (const name of names) {
    changed = changeNode(changed, name, ({ mode: _, pinned, ...node }) =>
      mode ? { ...node, mode, ...(mode === "pin" && pinned ? { pinned } : {}) } : node,
    );
  }
  return changed;
}

/** Let a node give stored values, named by their digests, instead of running. */
export function pinNode<G extends Graph>(graph: G, name: string, pinned: Names<string>): G {
  return changeNode(graph, name, (node) => ({ ...node, mode: "pin", pinned }));
}

/** Wire an output into an input. One that takes many gets it at the end, unless it is there already. */
export function connect<G extends Graph>(graph: G, from: string, name: string, input: string, many: boolean): G {
  return changeNode(graph, name, (node) => {
    const before = wiresOf(node.inputs?.[input]);
    if (many && before.includes(from)) return node;
    const inputs = { ...node.inputs, [input]: many ? [...before, from] : from };
    return tidy({ ...node, inputs, settings: without(node.settings ?? {}, [input]) }, node);
  });
}

/** Forget the points of wires that are not there any more. */
export function prunedRoutes<G extends Graph>(graph: G): G {
  const routes = graph.view?.wires;
  if (!routes) return graph;
  const there = new Set(wires(graph).map(wireKey));
  const left = without(
    routes,
    Object.keys(routes).filter((key) => !there.has(key)),
  );
  return left === routes ? graph : { ...graph, view: { ...graph.view, wires: left } };
}

/** Take wires away. */
export function disconnect<G extends Graph>(
  graph: G,
  gone: Iterable<Pick<Wire, "node" | "input" | "index" | "many">>,
): G {
  const keys = new Set([...gone].map(wireKey));
  return keepWires(graph, (wire) => (keys.has(wireKey(wire)) ? null : wire.from));
}

/** Lead each wire from what `choose` says; null takes it away. Points of wires that stay are kept. */
export function keepWires<G extends Graph>(graph: G, choose: (wire: Wire) => string | null): G {
  let changed = graph;
  const moved: Record<string, readonly Point[]> = {};
  for (const [name, node] of Object.entries(graph.nodes)) {
    for (const [input, value] of Object.entries(node.inputs ?? {})) {
      const many = typeof value !== "string";
      const before = wiresOf(value).map((from, index): Wire => ({ from, node: name, input, index, many }));
      const kept = before.map((wire) => ({ wire, from: choose(wire) })).filter(({ from }) => from !== null);
      kept.forEach(({ wire }, index) => {
        const points = graph.view?.wires?.[wireKey(wire)];
        if (points) moved[wireKey({ ...wire, index })] = points;
      });
      const after = kept.map(({ from }) => from!);
      if (after.length === before.length && after.every((from, index) => from === before[index]!.from)) continue;
      changed = changeNode(changed, name, (one) =>
        tidy(
          {
            ...one,
            inputs: after.length
              ? { ...one.inputs, [input]: many ? after : after[0]! }
              : without(one.inputs ?? {}, [input]),
          },
          one,
        ),
      );
    }
  }
  if (changed === graph || !graph.view?.wires) return changed;
  return { ...changed, view: { ...changed.view, wires: moved } };
}

/**
 * Remove nodes, their wires, and what names them. With `heal`, a wire out of a removed node is led from that node's
 * own source where `through` names the input that passes for its output.
 */
export function removeNodes<G extends Graph>(
  graph: G,
  names: Iterable<string>,
  through: (name: string, output: string) => string | null = () => null,
): G {
  const gone = new Set([...names].filter((name) => name in graph.nodes));
  if (!gone.size) return graph;
  const source = (from: string, seen = new Set<string>()): string | null => {
    const [name, output] = splitReference(from);
    if (!gone.has(name)) return from;
    const input = seen.has(from) ? null : through(name, output);
    const before = input === null ? undefined : wiresOf(graph.nodes[name]!.inputs?.[input])[0];
    return before === undefined ? null : source(before, seen.add(from));
  };
  const rewired = keepWires(graph, (wire) => (gone.has(wire.node) ? null : source(wire.from)));
  const changed: Graph = {
    ...rewired,
    nodes: without(rewired.nodes, gone),
    ...(graph.outputs ? { outputs: mapOutputs(graph.outputs, source) } : {}),
    ...(rewired.view ? { view: { ...rewired.view, nodes: without(rewired.view.nodes ?? {}, gone) } } : {}),
  };
  return mapTargets(changed as G, (target) => (gone.has(splitReference(target)[0]) ? null : target));
}

/** Rename a node, and with it all that refers to it; the same graph where the name is taken. */
export function renameNode<G extends Graph>(graph: G, before: string, after: string): G {
  if (before === after || after in graph.nodes || !(before in graph.nodes)) return graph;
  const renamed = (reference: string): string => {
    const [name, socket] = splitReference(reference);
    return name === before ? `${after}.${socket}` : reference;
  };
  const keyed = <T>(record: Names<T>): Names<T> =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [key === before ? after : key, value]));
  const rewired = keepWires(graph, (wire) => renamed(wire.from));
  const changed: Graph = {
    ...rewired,
    nodes: keyed(rewired.nodes),
    ...(graph.outputs ? { outputs: mapOutputs(graph.outputs, renamed) } : {}),
    ...(rewired.view
      ? {
          view: {
            ...rewired.view,
            ...(rewired.view.nodes ? { nodes: keyed(rewired.view.nodes) } : {}),
            ...(rewired.view.wires
              ? {
                  wires: Object.fromEntries(
                    Object.entries(rewired.view.wires).map(([key, points]) => [renamed(key), points]),
                  ),
                }
              : {}),
          },
        }
      : {}),
  };
  return mapTargets(changed as G, renamed);
}

/** The sockets of a node through which a wire can be led. */
export interface Passage {
  readonly input: string;
  readonly output: string;
  /** Whether that input takes any number of wires. */
  readonly many: boolean;
}

/** Put a node into a wire: the wire goes into an input of the node, and on from an output of it. */
export function splice<G extends Graph>(graph: G, wire: Wire, name: string, way: Passage): G {
  const key = wireKey(wire);
  const led = keepWires(graph, (one) => (wireKey(one) === key ? `${name}.${way.output}` : one.from));
  return connect(led, wire.from, name, way.input, way.many);
}

// --- places ------------------------------------------------------------------------------------------------------

/**
 * Move nodes, groups and notes, each named by its id on the canvas: a node by its name, others by theirs. The points of
 * a wire go along where both of its ends do.
 */
export function move<G extends Graph>(graph: G, places: Names<Point>): G {
  const { view = {} } = graph;
  const nodes: Record<string, NodeView> = { ...view.nodes };
  for (const [name, { x, y }] of Object.entries(places)) {
    if (name in graph.nodes) nodes[name] = { ...nodes[name], x, y };
  }
  const shifted = <T extends { id: string }>(items: readonly T[]): T[] =>
    items.map((item) => (places[item.id] ? { ...item, x: places[item.id]!.x, y: places[item.id]!.y } : item));
  return {
    ...graph,
    view: {
      ...view,
      nodes,
      ...(view.groups ? { groups: shifted(view.groups) } : {}),
      ...(view.notes ? { notes: shifted(view.notes) } : {}),
      ...(view.wires ? { wires: followed(graph, view.wires, places) } : {}),
      ...(places[":inputs"] ? { inputs: places[":inputs"] } : {}),
      ...(places[":outputs"] ? { outputs: places[":outputs"] } : {}),
    },
  };
}

/** Shift the points of wires whose ends both move by the same way. */
function followed(graph: Graph, routes: Names<readonly Point[]>, places: Names<Point>): Names<readonly Point[]> {
  const way = (name: string): Point | null => {
    const [before, after] = [graph.view?.nodes?.[name], places[name]];
    return before && after ? { x: after.x - before.x, y: after.y - before.y } : null;
  };
  const moved: Record<string, readonly Point[]> = { ...routes };
  for (const wire of wires(graph)) {
    const points = routes[wireKey(wire)];
    const [one, other] = points ? [way(splitReference(wire.from)[0]), way(wire.node)] : [null, null];
    if (points && one && other && one.x === other.x && one.y === other.y) {
      moved[wireKey(wire)] = points.map(({ x, y }) => ({ x: x + one.x, y: y + one.y }));
    }
  }
  return moved;
}

/** Shift everything that has a place. */
export function shiftView(view: View, by: Point): View {
  const shift = <T extends Point>(one: T): T => ({ ...one, x: Math.round(one.x + by.x), y: Math.round(one.y + by.y) });
  const each = <T extends Point>(record: Names<T>): Names<T> =>
    Object.fromEntries(Object.entries(record).map(([key, one]) => [key, shift(one)]));
  const routes = Object.entries(view.wires ?? {}).map(([key, points]) => [key, points.map(shift)] as const);
  return {
    ...view,
    ...(view.nodes ? { nodes: each(view.nodes) } : {}),
    ...(view.groups ? { groups: view.groups.map(shift) } : {}),
    ...(view.notes ? { notes: view.notes.map(shift) } : {}),
    ...(view.wires ? { wires: Object.fromEntries(routes) } : {}),
    ...(view.inputs ? { inputs: shift(view.inputs) } : {}),
    ...(view.outputs ? { outputs: shift(view.outputs) } : {}),
  };
}

/** Take groups and notes away, by their ids; what lies in a group stays. */
export function removeFrames<G extends Graph>(graph: G, ids: ReadonlySet<string>): G {
  const { groups, notes } = graph.view ?? {};
  const left = <T extends { id: string }>(items: readonly T[]): readonly T[] => items.filter(({ id }) => !ids.has(id));
  if (![...(groups ?? []), ...(notes ?? [])].some(({ id }) => ids.has(id))) return graph;
  const view = { ...graph.view, ...(groups ? { groups: left(groups) } : {}), ...(notes ? { notes: left(notes) } : {}) };
  return { ...graph, view };
}

/** Parts to replace; an undefined one is taken away. */
export type Changes<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Change how a node is shown. */
export function changeNodeView<G extends Graph>(graph: G, name: string, change: Changes<NodeView>): G {
  const before = graph.view?.nodes?.[name] ?? { x: 0, y: 0 };
  const after = Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== undefined));
  return { ...graph, view: { ...graph.view, nodes: { ...graph.view?.nodes, [name]: after as unknown as NodeView } } };
}

/** Lead a wire through points; none makes it a plain one again. */
export function routeWire<G extends Graph>(graph: G, key: string, points: readonly Point[]): G {
  const rest = without(graph.view?.wires ?? {}, [key]);
  return { ...graph, view: { ...graph.view, wires: points.length ? { ...rest, [key]: points } : rest } };
}

/** Replace a group or add it; null takes it away and leaves what is in it. */
export function putGroup<G extends Graph>(graph: G, id: string, group: GroupView | null): G {
  return { ...graph, view: { ...graph.view, groups: put(graph.view?.groups ?? [], id, group) } };
}

/** Replace a note or add it; null takes it away. */
export function putNote<G extends Graph>(graph: G, id: string, note: NoteView | null): G {
  return { ...graph, view: { ...graph.view, notes: put(graph.view?.notes ?? [], id, note) } };
}

// --- the public face ---------------------------------------------------------------------------------------------

/** Add or replace a parameter; null takes it away. */
export function putParameter<G extends Graph>(graph: G, name: string, parameter: Parameter | null): G {
  const rest = parameter ? (graph.parameters ?? {}) : without(graph.parameters ?? {}, [name]);
  return { ...graph, parameters: parameter ? { ...rest, [name]: parameter } : rest };
}

/** Add or replace an output; null takes it away. */
export function putOutput<G extends Graph>(graph: G, name: string, output: Output | null): G {
  const rest = output ? (graph.outputs ?? {}) : without(graph.outputs ?? {}, [name]);
  return { ...graph, outputs: output ? { ...rest, [name]: output } : rest };
}

/** Return the parameter that sets a setting, if one does. */
export function parameterOf(graph: Graph, node: string, setting: string): string | null {
  const target = `${node}.${setting}`;
  return Object.entries(graph.parameters ?? {}).find(([, { sets }]) => sets.includes(target))?.[0] ?? null;
}

/** List what is upstream of nodes, themselves included. */
export function upstream(graph: Graph, names: Iterable<string>): Set<string> {
  const found = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = graph.nodes[name];
    if (!node || found.has(name)) continue;
    found.add(name);
    for (const value of Object.values(node.inputs ?? {})) {
      for (const from of wiresOf(value)) open.push(splitReference(from)[0]);
    }
  }
  return found;
}

/** Tell whether a wire from one node into another would close a circle. */
export function closesCircle(graph: Graph, from: string, into: string): boolean {
  return from === into || upstream(graph, [from]).has(into);
}

/** Return whether anything goes out of a node. */
export function isUsed(graph: Graph, name: string): boolean {
  return wires(graph).some((wire) => splitReference(wire.from)[0] === name);
}

function placed(view: View | undefined, name: string, { x, y }: Point): View {
  return { ...view, nodes: { ...view?.nodes, [name]: { x, y } } };
}

function put<T extends { id: string }>(items: readonly T[], id: string, item: T | null): T[] {
  if (!item) return items.filter((one) => one.id !== id);
  return items.some((one) => one.id === id) ? items.map((one) => (one.id === id ? item : one)) : [...items, item];
}

/** Lead outputs from what `source` says; null takes them away. */
export function mapOutputs(outputs: Names<Output>, source: (from: string) => string | null): Names<Output> {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, output]) => {
      const from = source(output.from);
      return from === null ? [] : [[name, from === output.from ? output : { ...output, from }]];
    }),
  );
}

/** Let parameters set what `lead` says, one or several; null takes a target away, and with its last the parameter. */
export function mapTargets<G extends Graph>(graph: G, lead: (target: string) => string | readonly string[] | null): G {
  if (!graph.parameters) return graph;
  const parameters = Object.entries(graph.parameters).flatMap(([name, parameter]) => {
    const sets = parameter.sets.flatMap((target) => lead(target) ?? []);
    const untouched =
      sets.length === parameter.sets.length && sets.every((one, index) => one === parameter.sets[index]);
    return sets.length ? [[name, untouched ? parameter : { ...parameter, sets }] as const] : [];
  });
  return { ...graph, parameters: Object.fromEntries(parameters) };
}

/** Leave empty parts of a node out, as the file does. */
export function tidyNode(node: DocNode): DocNode {
  return tidy(node, {} as DocNode);
}

function tidy(node: DocNode, before: DocNode): DocNode {
  const { inputs, settings, ...rest } = node;
  const after: DocNode = {
    ...rest,
    ...(inputs && (Object.keys(inputs).length || before.inputs === inputs) ? { inputs } : {}),
    ...(settings && (Object.keys(settings).length || before.settings === settings) ? { settings } : {}),
  };
  return after;
}
