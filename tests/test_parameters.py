"""A workflow's parameters: setting them, describing them, reading them from a command line's texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_kit import N, carry_out, engine, problems_of, registry, workflow

from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.parameters import apply_parameters, describe_parameters, read_parameters
from graphgen.workflow import Workflow, from_json

SOURCE = workflow(
    {
        "one": N("maths.number", {"value": 3}),
        "two": N("maths.number", {"value": 4}),
        "s": N("maths.scale", value="one.int"),
        "w": N("maths.word", {"text": "hello"}),
        "l": N("probe.spoil_settings"),
    },
    "s.float",
    "two.int",
    "w.str",
    parameters={
        "number": {"sets": ["one.value", "two.value"], "description": "How many."},
        "factor": {"sets": ["s.factor"]},
        "exact": {"sets": ["s.exact"]},
        "words": {"sets": ["w.text"]},
        "style": {"sets": ["w.style"]},
        "items": {"sets": ["l.items"]},
        "lost": {"sets": ["nowhere.value"]},
    },
)
WORKFLOW: Workflow = from_json(SOURCE)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


def test_a_parameter_sets_all_its_settings() -> None:
    changed = apply_parameters(WORKFLOW, {"number": 9, "words": "bye"})
    assert changed.nodes["one"].settings["value"] == changed.nodes["two"].settings["value"] == 9
    assert changed.nodes["w"].settings == {"text": "bye"}
    assert WORKFLOW.nodes["one"].settings["value"] == 3


def test_all_unknown_parameters_are_named_at_once() -> None:
    with pytest.raises(WorkflowError) as caught:
        apply_parameters(WORKFLOW, {"numbr": 1, "x": 2})
    assert str(caught.value).splitlines() == [
        "numbr: the workflow has no such parameter; allowed: number, factor, exact, words, style, items, lost; "
        "did you mean 'number'?",
        "x: the workflow has no such parameter; allowed: number, factor, exact, words, style, items, lost",
    ]


def test_parameters_are_described_by_the_settings_they_set() -> None:
    shown = {info.name: info for info in describe_parameters(WORKFLOW, registry())}
    assert set(shown) == {"number", "factor", "exact", "words", "style", "items"}, "what sets nothing is left out"
    number = shown["number"]
    assert (number.description, number.value, number.type) == ("How many.", 3, "int")
    assert (number.schema["minimum"], number.schema["maximum"]) == (-1000, 10**9)
    assert (shown["factor"].value, shown["factor"].type) == (1.0, "float")
    assert shown["style"].schema["enum"] == ["plain", "loud"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("number", "7", 7),
        ("factor", "2.5", 2.5),
        ("factor", "2", 2),
        ("exact", "true", True),
        ("words", "7", "7"),
        ("words", "null", "null"),
        ("words", "", ""),
        ("items", "[1, 2]", [1, 2]),
    ],
)
def test_texts_become_what_the_setting_wants(name: str, text: str, value: JSON) -> None:
    assert read_parameters({name: text}, WORKFLOW, registry()) == {name: value}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("number", "seven", 'number: must be a whole number (got "seven"); write --set number=7'),
        ("exact", "yes", 'exact: must be true or false (got "yes"); write --set exact=true'),
        ("factor", "NaN", 'factor: must be a number (got "NaN"); write --set factor=7.5'),
        ("items", "1,2", 'items: must be a list (got "1,2"); write --set items=[1, 2]'),
    ],
)
def test_texts_that_cannot_be_read_say_what_to_write(name: str, text: str, words: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        read_parameters({name: text}, WORKFLOW, registry())
    assert str(caught.value) == words


def test_values_are_checked_like_settings(machine: Engine) -> None:
    source = {**SOURCE, "parameters": {"number": {"sets": ["one.value"]}}}
    assert [str(problem) for problem in problems_of(machine, source, number="x")] == [
        'one.value: must be a whole number (got "x")'
    ]
    assert [problem.code for problem in problems_of(machine, source, number=float("nan"))]


def test_parameters_of_nodes_saved_by_an_older_version_are_known(machine: Engine) -> None:
    path = Path(__file__).parent / "graphs" / "good" / "migrated.json"
    (info,) = describe_parameters(machine.read(path), registry())
    assert (info.name, info.value, info.type) == ("much", 4, "int")
    assert carry_out(machine, path, much=2)[0].outputs["g"] == 21


def test_a_parameter_sets_how_often_a_loop_turns(tmp_path: Path) -> None:
    again: dict[str, JSON] = {**N("maths.add", {"extra": 1}, a="one.int"), "loop": {"times": 2, "carry": {"a": "int"}}}
    inner: JSON = {
        "inputs": {"start": {"type": "int"}},
        "outputs": {"int": {"from": "again.int"}},
        "parameters": {"turns": {"sets": ["again.loop.times"]}},
        "nodes": {"again": {**again, "inputs": {"a": "inputs.start"}}},
    }
    nodes = {"one": N("maths.number", {"value": 1}), "again": again, "sub": N("subgraph.inner", start="one.int")}
    parameters: dict[str, JSON] = {
        "turns": {"sets": ["again.loop.times", "sub.turns"]},
        "most": {"sets": ["again.loop.at_most"]},
    }
    document = workflow(nodes, "again.int", "sub.int", parameters=parameters, subgraphs={"inner": inner})
    with engine(tmp_path) as machine:
        assert dict(machine.run(document).outputs) == {"again": 3, "sub": 3}
        assert dict(machine.run(document, {"turns": 5}).outputs) == {"again": 6, "sub": 6}
        wrong = problems_of(machine, document, turns=-1, most="x")
        infos = describe_parameters(machine.read(document), machine.registry)
        values = read_parameters({"turns": "7"}, machine.read(document), machine.registry)
    assert [str(problem) for problem in wrong] == [
        "again.loop.times: must be at least 0 (got -1)",
        'again.loop.at_most: must be a whole number (got "x")',
        "sub/again.loop.times: must be at least 0 (got -1)",
    ]
    assert [(info.name, info.type, info.value, info.schema["minimum"]) for info in infos] == [
        ("turns", "int", 2, 0),
        ("most", "int", 1000, 1),
    ]
    assert values == {"turns": 7}
