"""Conversions: what stands in on a wire whose ends do not fit, what it is called, what it costs and what it loses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from engine_kit import N, carry_out, engine, problems_of, workflow
from packs import heat, maths
from packs.heat import RUNS, Degree, Word, dear, name_of, to_word

from graphgen import Conversion, hookimpl, node
from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import Registry, build_registry
from graphgen.types import conversion_of, parse_type
from graphgen.wirefacts import notes_of


def installed(*conversions: Conversion) -> Registry:
    @hookimpl
    def register_conversions() -> list[Conversion]:
        return list(conversions)

    other = SimpleNamespace(register_conversions=register_conversions)
    return build_registry(module_plugins({"other": other}))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    RUNS.clear()
    with engine(tmp_path, installed=build_registry(module_plugins({"maths": maths, "heat": heat}))) as made:
        yield made


DEGREE: dict[str, JSON] = {"t": N("heat.degree")}


def test_the_cheapest_conversion_is_a_node_named_after_its_wire(machine: Engine) -> None:
    graph = machine.check(workflow({**DEGREE, "loud": N("heat.shout", word="t.degree")}, "loud.word"))
    assert list(graph.nodes) == ["t", "loud/word:to_word", "loud"]
    assert graph.nodes["loud/word:to_word"].spec.id == "heat.to_word"
    assert str(graph.nodes["loud"].wires["word"][0]) == "loud/word:to_word.word"
    report, log = carry_out(machine, workflow({**DEGREE, "loud": N("heat.shout", word="t.degree")}, "loud.word"))
    assert report.outputs["loud"] == Word("WARM")
    assert "loud/word:to_word" in log.ran


def test_a_node_wired_by_hand_has_the_key_of_the_conversion(machine: Engine) -> None:
    implied = workflow({**DEGREE, "loud": N("heat.shout", word="t.degree")}, "loud.word")
    written = workflow(
        {**DEGREE, "w": N("heat.to_word", degree="t.degree"), "loud": N("heat.shout", word="w.word")}, "loud.word"
    )
    keys = [set(machine.plan(machine.check(document)).keys.values()) for document in (implied, written)]
    assert keys[0] == keys[1]


def test_what_several_need_is_converted_once(machine: Engine) -> None:
    nodes = {
        **DEGREE,
        "one": N("heat.shout", word="t.degree", word2="t.degree"),
        "all": N("heat.join", words=["t.degree", "one.word", "t.degree"]),
    }
    graph = machine.check(workflow(nodes, "all.word"))
    names = {"one/word:to_word", "one/word2:to_word", "all/words:to_word", "all/words:to_word:3"}
    assert {name for name in graph.nodes if ":" in name} == names
    report, _ = carry_out(machine, workflow(nodes, "all.word"))
    assert report.outputs["all"] == Word("warm WARMwarm warm")
    assert RUNS == ["to_word"]


def test_what_is_lost_is_told_at_the_wire(machine: Engine) -> None:
    lossy = machine.check(workflow({**DEGREE, "loud": N("heat.shout", word="t.degree")}, "loud.word"))
    message = "degree from 't.degree' becomes word by heat.to_word and loses the number"
    assert notes_of(lossy) == [("loud/word:to_word", message)]
    lossless = machine.check(workflow({**DEGREE, "sum": N("maths.add", a="t.degree")}, "sum.int"))
    assert notes_of(lossless) == []


def test_there_is_never_a_chain_of_two(machine: Engine) -> None:
    chained = workflow({**DEGREE, "g": N("heat.spell", text="t.degree")}, "g.str")
    assert {problem.code for problem in problems_of(machine, chained)} == {"wrong_type"}


def test_a_setting_can_be_converted_too(machine: Engine) -> None:
    nodes = {**DEGREE, "n": N("maths.number"), "s": N("maths.add", extra="t.degree", a="n.int")}
    report, _ = carry_out(machine, workflow(nodes, "s.int"))
    assert report.outputs["s"] == 20


def test_a_bypassed_node_hands_on_what_can_be_converted(machine: Engine) -> None:
    nodes = {
        **DEGREE,
        "by": {**N("heat.shout", word="t.degree"), "mode": "bypass"},
        "l": N("heat.shout", word="by.word"),
    }
    graph = machine.check(workflow(nodes, "l.word"))
    assert list(graph.nodes) == ["t", "l/word:to_word", "l"]
    muted = {**DEGREE, "t": {**N("heat.degree"), "mode": "mute"}, "n": N("maths.number")}
    both = {**muted, "l": N("heat.join", words=["t.degree"])}
    assert machine.check(workflow(both, "l.word", "n.int")).left_out.keys() == {"t"}


SHELL: dict[str, JSON] = {
    "inputs": {"word": {"type": "word"}},
    "outputs": {"kind": {"from": "kind.str"}},
    "nodes": {"kind": N("heat.name_of", value="inputs.word")},
}
OUTER: dict[str, JSON] = {
    "inputs": {"word": {"type": "word"}},
    "outputs": {"kind": {"from": "inner.kind"}},
    "nodes": {"inner": N("subgraph.shell", word="inputs.word")},
}


@pytest.mark.parametrize("used", ["shell", "outer"])
def test_a_subgraph_is_given_the_type_it_declares(machine: Engine, used: str) -> None:
    document = workflow(
        {**DEGREE, "s": N(f"subgraph.{used}", word="t.degree")}, "s.kind", subgraphs={"shell": SHELL, "outer": OUTER}
    )
    assert "s/word:to_word" in machine.check(document).nodes
    assert len(machine.check(document).nodes) == 3
    report, _ = carry_out(machine, document)
    assert report.outputs["s"] == "Word"
    assert [place for place, _ in notes_of(machine.check(document))] == ["s/word:to_word"]


def test_the_input_of_a_zone_is_converted_before_it(machine: Engine) -> None:
    zone: JSON = {**N("heat.shout", word="t.degree"), "loop": {"times": 2, "carry": {"word": "word"}}}
    report, _ = carry_out(machine, workflow({**DEGREE, "z": zone}, "z.word"))
    assert report.outputs["z"] == Word("WARM")


def test_a_wire_inside_a_zone_is_converted(machine: Engine) -> None:
    inside: JSON = {
        "inputs": {"t": {"type": "degree"}},
        "outputs": {"word": {"from": "loud.word"}},
        "nodes": {"loud": N("heat.shout", word="inputs.t")},
    }
    zone: JSON = {**N("subgraph.s", t="t.degree"), "loop": {"times": 1}}
    report, _ = carry_out(machine, workflow({**DEGREE, "z": zone}, "z.word", subgraphs={"s": inside}))
    assert report.outputs["z"] == Word("WARM")


DEGREES: dict[str, JSON] = {"ts": N("heat.degrees")}


def test_the_items_of_a_list_are_converted_by_a_map_of_their_own(machine: Engine) -> None:
    implied = workflow({**DEGREES, "all": N("heat.chorus", words="ts.degrees")}, "all.word")
    graph = machine.check(implied)
    assert list(graph.nodes) == ["ts", "all/words:to_word", "all"]
    assert notes_of(graph) == [
        (
            "all/words:to_word",
            "each degree from 'ts.degrees' becomes word by heat.to_word and loses the number",
        )
    ]
    report, log = carry_out(machine, implied)
    assert report.outputs["all"] == Word("cold cold warm")
    assert "all/words:to_word/1" in log.ran
    by_hand: JSON = {**N("heat.to_word", degree="ts.degrees"), "map": {"over": ["degree"]}}
    written = workflow({**DEGREES, "w": by_hand, "all": N("heat.chorus", words="w.word")}, "all.word")
    keys = [set(machine.plan(machine.check(document)).keys.values()) for document in (implied, written)]
    assert keys[0] == keys[1]
    longer: JSON = N("heat.degrees", {"count": 4})
    assert RUNS == ["to_word"] * 3
    carry_out(machine, workflow({"ts": longer, "all": N("heat.chorus", words="ts.degrees")}, "all.word"))
    assert RUNS == ["to_word"] * 4


def test_a_map_over_a_list_of_another_type_converts_its_items(machine: Engine) -> None:
    loud: JSON = {**N("heat.shout", word="ts.degrees"), "map": {"over": ["word"]}}
    report, _ = carry_out(machine, workflow({**DEGREES, "loud": loud}, "loud.word"))
    assert report.outputs["loud"] == [Word("COLD"), Word("COLD"), Word("WARM")]


@pytest.mark.parametrize("used", ["shell", "outer"])
def test_a_list_is_converted_where_it_enters_a_subgraph(machine: Engine, used: str) -> None:
    shell: JSON = {
        "inputs": {"words": {"type": "list[word]"}},
        "outputs": {"word": {"from": "all.word"}},
        "nodes": {"all": N("heat.chorus", words="inputs.words")},
    }
    outer: JSON = {
        "inputs": {"words": {"type": "list[word]"}},
        "outputs": {"word": {"from": "inner.word"}},
        "nodes": {"inner": N("subgraph.shell", words="inputs.words")},
    }
    nodes: dict[str, JSON] = {**DEGREES, "s": N(f"subgraph.{used}", words="ts.degrees")}
    document = workflow(nodes, "s.word", subgraphs={"shell": shell, "outer": outer})
    report, log = carry_out(machine, document)
    assert report.outputs["s"] == Word("cold cold warm")
    assert "s/words:to_word/2" in log.ran


def test_bypassed_nodes_and_subgraphs_hand_on_lists_that_can_be_converted(machine: Engine) -> None:
    each: JSON = {**N("heat.shout", word="ts.degrees"), "map": {"over": ["word"]}, "mode": "bypass"}
    shell: JSON = {
        "inputs": {"ts": {"type": "list[degree]"}},
        "outputs": {"words": {"from": "each.word"}},
        "nodes": {"each": {**N("heat.shout", word="inputs.ts"), "map": {"over": ["word"]}}},
    }
    for past in (each, {**N("subgraph.shell", ts="ts.degrees"), "mode": "bypass"}):
        output = "past.words" if "subgraph" in str(past) else "past.word"
        document = workflow(
            {**DEGREES, "past": past, "all": N("heat.chorus", words=output)}, "all.word", subgraphs={"shell": shell}
        )
        report, _ = carry_out(machine, document)
        assert report.outputs["all"] == Word("cold cold warm")


def test_lists_of_lists_and_lists_that_may_be_missing_are_not_converted(machine: Engine) -> None:
    types = machine.registry.types
    assert conversion_of(parse_type("list[degree]"), parse_type("list[word]?"), types)
    for out, into in (
        ("list[list[degree]]", "list[list[word]]"),
        ("list[degree]?", "list[word]"),
        ("degree", "list[word]"),
    ):
        assert conversion_of(parse_type(out), parse_type(into), types) is None


def carried(**loop: JSON) -> dict[str, JSON]:
    nodes = {**DEGREE, "z": {**N("heat.measure", word="t.degree"), "loop": {"carry": {"word": "degree"}, **loop}}}
    return workflow(nodes, "z.degree")


def test_what_a_loop_carries_is_converted_to_what_the_next_turn_takes(machine: Engine) -> None:
    graph = machine.check(carried(times=3, collect=["degree"]))
    note = "degree from its 'degree' becomes word by heat.to_word and loses the number"
    assert ("z/*/word:to_word", note) in notes_of(graph)
    report, log = carry_out(machine, carried(times=3, collect=["degree"]))
    assert report.outputs["z"] == [Degree(40)] * 3
    assert "z/0/word:to_word" in log.ran
    assert carry_out(machine, carried(times=3))[0].outputs["z"] == Degree(40)


def test_a_loop_that_carries_through_a_conversion_gives_nothing_without_a_turn(machine: Engine) -> None:
    report, _ = carry_out(machine, carried(times=0))
    assert "z" not in report.outputs
    assert machine.check(carried(times=0)).nodes["z"].facts.get("degree", {}) == {}


def test_a_loop_carries_lists_item_by_item_and_refuses_a_chain_of_two(machine: Engine) -> None:
    body: JSON = {
        "inputs": {"words": {"type": "list[word]"}},
        "outputs": {"ts": {"from": "each.degree"}},
        "nodes": {"each": {**N("heat.measure", word="inputs.words"), "map": {"over": ["word"]}}},
    }
    loop: JSON = {"times": 2, "carry": {"words": "ts"}}
    document = workflow(
        {**DEGREES, "z": {**N("subgraph.s", words="ts.degrees"), "loop": loop}}, "z.ts", subgraphs={"s": body}
    )
    assert carry_out(machine, document)[0].outputs["z"] == [Degree(40)] * 3
    far: JSON = {**N("heat.sizes", text="n.str"), "loop": {"times": 2, "carry": {"text": "degree"}}}
    problems = problems_of(
        machine, workflow({"n": N("heat.name_of", value="t.degree"), **DEGREE, "z": far}, "z.degree")
    )
    assert [problem.code for problem in problems] == ["wrong_type"]


def test_browsers_are_given_the_conversions_best_first(machine: Engine) -> None:
    assert machine.registry.types.to_json()["lists"] == "converted item by item"
    rules = machine.registry.types.to_json()["conversions"]
    assert isinstance(rules, list)
    assert rules[-2:] == [
        {"from": "degree", "to": "word", "node": "heat.to_word", "cost": 2, "lossy": "the number"},
        {"from": "degree", "to": "word", "node": "heat.dear", "cost": 5, "lossy": ""},
    ]


def test_of_equal_costs_the_one_that_loses_nothing_is_taken() -> None:
    types = installed(Conversion(to_word, 1, lossy="the number"), Conversion(dear, 1)).types
    assert [rule.node for rule in types.conversions] == ["other.dear", "other.to_word"]


@node(category="test")
def two(first: Degree, second: Degree) -> Word:
    """Take two."""
    return Word(f"{first}{second}")


@node(category="test")
def needy(degree: Degree, *, how: str) -> Word:
    """Need a setting."""
    return Word(f"{degree}{how}")


@node(category="test", pure=False)
def moody(degree: Degree) -> Word:
    """Give something else each time."""
    return Word(f"{degree}")


@node(category="test")
def same(degree: Degree) -> Degree:
    """Give what it takes."""
    return degree


@pytest.mark.parametrize(
    ("conversion", "words"),
    [
        (Conversion(two, 1), "must have one input"),
        (Conversion(needy, 1), "nobody sets 'how'"),
        (Conversion(moody, 1), "not pure"),
        (Conversion(same, 1), "fits degree as it is"),
        (Conversion(name_of, 1), "'object' is everything"),
        (Conversion(to_word, -1), "costs a whole number from 0"),
    ],
)
def test_what_cannot_stand_in_on_a_wire_is_refused(conversion: Conversion, words: str) -> None:
    (failed,) = installed(conversion).broken
    assert words in failed.error


def test_pictures_masks_and_numbers_convert(tmp_path: Path) -> None:
    nodes = {
        "grey": N("masks.solid", {"width": 8, "height": 8}),
        "big": N("images.resize", {"width": 16, "height": 16}, image="grey.mask"),
        "soft": N("masks.invert", mask="big.image"),
        "n": N("values.number", {"value": 0.5}),
        "t": N("text.encode", {}, encoder="m.text_encoder", text="n.float"),
        "m": N("models.load", {"path": "emoji"}),
    }
    with engine(tmp_path, installed=build_registry(find_plugins())) as machine:
        graph = machine.check(workflow(nodes, "soft.mask", "t.conditioning"))
    assert {name for name in graph.nodes if ":" in name} == {
        "big/image:to_image",
        "soft/mask:from_image",
        "t/text:as_text",
    }
    assert [place for place, _ in notes_of(graph)] == ["soft/mask:from_image"]
    assert graph.nodes["soft"].facts["mask"]["width"] == 16
