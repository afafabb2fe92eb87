"""Lay out workflows for the editor: `python docs/layout.py workflows/NAME.json`; with `--check`, say what is amiss.

Wires run from left to right, and no node lies on another: their sizes are those of nodes in the editor, estimated from
above. Without names, all files in workflows/ are meant.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from graphs import columns

from graphgen.catalogue import all_nodes
from graphgen.jsonedit import set_member
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.spec import NodeSpec
from graphgen.strictjson import read_json

WORKFLOWS = Path(__file__).parent.parent / "workflows"
WIDTH, HEAD, ROW, LONG = 240, 60, 28, 80
"""Pixels of a node: its width, its head, a socket or setting, and what a text of several lines takes beyond that."""
ACROSS, DOWN, GRID = 80, 40, 20
PLACE = "where the nodes are"

Specs = Mapping[str, NodeSpec]
Places = Mapping[str, Mapping[str, float]]


def laid_out(workflow: Mapping[str, Any], specs: Specs) -> dict[str, dict[str, int]]:
    """Return where the upper left corner of each node should be, by its name, in columns around one middle."""
    found = [column for column in columns(workflow["nodes"], workflow.get("outputs", {})) if column]
    heights = {name: _height(workflow, name, specs) for name in workflow["nodes"]}
    tall = [sum(heights[name] + DOWN for name in column) - DOWN for column in found]
    places: dict[str, dict[str, int]] = {}
    for index, column in enumerate(found):
        y = (max(tall) - tall[index]) // 2
        for name in column:
            places[name] = {"x": index * (WIDTH + ACROSS), "y": y // GRID * GRID}
            y += heights[name] + DOWN
    return places


def _height(workflow: Mapping[str, Any], name: str, specs: Specs) -> int:
    """Return at least how many pixels a node is high: all its sockets and settings below each other."""
    kind = workflow["nodes"][name]["type"]
    if kind.startswith("subgraph."):
        subgraph = workflow["subgraphs"][kind.removeprefix("subgraph.")]
        rows = sum(len(subgraph.get(part, {})) for part in ("inputs", "parameters", "outputs"))
        return HEAD + ROW * rows
    spec = specs[kind]
    properties = spec.settings_schema().get("properties", {})
    assert isinstance(properties, Mapping)  # noqa: S101 - JSON Schema describes settings by an object
    long = sum("text_area" in str(schema) for schema in properties.values())
    return HEAD + ROW * (len(spec.inputs) + len(spec.settings) + len(spec.outputs)) + LONG * long


def amiss(workflow: Mapping[str, Any], specs: Specs) -> Iterator[str]:
    """Yield what is wrong with a view: nodes without a place or on each other, wires that run back."""
    places: Places = workflow.get("view", {}).get("nodes", {})
    nodes = workflow["nodes"]
    yield from (f"{name} has no place" for name in nodes if name not in places)
    yield from (f"{name} has a place but is no node" for name in places if name not in nodes)
    known = [name for name in nodes if name in places]
    heights = {name: _height(workflow, name, specs) for name in known}
    for one, other in combinations(known, 2):
        (x, y), (u, v) = ((places[name]["x"], places[name]["y"]) for name in (one, other))
        if abs(x - u) < WIDTH and y < v + heights[other] and v < y + heights[one]:
            yield f"{one} and {other} lie on each other"
    for name in known:
        for given in nodes[name].get("inputs", {}).values():
            for source in [given] if isinstance(given, str) else given:
                before = source.partition(".")[0]
                if before in places and places[before]["x"] + WIDTH > places[name]["x"]:
                    yield f"the wire from {before} to {name} runs back"


def _written(text: str, workflow: Mapping[str, Any], places: Mapping[str, Mapping[str, int]]) -> str:
    """Return a file's text with new places, a line for each column."""
    lines: dict[int, list[str]] = {}
    for name, place in places.items():
        lines.setdefault(place["x"], []).append(f'"{name}": {{"x": {place["x"]}, "y": {place["y"]}}}')
    inside = ",\n      ".join(", ".join(column) for column in lines.values())
    if not workflow.get("view"):
        text = set_member(text, [], "view", PLACE).replace(f'"{PLACE}"', '{\n    "nodes": {}\n  }')
    return set_member(text, ["view"], "nodes", PLACE).replace(f'"{PLACE}"', f"{{\n      {inside}\n    }}")


def main(arguments: list[str]) -> int:
    """Lay out the named files, or all; with `--check`, only say what is wrong with them."""
    specs = all_nodes(build_registry(find_plugins()))
    named = [Path(argument) for argument in arguments if argument != "--check"]
    wrong = 0
    for path in named or sorted(WORKFLOWS.glob("*.json")):
        text = path.read_text(encoding="utf-8")
        workflow = read_json(text)
        assert isinstance(workflow, dict)  # noqa: S101 - its test has run it
        if "--check" in arguments:
            for problem in amiss(workflow, specs):
                print(f"{path}: {problem}; run `python docs/layout.py workflows/{path.name}`", file=sys.stderr)
                wrong = 1
        else:
            path.write_text(_written(text, workflow, laid_out(workflow, specs)), encoding="utf-8")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
