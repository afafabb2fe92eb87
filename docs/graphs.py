"""Draw workflows as SVG: nodes in columns, each as near to those that need it as it can be, wires from left to right.

In: the nodes of a workflow, or of a subgraph, as they stand in the file. Out: the text of a picture. A wire over
several columns has a place of its own in those between, as in Sugiyama, Tagawa and Toda 1981: none runs behind a node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple

Nodes = Mapping[str, Mapping[str, Any]]

WIDTH, HEAD, ROW, WAY = 208, 40, 18, 6
ACROSS, DOWN, MARGIN = 84, 18, 24
SWEEPS = 12
COLOURS = (
    "#2563eb", "#c2410c", "#15803d", "#a21caf", "#0f766e", "#b91c1c", "#6d28d9", "#a16207", "#be185d", "#475569",
)  # fmt: skip


class Wire(NamedTuple):
    """From an output of a node to a socket of another."""

    source: str
    output: str
    name: str
    socket: str


@dataclass(frozen=True)
class Item:
    """What has a place in a column: a node, or a way for an output's wires through to later columns."""

    name: str
    output: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Return its height: of a node the head and as many rows as its longer side has sockets."""
        return WAY if self.output else HEAD + ROW * max(len(self.inputs), len(self.outputs), 1) + 8


@dataclass(frozen=True)
class Layout:
    """Where everything is: the columns, and the upper left corner of each item."""

    columns: Sequence[Sequence[Item]]
    corners: Mapping[tuple[int, Item], tuple[int, float]]
    column: Mapping[str, int]

    def socket(self, index: int, item: Item, name: str, *, out: bool) -> tuple[float, float]:
        """Return where wires end at an item."""
        x, y = self.corners[index, item]
        side = item.outputs if out else item.inputs
        below = WAY / 2 if item.output else HEAD + ROW * (side.index(name) + 0.5)
        return x + WIDTH * out, y + below


def draw(nodes: Nodes, outputs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the picture of a graph with these nodes and named outputs."""
    wires = [wire for name, node in nodes.items() for wire in _wires(name, node)]
    layout = _laid_out(_items(nodes, wires, outputs), wires)
    kinds = list(dict.fromkeys(wire.output for wire in wires))
    colours = {kind: COLOURS[index % len(COLOURS)] for index, kind in enumerate(kinds)}
    width = MARGIN * 2 + len(layout.columns) * (WIDTH + ACROSS) - ACROSS
    height = MARGIN + max(y + item.height for (_, item), (_, y) in layout.corners.items())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}" '
        'font-family="system-ui, DejaVu Sans, sans-serif">',
        f'<rect width="{width}" height="{height:.0f}" rx="8" fill="#f1f5f9"/>',
        *(_line(path, colours[output]) for path, output in sorted(set(_paths(layout, wires)))),
    ]
    for index, column in enumerate(layout.columns):
        for item in column:
            lines += [] if item.output else _shown(layout, index, item, nodes.get(item.name, {}), colours)
    return "\n".join([*lines, "</svg>"]) + "\n"


def columns(nodes: Nodes, outputs: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Return the nodes in columns, from left to right, each column from top to bottom."""
    wires = [wire for name, node in nodes.items() for wire in _wires(name, node)]
    laid_out = _laid_out(_items(nodes, wires, outputs), wires)
    return [[item.name for item in found if item.name in nodes and not item.output] for found in laid_out.columns]


def _wires(name: str, node: Mapping[str, Any]) -> Iterator[Wire]:
    for socket, sources in node.get("inputs", {}).items():
        for source in [sources] if isinstance(sources, str) else sources:
            before, _, output = source.partition(".")
            yield Wire(before, output, name, socket)


# --- where things are -----------------------------------------------------------------------------------------------


def _items(nodes: Nodes, wires: Sequence[Wire], outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Item]:
    """Return the nodes with the sockets that are used; a subgraph's `inputs` is a source too."""
    gives: dict[str, dict[str, None]] = {name: {} for name in [*(wire.source for wire in wires), *nodes]}
    for wire in wires:
        gives[wire.source][wire.output] = None
    for output in outputs.values():
        name, _, end = str(output["from"]).partition(".")
        gives[name][end] = None
    return {
        name: Item(name, inputs=tuple(nodes.get(name, {}).get("inputs", {})), outputs=tuple(ends))
        for name, ends in gives.items()
    }


def _laid_out(items: Mapping[str, Item], wires: Sequence[Wire]) -> Layout:
    column = _columns(items, wires)
    columns: list[list[Item]] = [[] for _ in range(max(column.values()) + 1)]
    for name, item in items.items():
        columns[column[name]].append(item)
    for way, index in dict.fromkeys(
        (Item(wire.source, wire.output), index)
        for wire in wires
        for index in range(column[wire.source] + 1, column[wire.name])
    ):
        columns[index].append(way)
    _order(columns, _links(items, wires, column))
    tall = [sum(item.height for item in found) + DOWN * (len(found) - 1) for found in columns]
    corners: dict[tuple[int, Item], tuple[int, float]] = {}
    for index, found in enumerate(columns):
        y = MARGIN + (max(tall) - tall[index]) / 2
        for item in found:
            corners[index, item] = MARGIN + index * (WIDTH + ACROSS), y
            y += item.height + DOWN
    return Layout(columns, corners, column)


def _columns(items: Mapping[str, Item], wires: Sequence[Wire]) -> dict[str, int]:
    """Put each node one column before the first that needs it."""
    column = dict.fromkeys(items, 0)
    for _ in items:  # as often as the longest chain could want
        for wire in wires:
            column[wire.name] = max(column[wire.name], column[wire.source] + 1)
    for _ in items:
        for name in items:
            needed = [column[wire.name] for wire in wires if wire.source == name]
            column[name] = min(needed) - 1 if needed else column[name]
    return column


def _stations(items: Mapping[str, Item], wire: Wire, column: Mapping[str, int]) -> list[tuple[int, Item]]:
    """Return what a wire goes through, from node to node."""
    first, last = column[wire.source], column[wire.name]
    between = [(index, Item(wire.source, wire.output)) for index in range(first + 1, last)]
    return [(first, items[wire.source]), *between, (last, items[wire.name])]


def _links(
    items: Mapping[str, Item], wires: Sequence[Wire], column: Mapping[str, int]
) -> dict[tuple[int, Item], list[tuple[int, Item]]]:
    """Return who is joined to whom in the columns beside."""
    links: dict[tuple[int, Item], list[tuple[int, Item]]] = {}
    for wire in wires:
        stations = _stations(items, wire, column)
        for one, other in pairwise(stations):
            links.setdefault(one, []).append(other)
            links.setdefault(other, []).append(one)
    return links


def _order(columns: Sequence[list[Item]], links: Mapping[tuple[int, Item], Sequence[tuple[int, Item]]]) -> None:
    """Order each column by the mean place of what its items are joined to, to and fro, so that few wires cross."""
    place = {(k, item): float(n) for k, found in enumerate(columns) for n, item in enumerate(found)}
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        for index in range(len(columns)) if forth else reversed(range(len(columns))):

            def mean(item: Item, index: int = index, aside: int = -1 if forth else 1) -> float:
                near = [place[other] for other in links.get((index, item), ()) if other[0] == index + aside]
                return sum(near) / len(near) if near else place[index, item]

            columns[index].sort(key=mean)
            middle = (len(columns[index]) - 1) / 2
            place.update({(index, item): n - middle for n, item in enumerate(columns[index])})


# --- what is drawn --------------------------------------------------------------------------------------------------


def _paths(layout: Layout, wires: Sequence[Wire]) -> Iterator[tuple[str, str]]:
    """Yield the curves between stations and the straight pieces through them, each with the output it carries."""
    items = {item.name: item for found in layout.columns for item in found if not item.output}
    for wire in wires:
        stations = _stations(items, wire, layout.column)
        for (k, one), (n, other) in pairwise(stations):
            x, y = layout.socket(k, one, wire.output, out=True)
            u, v = layout.socket(n, other, wire.socket, out=False)
            bend = (u - x) / 2
            through = f"H{u + WIDTH:.0f}" if other.output else ""
            curve = f"M{x:.0f} {y:.1f}C{x + bend:.0f} {y:.1f} {u - bend:.0f} {v:.1f} {u:.0f} {v:.1f}{through}"
            yield curve, wire.output


def _line(path: str, colour: str) -> str:
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" opacity="0.8"/>'


def _shown(
    layout: Layout, index: int, item: Item, node: Mapping[str, Any], colours: Mapping[str, str]
) -> Iterator[str]:
    x, y = layout.corners[index, item]
    zone = str(node.get("mode") or next((kind for kind in ("map", "loop") if kind in node), ""))
    yield f'<rect x="{x}" y="{y:.1f}" width="{WIDTH}" height="{item.height}" rx="6" fill="#ffffff" stroke="#94a3b8"/>'
    yield _text(x + 10, y + 17, item.name, 'font-size="13" font-weight="600" fill="#0f172a"')
    yield _text(x + 10, y + 32, str(node.get("type", "")), 'font-size="11" fill="#64748b"')
    if zone:
        yield _text(x + WIDTH - 10, y + 17, zone, 'font-size="11" text-anchor="end" fill="#b45309"')
    for out in (False, True):
        for socket in item.outputs if out else item.inputs:
            u, v = layout.socket(index, item, socket, out=out)
            fill = colours.get(socket, "#94a3b8") if out else "#94a3b8"
            yield f'<circle cx="{u:.0f}" cy="{v:.1f}" r="4" fill="{fill}"/>'
            style = f'font-size="11" fill="#334155" text-anchor="{"end" if out else "start"}"'
            yield _text(u - 10 if out else u + 10, v + 4, socket, style)


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.1f}" {style}>{escape(text)}</text>'
