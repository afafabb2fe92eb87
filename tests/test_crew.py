"""Whole engines whose nodes run in worker processes: they give what threads give, and nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cache_kit import ARRAYS, Array
from engine_kit import N, carry_out, config, workflow
from lane_kit import PACKS, WORKER, installed, others

from graphgen import events
from graphgen.cache import StoredValue
from graphgen.codec import ValueCodec
from graphgen.devices import DevicesLane
from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen.lanes import InlineLane, ThreadLane
from graphgen.remote import ProcessLane
from graphgen.types import build_table


@pytest.fixture(autouse=True)
def _packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers find the fake packs where this process does."""
    for pack in PACKS:
        monkeypatch.syspath_prepend(pack)
    monkeypatch.setenv("PYTHONPATH", WORKER["PYTHONPATH"])


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(_config(tmp_path, "process"), installed()) as made:
        yield made


def _config(folder: Path, workers: str, **changes: object):  # type: ignore[no-untyped-def]
    return config(folder, workers=workers, device="cpu", disabled_plugins=others(), **changes)


EVERYTHING = workflow(
    {
        "n": N("maths.number", {"value": 4}),
        "sum": N("maths.add", {"extra": 1}, a="n.int", b="twice.int"),
        "twice": N("probe.double", value="n.int"),
        "where": N("probe.where", value="sum.int"),
        "point": N("maths.point", x="n.int"),
        "mirror": N("maths.mirror", point="point.point"),
        "list": N("probe.numbers", {"count": 3}),
        "spoil": N("probe.spoil", items="list.ints"),
        "count": N("probe.count", items="list.ints"),
        "chosen": N("steering.choose", {"take": 2}, first="spoil.int", second="sum.int"),
        "sides": N("steering.sides", value="n.int"),
        "left": N("maths.add", a="sides.even"),
        "grown": N("steering.countdown", value="n.int"),
        "word": N("maths.word", {"text": "hello"}),
        "saved": N("probe.save", text="word.str"),
    },
    *("where.str", "mirror.point", "spoil.int", "count.int", "chosen.int", "left.int", "grown.int", "saved.files"),
)


def test_processes_give_what_threads_give(tmp_path: Path) -> None:
    given: list[dict[str, object]] = []
    for workers in ("thread", "process"):
        with Engine(_config(tmp_path / workers, workers), installed()) as made:
            report, log = carry_out(made, EVERYTHING)
            assert report.status == "done", report.failures
            assert len(report.files) == 1
            given.append(dict(report.outputs))
            again, _ = carry_out(made, EVERYTHING)
            assert (again.ran, again.status) == (0, "done")
        assert {event.node for event in log.events if isinstance(event, events.NodeStarted)} >= {"sum", "where"}
    assert given[0] == given[1]
    assert given[0]["count"] == 3, "the node that changed the list spoiled its own copy"


def test_what_processes_computed_is_found_by_threads(tmp_path: Path) -> None:
    with Engine(_config(tmp_path, "process"), installed()) as made:
        carry_out(made, EVERYTHING)
    with Engine(_config(tmp_path, "thread"), installed()) as made:
        report, _ = carry_out(made, EVERYTHING)
    assert report.ran == 0


def test_a_node_that_dies_takes_along_what_needs_it_and_nothing_else(machine: Engine) -> None:
    nodes: dict[str, JSON] = {
        "n": N("maths.number", {"value": 1}),
        "die": N("perils.die", {"how": "kill"}, value="n.int"),
        "after": N("maths.add", a="die.int"),
        **{f"fine{number}": N("maths.add", {"extra": number}, a="n.int") for number in range(5)},
    }
    report, log = carry_out(machine, workflow(nodes, "after.int", *(f"fine{number}.int" for number in range(5))))
    assert report.status == "failed"
    (failure,) = report.failures
    assert failure.node == "die"
    assert failure.message.startswith("its worker process was killed (SIGKILL)")
    assert log.skipped == {"after"}
    assert [report.outputs[f"fine{number}"] for number in range(5)] == [1, 2, 3, 4, 5]
    assert carry_out(machine, workflow({"n": N("probe.where")}, "n.str"))[0].status == "done"


def test_workers_are_kept_from_run_to_run(machine: Engine) -> None:
    def worker() -> object:
        return carry_out(machine, workflow({"n": N("perils.impure_process")}, "n.int"))[0].outputs["n"]

    first = worker()
    assert first != os.getpid()
    assert worker() == first


def test_cheap_nodes_start_no_worker(machine: Engine) -> None:
    report, _ = carry_out(machine, workflow({"n": N("maths.number", {"value": 5})}, "n.int"))
    assert report.outputs["n"] == 5
    assert isinstance(machine.lanes.pool, ProcessLane)
    assert not machine.lanes.pool._seats


@pytest.mark.parametrize(
    ("changes", "lasting", "kind"),
    [
        ({}, False, ThreadLane),
        ({}, True, ProcessLane),
        ({"workers": "thread"}, True, ThreadLane),
        ({"workers": "process"}, False, ProcessLane),
        ({"time_limit": 60.0}, False, ProcessLane),
        ({"worker_bytes": 1 << 40}, False, ProcessLane),
    ],
)
def test_the_configuration_chooses(tmp_path: Path, changes: dict[str, object], lasting: bool, kind: type) -> None:
    with Engine(config(tmp_path, device="cpu", **changes), installed(), lasting=lasting) as made:
        assert isinstance(made.lanes.inline, InlineLane)
        assert isinstance(made.lanes.pool, kind)
        assert isinstance(made.lanes.device, kind)
        assert made.lanes.device.name == "cpu"


def test_cheap_nodes_run_here_unless_processes_work_and_they_are_given_arrays(tmp_path: Path) -> None:
    codec = ValueCodec(build_table([]), {ARRAYS.classname: ARRAYS})
    plain, array = (StoredValue.wrap(value, codec) for value in (7, [Array(b"12", (2,))]))
    for workers in ("thread", "process"):
        with Engine(_config(tmp_path / workers, workers), installed()) as made:
            lanes, cheap = made.lanes, made.registry.nodes["maths.number"]
            assert cheap.cheap
            assert lanes.lane_for(cheap, {"a": (plain,), "b": ()}) is lanes.inline
            beside = lanes.pool if workers == "process" else lanes.inline
            assert lanes.lane_for(cheap, {"a": (plain,), "b": (plain, array)}) is beside


def test_several_devices_become_one_lane(tmp_path: Path) -> None:
    with Engine(config(tmp_path, devices=("cpu:0", "cpu:1"), device="cpu"), installed()) as made:
        assert isinstance(made.lanes.device, DevicesLane)
        assert [device.name for device in made.devices] == ["cpu:0", "cpu:1"]
        assert made.device == made.devices[0]
