"""The order of nodes: each after those it needs.

In: resolved nodes. Out: their names in a topological order; what lies on a cycle becomes a Problem that names its path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from graphgen.errors import Problem
from graphgen.resolve import ResolvedNode


def topological_order(nodes: Mapping[str, ResolvedNode], problems: list[Problem]) -> list[str]:
    """Order the nodes so that each stands after those it needs; report what lies on a cycle and leave it out."""
    waiting = dict.fromkeys(nodes, 0)
    dependants: dict[str, list[str]] = {name: [] for name in nodes}
    for name, node in nodes.items():
        for wires in node.wires.values():
            for wire in wires:
                if wire.node in nodes:  # all but muted ones are
                    waiting[name] += 1
                    dependants[wire.node].append(name)
    ready = deque(name for name, count in waiting.items() if not count)
    order: list[str] = []
    while ready:
        name = ready.popleft()
        order.append(name)
        for dependant in dependants[name]:
            waiting[dependant] -= 1
            if not waiting[dependant]:
                ready.append(dependant)
    if len(order) < len(nodes):
        done = set(order)
        problems.extend(_cycles({name: dependants[name] for name in nodes if name not in done}, done))
    return order


def _cycles(dependants: Mapping[str, Iterable[str]], done: set[str]) -> list[Problem]:
    import networkx  # takes 0.12 s, and is needed only to name what is wrong

    graph = networkx.DiGraph((name, after) for name, rest in dependants.items() for after in rest if after not in done)
    found = []
    for component in networkx.strongly_connected_components(graph):
        inside = graph.subgraph(component)
        if len(component) > 1 or inside.number_of_edges():
            path = [edge[0] for edge in networkx.find_cycle(inside)]
            text = " -> ".join([*path, path[0]] if len(path) <= 12 else [*path[:10], "...", path[-1], path[0]])
            message = f"these nodes wait for each other in a cycle: {text}"
            cure = "remove one of these wires"
            found.append(Problem("cycle", path[0], message, path, cure=cure, parts={"path": text}))
    return found
