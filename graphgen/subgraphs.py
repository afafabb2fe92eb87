"""Subgraphs written out: each node that stands for a subgraph is replaced by that subgraph's own nodes.

In: a `Workflow` and the `Registry`. Out: `Flat`, whose nodes all run as they are; those of the subgraph node `hires`
are named `hires/resize`, and what was wired to `hires.image` is wired to the node inside that gives it. The rest of
the engine knows nothing of subgraphs, so their nodes have the keys they would have if they were written out by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from graphgen.declarations import dangling, is_known
from graphgen.errors import Problem, did_you_mean, one_of
from graphgen.faces import DEEPEST, INPUTS, PREFIX, find_subgraph, output_type, pinned_whole
from graphgen.jsontypes import JSON
from graphgen.registry import Registry
from graphgen.types import ConversionRule, SocketType, fits, joins, parse_type
from graphgen.wires import Wire, conversion_name, conversion_node, misfit
from graphgen.workflow import Node, Parameter, Subgraph, Workflow

if TYPE_CHECKING:
    from graphgen.resolve import ResolvedNode

LARGEST = 1_000_000
"""Nodes, all subgraphs written out: a few lines of subgraphs that use each other twice are billions of nodes."""


Converted: TypeAlias = Mapping[tuple[str, int], ConversionRule]
"""Conversions at wires into subgraphs: by the place, and which of its wires it is."""
_NOTHING: Converted = MappingProxyType({})


class Boundary(NamedTuple):
    """A wire into a subgraph: the place, where it comes from, the type declared there, and which of its wires it is."""

    place: str
    source: str
    type: SocketType
    number: int


@dataclass(frozen=True)
class Flat:
    """A workflow's nodes, wires and targets with every subgraph written out."""

    nodes: Mapping[str, Node]
    outputs: Mapping[str, str]
    parameters: Mapping[str, Sequence[str]]
    boundaries: Sequence[Boundary] = ()
    refused: frozenset[str] = frozenset()
    """Nodes that were reported already."""
    faces: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The outputs of each node that stood for a subgraph."""
    trails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For nodes that are repeated: the subgraphs they stand in, outermost first."""
    subgraphs: Mapping[str, Subgraph] = field(default_factory=dict)


def write_out(
    workflow: Workflow,
    registry: Registry,
    problems: list[Problem],
    trail: tuple[str, ...] = (),
    converted: Converted = _NOTHING,
) -> Flat:
    """Replace every node that stands for a subgraph by the subgraph's nodes; report what is wrong at its face.

    Nodes that are repeated stay as they are. `trail` are the subgraphs that the workflow itself stands in. What is
    `converted` at a boundary comes in through a conversion.
    """
    parameters = {name: parameter.sets for name, parameter in workflow.parameters.items()}
    outputs = {name: output.source for name, output in workflow.outputs.items()}
    if not workflow.subgraphs and not any(node.type in registry.subgraphs for node in workflow.nodes.values()):
        return Flat(workflow.nodes, outputs, parameters)
    return _Writer(workflow, registry, problems, converted).write(outputs, parameters, trail)


@dataclass
class _Frame:
    """One use of a subgraph: where its nodes are named, and what comes in from outside."""

    prefix: str = ""
    feeds: Mapping[str, Sequence[str]] | None = None
    settings: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    wires: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    trail: tuple[str, ...] = ()
    muted: bool = False


class _Writer:
    """Writes subgraphs out, those inside others too."""

    def __init__(self, workflow: Workflow, registry: Registry, problems: list[Problem], converted: Converted) -> None:
        self.converted = converted
        self.workflow = workflow
        self.registry = registry
        self.problems = problems
        self.nodes: dict[str, Node] = {}
        self.boundaries: list[Boundary] = []
        self.behind: dict[str, str] = {}
        """What an output of a subgraph node really is."""
        self.targets: dict[str, list[str]] = {}
        """What a parameter of a subgraph node sets."""
        self.refused: set[str] = set()
        self.faces: dict[str, Subgraph] = {}
        self.trails: dict[str, tuple[str, ...]] = {}
        self.full = False

    def write(
        self, outputs: Mapping[str, str], parameters: Mapping[str, Sequence[str]], trail: tuple[str, ...]
    ) -> Flat:
        self.add(self.workflow.nodes, _Frame(trail=trail))
        nodes = {name: self._rewired(node) for name, node in self.nodes.items()}
        boundaries = [item._replace(source=self.follow(item.source)) for item in self.boundaries]
        sets = {name: self._reach_all(name, targets) for name, targets in parameters.items()}
        ends = {name: self.follow(source) for name, source in outputs.items()}
        faces = {name: tuple(subgraph.outputs) for name, subgraph in self.faces.items()}
        refused, subgraphs = frozenset(self.refused), self.workflow.subgraphs
        return Flat(nodes, ends, sets, boundaries, refused, faces, self.trails, subgraphs)

    def follow(self, source: str) -> str:
        """Return the output behind a subgraph's; a circle of bypassed ones ends where it began."""
        seen: set[str] = set()
        while source in self.behind and source not in seen:
            seen.add(source)
            source = self.behind[source]
        return source

    def _reach_all(self, name: str, targets: Sequence[str]) -> list[str]:
        found: list[str] = []
        for target in targets:
            node, _, parameter = target.partition(".")
            if node in self.faces and target not in self.targets:
                known = tuple(self.faces[node].parameters)
                message = f"sets '{target}', but this subgraph has no parameter '{parameter}'"
                place, cure = f"parameters.{name}.sets", did_you_mean(parameter, known)
                self.problems.append(Problem("parameter_to_nowhere", place, message, target, one_of(known), cure))
            else:
                found += self.reach(target)
        return found

    def reach(self, target: str) -> list[str]:
        """Return the settings behind a subgraph's parameter."""
        found = self.targets.get(target)
        return [target] if found is None else [real for inner in found for real in self.reach(inner)]

    def add(self, nodes: Mapping[str, Node], frame: _Frame) -> None:
        """Take in nodes, those of subgraphs written out."""
        for name, node in nodes.items():
            full = frame.prefix + name
            inside = self._enter(node, name, full, frame)
            subgraph = find_subgraph(node.type, self.workflow, self.registry)
            if node.repeated:
                self._keep_zone(full, inside, subgraph, frame)
            elif subgraph is not None and not self.full:
                self._expand(full, inside, subgraph, frame)
            else:
                self._keep(full, inside, frame)

    def _keep_zone(self, full: str, node: Node, subgraph: Subgraph | None, frame: _Frame) -> None:
        """Keep a node that is repeated; its body is written out when its graph is built."""
        self.trails[full] = frame.trail
        if subgraph is not None and (trouble := self._refusal(full, node, subgraph, frame)):
            self.problems.append(trouble)
            self.refused.add(full)
        self._keep(full, node, frame, known=subgraph is not None)

    def _keep(self, full: str, node: Node, frame: _Frame, *, known: bool = False) -> None:
        if node.type.startswith(PREFIX) and not self.full and not known:
            names = tuple(PREFIX + name for name in self.workflow.subgraphs)
            cure = did_you_mean(node.type, names) or 'add it under "subgraphs"'
            message = f"the file has no subgraph '{node.type.removeprefix(PREFIX)}'"
            self.problems.append(Problem("unknown_subgraph", full, message, node.type, one_of(names), cure))
            self.refused.add(full)
        if len(self.nodes) >= LARGEST and not self.full:
            self.full = True
            message = f"there are more than {LARGEST:,} nodes with all subgraphs written out"
            self.problems.append(Problem("too_large", full.partition("/")[0], message, cure="use subgraphs less often"))
        self.nodes[full] = node.model_copy(update={"mode": "mute"}) if frame.muted else node

    def _enter(self, node: Node, name: str, full: str, frame: _Frame) -> Node:
        """Return a node as it stands in a use of its subgraph: names written out, settings and wires handed in."""
        if frame.feeds is None:
            return node
        inputs = {socket: self._inside(wires, f"{full}.{socket}", frame) for socket, wires in node.inputs.items()}
        kept: dict[str, str | list[str]] = {socket: wires for socket, wires in inputs.items() if wires is not None}
        wired = frame.wires.get(name, {})
        for socket, wires in wired.items():
            kept[socket] = wires[0] if len(wires) == 1 else wires
        node = node.with_settings(frame.settings.get(name, {}))
        settings = {name: value for name, value in node.settings.items() if name not in wired}
        return node.model_copy(update={"inputs": kept, "settings": settings})

    def _inside(self, wires: str | list[str], place: str, frame: _Frame) -> str | list[str] | None:
        """Return wires of a subgraph's node by their full names; None when nothing comes in from outside."""
        found: list[str] = []
        for wire in [wires] if isinstance(wires, str) else wires:
            node, _, name = wire.partition(".")
            if node != INPUTS:
                found.append(frame.prefix + wire)
            elif frame.feeds is not None and name in frame.feeds:
                found.extend(frame.feeds[name])
            else:
                known = tuple(frame.feeds or ())
                message = f"comes from '{wire}', but the subgraph has no input '{name}'"
                self.problems.append(
                    Problem("wire_from_nowhere", place, message, wire, one_of(known), did_you_mean(name, known))
                )
                found.append(self._lost(frame.prefix, name))
        if isinstance(wires, str):
            return found[0] if len(found) == 1 else (found or None)
        return found

    def _expand(self, full: str, node: Node, subgraph: Subgraph, frame: _Frame) -> None:
        """Write a subgraph out, or pass it by."""
        if trouble := self._refusal(full, node, subgraph, frame):
            self.problems.append(trouble)
            self.nodes[full] = node
            self.refused.add(full)
            return
        self.faces[full] = subgraph
        feeds = self._feeds(full, node, subgraph, muted=frame.muted or node.mode == "mute")
        if node.mode == "bypass":
            self._pass_by(full, feeds, subgraph)
            return
        self._check_face(full, node, subgraph, feeds)
        settings, wires = self._hand_in(full, node, subgraph)
        prefix, trail = f"{full}/", (*frame.trail, node.type)
        for name, output in subgraph.outputs.items():
            inner, _, socket = output.source.partition(".")
            if node.type.startswith(PREFIX) and dangling("", output, subgraph, self.workflow, self.registry):
                self.behind[f"{full}.{name}"] = self._lost(prefix, name)  # told where it is declared
            elif inner == INPUTS:
                fed = feeds.get(socket, ())
                self.behind[f"{full}.{name}"] = fed[0] if fed else f"{prefix}{output.source}"
            else:
                self.behind[f"{full}.{name}"] = prefix + output.source
        for name, parameter in subgraph.parameters.items():
            self.targets[f"{full}.{name}"] = [prefix + target for target in parameter.sets]
        muted = frame.muted or node.mode == "mute"
        self.add(subgraph.nodes, _Frame(prefix, feeds, settings, wires, trail, muted))

    def _refusal(self, full: str, node: Node, subgraph: Subgraph, frame: _Frame) -> Problem | None:
        if node.type in frame.trail:
            path = " -> ".join((*frame.trail[frame.trail.index(node.type) :], node.type))
            message = f"a subgraph cannot hold itself: {path}"
            return Problem("recursive_subgraph", full, message, node.type, cure="take one of these out of the other")
        if len(frame.trail) >= DEEPEST:
            return Problem("too_deep", full, f"subgraphs stand more than {DEEPEST} deep", cure="use fewer levels")
        if node.mode == "pin" and not node.repeated:
            return pinned_whole(full, subgraph)
        if node.version is not None and node.version > subgraph.version:
            message = f"was saved with version {node.version} of {node.type}; version {subgraph.version} is here"
            return Problem("newer_node", full, message, node.version, cure="update where it comes from")
        if INPUTS in subgraph.nodes:
            message = f"a node of a subgraph cannot be named '{INPUTS}'"
            return Problem("reserved_name", f"{full}/{INPUTS}", message, INPUTS, cure="rename it")
        return None

    def _feeds(self, full: str, node: Node, subgraph: Subgraph, *, muted: bool) -> dict[str, Sequence[str]]:
        feeds: dict[str, Sequence[str]] = {}
        for name, face in subgraph.inputs.items():
            given = node.inputs.get(name, [])
            wires = [given] if isinstance(given, str) else given
            kind = parse_type(face.type)
            self.boundaries += [Boundary(f"{full}.{name}", wire, kind, index) for index, wire in enumerate(wires)]
            feeds[name] = [self._fed(full, name, index, wire, muted) for index, wire in enumerate(wires)]
        return feeds

    def _fed(self, full: str, socket: str, index: int, wire: str, muted: bool) -> str:
        """Return what a wire into a subgraph brings inside: itself, or what it is converted to."""
        rule = self.converted.get((f"{full}.{socket}", index))
        if rule is None:
            return wire
        name = conversion_name(full, socket, rule, index)
        self.nodes[name] = conversion_node(rule, wire).model_copy(update={"mode": "mute" if muted else None})
        return f"{name}.{rule.output}"

    def _pass_by(self, full: str, feeds: Mapping[str, Sequence[str]], subgraph: Subgraph) -> None:
        """Give at each output of a bypassed subgraph the first wire that fits, or converts, by the types declared."""
        for name, output in subgraph.outputs.items():
            wanted = output_type(output.source, subgraph.nodes, subgraph, self.workflow, self.registry)
            fitting = (
                wires[0]
                for rule in (fits, joins)
                for socket, wires in feeds.items()
                if wires and wanted and rule(parse_type(subgraph.inputs[socket].type), wanted, self.registry.types)
            )
            if wire := next(fitting, None):
                self.behind[f"{full}.{name}"] = wire
            else:
                message = f"is bypassed, and none of its wired inputs fits its output '{name}' ({wanted})"
                self.problems.append(Problem("bypassed", full, message, cure="remove that node's mode"))

    def _lost(self, prefix: str, name: str) -> str:
        """Name a wire that was reported already, so that nobody reports what lacks it."""
        gone = f"{prefix}{INPUTS}"
        self.nodes[gone] = Node(type=INPUTS)
        self.refused.add(gone)
        return f"{gone}.{name}"

    def _check_face(self, full: str, node: Node, subgraph: Subgraph, feeds: dict[str, Sequence[str]]) -> None:
        """Report what is wired or set that the subgraph does not have, and what it needs and nobody wired."""
        sockets = (*subgraph.inputs, *subgraph.parameters)
        for socket, wires in node.inputs.items():
            if socket not in sockets:
                self.problems.append(_unknown("unknown_input", "input", full, socket, node.type, sockets))
            elif socket in node.settings:
                message, cure = "has both a wire and a value", "remove one of the two"
                self.problems.append(Problem("wire_and_value", f"{full}.{socket}", message, cure=cure))
            elif isinstance(wires, list) and len(wires) > 1 and not self._takes_many(subgraph, socket):
                message = f"takes one wire, but {len(wires)} come in"
                cure = "keep one of them"
                self.problems.append(Problem("too_many_wires", f"{full}.{socket}", message, list(wires), cure=cure))
        for name in node.settings:
            if name not in subgraph.parameters:
                known = tuple(subgraph.parameters)
                self.problems.append(_unknown("unknown_setting", "parameter", full, name, node.type, known))
        for name, face in subgraph.inputs.items():
            if name not in node.inputs and not face.many and not parse_type(face.type).optional and node.mode != "mute":
                message = f"nothing is wired here; it takes a value of type {face.type}"
                self.problems.append(Problem("missing_input", f"{full}.{name}", message, cure="wire one in"))
                feeds[name] = (self._lost(f"{full}/", name),)

    @staticmethod
    def _takes_many(subgraph: Subgraph, socket: str) -> bool:
        return socket in subgraph.inputs and subgraph.inputs[socket].many

    def _hand_in(
        self, full: str, node: Node, subgraph: Subgraph
    ) -> tuple[dict[str, dict[str, JSON]], dict[str, dict[str, list[str]]]]:
        """Return the settings and wires that the subgraph's parameters bring to the nodes inside."""
        settings: dict[str, dict[str, JSON]] = {}
        wires: dict[str, dict[str, list[str]]] = {}
        for name, parameter in subgraph.parameters.items():
            given = node.inputs.get(name)
            for inner, setting in self._sets(full, name, parameter, subgraph):
                if given is not None:
                    wires.setdefault(inner, {})[setting] = [given] if isinstance(given, str) else given
                elif name in node.settings:
                    settings.setdefault(inner, {})[setting] = node.settings[name]
        return settings, wires

    def _sets(self, full: str, name: str, parameter: Parameter, subgraph: Subgraph) -> Iterable[tuple[str, str]]:
        for target in parameter.sets:
            inner, _, setting = target.partition(".")
            if inner in subgraph.nodes:
                yield inner, setting
                continue
            known = tuple(subgraph.nodes)
            message = f"sets '{target}', but no node of the subgraph is named '{inner}'"
            place = f"{full}.parameters.{name}.sets"
            cure = did_you_mean(inner, known)
            self.problems.append(Problem("parameter_to_nowhere", place, message, target, one_of(known), cure))

    def _rewired(self, node: Node) -> Node:
        if not any(wire in self.behind for wires in node.inputs.values() for wire in _each(wires)):
            return node
        inputs = {
            socket: self.follow(wires) if isinstance(wires, str) else [self.follow(wire) for wire in wires]
            for socket, wires in node.inputs.items()
        }
        return node.model_copy(update={"inputs": inputs})


def check_boundaries(
    flat: Flat, nodes: Mapping[str, ResolvedNode], registry: Registry, problems: list[Problem]
) -> None:
    """Report wires into subgraphs that do not fit the declared type, in place of what they misfit inside."""
    for place, source, kind, _ in flat.boundaries:
        name, _, socket = source.partition(".")
        output = nodes[name].spec.output(socket) if name in nodes else None
        if output is None or joins(output.type, kind, registry.types) or not is_known(kind, registry):
            continue
        inside = f"{place.rpartition('.')[0]}/"
        problems[:] = [item for item in problems if not _about(item, source, inside)]
        problems.append(misfit(Wire(name, socket), output.type, place, kind))


def _about(problem: Problem, source: str, inside: str) -> bool:
    return problem.code == "wrong_type" and problem.value == source and problem.place.startswith(inside)


def _unknown(code: str, what: str, full: str, name: str, type_: str, known: Sequence[str]) -> Problem:
    message = f"{type_} has no {what} '{name}'"
    return Problem(code, f"{full}.{name}", message, None, one_of(known), did_you_mean(name, known))


def _each(wires: str | list[str]) -> Sequence[str]:
    return (wires,) if isinstance(wires, str) else wires
