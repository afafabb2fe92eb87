"""Two pretend devices on the CPU: work goes where its weights are warm; a second copy is loaded only after a wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from engine_kit import N, carry_out, config, workflow
from lane_kit import PACKS, WORKER, Bench, bench_of, installed, others, process_lane, until

from graphgen import events
from graphgen.devices import DeviceLane, DevicesLane, needs_of
from graphgen.engine import Engine
from graphgen.hookspecs import DeviceInfo
from graphgen.jsontypes import JSON
from graphgen.lanes import ThreadLane
from graphgen.residency import Place, Residency
from graphgen.tasks import Failed, Finished, Started, Stopped, Task
from graphgen.workshop import Workshop

TWO = (DeviceInfo("cpu:0", "float32"), DeviceInfo("cpu:1", "float32"))


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Two:
    """Two devices, what they loaded, and the time."""

    bench: Bench
    lane: DevicesLane
    log: Path
    folder: Path
    clock: Clock = field(default_factory=Clock)

    def begin(self, name: str, gate: str = "") -> int:
        """Start a task that uses a model; with a gate it goes on until that is opened."""
        model = self.bench.cache.wrap(installed().nodes["perils.model"].function(name=name, log=str(self.log))).load()
        settings = {"gate": gate and str(self.folder / gate), "started": gate and str(self.folder / f"{gate} begun")}
        return self.bench.start("perils.use", settings, model=model)

    def device(self, task: int) -> object:
        """Wait for a task, and tell where it ran."""
        *_, last = told = self.bench.end(task)
        assert isinstance(last, Finished), last
        place = last.values["str"].load()
        assert told[0] == Started(str(place))
        return place

    def open(self, gate: str) -> None:
        (self.folder / gate).touch()

    def begun(self, gate: str) -> None:
        """Wait until the task before a gate has its weights."""
        until((self.folder / f"{gate} begun").exists)

    @property
    def loads(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture(params=["thread", "process"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Two]:
    bench = bench_of("process", tmp_path)
    makers = {"thread": _threads, "process": _processes}
    clock = Clock()
    needs = partial(needs_of, codec=installed().codec, loaders=installed().loaders)
    lane = DevicesLane(makers[request.param](bench), needs, clock)
    bench.lane = lane
    yield Two(bench, lane, tmp_path / "log", tmp_path, clock)
    lane.close()


class SlowLane(ThreadLane):
    """A device that takes five seconds to load anything, as it says."""

    def warm(self) -> Mapping[str, float]:
        return dict.fromkeys(super().warm(), 5.0)


def _threads(bench: Bench) -> Sequence[DeviceLane]:
    def lane(device: DeviceInfo) -> DeviceLane:
        residency = Residency(installed().loaders, Place(device.name, device.dtype))
        roots = bench.config.roots
        return SlowLane(device.name, Workshop(installed(), roots.resolve, bench.cache.wrap, device, residency))

    return [lane(device) for device in TWO]


def _processes(bench: Bench) -> Sequence[DeviceLane]:
    return [process_lane(bench.config, bench.cache, device=device) for device in TWO]


def test_work_goes_where_its_weights_are_warm(two: Two) -> None:
    assert two.device(two.begin("a")) == "cpu:0"
    assert two.device(two.begin("b")) == "cpu:1", "to the device that holds fewest"
    for name in "abbabaab":
        assert two.device(two.begin(name)) == {"a": "cpu:0", "b": "cpu:1"}[name]
    assert two.loads == ["a cpu:0", "b cpu:1"]


def test_a_task_waits_for_the_warm_device_rather_than_loading_a_second_copy(two: Two) -> None:
    first = two.begin("a", gate="first")
    two.begun("first")
    second = two.begin("a")
    assert two.device(two.begin("b")) == "cpu:1", "others pass it meanwhile"
    two.open("first")
    assert two.device(first) == "cpu:0"
    assert two.device(second) == "cpu:0"
    assert two.loads == ["a cpu:0", "b cpu:1"]


def test_when_it_has_waited_as_long_as_loading_takes_it_loads_a_second_copy(two: Two) -> None:
    first = two.begin("a", gate="first")
    two.begun("first")
    second = two.begin("a", gate="second")
    two.clock.now += 4.9
    two.lane.look()
    assert two.loads == ["a cpu:0"]
    two.clock.now += 0.2
    two.lane.look()
    two.begun("second")
    assert two.loads == ["a cpu:0", "a cpu:1"]
    two.open("first")
    two.open("second")
    assert (two.device(first), two.device(second)) == ("cpu:0", "cpu:1")


def test_the_wait_ends_by_itself(two: Two) -> None:
    two.clock.now = 1e9
    first = two.begin("a", gate="first")
    two.begun("first")
    second = two.begin("a")
    two.clock.now += 1e9  # the next look, whenever it comes, finds that the time is over
    assert two.device(second) == "cpu:1"
    two.open("first")
    assert two.device(first) == "cpu:0"


def test_tasks_that_are_held_or_run_can_be_cancelled(two: Two) -> None:
    first = two.begin("a", gate="first")
    two.begun("first")
    second = two.begin("a")
    two.lane.cancel(second)
    assert two.bench.end(second) == [Stopped()]
    two.lane.cancel(first)
    assert two.bench.end(first)[-1] == Stopped()
    two.lane.cancel(10**9)


def test_closing_stops_what_is_held_and_what_runs(two: Two) -> None:
    first = two.begin("a", gate="first")
    two.begun("first")
    second = two.begin("a")
    two.lane.close()
    assert two.bench.end(second) == [Stopped()]
    assert two.bench.end(first)[-1] == Stopped()


def test_a_device_that_died_is_cold_again(tmp_path: Path) -> None:
    bench = bench_of("process", tmp_path)
    lane = DevicesLane(_processes(bench), partial(needs_of, codec=installed().codec, loaders=installed().loaders))
    bench.lane = lane
    two = Two(bench, lane, tmp_path / "log", tmp_path)
    try:
        assert two.device(two.begin("a")) == "cpu:0"
        broken = bench.end(two.begin("broken"))[-1]
        assert isinstance(broken, Failed)
        assert two.device(two.begin("a")) == "cpu:0", "the other one died"
        assert two.loads == ["a cpu:0", "broken cpu:1"]
    finally:
        lane.close()


def test_weights_are_found_wherever_a_value_holds_them(tmp_path: Path) -> None:
    bench = bench_of("process", tmp_path)
    model = installed().nodes["perils.model"].function
    values = [[model(name="a", log="")], {"deep": (1, model(name="b", log=""))}, "model", 7, None]
    inputs = {"any": tuple(map(bench.cache.wrap, values))}
    task = Task(1, "perils.use", {}, inputs)
    assert needs_of(task, installed().codec, installed().loaders) == {"a", "b"}
    assert needs_of(task, installed().codec, ()) == frozenset()


@pytest.mark.parametrize("workers", ["thread", "process"])
def test_an_engine_uses_all_its_devices(workers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pack in PACKS:
        monkeypatch.syspath_prepend(pack)
    monkeypatch.setenv("PYTHONPATH", WORKER["PYTHONPATH"])
    nodes: dict[str, JSON] = {}
    for name in "ab":
        nodes[name] = N("perils.model", {"name": name, "log": str(tmp_path / "log")})
        for seed in range(4):
            nodes[f"{name}{seed}"] = N("perils.use", {"seed": seed}, model=f"{name}.model")
    settings = config(tmp_path, workers=workers, devices=("cpu:0", "cpu:1"), disabled_plugins=others())
    with Engine(settings, installed()) as machine:
        assert isinstance(machine.lanes.device, DevicesLane)
        report, log = carry_out(machine, workflow(nodes, *(f"{name}{seed}.str" for name in "ab" for seed in range(4))))
        assert report.status == "done", report.failures
        loads = (tmp_path / "log").read_text().splitlines()
        assert len(set(loads)) == len(loads), "no device loads anything twice"
        assert {line.split()[0] for line in loads} == {"a", "b"}
        assert {line.split()[1] for line in loads} == {"cpu:0", "cpu:1"}, "which loads what is a matter of moments"
        places = {event.node: event.lane for event in log.events if isinstance(event, events.NodeStarted)}
    assert {places[node] for node in nodes} == {"inline", "cpu:0", "cpu:1"}


def test_one_device_needs_nobody_to_choose(tmp_path: Path) -> None:
    with Engine(config(tmp_path, device="cpu"), installed()) as machine:
        assert machine.lanes.device.name == "cpu"
