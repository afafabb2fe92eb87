"""A checked graph: every name, wire, type and setting of a workflow is known to be right.

In: a `Workflow` and the `Registry`. Out: a frozen `Graph`, or one WorkflowError with all problems at once. The order of
`Graph.nodes` is a topological one. What is known along the wires (`facts`) is worked out here too, by the nodes' own
`infer`, so that impossible combinations never reach a device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from graphgen.cache import StoredValue
from graphgen.declarations import check_declarations, unused_subgraphs
from graphgen.errors import Problem, WorkflowError, did_you_mean, one_of
from graphgen.faces import INPUTS
from graphgen.foresight import look_inside
from graphgen.inference import PathOf, infer_node, known_of
from graphgen.insertions import boundary_conversions, convert_wires, note_loss
from graphgen.jsontypes import JSON
from graphgen.modes import Arrangement, Gone, nothing_passes
from graphgen.order import topological_order
from graphgen.pins import facts_of, read_pins
from graphgen.registry import Registry
from graphgen.requirements import check_requirements
from graphgen.resolve import ResolvedNode, resolve_nodes
from graphgen.settings import read_settings
from graphgen.spec import Facts, NodeSpec
from graphgen.subgraphs import Flat, check_boundaries, write_out
from graphgen.types import ConversionRule, SocketType
from graphgen.validation import problems_of
from graphgen.wires import CONVERTED, Wire, nowhere, wire_of
from graphgen.workflow import LOOP, LoopClause, MapClause, Subgraph, Workflow
from graphgen.zones import BODY, INPUTS_TYPE, Zone, label, make_body

if TYPE_CHECKING:
    from networkx import MultiDiGraph

_NOTHING: Mapping[str, Facts] = MappingProxyType({})
_NO_VALUES: Mapping[str, StoredValue] = MappingProxyType({})


class GraphNode(NamedTuple):
    """A node that can run: its spec, the settings typed in (validated, defaults filled in), and its wires.

    `wires` maps a socket to the wires that come in, in order; `wired_settings` are those of them that feed settings.
    `canonical` is the canonical JSON of the settings that are part of its key.
    """

    name: str
    spec: NodeSpec
    settings: Mapping[str, JSON]
    canonical: str
    wires: Mapping[str, tuple[Wire, ...]]
    wired_settings: frozenset[str]
    facts: Mapping[str, Facts] = _NOTHING
    lazy: frozenset[str] = frozenset()
    """The wired sockets whose values are computed only when the node asks for them."""
    zone: Inside | None = None
    """What is repeated, if the node is a zone."""
    pinned: Mapping[str, StoredValue] = _NO_VALUES
    """The values that stand in for it, if it is pinned: it is not run then."""

    @property
    def keyed_wires(self) -> Mapping[str, tuple[Wire, ...]]:
        """The wires that its outputs depend on."""
        keyless = self.spec.keyless
        return {name: wires for name, wires in self.wires.items() if name not in keyless} if keyless else self.wires

    @property
    def writes_files(self) -> bool:
        """Tell whether the node, or one inside it, writes files."""
        return self.spec.effect or (self.zone is not None and self.zone.effects)


@dataclass(frozen=True, slots=True)
class Inside:
    """The inside of a zone: its clause, its body as a graph, and whether anything in it writes files."""

    clause: MapClause | LoopClause
    graph: Graph
    effects: bool


@dataclass(frozen=True)
class Graph:
    """A checked workflow: nodes in topological order, outputs by name, and what runs when nothing else is asked.

    `left_out` says of nodes that are muted or bypassed, or need one that is muted, why they are not among `nodes`.
    """

    workflow: Workflow
    nodes: Mapping[str, GraphNode]
    outputs: Mapping[str, Wire]
    targets: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def looks_outside(self) -> bool:
        """Tell whether a node looks outside or writes files: then only the nodes themselves know what is cached."""
        specs = (node.spec for node in self.nodes.values())
        return any(not spec.pure or spec.effect or spec.fingerprint is not None for spec in specs)

    @cached_property
    def reads_outside(self) -> bool:
        """Tell whether a node runs every time or reads what lies outside, which writing files is not."""
        own = [node for node in self.nodes.values() if node.zone is None]
        inside = [node.zone.graph for node in self.nodes.values() if node.zone is not None]
        return any(not node.spec.pure or node.spec.fingerprint is not None for node in own) or any(
            graph.reads_outside for graph in inside
        )

    @cached_property
    def pins(self) -> Mapping[Wire, str]:
        """Return the digests of the values that nodes are pinned to."""
        pinned = [node for node in self.nodes.values() if node.pinned]
        return {Wire(node.name, output): value.digest for node in pinned for output, value in node.pinned.items()}

    def output_type(self, wire: Wire) -> SocketType:
        """Return the type of what a wire carries."""
        output = self.nodes[wire.node].spec.output(wire.output)
        assert output is not None  # noqa: S101 - a checked graph has no wires from nowhere
        return output.type

    def to_networkx(self) -> MultiDiGraph:
        """Return the graph for networkx's algorithms: nodes carry `type`, edges `output` and `input`."""
        import networkx  # takes 0.12 s, and most runs never ask

        made = networkx.MultiDiGraph()
        for name, node in self.nodes.items():
            made.add_node(name, type=node.spec.id)
        for name, node in self.nodes.items():
            for socket, wires in node.wires.items():
                made.add_edges_from((wire.node, name, {"output": wire.output, "input": socket}) for wire in wires)
        return made


def build_graph(workflow: Workflow, registry: Registry, path_of: PathOf, trail: tuple[str, ...] = ()) -> Graph:
    """Check a workflow against what is installed.

    Args:
        workflow: The file, in good form.
        registry: What is installed.
        path_of: Resolves a file's name inside a root, or raises PathError.
        trail: The subgraphs that the workflow stands in, where it is the body of a zone.

    Raises:
        WorkflowError: with every problem found.
    """
    problems = check_requirements(workflow, registry)
    if workflow.subgraphs and INPUTS_TYPE not in registry.nodes:  # once, not again in each body
        problems += _check_subgraphs(workflow, registry, path_of)
    flat, resolved = _lay_out(workflow, registry, trail, problems)
    arranged = Arrangement(flat.nodes, resolved, registry.types)
    for name in topological_order(resolved, problems):
        arranged.add(resolved[name], problems)
    nodes: dict[str, GraphNode] = {}
    for name, left in arranged.nodes.items():
        if left.plain and CONVERTED not in name:  # nearly always
            nodes[name] = _check_node(left, nodes, path_of, problems)
            continue
        node, inserted = convert_wires(left, nodes, registry) if left.converts else (left, ())
        for item in inserted:
            nodes[item.name] = _check(item, nodes, registry, path_of, (), problems)
        nodes[name] = _check(node, nodes, registry, path_of, flat.trails.get(name, ()), problems)
    outputs = _check_outputs(flat, resolved, arranged, problems)
    _check_parameters(flat, resolved, problems)
    targets = _targets(nodes, outputs)
    if not targets and not problems:
        problems.append(_no_target(arranged))
    if problems:
        raise WorkflowError(problems)
    return Graph(workflow, nodes, outputs, targets, arranged.left_out)


def _check_subgraphs(workflow: Workflow, registry: Registry, path_of: PathOf) -> list[Problem]:
    """Report what is wrong with the faces of subgraphs, and with all of those that nobody uses."""
    problems = list(check_declarations(workflow, registry))
    if problems:
        return problems
    for name in unused_subgraphs(workflow):
        body, inputs = make_body(workflow.subgraphs[name], workflow.subgraphs)
        try:
            build_graph(body, replace(registry, nodes={**registry.nodes, INPUTS_TYPE: inputs}), path_of)
        except WorkflowError as error:
            place = f"subgraphs.{name}.nodes."
            problems += [_as_written(problem, f"{BODY}/", place) for problem in error.problems]
    return problems


def _as_written(problem: Problem, inside: str, outside: str) -> Problem:
    """Tell of a node inside a body by the name that it has outside, in the place and in what is said."""
    place = outside + problem.place.removeprefix(inside)
    return replace(problem, place=place, message=problem.message.replace(f"'{inside}", "'"))


def _lay_out(
    workflow: Workflow, registry: Registry, trail: tuple[str, ...], problems: list[Problem]
) -> tuple[Flat, dict[str, ResolvedNode]]:
    """Write subgraphs out and resolve all nodes; where a wire into a subgraph is converted, do so again with that."""
    converted: dict[tuple[str, int], ConversionRule] = {}
    while True:
        found: list[Problem] = []
        flat = write_out(workflow, registry, found, trail, converted)
        resolved = resolve_nodes(flat, registry, found)
        more = boundary_conversions(flat, resolved, registry.types, converted) if flat.boundaries else {}
        if not more:
            check_boundaries(flat, resolved, registry, found)
            problems.extend(found)
            return flat, resolved
        converted |= more


def build_body(document: Mapping[str, JSON], workflow: Workflow, registry: Registry, path_of: PathOf) -> Graph:
    """Check a subgraph that a node returned, which may use those of its workflow.

    Raises:
        WorkflowError: with every problem found.
    """
    try:
        subgraph = Subgraph.model_validate(dict(document))
    except ValidationError as error:
        raise WorkflowError(problems_of(error)) from error
    body, inputs = make_body(subgraph, workflow.subgraphs)
    return build_graph(body, replace(registry, nodes={**registry.nodes, INPUTS_TYPE: inputs}), path_of)


def _no_target(arranged: Arrangement) -> Problem:
    message = "the workflow gives nothing: no outputs, no files"
    cure = "name outputs in the workflow, or add a node that writes files, such as images.save"
    if arranged.left_out:
        why = next(iter(arranged.left_out.values()))
        message, cure = f"nothing is left of the workflow, because {why}", "remove that node's mode"
    return Problem("no_target", "outputs", message, cure=cure)


def _check(
    node: ResolvedNode,
    nodes: Mapping[str, GraphNode],
    registry: Registry,
    path_of: PathOf,
    trail: tuple[str, ...],
    problems: list[Problem],
) -> GraphNode:
    if node.mode == "pin":
        return _check_pin(node, registry, path_of, problems)
    if node.zone:
        made = _check_zone(node, node.zone, nodes, registry, path_of, trail, problems)
    else:
        made = _check_node(node, nodes, path_of, problems)
    return note_loss(made, registry.types) if CONVERTED in node.name else made


def _check_node(
    node: ResolvedNode, nodes: Mapping[str, GraphNode], path_of: PathOf, problems: list[Problem]
) -> GraphNode:
    spec, name = node.spec, node.name
    wired = frozenset(filter(spec.setting, node.inputs))
    settings = read_settings(spec, node.settings, wired, name, problems)
    lazy = spec.lazy.intersection(node.wires)
    checked = GraphNode(name, spec, settings.values, settings.canonical, node.wires, wired, lazy=lazy)
    if (spec.infer or wired) and node.sound and settings.sound:
        facts = infer_node(checked, nodes, path_of, problems)
        return checked._replace(facts=facts) if facts else checked
    return checked


def _check_pin(node: ResolvedNode, registry: Registry, path_of: PathOf, problems: list[Problem]) -> GraphNode:
    """Put the values that a node is pinned to in its place."""
    values = read_pins(node, registry, path_of, problems)
    facts = facts_of(values, node.spec.outputs, registry.types)
    return GraphNode(node.name, node.spec, {}, "", {}, frozenset(), facts, pinned=values)


def _check_zone(
    node: ResolvedNode,
    zone: Zone,
    nodes: Mapping[str, GraphNode],
    registry: Registry,
    path_of: PathOf,
    trail: tuple[str, ...],
    problems: list[Problem],
) -> GraphNode:
    """Check the body of a zone as a workflow of its own; what is wrong there is reported under the zone's name."""
    made = GraphNode(node.name, node.spec, {}, "", node.wires, frozenset())
    outside = known_of(made if node.sound else made._replace(wires={}), nodes, path_of)

    def build(given: Mapping[str, Facts]) -> Graph:
        return build_graph(zone.body, zone.registry(registry, given), path_of, trail)

    try:
        graph, facts = look_inside(zone, outside, len(trail), build)
    except WorkflowError as error:
        problems.extend(_told_outside(item, node) for item in error.problems)
        return made
    effects = any(part.writes_files for part in graph.nodes.values())
    spec = replace(node.spec, pure=not graph.looks_outside)
    return made._replace(spec=spec, facts=facts, zone=Inside(zone.clause, graph, effects))


def _told_outside(problem: Problem, node: ResolvedNode) -> Problem:
    """Tell of what is inside a zone by the names that the workflow has for it."""
    zone = node.name

    def fed(found: re.Match[str]) -> str:
        return f"'{node.wires[found[1]][0]}'" if node.wires.get(found[1]) else found[0]

    def outside(text: str) -> str:
        return re.sub(f"'{INPUTS}[.]([a-z_0-9]+)'", fed, re.sub(f"'{BODY}(?=[/.'])", f"'{zone}", text))

    place = label(zone, problem.place) if problem.place.startswith(BODY) else zone
    cure = problem.cure and outside(problem.cure)
    return replace(problem, place=place, message=outside(problem.message), cure=cure)


def _check_outputs(
    flat: Flat, nodes: Mapping[str, ResolvedNode], arranged: Arrangement, problems: list[Problem]
) -> dict[str, Wire]:
    outputs: dict[str, Wire] = {}
    for name, text in flat.outputs.items():
        place = f"outputs.{name}"
        wire = wire_of(text, place, flat, nodes, problems)
        source = arranged.follow(wire) if wire else None
        if isinstance(source, Gone):
            problems.extend([] if source.told else [nothing_passes(place, source)])
        elif source:
            outputs[name] = source
    return outputs


def _check_parameters(flat: Flat, nodes: Mapping[str, ResolvedNode], problems: list[Problem]) -> None:
    for name, targets in flat.parameters.items():
        for target in targets:
            place = f"parameters.{name}.sets"
            node_name, _, setting = target.partition(".")
            node = nodes.get(node_name)
            if node is None:
                if node_name not in flat.nodes:
                    problems.append(nowhere("parameter_to_nowhere", place, "sets", target, tuple(flat.nodes)))
                continue
            if setting.startswith(LOOP):
                if not (node.zone and isinstance(node.zone.clause, LoopClause)):
                    message = f"sets '{target}', but '{node_name}' is not repeated by a loop"
                    hint = 'give the node a "loop", or set something else'
                    problems.append(Problem("parameter_to_nowhere", place, message, target, cure=hint))
                continue
            setting = node.renamed_settings.get(setting, setting)
            if node.zone and setting in node.zone.parameters:
                continue
            if node.spec.setting(setting) is None:
                known = tuple(item.name for item in node.spec.settings)
                message = f"sets '{target}', but {node.spec.id} has no setting '{setting}'"
                cure = did_you_mean(setting, known)
                problems.append(Problem("parameter_to_nowhere", place, message, target, one_of(known), cure))
            elif setting in node.wires:
                message = f"sets '{target}', which a wire sets already"
                cure = "remove the wire, or the parameter"
                problems.append(Problem("parameter_to_wired", place, message, target, cure=cure))


def _targets(nodes: Mapping[str, GraphNode], outputs: Mapping[str, Wire]) -> tuple[str, ...]:
    wanted = [wire.node for wire in outputs.values()]
    wanted += [name for name, node in nodes.items() if node.writes_files]
    return tuple(dict.fromkeys(wanted))
