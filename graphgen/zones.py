"""Zones: a node that runs once for each item of a list (`map`), or again and again (`loop`).

    "each":   {"type": "images.resize", "map": {"over": ["image"]}, "inputs": {"image": "load.images"}}
    "refine": {"type": "subgraph.refine", "loop": {"times": 4, "carry": {"image": "image"}}, ...}

In: a node with such a clause. Out: a `Zone`: the node's face with lists in place of items, and a workflow of its own,
the body, in which the node stands under the name `body` and what comes in is given by a node named `inputs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, NoReturn

from pydantic import ValidationError, create_model

from graphgen.errors import Problem, did_you_mean, one_of
from graphgen.faces import INPUTS, find_subgraph, output_type, setting_behind
from graphgen.registry import Registry
from graphgen.spec import Facts, InputSpec, NodeSpec, OutputSpec
from graphgen.subgraphs import Flat
from graphgen.types import SocketType, conversion_of, fits, joins, parse_type
from graphgen.validation import problems_of
from graphgen.wires import CONVERTED, conversion_name, conversion_node, nowhere
from graphgen.workflow import LoopClause, MapClause, Node, Output, Subgraph, Workflow

BODY = "body"
"""The name of a zone's node inside the zone."""
INPUTS_TYPE = "zone.inputs"
"""The type of the node that gives a body what comes from outside."""


class Socket(NamedTuple):
    """What can come into a node: a wire, or a setting that is wired."""

    type: SocketType
    required: bool
    many: bool = False


@dataclass(frozen=True)
class Zone:
    """A clause, the body it repeats, and the spec of the node that feeds the body."""

    clause: MapClause | LoopClause
    body: Workflow
    inputs: NodeSpec
    parameters: frozenset[str]
    """The settings of the body, which parameters may set."""

    def registry(self, around: Registry, given: Mapping[str, Facts]) -> Registry:
        """Return the registry in which the body is checked, `given` being known of what comes in."""
        inputs = replace(self.inputs, infer=lambda _: given) if given else self.inputs
        return replace(around, nodes={**around.nodes, INPUTS_TYPE: inputs})


def make_zone(
    name: str, node: Node, flat: Flat, registry: Registry, problems: list[Problem]
) -> tuple[NodeSpec, Zone] | None:
    """Return a zone and the face it shows to the graph around it, or report why it cannot be."""
    workflow = Workflow(nodes={}, subgraphs=dict(flat.subgraphs))
    subgraph = find_subgraph(node.type, workflow, registry)
    sockets = _sockets(node.type, subgraph, workflow, registry)
    outputs = _outputs(node.type, subgraph, workflow, registry)
    clause = node.map or node.loop
    if clause is None or sockets is None or outputs is None:
        return None
    try:  # a parameter may have set a part of it
        clause = type(clause).model_validate(clause.model_dump(by_alias=True, warnings=False))
    except ValidationError as error:
        problems.extend(problems_of(error, f"{name}.{'map' if node.map else 'loop'}"))
        return None
    wrong = list(_mistakes(name, node, clause, sockets, outputs, registry))
    if node.map and node.loop:
        wrong.append(Problem("two_clauses", name, "has both a map and a loop", cure="put one into a subgraph"))
    if wrong:
        problems.extend((*wrong, *_lost_wires(name, node, sockets, flat)))
        return None
    fed = [socket for socket in sockets if socket in node.inputs]
    index = clause.index
    faces = [
        InputSpec(socket, _around(face, socket in clause.over, socket in node.inputs), "", face.many)
        for socket, face in sockets.items()
        if socket != index and (face.required or socket in node.inputs)
    ]
    ends = [OutputSpec(key, _given(kind, key, clause)) for key, kind in outputs.items()]
    spec = _spec(f"{'map' if node.map else 'loop'} of {node.type}", faces, ends)
    feeds = {socket: _feed(socket, node.inputs[socket], sockets[socket]) for socket in fed}
    given = [
        OutputSpec(wire.partition(".")[2], sockets[socket].type) for socket in fed for wire in _each(feeds[socket])
    ]
    if index is not None:
        feeds[index] = f"{INPUTS}.{index}"
        given.append(OutputSpec(index, SocketType("int")))
    body = Workflow(
        nodes={
            INPUTS: Node(type=INPUTS_TYPE),
            BODY: Node(type=node.type, version=node.version, inputs=feeds, settings=node.settings),
        },
        outputs={key: Output.model_validate({"from": f"{BODY}.{key}"}) for key in outputs},
        subgraphs=dict(flat.subgraphs),
    )
    if isinstance(clause, LoopClause):
        clause, body = _convert_carried(clause, body, sockets, outputs, registry)
    parameters = frozenset(subgraph.parameters if subgraph else _setting_names(node.type, registry))
    return spec, Zone(clause, body, _spec(INPUTS_TYPE, [], given), parameters)


def _convert_carried(
    clause: LoopClause,
    body: Workflow,
    sockets: Mapping[str, Socket],
    outputs: Mapping[str, SocketType],
    registry: Registry,
) -> tuple[LoopClause, Workflow]:
    """Put conversions behind what a loop carries into inputs of another type: it carries what these give."""
    carry, nodes, ends = dict(clause.carry), dict(body.nodes), dict(body.outputs)
    for socket, output in clause.carry.items():
        out, into = outputs[output], sockets[socket].type
        rule = None if fits(out, into, registry.types) else conversion_of(out, into, registry.types)
        if rule is not None:
            name = conversion_name(BODY, socket, rule, 0)
            nodes[name] = conversion_node(rule, f"{BODY}.{output}")
            carry[socket] = f"{socket}{CONVERTED}{output}"
            ends[carry[socket]] = Output.model_construct(source=f"{name}.{rule.output}")
    return clause.model_copy(update={"carry": carry}), body.model_copy(update={"nodes": nodes, "outputs": ends})


def make_body(subgraph: Subgraph, subgraphs: Mapping[str, Subgraph]) -> tuple[Workflow, NodeSpec]:
    """Return a subgraph as a body, as expansions are run, and the spec of the node that feeds it."""
    given = [OutputSpec(name, parse_type(face.type)) for name, face in subgraph.inputs.items()]
    body = Workflow(
        nodes={
            INPUTS: Node(type=INPUTS_TYPE),
            BODY: Node(type=f"subgraph.{BODY}", inputs={item.name: f"{INPUTS}.{item.name}" for item in given}),
        },
        outputs={key: Output.model_validate({"from": f"{BODY}.{key}"}) for key in subgraph.outputs},
        subgraphs={**subgraphs, BODY: subgraph},
    )
    return body, _spec(INPUTS_TYPE, [], given)


def label(prefix: str, name: str) -> str:
    """Return what a node of a body is called in the whole run: `each/3` is the body itself, `each/3/blur` inside it."""
    return prefix + (f"/{name}" if name == INPUTS else name.removeprefix(BODY)) if prefix else name


def _around(socket: Socket, mapped: bool, wired: bool) -> SocketType:
    kind = SocketType("list", item=replace(socket.type, optional=False)) if mapped else socket.type
    return kind if wired or socket.required else replace(kind, optional=True)


def _given(kind: SocketType, name: str, clause: MapClause | LoopClause) -> SocketType:
    collected = isinstance(clause, MapClause) or name in clause.collect
    return SocketType("list", item=kind) if collected else kind


def _feed(socket: str, wires: str | list[str], face: Socket) -> str | list[str]:
    if not face.many:
        return f"{INPUTS}.{socket}"
    return [f"{INPUTS}.{socket}__{index}" for index, _ in enumerate(_each(wires))]


def _sockets(type_: str, subgraph: Subgraph | None, workflow: Workflow, registry: Registry) -> dict[str, Socket] | None:
    if subgraph is None:
        spec = registry.nodes.get(type_)
        if spec is None:
            return None
        found = {item.name: Socket(item.type, item.required, item.many) for item in spec.inputs}
        return found | {item.name: Socket(item.type, False) for item in spec.settings if item.wireable}
    found = {}
    for name, face in subgraph.inputs.items():
        kind = parse_type(face.type)
        found[name] = Socket(kind, not kind.optional and not face.many, face.many)
    inside = workflow.model_copy(update={"nodes": subgraph.nodes})
    for name, parameter in subgraph.parameters.items():
        node, setting, _ = setting_behind(parameter.sets[0], inside, registry)
        spec = registry.nodes.get(node.type) if node else None
        if spec and (info := spec.setting(setting)):
            found[name] = Socket(info.type, False)
    return found


def _outputs(
    type_: str, subgraph: Subgraph | None, workflow: Workflow, registry: Registry
) -> dict[str, SocketType] | None:
    if subgraph is None:
        spec = registry.nodes.get(type_)
        return {item.name: item.type for item in spec.outputs} if spec else None
    found = {}
    for name, output in subgraph.outputs.items():
        if kind := output_type(output.source, subgraph.nodes, subgraph, workflow, registry):
            found[name] = kind
    return found


def _setting_names(type_: str, registry: Registry) -> Iterable[str]:
    spec = registry.nodes.get(type_)
    return (item.name for item in spec.settings) if spec else ()


def _mistakes(
    name: str,
    node: Node,
    clause: MapClause | LoopClause,
    sockets: Mapping[str, Socket],
    outputs: Mapping[str, SocketType],
    registry: Registry,
) -> Iterable[Problem]:
    """Find what a clause names that is not there or does not fit."""
    kind = "map" if isinstance(clause, MapClause) else "loop"
    for socket in clause.over:
        place = f"{name}.{kind}.over"
        if socket not in sockets:
            yield _nowhere(place, socket, "input", tuple(sockets))
        elif sockets[socket].many:
            yield Problem(
                "bad_clause", place, f"'{socket}' takes any number of wires", socket, cure="wire a list instead"
            )
        elif socket not in node.inputs:
            yield Problem("bad_clause", place, f"nothing is wired to '{socket}'", socket, cure="wire a list in")
    if clause.index is not None:
        if clause.index not in sockets:
            yield _nowhere(f"{name}.{kind}.index", clause.index, "input", tuple(sockets))
        elif not fits(SocketType("int"), sockets[clause.index].type, registry.types) or clause.index in node.inputs:
            message = f"'{clause.index}' must take an int and have no wire"
            yield Problem("bad_clause", f"{name}.{kind}.index", message, clause.index)
    if isinstance(clause, LoopClause):
        yield from _loop_mistakes(name, node, clause, sockets, outputs, registry)


def _loop_mistakes(
    name: str,
    node: Node,
    clause: LoopClause,
    sockets: Mapping[str, Socket],
    outputs: Mapping[str, SocketType],
    registry: Registry,
) -> Iterable[Problem]:
    if clause.times is None and clause.go_on is None and not clause.over:
        cure = 'write "times", "while" or "over"'
        yield Problem("endless_loop", f"{name}.loop", "nothing says when the loop ends", cure=cure)
    if clause.go_on is not None:
        if clause.go_on not in outputs:
            yield _nowhere(f"{name}.loop.while", clause.go_on, "output", tuple(outputs))
        elif outputs[clause.go_on].name != "bool":
            message = f"'{clause.go_on}' gives {outputs[clause.go_on]}, and a bool must say whether to go on"
            yield Problem("bad_clause", f"{name}.loop.while", message, clause.go_on)
    for output in clause.collect:
        if output not in outputs:
            yield _nowhere(f"{name}.loop.collect", output, "output", tuple(outputs))
    for socket, output in clause.carry.items():
        place = f"{name}.loop.carry"
        if socket not in sockets:
            yield _nowhere(place, socket, "input", tuple(sockets))
        elif output not in outputs:
            yield _nowhere(place, output, "output", tuple(outputs))
        elif sockets[socket].many:
            message = f"'{socket}' takes any number of wires"
            yield Problem("bad_clause", place, message, socket, cure="carry into an input that takes one")
        elif socket not in node.inputs or socket in clause.over:
            message = f"'{socket}' has nothing to begin with" if socket not in node.inputs else f"'{socket}' is a list"
            yield Problem("bad_clause", place, message, socket, cure="wire in what the first turn is given")
        elif not joins(outputs[output], sockets[socket].type, registry.types):
            message = f"'{output}' gives {outputs[output]}, but '{socket}' takes {sockets[socket].type}"
            yield Problem("wrong_type", place, message, output, cure="carry an output of the input's type")


def _lost_wires(name: str, node: Node, sockets: Mapping[str, Socket], flat: Flat) -> Iterable[Problem]:
    """Find inputs and ends of wires that are not there, where nobody else will, since the clause is wrong."""
    for socket, wires in node.inputs.items():
        place = f"{name}.{socket}"
        if socket not in sockets:
            message, known = f"{node.type} has no input '{socket}'", tuple(sockets)
            yield Problem("unknown_input", place, message, None, one_of(known), did_you_mean(socket, known))
        for wire in _each(wires):
            source = wire.partition(".")[0]
            if source not in flat.nodes and source not in flat.faces:
                yield nowhere("wire_from_nowhere", place, "comes from", wire, tuple(flat.nodes))


def _nowhere(place: str, name: str, what: str, known: Sequence[str]) -> Problem:
    cure = did_you_mean(name, known)
    return Problem("bad_clause", place, f"the node has no {what} '{name}'", name, one_of(known), cure)


def _each(wires: str | list[str]) -> Sequence[str]:
    return (wires,) if isinstance(wires, str) else wires


def _spec(id_: str, inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec]) -> NodeSpec:
    return NodeSpec(
        id=id_,
        title=id_,
        category="flow",
        description="",
        version=1,
        device="cpu",
        cheap=False,
        pure=True,
        effect=False,
        asynchronous=False,
        inputs=tuple(inputs),
        settings=(),
        outputs=tuple(outputs),
        model=_NO_SETTINGS,
        function=_never,
        arguments=(),
        context=None,
        classes=(),
    )


_NO_SETTINGS = create_model("NoSettings")


def _never() -> NoReturn:
    raise AssertionError("the scheduler opens zones; no lane runs them")
