"""The engine as others use it: from Python, from files, with what goes wrong around it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_kit import HERE, N, carry_out, config, engine, registry, workflow
from packs import probe
from packs.maths import Point

import graphgen
from graphgen.crew import choose_devices
from graphgen.engine import Engine
from graphgen.errors import Cancelled, NodeError, RunFailed, WorkflowError
from graphgen.jsontypes import JSON


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


SIMPLE = workflow(
    {"one": N("maths.number", {"value": 3}), "two": N("maths.add", a="one.int")},
    "two.int",
    parameters={"value": {"sets": ["one.value"]}},
)


def test_outputs_are_made_when_asked_for_each_time_anew(machine: Engine) -> None:
    report, _ = carry_out(machine, workflow({"l": N("probe.numbers"), "p": N("maths.pixel")}, "l.ints", "p.pixel"))
    assert sorted(report.outputs) == ["l", "p"]
    assert len(report.outputs) == 2
    first = report.outputs["l"]
    assert isinstance(first, list)
    first.append(1)
    assert report.outputs["l"] == [0, 1, 2]
    assert isinstance(report.outputs["p"], Point)


def test_outputs_can_be_had_after_the_engine_is_closed(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        report = machine.run(workflow({"l": N("probe.numbers")}, "l.ints"))
    assert report.outputs["l"] == [0, 1, 2]


def test_the_report_says_what_happened(machine: Engine) -> None:
    nodes = {"one": N("maths.number"), "bad": N("probe.fail"), "after": N("maths.add", a="bad.int")}
    report, log = carry_out(machine, workflow(nodes, "one.int", "after.int"))
    assert (report.status, report.ran, report.cached, report.skipped) == ("failed", 1, 0, 1)
    assert list(report.outputs) == ["one"]
    (failure,) = report.failures
    assert isinstance(failure, NodeError)
    assert str(failure) == "bad (probe.fail): ValueError: no such luck"
    assert "raise ValueError(message)" in failure.traceback
    assert log.events[-1].status == "failed"  # type: ignore[union-attr]


def test_an_engine_starts_no_threads_before_it_runs(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with engine(tmp_path) as machine:
        machine.plan(machine.check(SIMPLE))
        assert set(threading.enumerate()) == before
        machine.run(SIMPLE)
    assert set(threading.enumerate()) == before


def test_a_closed_engine_may_be_closed_again(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        machine.run(SIMPLE)
        machine.close()


def test_a_cache_that_is_a_file_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("in the way")
    with engine(tmp_path) as machine:
        source = tmp_path / "w.json"
        source.write_text(json.dumps(SIMPLE))
        assert carry_out(machine, source)[0].outputs["two"] == 3
        assert carry_out(machine, source)[0].ran == 0


class TestDevices:
    """Where gpu nodes run."""

    def test_the_first_device_that_a_plugin_finds(self, tmp_path: Path) -> None:
        (found,) = choose_devices(config(tmp_path), registry())
        assert (found.name, found.dtype) == ("cpu", "float32")

    def test_a_named_device_and_precision(self, tmp_path: Path) -> None:
        (found,) = choose_devices(config(tmp_path, device="cuda:1", precision="bfloat16"), registry())
        assert (found.name, found.kind, found.dtype) == ("cuda:1", "cuda", "bfloat16")

    def test_nodes_see_it(self, tmp_path: Path) -> None:
        with engine(tmp_path, device="cuda", precision="float16") as machine:
            assert carry_out(machine, workflow({"w": N("probe.where")}, "w.str"))[0].outputs["w"] == "cuda float16"


class TestAtHome:
    """`graphgen.run`, with the plugins that are installed and the folders the environment names."""

    @pytest.fixture(autouse=True)
    def folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for root in ("MODELS", "INPUTS", "OUTPUTS", "CACHE", "DATA"):
            monkeypatch.setenv(f"GRAPHGEN_{root}_DIR", str(tmp_path / root.lower()))
        monkeypatch.syspath_prepend(str(HERE / "packs"))

    def test_it_returns_the_outputs(self, tmp_path: Path) -> None:
        assert dict(graphgen.run(SIMPLE)) == {"two": 3}
        (tmp_path / "w.json").write_text(json.dumps(SIMPLE))
        assert dict(graphgen.run(tmp_path / "w.json", value=5)) == {"two": 5}
        assert dict(graphgen.run("w.json", value=6)) == {"two": 6}

    def test_a_parameter_may_be_called_source(self) -> None:
        source: dict[str, JSON] = {**SIMPLE, "parameters": {"source": {"sets": ["one.value"]}}}
        assert dict(graphgen.run(source, source=8)) == {"two": 8}

    def test_failures_and_problems_are_raised(self) -> None:
        with pytest.raises(RunFailed, match=r"bad \(probe\.fail\): ValueError: no such luck"):
            graphgen.run(workflow({"bad": N("probe.fail")}, "bad.int"))
        with pytest.raises(WorkflowError, match="the workflow has no such parameter"):
            graphgen.run(SIMPLE, valu=5)

    def test_the_async_twin_does_the_same(self) -> None:
        assert dict(asyncio.run(graphgen.run_async(SIMPLE, value=4))) == {"two": 4}
        with pytest.raises(RunFailed):
            asyncio.run(graphgen.run_async(workflow({"bad": N("probe.fail")}, "bad.int")))

    def test_cancelling_the_task_cancels_the_run(self, tmp_path: Path) -> None:
        started = tmp_path / "started"
        source = workflow({"w": N("probe.wait", {"started": str(started)})}, "w.int")

        async def cancel() -> None:
            task = asyncio.create_task(graphgen.run_async(source))
            while not started.exists():
                await asyncio.sleep(0.01)
            task.cancel()
            await task

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancel())

    def test_a_run_that_was_stopped_raises(self) -> None:
        with pytest.raises(Cancelled, match="the run was cancelled"):
            graphgen.run(workflow({"w": N("probe.interrupt_inline")}, "w.int"))


def test_what_a_node_raises_does_not_reach_the_next_run(machine: Engine) -> None:
    for kind in ("fail", "leave", "lie", "give_up", "fail_inline", "fail_async"):
        assert carry_out(machine, workflow({"bad": N(f"probe.{kind}")}, "bad.int"))[0].status == "failed"
    assert carry_out(machine, SIMPLE)[0].outputs["two"] == 3


def test_impure_nodes_run_every_time(machine: Engine) -> None:
    source = workflow({"now": N("probe.clock")}, "now.int")
    for time in (1, 2):
        probe.CLOCK[0] = time
        assert carry_out(machine, source)[0].outputs["now"] == time
    probe.CLOCK[0] = 0
