"""Random workflows, edits, failures and cancels, against a naive evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from secrets import token_hex

from engine_kit import carry_out, engine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_graphs import Sketch, as_workflow, calls, evaluate, random_sketches

from graphgen import events
from graphgen.control import Control
from graphgen.events import Event

RELAXED = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@RELAXED
@given(seed=st.integers(0, 10**6))
def test_a_random_workflow_gives_what_a_naive_evaluation_gives_cached_or_not(tmp_path: Path, seed: int) -> None:
    sketches = random_sketches(Random(seed))
    expected = evaluate(sketches)
    folder = tmp_path / token_hex(4)
    with engine(folder) as machine:
        assert dict(carry_out(machine, as_workflow(sketches))[0].outputs) == expected
        report, _ = carry_out(machine, as_workflow(sketches))
        assert (report.ran, dict(report.outputs)) == (0, expected)
    with engine(folder, use_cache=False) as machine:
        assert dict(carry_out(machine, as_workflow(sketches))[0].outputs) == expected


@RELAXED
@given(seed=st.integers(0, 10**6))
def test_after_an_edit_exactly_what_has_to_run_runs(tmp_path: Path, seed: int) -> None:
    """A node has to run if its recipe is new and so are the values it is given; all else is found."""
    chance = Random(seed)
    sketches = random_sketches(chance)
    # inline nodes are not looked up by value: running them takes less
    sketches = {name: replace(sketch, kind=sketch.kind.replace("quick", "add")) for name, sketch in sketches.items()}
    with engine(tmp_path / token_hex(4)) as machine:
        carry_out(machine, as_workflow(sketches))
        known = set(calls(sketches).values())
        edited = chance.choice([name for name, sketch in sketches.items() if sketch.kind == "maths.number"])
        sketches[edited] = Sketch("maths.number", {"value": chance.randrange(8)})
        report, log = carry_out(machine, as_workflow(sketches))
    new = calls(sketches)
    assert {new[name] for name in log.ran} == set(new.values()) - known
    assert len(log.ran) == len(set(new.values()) - known), "equal calls run once"
    assert dict(report.outputs) == evaluate(sketches)


@RELAXED
@given(seed=st.integers(0, 10**6))
def test_random_failures_skip_exactly_the_dependants(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    sketches = random_sketches(chance)
    broken = {name for name in sketches if chance.random() < 0.2}
    doomed: set[str] = set()
    for name, sketch in sketches.items():
        if name in broken:
            wires = {"value": tuple(sketch.sources)[:1]} if sketch.sources else {}
            sketches[name] = Sketch("probe.fail", {"message": name}, wires)
        if sketches[name].sources & (doomed | broken):
            doomed.add(name)
    with engine(tmp_path / token_hex(4)) as machine:
        report, log = carry_out(machine, as_workflow(sketches))
    assert log.skipped == doomed
    assert log.failed == broken - doomed
    assert set(report.outputs) == set(sketches) - doomed - broken


@RELAXED
@given(seed=st.integers(0, 10**6))
def test_cancelling_at_any_moment_loses_nothing_that_finished(tmp_path: Path, seed: int) -> None:
    chance, control, folder = Random(seed), Control(), tmp_path / token_hex(4)
    sketches = random_sketches(chance)
    moment = chance.randrange(1, 20)
    finished: set[str] = set()

    def listen(event: Event) -> None:
        if isinstance(event, events.NodeFinished):
            finished.add(event.node)
        if len(finished) >= moment:
            control.cancel()

    with engine(folder) as machine:
        report = machine.run(as_workflow(sketches), listen=listen, control=control)
    with engine(folder) as machine:
        again, log = carry_out(machine, as_workflow(sketches))
    assert report.ran == len(finished)
    stored = {name for name, sketch in sketches.items() if sketch.kind not in ("maths.number", "maths.quick")}
    assert not finished & log.ran & stored
    assert dict(again.outputs) == evaluate(sketches)
