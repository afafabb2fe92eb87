"""Sweeps: many variations of a workflow as one run, in which what they share runs once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from engine_kit import Log, N, carry_out, engine, workflow
from packs import probe

from graphgen import events
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.events import Event
from graphgen.jsontypes import JSON
from graphgen.sweep import combine, sweep


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet_world() -> Iterator[None]:
    yield
    probe.CLOCK[0] = 0


def sums(**more: JSON) -> dict[str, JSON]:
    """A workflow with a part that no parameter reaches, `base`, and one behind each of two parameters."""
    nodes = {
        "one": N("maths.number", {"value": 1}),
        "base": N("maths.add", {"extra": 10}, a="one.int"),
        "left": N("maths.add", {"extra": 0}, a="base.int"),
        "end": N("maths.add", {"extra": 0}, a="left.int"),
        **more,
    }
    parameters: dict[str, JSON] = {"x": {"sets": ["left.extra"]}, "y": {"sets": ["end.extra"]}}
    return workflow(nodes, "end.int", parameters=parameters)


def test_values_are_combined_or_taken_side_by_side() -> None:
    axes: Mapping[str, list[JSON]] = {"a": [1, 2], "b": ["x", "y"]}
    assert [tuple(row.values()) for row in combine(axes)] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert [tuple(row.values()) for row in combine(axes, "zip")] == [(1, "x"), (2, "y")]
    assert combine({}) == [{}]
    with pytest.raises(WorkflowError, match="different lengths: a has 1, b has 2"):
        combine({"a": [1], "b": [1, 2]}, "zip")
    with pytest.raises(WorkflowError, match="no values"):
        combine({"a": []})


@pytest.mark.parametrize("use_cache", [True, False])
def test_what_variations_share_runs_once(tmp_path: Path, use_cache: bool) -> None:
    log = Log()
    with engine(tmp_path, use_cache=use_cache) as machine:
        report = sweep(machine, sums(), {"x": [1, 2], "y": [100, 200, 300]}, listen=log)
    assert [item.outputs["end"] for item in report.variations] == [112, 212, 312, 113, 213, 313]
    assert [item.parameters for item in report.variations][3] == {"x": 2, "y": 100}
    assert {item.status for item in report.variations} == {"done"}
    assert (report.run.ran, report.run.status) == (2 + 2 + 6, "done")
    assert log.ran >= {"one", "base", "left@1", "left@4", "end@1", "end@6"}
    assert [type(event) for event in (log.events[0], log.events[-1])] == [events.RunStarted, events.RunFinished]


def test_a_variation_gives_what_a_run_of_its_own_gives_and_finds_it(machine: Engine) -> None:
    report = sweep(machine, sums(), {"x": [1, 2]}, {"y": 5})
    for item in report.variations:
        single, log = carry_out(machine, sums(), x=item.parameters["x"], y=item.parameters["y"])
        assert single.outputs["end"] == item.outputs["end"]
        assert log.ran == set()


def test_files_are_those_of_single_runs_to_the_byte(tmp_path: Path) -> None:
    nodes = {"say": N("maths.word", {"text": "a"}), "save": N("probe.save", {"suffix": ".note"}, text="say.str")}
    source = workflow(nodes, parameters={"text": {"sets": ["say.text"]}})
    with engine(tmp_path / "single") as machine:
        single = [Path(machine.run(source, {"text": text}).files[0]) for text in ("b", "c")]
    with engine(tmp_path / "sweep") as machine:
        report = sweep(machine, source, {"text": ["b", "c"]})
    made = [Path(item.outputs.files[0]) for item in report.variations]
    assert [path.name for path in made] == [path.name for path in single]
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in single]


def test_one_variation_that_fails_leaves_the_others_alone(machine: Engine) -> None:
    nodes = {
        "zero": N("maths.number", {"value": 0}),
        "sum": N("maths.grow", {"amount": 1}, value="zero.int"),  # not known before it runs
        "scaled": N("maths.scale", value="sum.int", steps="sum.int"),
    }
    source = workflow(nodes, "scaled.float", parameters={"n": {"sets": ["sum.amount"]}})
    report = sweep(machine, source, {"n": [1, 0, 3]})
    assert [item.status for item in report.variations] == ["done", "failed", "done"]
    assert [len(item.failures) for item in report.variations] == [0, 1, 0]
    assert "scaled" in report.variations[0].outputs
    assert "scaled" not in report.variations[1].outputs
    assert report.run.status == "failed"


def test_a_sweep_is_cancelled_as_one(machine: Engine) -> None:
    control = Control()

    def listen(event: Event) -> None:
        if isinstance(event, events.NodeFinished) and event.node == "base":
            control.cancel()

    report = sweep(machine, sums(), {"x": list(range(50))}, listen=listen, control=control)
    assert {item.status for item in report.variations} == {"cancelled"}
    assert carry_out(machine, sums(), x=1)[1].cached >= {"base"}


def test_all_that_is_wrong_with_any_variation_is_told_at_once(machine: Engine) -> None:
    with pytest.raises(WorkflowError) as caught:
        sweep(machine, sums(), {"x": [1, "two"], "y": [1, "three"]})
    assert len(caught.value.problems) == 2


def test_impure_nodes_run_in_each_variation(machine: Engine) -> None:
    nodes = {"now": N("probe.clock"), "end": N("maths.add", {"extra": 0}, a="now.int")}
    report = sweep(machine, workflow(nodes, "end.int", parameters={"x": {"sets": ["end.extra"]}}), {"x": [1, 2]})
    assert [item.outputs["end"] for item in report.variations] == [1, 2]
    assert report.run.ran == 4


def test_a_thousand_variations(machine: Engine) -> None:
    report = sweep(machine, sums(), {"x": list(range(1, 1_001))})
    assert [item.outputs["end"] for item in report.variations] == list(range(12, 1_012))
    assert report.run.ran == 2 + 2 * 1_000


def test_what_only_some_variations_have_is_told_with_their_values(machine: Engine) -> None:
    nodes = {
        "one": N("maths.number", {"value": 1}),
        "two": N("maths.number", {"value": 1}),
        "sum": N("maths.even", a="one.int", b="two.int"),
    }
    parameters: dict[str, JSON] = {name: {"sets": [f"{name}.value"]} for name in ("one", "two")}
    source = workflow(nodes, "sum.int", parameters=parameters)
    with pytest.raises(WorkflowError) as caught:
        sweep(machine, source, {"one": [1, 2], "two": [3, 4]})
    (problem,) = caught.value.problems
    assert problem.message.endswith("(with one=1 and two=3)")
