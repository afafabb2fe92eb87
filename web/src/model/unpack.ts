/** Put the nodes of a subgraph back where it stands: the wires and settings of the node that stood for it go to them. */

import { around } from "./arrange";
import {
  type DocNode,
  type Document,
  type Graph,
  graphOf,
  INPUTS,
  type Json,
  type Names,
  type Scope,
  splitReference,
  type Subgraph,
  subgraphName,
  type View,
  withGraph,
  wiresOf,
} from "./document";
import { keepWires, mapTargets, shiftView, tidyNode } from "./edits";
import { joinViews } from "./fragment";
import { freeName } from "./names";
import { dropSubgraphs, unusedSubgraphs } from "./subgraphs";

export type Unpacked =
  | { readonly ok: true; readonly document: Document; readonly names: readonly string[] }
  | { readonly ok: false; readonly reason: "noSubgraph" | "unpackZone" | "unpackBypassed" };

/** Replace a node by the nodes of the subgraph it stands for. A subgraph that nobody uses then is gone. */
export function unpack(document: Document, scope: Scope, name: string): Unpacked {
  const graph = graphOf(document, scope);
  const node = graph.nodes[name];
  const type = node && subgraphName(node.type);
  const subgraph = type ? document.subgraphs?.[type] : undefined;
  if (!node || !type || !subgraph) return { ok: false, reason: "noSubgraph" };
  if (node.map ?? node.loop) return { ok: false, reason: "unpackZone" };
  if (node.mode === "bypass") return { ok: false, reason: "unpackBypassed" };
  const names = innerNames(graph, name, subgraph, scope);
  const inside = takenOut(subgraph, node, names);
  const opened = withGraph(document, scope, inPlace(graph, name, subgraph, inside, names));
  const unused = unusedSubgraphs(opened).filter((one) => one === type);
  const kept = new Set(unusedSubgraphs(document));
  return {
    ok: true,
    document: dropSubgraphs(
      opened,
      unused.filter((one) => !kept.has(one)),
    ),
    names: Object.values(names),
  };
}

function innerNames(graph: Graph, name: string, subgraph: Subgraph, scope: Scope): Names<string> {
  const { [name]: _, ...others } = graph.nodes;
  const taken: Record<string, unknown> = { ...others, ...(scope === null ? {} : { [INPUTS]: true }) };
  const names: Record<string, string> = {};
  for (const inner of Object.keys(subgraph.nodes)) {
    names[inner] = freeName(inner, taken);
    taken[names[inner]] = true;
  }
  return names;
}

/** Return the nodes of a subgraph as they stand outside: wired to what came in, set as its node was. */
function takenOut(subgraph: Subgraph, node: DocNode, names: Names<string>): Names<DocNode> {
  const nodes: Record<string, DocNode> = {};
  for (const [inner, one] of Object.entries(subgraph.nodes)) {
    const inputs: Record<string, string | readonly string[]> = {};
    for (const [input, value] of Object.entries(one.inputs ?? {})) {
      const led = wiresOf(value).flatMap((from) => comesFrom(from, node, names));
      if (led.length) inputs[input] = typeof value === "string" && led.length === 1 ? led[0]! : led;
    }
    const mode = node.mode === "mute" ? { mode: node.mode } : {};
    nodes[names[inner]!] = tidyNode({ ...one, ...mode, inputs });
  }
  for (const [parameter, { sets }] of Object.entries(subgraph.parameters ?? {})) {
    for (const target of sets) {
      const [inner, setting] = splitReference(target);
      const there = names[inner];
      if (there) nodes[there] = handed(nodes[there]!, setting, node.inputs?.[parameter], node.settings?.[parameter]);
    }
  }
  return nodes;
}

/** Give a node inside what was wired or set under a parameter; a loop's number of turns is one too. */
function handed(
  node: DocNode,
  setting: string,
  wired: string | readonly string[] | undefined,
  value: Json | undefined,
): DocNode {
  if (wired !== undefined) {
    const { [setting]: _, ...settings } = node.settings ?? {};
    return tidyNode({ ...node, inputs: { ...node.inputs, [setting]: wired }, settings });
  }
  if (value === undefined) return node;
  if (setting.startsWith("loop.") && node.loop) {
    return { ...node, loop: { ...node.loop, [setting.slice("loop.".length)]: value } };
  }
  return tidyNode({ ...node, settings: { ...node.settings, [setting]: value } });
}

function comesFrom(from: string, node: DocNode, names: Names<string>): readonly string[] {
  const [source, socket] = splitReference(from);
  if (source === INPUTS) return wiresOf(node.inputs?.[socket]);
  return names[source] ? [`${names[source]}.${socket}`] : [];
}

function inPlace(graph: Graph, name: string, subgraph: Subgraph, nodes: Names<DocNode>, names: Names<string>): Graph {
  const node = graph.nodes[name]!;
  const given = (from: string): string | null => {
    const [source, socket] = splitReference(from);
    if (source !== name) return from;
    const behind = subgraph.outputs?.[socket]?.from;
    return behind === undefined ? null : (comesFrom(behind, node, names)[0] ?? null);
  };
  const targets = (target: string): string | readonly string[] => {
    const [one, setting] = splitReference(target);
    if (one !== name) return target;
    return (subgraph.parameters?.[setting]?.sets ?? []).map((inner) => {
      const [at, socket] = splitReference(inner);
      return `${names[at] ?? at}.${socket}`;
    });
  };
  const outputs = Object.entries(graph.outputs ?? {}).flatMap(([key, output]) => {
    const from = given(output.from);
    return from === null ? [] : [[key, { ...output, from }] as const];
  });
  const led = mapTargets(
    keepWires({ ...graph, ...(graph.outputs ? { outputs: Object.fromEntries(outputs) } : {}) }, ({ from }) =>
      given(from),
    ),
    targets,
  );
  // the node goes first, since one inside may have its name
  const { [name]: _, ...others } = led.nodes;
  return { ...led, nodes: { ...others, ...nodes }, view: joinedView(led, name, subgraph, names) };
}

function joinedView(graph: Graph, name: string, subgraph: Subgraph, names: Names<string>): View {
  const { wires: routes, ...before } = graph.view ?? {};
  const kept = Object.entries(routes ?? {}).filter(([key]) => splitReference(key)[0] !== name);
  const { [name]: place, ...nodes } = before.nodes ?? {};
  const { inputs: _in, outputs: _out, ...inner } = subgraph.view ?? {};
  const box = around(Object.values(inner.nodes ?? {}).map(({ x, y }) => ({ x, y, width: 0, height: 0 })));
  const by =
    box && place ? { x: place.x - box.x - box.width / 2, y: place.y - box.y - box.height / 2 } : { x: 0, y: 0 };
  const shifted = shiftView(inner, by);
  const renamed = <T>(record: Names<T> | undefined): Names<T> =>
    Object.fromEntries(
      Object.entries(record ?? {}).flatMap(([key, value]) => {
        const [node, rest] = splitReference(key);
        return names[node] ? [[rest ? `${names[node]}.${rest}` : names[node], value]] : [];
      }),
    );
  const taken: Record<string, unknown> = Object.fromEntries(
    [...(before.groups ?? []), ...(before.notes ?? [])].map(({ id }) => [id, true]),
  );
  const fresh = <T extends { readonly id: string }>(items: readonly T[] | undefined): T[] =>
    (items ?? []).map((item) => {
      const id = freeName(item.id, taken);
      taken[id] = true;
      return { ...item, id };
    });
  return joinViews(
    { ...before, nodes, wires: Object.fromEntries(kept) },
    {
      nodes: renamed(shifted.nodes),
      groups: fresh(shifted.groups),
      notes: fresh(shifted.notes),
      wires: renamed(shifted.wires),
    },
  );
}
