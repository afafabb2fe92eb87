"""Several runs at once on one engine: what both need is computed once, and lanes take turns between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from engine_kit import Log, N, engine, workflow

from graphgen import Context, Expansion, events, hookimpl, node
from graphgen.control import Control
from graphgen.engine import Engine, Source
from graphgen.events import Event
from graphgen.plugins import module_plugins
from graphgen.registry import build_registry
from graphgen.report import Report

WAIT = 240
GATES: dict[str, threading.Event] = {}
"""What `gated` waits for."""
ORDER: list[str] = []
"""The names of `gated` nodes, as they began."""
TRIES: list[int] = []
"""One for each time that `shaky` ran."""
BARRIER = threading.Barrier(2)


@node(category="x")
def gated(value: int | None = None, *, name: str = "", gate: str = "") -> int:
    """Wait until a gate opens."""
    ORDER.append(name)
    assert GATES[gate].wait(WAIT)
    return 7


@node(category="x", cheap=True)
def quick(*, seed: int = 0) -> int:
    """Count, inline."""
    return seed


@node(category="x")
def shaky(*, gate: str = "") -> int:
    """Fail the first time."""
    TRIES.append(1)
    assert GATES[gate].wait(WAIT)
    if len(TRIES) == 1:
        raise ValueError("the first try")
    return 7


@node(category="x")
def patient(context: Context) -> int:
    """Wait until cancelled."""
    while True:
        threading.Event().wait(0.002)
        context.progress(0, 1)


@node(category="x")
def ping() -> Expansion | int:
    """Return a graph with a pong in it."""
    _meet("ping")
    return Expansion({"nodes": {"p": {"type": "p.pong"}}, "outputs": {"int": {"from": "p.int"}}}, {})


@node(category="x")
def pong() -> Expansion | int:
    """Return a graph with a ping in it."""
    _meet("pong")
    return Expansion({"nodes": {"p": {"type": "p.ping"}}, "outputs": {"int": {"from": "p.int"}}}, {})


def _meet(name: str) -> None:
    """Wait for the other kind, the first time."""
    if name not in ORDER:
        ORDER.append(name)
        BARRIER.wait(WAIT)
        assert GATES["meeting"].wait(WAIT)


class Pack:
    """The nodes above."""

    @hookimpl
    def register_nodes(self) -> list[Callable[..., object]]:
        return [gated, patient, ping, pong, quick, shaky]


@contextmanager
def shop(folder: Path, *, threads: int = 4, use_cache: bool = True) -> Iterator[Engine]:
    made = build_registry(module_plugins({"p": Pack()}))
    assert not made.broken, made.broken
    with engine(folder, installed=made, threads=threads, use_cache=use_cache) as machine:
        yield machine


@pytest.fixture(autouse=True)
def fresh() -> None:
    GATES.clear()
    ORDER.clear()
    TRIES.clear()
    GATES["gate"] = threading.Event()
    GATES["meeting"] = threading.Event()
    GATES["meeting"].set()
    BARRIER.reset()


@dataclass
class Runner:
    """A run in a thread of its own, and what it told."""

    machine: Engine
    source: Source
    priority: int = 0
    control: Control = field(default_factory=Control)
    log: Log = field(default_factory=Log)
    reports: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = threading.Condition()
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        plan = self.machine.plan(self.machine.check(self.source))
        self.reports.append(self.machine.execute(plan, listen=self._hear, control=self.control, priority=self.priority))

    def _hear(self, event: Event) -> None:
        with self._news:
            self.log(event)
            self._news.notify_all()

    def until(self, kind: type[Event], node: str) -> None:
        """Wait until the run tells something of a node."""
        with self._news:
            assert self._news.wait_for(lambda: node in self.log.of(kind), WAIT)

    def end(self) -> Report:
        self.thread.join(WAIT)
        (report,) = self.reports
        return report


GATED = workflow({"g": N("p.gated", {"gate": "gate"})}, "g.int")


@pytest.mark.parametrize("use_cache", [True, False])
def test_what_runs_need_at_the_same_time_is_computed_once(tmp_path: Path, use_cache: bool) -> None:
    with shop(tmp_path, use_cache=use_cache) as machine:
        first = Runner(machine, GATED)
        first.until(events.NodeStarted, "g")
        others = [Runner(machine, GATED) for _ in range(5)]
        for other in others:
            other.until(events.NodeWaiting, "g")
        GATES["gate"].set()
        assert [runner.end().outputs["g"] for runner in (first, *others)] == [7] * 6
    assert [runner.end().ran for runner in (first, *others)] == [1, 0, 0, 0, 0, 0]
    assert ORDER == [""]


def test_when_one_run_fails_the_next_tries_itself(tmp_path: Path) -> None:
    source = workflow({"s": N("p.shaky", {"gate": "gate"})}, "s.int")
    with shop(tmp_path) as machine:
        first = Runner(machine, source)
        first.until(events.NodeStarted, "s")
        others = [Runner(machine, source) for _ in range(3)]
        for other in others:
            other.until(events.NodeWaiting, "s")
        GATES["gate"].set()
        assert first.end().status == "failed"
        assert [other.end().outputs["s"] for other in others] == [7, 7, 7]
    assert sum(other.end().ran for other in others) == 1
    assert len(TRIES) == 2


def test_when_one_run_is_cancelled_the_next_goes_on(tmp_path: Path) -> None:
    source = workflow({"w": N("p.patient")}, "w.int")
    with shop(tmp_path) as machine:
        runners = [Runner(machine, source)]
        runners[0].until(events.NodeStarted, "w")
        for _ in range(2):
            runners.append(Runner(machine, source))
            runners[-1].until(events.NodeWaiting, "w")
        runners[1].control.cancel()  # one that only waits leaves at once
        assert runners[1].end().status == "cancelled"
        runners[0].control.cancel()
        runners[2].until(events.NodeStarted, "w")
        runners[2].control.cancel()
        assert [runner.end().status for runner in runners] == ["cancelled"] * 3


def test_runs_whose_nodes_need_each_other_without_end_are_told_so(tmp_path: Path) -> None:
    with shop(tmp_path) as machine:
        runners = [Runner(machine, workflow({"a": N(f"p.{kind}")}, "a.int")) for kind in ("ping", "pong")]
        reports = [runner.end() for runner in runners]
    assert [report.status for report in reports] == ["failed", "failed"]
    assert any("its own result" in failure.message for report in reports for failure in report.failures)


@pytest.mark.parametrize("followed", [False, True])
def test_engines_on_one_cache_whose_nodes_need_each_other_do_not_wait_for_ever(tmp_path: Path, followed: bool) -> None:
    """Each has claimed what the other one's graph holds; `followed`: what waits for the other was there before."""
    GATES["meeting"].clear()
    ping, pong = (workflow({"a": N(f"p.{kind}")}, "a.int") for kind in ("ping", "pong"))
    with shop(tmp_path) as one, shop(tmp_path) as other:
        runners = [Runner(one, ping), Runner(other, pong)]
        for runner in runners:
            runner.until(events.NodeStarted, "a")
        if followed:
            waiting = [Runner(one, pong), Runner(other, ping)]
            for runner in waiting:
                runner.until(events.NodeWaiting, "a")
            runners += waiting
        GATES["meeting"].set()
        reports = [runner.end() for runner in runners]
    assert {report.status for report in reports} == {"failed"}
    assert any("its own result" in failure.message for report in reports for failure in report.failures)


@pytest.mark.parametrize("use_cache", [True, False])
def test_nodes_of_one_run_that_return_each_other_are_told_so(tmp_path: Path, use_cache: bool) -> None:
    document = workflow({"a": N("p.ping"), "b": N("p.pong")}, "a.int", "b.int")
    with shop(tmp_path, use_cache=use_cache) as machine:
        report = Runner(machine, document).end()
    assert report.status == "failed"
    assert any("its own result" in failure.message for failure in report.failures)


@pytest.mark.parametrize(
    ("priority", "order"), [(0, ["a0", "b0", "a1", "b1", "a2", "a3"]), (1, ["b0", "b1", "a0", "a1", "a2", "a3"])]
)
def test_lanes_take_turns_between_runs_and_higher_priorities_first(
    tmp_path: Path, priority: int, order: list[str]
) -> None:
    GATES["open"] = threading.Event()
    GATES["open"].set()

    def submitted(machine: Engine, name: str, count: int, seed: int, priority: int = 0) -> Runner:
        nodes = {f"{name}{index}": N("p.gated", {"name": f"{name}{index}", "gate": "open"}) for index in range(count)}
        nodes["last"] = N("p.quick", {"seed": seed})
        runner = Runner(machine, workflow(nodes, *(f"{key}.int" for key in nodes)), priority)
        runner.until(events.NodeFinished, "last")  # inline nodes run when what stands before them has been submitted
        return runner

    with shop(tmp_path, threads=1) as machine:
        blocker = Runner(machine, GATED)
        blocker.until(events.NodeStarted, "g")
        ORDER.clear()
        runners = [submitted(machine, "a", 4, 1), submitted(machine, "b", 2, 2, priority)]
        GATES["gate"].set()
        assert [runner.end().status for runner in (blocker, *runners)] == ["done"] * 3
    assert order == ORDER
