"""Random workflows with everything that steers a run: `random_flow` makes one, `edited` changes a setting."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from naive_flows import LAZY, Document, is_gone, outputs_of

LISTS = ("steering.numbers", "maths.shift", "streams.counting", "streams.counting_async", "streams.plus")
"""Nodes that give lists."""


def random_flow(chance: Random) -> Document:
    """Make a workflow of which every value is an output; some of its nodes are muted or bypassed."""
    return Maker(chance).workflow()


def edited(chance: Random, document: Document) -> Document:
    """Return a copy of a workflow with one number among its settings changed."""
    made = deepcopy(document)
    parts = [made, *made["subgraphs"].values()]
    nodes = [node for part in parts for node in part["nodes"].values()]
    places = [(node["settings"], key) for node in nodes for key in node["settings"] if key != "word"]
    if places:
        settings, key = chance.choice(places)
        settings[key] = settings[key] % 3 + 1
    return made


def node(type_: str, settings: Document | None = None, **wires: Any) -> Document:
    """Write a node."""
    return {"type": type_, "settings": settings or {}, "inputs": wires}


@dataclass
class Maker:
    """Makes a workflow; `subgraphs` fills up on the way."""

    chance: Random
    subgraphs: dict[str, Document] = field(default_factory=dict)

    def workflow(self) -> Document:
        """Make a workflow."""
        nodes, numbers, lists = self._nodes(self.chance.randrange(3, 11), [], 0)
        for name in list(nodes)[1:]:
            if self.chance.random() < 0.04:
                nodes[name]["mode"] = "mute"
            elif nodes[name]["type"] == "steering.counted" and "map" not in nodes[name] and self.chance.random() < 0.1:
                nodes[name]["mode"] = "bypass"
        made: Document = {"graphgen": 1, "nodes": nodes, "subgraphs": self.subgraphs}
        ends = [source for source in (*numbers, *lists) if not is_gone(made, source)]
        return {**made, "outputs": {source.replace(".", "_"): {"from": source} for source in ends}}

    def _nodes(self, count: int, above: list[str], depth: int) -> tuple[dict[str, Document], list[str], list[str]]:
        """Make nodes over numbers that come in from above; return them with the numbers and lists they give."""
        nodes: dict[str, Document] = {}
        numbers: list[str] = list(above)
        lists: list[str] = []
        for index in range(count):
            name = f"n{index}"
            first = node("maths.number", {"value": self.chance.randrange(4)})
            made = nodes[name] = self._node(numbers, lists, depth) if numbers else first
            many = made["type"] in LISTS or "map" in made
            many = many or "collect" in made.get("loop", {})
            kept = [f"{name}.{output}" for output in outputs_of(made["type"]) if output != "more"]
            (lists if many else numbers).extend(kept)
        return nodes, numbers, lists

    def _node(self, numbers: Sequence[str], lists: Sequence[str], depth: int) -> Document:
        chance = self.chance
        some = chance.choice(numbers)
        kinds = ["number", "counted", "counted", "add", "total", "choose", "sides", "parity", "list", "unfold"]
        kinds += ["not_three"] * (chance.random() < 0.3)
        kinds += ["growing", "growing", "halved"]
        kinds += ["summed", "map", "map", "map", "plus", "added", "added", "added_async", "extent"] if lists else []
        kinds += ["subgraph", "loop", "loop"] if depth < 2 else []
        match chance.choice(kinds):
            case "number":
                return node("maths.number", {"value": chance.randrange(4)})
            case "add":
                return node("maths.add", {"extra": chance.randrange(3)}, a=some, **self._perhaps("b", numbers))
            case "total":
                return node("maths.total", values=chance.choices(numbers, k=chance.randrange(4)))
            case "choose":
                return node(LAZY, {"take": chance.randrange(4)}, first=some, **self._perhaps("second", numbers))
            case "list" if chance.random() < 0.5:
                return node("maths.shift", {"by": chance.randrange(1, 4)}, value=some)
            case "list":
                return node("steering.numbers", {"count": chance.randrange(5)})
            case "growing" if chance.random() < 0.3:
                return node("streams.counting_async", {"count": chance.randrange(5)})
            case "growing":
                fails = {"fail_at": chance.randrange(5)} if chance.random() < 0.2 else {}
                return node("streams.counting", {"count": chance.randrange(5), **fails})
            case "plus":
                return node("streams.plus", {"add": chance.randrange(3)}, values=chance.choice(lists))
            case "added":
                most = {"most": chance.choice([-1, -1, 0, 2])}
                return node("streams.added", most, values=chance.choice(lists), **self._perhaps("base", numbers))
            case "added_async" | "extent" as kind:
                return node(f"streams.{kind}", values=chance.choice(lists))
            case "halved":
                return node("streams.halved", value=some)
            case "summed":
                return node("steering.summed", values=chance.choice(lists))
            case "subgraph":
                return node(self._subgraph(depth), value=some, **self._perhaps("more", numbers))
            case "map":
                return self._map(numbers, lists, depth)
            case "loop":
                return self._loop(numbers, lists, depth)
            case "counted" | "unfold" as kind:
                return node(f"steering.{kind}", {"word": chance.choice("abc")}, value=some)
            case "parity":
                return node("maths.parity", value=some)
            case kind:
                return node(f"steering.{kind}", value=some)

    def _perhaps(self, socket: str, sources: Sequence[str]) -> Document:
        return {socket: self.chance.choice(sources)} if self.chance.random() < 0.5 else {}

    def _map(self, numbers: Sequence[str], lists: Sequence[str], depth: int) -> Document:
        chance = self.chance
        clause: Document = {"failures": chance.choice(["stop", "skip"]), "over": ["value"]}
        short = [name for name in lists if name.endswith(".ints")]
        if short and chance.random() < 0.3:
            made = node("maths.add", a=chance.choice(short), b=chance.choice(short))
            return {**made, "map": {**clause, "how": chance.choice(["zip", "product"]), "over": ["a", "b"]}}
        over = chance.choice(lists)
        if depth < 2 and chance.random() < 0.7:
            made = node(self._subgraph(depth), value=over, **self._perhaps("more", numbers))
            if "more" not in made["inputs"] and chance.random() < 0.5:
                clause["index"] = "more"
        else:
            kind = chance.choice(["counted", "not_three", "unfold"])
            made = node(f"steering.{kind}", {} if kind == "not_three" else {"word": chance.choice("abc")}, value=over)
        return {**made, "map": clause}

    def _loop(self, numbers: Sequence[str], lists: Sequence[str], depth: int) -> Document:
        chance = self.chance
        made = node(self._subgraph(depth), value=chance.choice(numbers), **self._perhaps("more", numbers))
        clause: Document = {"carry": {"value": "int"}}
        kind = chance.choice(["times", "while", "both", "over"] if lists else ["times", "while", "both"])
        if kind in ("times", "both"):
            clause["times"] = chance.randrange(4)
        if kind in ("while", "both"):
            clause |= {"while": "more", "at_most": chance.randrange(1, 5)}
        if kind == "over":
            made["inputs"]["more"] = chance.choice(lists)
            clause["over"] = ["more"]
        if chance.random() < 0.3:
            clause["collect"] = ["int"]
        return {**made, "loop": clause}

    def _subgraph(self, depth: int) -> str:
        """Make a subgraph, or choose one that holds no more levels than are left."""
        known = [name for name, made in self.subgraphs.items() if made and name.startswith(f"d{depth}")]
        if known and self.chance.random() < 0.4:
            return "subgraph." + self.chance.choice(known)
        name = f"d{depth}x{len(self.subgraphs)}"
        self.subgraphs[name] = {}  # takes the name
        nodes, numbers, _ = self._nodes(self.chance.randrange(1, 5), ["inputs.value"], depth + 1)
        nodes["plus"] = node("maths.add", {"extra": 1}, a="inputs.value", b="inputs.more")
        end = self.chance.choice([*numbers[1:], "plus.int"])
        nodes["more"] = node("steering.below", {"limit": self.chance.randrange(8)}, value=end)
        self.subgraphs[name] = {
            "inputs": {"value": {"type": "int"}, "more": {"type": "int?"}},
            "outputs": {"int": {"from": end}, "more": {"from": "more.bool"}},
            "nodes": nodes,
        }
        return f"subgraph.{name}"
