"""What a missing wire's cure names: outputs of the same graph that fit, else nodes that would give one."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st
from packs import maths

from graphgen.offers import LOOKED_AT, Offers
from graphgen.plugins import Plugin
from graphgen.registry import build_registry
from graphgen.resolve import ResolvedNode

Written: TypeAlias = tuple[str, dict[str, str | list[str]]]
"""A node's type in the pack `maths`, and its wires."""

REGISTRY = build_registry([Plugin("maths", maths)])


def graph(**nodes: Written) -> dict[str, ResolvedNode]:
    """Make nodes from their types and wires; names are written with `__` for `/`."""
    return {
        name.replace("__", "/"): ResolvedNode(name, REGISTRY.nodes[f"maths.{kind}"], {}, wires, None)
        for name, (kind, wires) in nodes.items()
    }


def cure(nodes: dict[str, ResolvedNode], node: str, socket: str) -> str:
    item = nodes[node].spec.input(socket)
    assert item is not None
    return Offers(nodes, REGISTRY).cure(node, item)


def test_an_output_of_the_graph_comes_before_all_that_is_installed() -> None:
    nodes = graph(sum=("add", {}), one=("number", {}))
    assert cure(nodes, "sum", "a") == "wire one in: one.int"


def test_the_very_type_comes_before_those_that_fit_as_well() -> None:
    nodes = graph(m=("mirror", {}), red=("pixel", {}), at=("point", {}))
    assert cure(nodes, "m", "point") == "wire one in: at.point or red.pixel"


def test_a_new_node_that_makes_one_comes_before_those_that_change_one() -> None:
    found = cure(graph(m=("mirror", {})), "m", "point")
    assert found.startswith("add a node that gives one and wire it in, for example maths.point.point or maths.mirror")


def test_what_waits_for_the_node_is_not_offered() -> None:
    nodes = graph(first=("add", {}), second=("add", {"a": "first.int"}), third=("add", {"a": ["second.int"]}))
    assert cure(nodes, "first", "a").startswith("add a node")
    assert cure({**nodes, **graph(other=("number", {}))}, "first", "a") == "wire one in: other.int"


def test_what_lies_in_another_graph_is_not_offered() -> None:
    nodes = graph(inner__sum=("add", {}), one=("number", {}))
    assert cure(nodes, "inner/sum", "a").startswith("add a node")
    assert cure({**nodes, **graph(inner__two=("number", {}))}, "inner/sum", "a") == "wire one in: inner/two.int"


def test_of_a_node_that_very_many_wait_for_nothing_is_looked_for() -> None:
    chain: dict[str, Written]
    chain = {f"n{i}": ("add", {"a": f"n{i - 1}.int"}) for i in range(1, LOOKED_AT + 2)}
    nodes = graph(n0=("add", {}), other=("number", {}), **chain)
    assert cure(nodes, "n0", "a").startswith("add a node")
    assert cure(nodes, f"n{LOOKED_AT}", "b") == "wire one in: n0.int or other.int or n1.int"


@given(st.data())
def test_taking_an_offer_never_makes_a_cycle(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 8), label="nodes")
    wires: dict[str, Written] = {}
    for i in range(size):
        before = data.draw(st.none() | st.integers(0, i - 1), label=f"into {i}") if i else None
        wires[f"n{i}"] = ("add", {} if before is None else {"b": f"n{before}.int"})
    nodes = graph(**wires)
    chosen = data.draw(st.sampled_from(sorted(nodes)), label="bare")
    found = cure(nodes, chosen, "a")
    here = found.removeprefix("wire one in: ").split(" or ") if found.startswith("wire one in: ") else []
    after = {chosen}
    for name in nodes:  # each is wired to an earlier one
        if str(nodes[name].inputs.get("b")).partition(".")[0] in after:
            after.add(name)
    assert bool(here) == (len(after) < size)
    assert after.isdisjoint(output.partition(".")[0] for output in here)
