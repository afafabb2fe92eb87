"""A naive evaluator of workflows with everything that steers a run; it knows nothing of the engine.

In: a workflow over some nodes of the fake packs. Out: its outputs, who failed, who was skipped, and the calls made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from typing import Any, Protocol

from graphgen import NoValue

Document = dict[str, Any]
Outputs = Mapping[str, Any]

LAZY = "steering.choose"
OPTIONAL = {"b", "second", "more", "base"}
OUTPUTS = {
    "steering.sides": ("even", "odd"),
    "steering.below": ("bool",),
    "steering.numbers": ("ints",),
    "maths.shift": ("ints",),
    "streams.counting": ("ints",),
    "streams.counting_async": ("ints",),
    "streams.plus": ("ints",),
    "streams.extent": ("low", "high"),
}
"""The outputs of nodes, where it is not `int` alone; subgraphs give `int` and `more`."""


class Nothing(Enum):
    """Why nothing comes along a wire."""

    GONE = "it is muted, or not wired"
    LOST = "it failed, or what it needs did"
    SKIPPED = "what it needs has no value"


GONE, LOST, SKIPPED = Nothing.GONE, Nothing.LOST, Nothing.SKIPPED


@dataclass
class Notes:
    """What is noted of a workflow, or of one item or turn."""

    calls: set[tuple[str, int, int]] = field(default_factory=set)
    """Calls of `counted`, in all items and turns: its word, the value it is given, and what it adds."""
    troubles: list[str] = field(default_factory=list)
    """What failed, in all items and turns."""
    failed: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)


class Feed(Protocol):
    """What comes in from outside."""

    def wire(self, name: str) -> Any:
        """Return what comes in under a name."""

    def gone(self, name: str) -> bool:
        """Tell whether nothing can come, without computing anything."""


def compute(document: Document) -> tuple[dict[str, Any], Notes]:
    """Compute a workflow's outputs; those that were not reached are left out.

    What nodes are pinned to stands under `held`, by node and output.
    """
    notes = Notes()
    frame = Frame(document, document["nodes"], Given({}), notes)
    found = {name: frame.wire(output["from"]) for name, output in document["outputs"].items()}
    return {name: value for name, value in found.items() if not isinstance(value, Nothing)}, notes


def is_gone(document: Document, source: str) -> bool:
    """Tell whether muted nodes keep a value from coming."""
    return Frame(document, document["nodes"], Given({}), Notes()).gone(source)


def outputs_of(type_: str) -> Sequence[str]:
    """Return the names of a node's outputs."""
    return ("int", "more") if type_.startswith("subgraph.") else OUTPUTS.get(type_, ("int",))


@dataclass
class Given:
    """Values that come into a body."""

    values: Document

    def wire(self, name: str) -> Any:
        """Return a value."""
        return self.values.get(name, GONE)

    def gone(self, name: str) -> bool:
        """Tell whether it is missing."""
        return name not in self.values


@dataclass
class Outside:
    """What comes into a subgraph: the wires of the node that stands for it."""

    frame: Frame
    wires: Mapping[str, str]

    def wire(self, name: str) -> Any:
        """Return what comes along a wire, if there is one."""
        return self.frame.wire(self.wires[name]) if name in self.wires else GONE

    def gone(self, name: str) -> bool:
        """Tell whether nothing can come."""
        return name not in self.wires or self.frame.gone(self.wires[name])


class Frame:
    """The nodes of a workflow, a subgraph or a body, each computed when somebody wants it."""

    def __init__(self, document: Document, nodes: Document, feed: Feed, notes: Notes, label: str = "") -> None:
        self._document = document
        self._nodes = nodes
        self._feed = feed
        self._notes = notes
        self._label = label
        self._known: dict[str, Any] = {}
        self._inner: dict[str, Frame] = {}

    def wire(self, source: str) -> Any:
        """Return what comes along a wire: a value, a NoValue, or Nothing."""
        name, _, output = source.partition(".")
        if name == "inputs":
            return self._feed.wire(output)
        node = self._nodes[name]
        if self.gone(source):
            return GONE
        if node.get("mode") == "pin":
            return self._document["held"][name][output]
        if node.get("mode") == "bypass":
            return self.wire(node["inputs"]["value"])
        if _written_out(node):
            return self._inside(name).wire(self._subgraph(node)["outputs"][output]["from"])
        if name not in self._known:
            self._known[name] = self._compute(name, node)
        found = self._known[name]
        return found if isinstance(found, Nothing) else found[output]

    def gone(self, source: str) -> bool:
        """Tell whether nothing can come along a wire, without computing anything."""
        name, _, output = source.partition(".")
        if name == "inputs":
            return self._feed.gone(output)
        node = self._nodes[name]
        if mode := node.get("mode"):
            return False if mode == "pin" else mode == "mute" or self.gone(node["inputs"]["value"])
        if _written_out(node):
            return self._inside(name).gone(self._subgraph(node)["outputs"][output]["from"])
        return any(self.gone(wire) for socket, wire in node["inputs"].items() if _required(node, socket))

    def _subgraph(self, node: Document) -> Document:
        found: Document = self._document["subgraphs"][node["type"].removeprefix("subgraph.")]
        return found

    def _inside(self, name: str) -> Frame:
        if name not in self._inner:
            node, label = self._nodes[name], f"{self._label}{name}/"
            nodes = self._subgraph(node)["nodes"]
            self._inner[name] = Frame(self._document, nodes, Outside(self, node["inputs"]), self._notes, label)
        return self._inner[name]

    def _compute(self, name: str, node: Document) -> Any:
        given = self._asked_for(node) if node["type"] == LAZY else self._given(node)
        if isinstance(given, Nothing):
            self._notes.skipped.add(self._label + name)
            return given
        try:
            if "map" in node:
                return self._map(node, given)
            return self._loop(node, given) if "loop" in node else _call(node, given, self._notes)
        except ValueError:
            self._notes.failed.add(self._label + name)
            self._notes.troubles.append(self._label + name)
            return LOST

    def _given(self, node: Document) -> Document | Nothing:
        """Return what comes in, or why not; an optional input does without what was skipped."""
        given: Document = {}
        lost = missing = False
        for socket, wires in node["inputs"].items():
            values = [self.wire(source) for source in (wires if isinstance(wires, list) else [wires])]
            there = [value for value in values if not isinstance(value, NoValue | Nothing)]
            lost |= LOST in values
            missing |= _required(node, socket) and not there
            if isinstance(wires, list):
                given[socket] = there
            elif there:
                given[socket] = there[0]
        return LOST if lost else SKIPPED if missing else given

    def _asked_for(self, node: Document) -> Document | Nothing:
        """Ask for lazy inputs in turn."""
        given: Document = {}
        for bit, socket in ((1, "first"), (2, "second")):
            if node["settings"]["take"] & bit and socket in node["inputs"]:
                value: object = self.wire(node["inputs"][socket])
                if value is LOST:
                    return LOST
                if socket == "first" and isinstance(value, NoValue | Nothing):
                    return SKIPPED
                if not isinstance(value, NoValue | Nothing):
                    given[socket] = value
        return given

    def _turn(self, node: Document, given: Document) -> Outputs | None:
        """Compute a body once; None where an output has no value. A part that fails raises."""
        wires = {socket: f"inputs.{socket}" for socket in given}
        alone = {"type": node["type"], "settings": node["settings"], "inputs": wires}
        notes = Notes(self._notes.calls, self._notes.troubles)
        frame = Frame(self._document, {"body": alone}, Given(given), notes)
        found = {output: frame.wire(f"body.{output}") for output in outputs_of(node["type"])}
        if notes.failed:
            raise ValueError
        return None if any(isinstance(value, NoValue | Nothing) for value in found.values()) else found

    def _map(self, node: Document, given: Document) -> Outputs:
        clause = node["map"]
        turns, failed = [], False
        lists = [given[name] for name in clause["over"]]
        items = product(*lists) if clause.get("how") == "product" else zip(*lists, strict=True)
        for number, item in enumerate(list(items)):
            index = {clause["index"]: number} if "index" in clause else {}
            try:
                turns.append(self._turn(node, given | dict(zip(clause["over"], item, strict=True)) | index))
            except ValueError:
                failed = True
        if failed and clause["failures"] == "stop":
            raise ValueError
        return {name: [turn[name] for turn in turns if turn] for name in outputs_of(node["type"])}

    def _loop(self, node: Document, given: Document) -> Outputs:
        clause, names = node["loop"], outputs_of(node["type"])
        over = clause.get("over", ())
        bounded = bool(over) or "times" in clause
        turns = min([len(given[name]) for name in over] + [clause.get("times", 1000)])
        last: Outputs = {output: given[socket] for socket, output in clause["carry"].items()}
        collected: dict[str, list[Any]] = {name: [] for name in clause.get("collect", ())}
        for turn in range(turns):
            if not bounded and turn >= clause["at_most"]:
                raise ValueError
            carried = {socket: last[output] for socket, output in clause["carry"].items()}
            found = self._turn(node, given | {name: given[name][turn] for name in over} | carried)
            if found is None:
                return dict.fromkeys(names, NoValue(""))
            last = found
            for name, values in collected.items():
                values.append(found[name])
            if "while" in clause and not last[clause["while"]]:
                break
        return {name: collected[name] if name in collected else last.get(name, NoValue("")) for name in names}


def _written_out(node: Document) -> bool:
    return node["type"].startswith("subgraph.") and "map" not in node and "loop" not in node


def _required(node: Document, socket: str) -> bool:
    clause: Document = node.get("map") or node.get("loop") or {}
    over = clause.get("over", ())
    return socket in over or (socket not in OPTIONAL and not isinstance(node["inputs"][socket], list))


def _call(node: Document, given: Document, notes: Notes) -> Outputs:
    """Compute one node; one that fails raises a ValueError."""
    settings, value = node["settings"], given.get("value", 0)
    match node["type"].partition(".")[2]:
        case "number":
            return {"int": settings["value"]}
        case "counted":
            return {"int": _count(settings["word"], value, 0, notes)}
        case "add":
            return {"int": given["a"] + given.get("b", 0) + settings.get("extra", 0)}
        case "total" | "summed":
            return {"int": sum(given["values"])}
        case "choose":
            return {"int": sum(given.values())}
        case "sides":
            shut = NoValue("")
            return {"even": shut if value % 2 else value, "odd": value if value % 2 else shut}
        case "parity":
            return {"int": value % 2}
        case "not_three":
            if value == 3:
                raise ValueError
            return {"int": value * 10}
        case "below":
            return {"bool": value < settings["limit"]}
        case "numbers":
            return {"ints": list(range(settings["count"]))}
        case "counting" | "counting_async":
            if 0 <= settings.get("fail_at", -1) < settings["count"]:
                raise ValueError
            return {"ints": list(range(settings["count"]))}
        case "plus":
            return {"ints": [item + settings["add"] for item in given["values"]]}
        case "added":
            most = settings["most"] if settings["most"] >= 0 else len(given["values"])
            return {"int": given.get("base", 0) + sum(given["values"][:most])}
        case "added_async":
            return {"int": sum(given["values"])}
        case "extent":
            if not given["values"]:
                raise ValueError
            return {"low": min(given["values"]), "high": max(given["values"])}
        case "halved":
            while value and value % 2 == 0:
                value //= 2
            return {"int": value}
        case "shift":
            return {"ints": [value, value + settings["by"]]}
        case "unfold":
            while value % 3:
                value = _count(settings["word"], value, 1, notes)
            return {"int": value}
    raise AssertionError(node)


def _count(word: str, value: int, add: int, notes: Notes) -> int:
    notes.calls.add((word, value, add))
    return value + add
