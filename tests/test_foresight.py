"""What is known inside maps and loops and of what they give, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine_kit import N, engine, problems_of, workflow

from graphgen.engine import Engine
from graphgen.graph import Graph
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.wirefacts import facts_json

SQUARE = N("images.solid", {"width": 32, "height": 32})
NUMBERS = N("flow.numbers", {"count": 3})


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("foresight"), installed=build_registry(find_plugins())) as made:
        yield made


def known(graph: Graph, wire: str) -> JSON:
    node, _, output = wire.partition(".")
    facts: JSON = graph.nodes[node].facts.get(output, {})
    return facts


def body(nodes: dict[str, JSON], source: str, **inputs: str) -> dict[str, JSON]:
    return {
        "inputs": {name: {"type": kind} for name, kind in inputs.items()},
        "outputs": {"image": {"from": source}},
        "nodes": nodes,
    }


@pytest.mark.parametrize(("how", "count"), [("zip", 3), ("product", 9)])
def test_a_map_gives_as_many_items_as_it_goes_through(machine: Engine, how: str, count: int) -> None:
    each: JSON = {
        **N("images.solid", width="a.numbers", height="b.numbers"),
        "map": {"over": ["width", "height"], "how": how},
    }
    graph = machine.check(workflow({"a": NUMBERS, "b": NUMBERS, "each": each}, "each.image"))
    facts = known(graph, "each.image")
    assert facts == {"count": count, "item": {"batch": 1, "channels": 3}}


def test_items_that_may_be_left_out_leave_the_count_open(machine: Engine) -> None:
    resized = N("images.resize", {"width": 8, "height": 8}, image="square.image")
    lists: dict[str, JSON] = {"square": SQUARE, "many": N("flow.collect", items=["square.image", "square.image"])}
    skipping: JSON = {**resized, "inputs": {"image": "many.items"}, "map": {"over": ["image"], "failures": "skip"}}
    gated: JSON = {**N("flow.gate", value="many.items"), "map": {"over": ["value"]}}
    graph = machine.check(workflow({**lists, "skipping": skipping, "gated": gated}, "skipping.image", "gated.value"))
    assert known(graph, "skipping.image") == {"item": {"batch": 1, "channels": 3, "height": 8, "width": 8}}
    assert known(graph, "gated.value") == {"item": {"batch": 1, "channels": 3, "height": 32, "width": 32}}


def test_an_item_is_known_by_what_all_have_in_common(machine: Engine) -> None:
    nodes: dict[str, JSON] = {
        "square": SQUARE,
        "wide": N("images.solid", {"width": 64, "height": 32}),
        "many": N("flow.collect", items=["square.image", "wide.image"]),
        "one": N("flow.pick", items="many.items"),
    }
    graph = machine.check(workflow(nodes, "one.value"))
    assert known(graph, "one.value") == {"batch": 1, "channels": 3, "height": 32}


def test_what_cannot_work_in_an_item_is_refused_by_the_names_of_the_file(machine: Engine) -> None:
    crop = N("images.crop", {"width": 48, "height": 8}, image="inputs.image")
    nodes: dict[str, JSON] = {
        "square": SQUARE,
        "many": N("flow.collect", items=["square.image"]),
        "each": {**N("subgraph.cut", image="many.items"), "map": {"over": ["image"]}},
        "again": {**N("subgraph.cut", image="square.image"), "loop": {"times": 2, "carry": {"image": "image"}}},
    }
    document = workflow(
        nodes, "each.image", "again.image", subgraphs={"cut": body({"crop": crop}, "crop.image", image="image")}
    )
    assert {problem.place.partition(".")[0] for problem in problems_of(machine, document)} == {
        "each/crop",
        "again/crop",
    }
    empty: dict[str, JSON] = {
        **nodes,
        "many": N("flow.collect"),
        "again": {**N("subgraph.cut", image="square.image"), "loop": {"times": 0, "carry": {"image": "image"}}},
    }
    assert machine.check({**document, "nodes": empty}).nodes.keys() == empty.keys()  # nothing would run


def test_a_loop_knows_what_all_turns_have_in_common(machine: Engine) -> None:
    shrink = N("images.resize", {"width": 16, "height": 32}, image="inputs.image")
    loop: JSON = {"times": 3, "carry": {"image": "image"}}
    nodes: dict[str, JSON] = {
        "square": SQUARE,
        "last": {**N("subgraph.shrink", image="square.image"), "loop": loop},
        "all": {
            **N("images.resize", {"width": 8, "height": 8}, image="square.image"),
            "loop": {"times": 4, "collect": ["image"]},
        },
        "none": {**N("subgraph.shrink", image="square.image"), "loop": {"times": 0, "carry": {"image": "image"}}},
    }
    graph = machine.check(
        workflow(
            nodes,
            *(f"{name}.image" for name in ("last", "all", "none")),
            subgraphs={"shrink": body({"small": shrink}, "small.image", image="image")},
        )
    )
    inside = graph.nodes["last"].zone
    assert inside is not None
    assert known(inside.graph, "inputs.image") == {"batch": 1, "channels": 3, "height": 32}  # 32 wide, then 16
    assert known(graph, "last.image") == {"batch": 1, "channels": 3, "height": 32, "width": 16}
    assert known(graph, "all.image") == {
        "count": 4,
        "item": {"batch": 1, "channels": 3, "height": 8, "width": 8},
    }
    assert known(graph, "none.image") == known(graph, "square.image"), "without a turn it gives what comes in"
    shown = facts_json(graph, machine.registry.types)
    assert "last/*/small.image" in shown


def test_loops_inside_loops_are_checked_in_bounded_time(machine: Engine) -> None:
    inner: JSON = N("images.resize", {"width": 16}, image="inputs.image")
    subgraphs: dict[str, JSON] = {"s0": body({"n": inner}, "n.image", image="image")}
    for level in range(1, 9):
        zone: JSON = {
            **N(f"subgraph.s{level - 1}", image="inputs.image"),
            "loop": {"times": 2, "carry": {"image": "image"}},
        }
        subgraphs[f"s{level}"] = body({"n": zone}, "n.image", image="image")
    nodes = {"square": SQUARE, "all": N("subgraph.s8", image="square.image")}
    graph = machine.check(workflow(nodes, "all.image", subgraphs=subgraphs))
    assert set(graph.nodes) == {"square", "all/n"}
