"""What a run will cost, said before it: learned in one process, known in the next, honest where nothing is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_kit import Terminal
from cli_kit import workflow as document
from engine_kit import N, carry_out, config, engine, workflow

from graphgen import Context, Loaded, Loader, Place, events, hookimpl, meter, node
from graphgen.engine import Engine
from graphgen.estimates import Costs, ranks
from graphgen.ledger import Ledger, Sample
from graphgen.plan import Plan
from graphgen.plugins import module_plugins
from graphgen.ready import Ready
from graphgen.registry import build_registry

CHAIN = {
    "a": N("maths.word", {"text": "a"}),
    "long": N("maths.join", words=["a.str"]),
    "short": N("probe.shout", text="a.str"),
    "end": N("maths.join", words=["long.str", "short.str"]),
}


def planned(machine: Engine) -> Plan:
    return machine.plan(machine.check(workflow(CHAIN, "end.str")))


def told(ledger: Ledger, **seconds: float) -> None:
    ledger.learn((f"{name.replace('_', '.')} 1", Sample(took)) for name, took in seconds.items())


def test_on_first_sight_nothing_is_known(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        estimate = machine.estimate(planned(machine))
    assert (estimate.seconds, estimate.nodes, estimate.peak_bytes) == (0.0, {}, None)
    assert sorted(estimate.unknown) == ["a", "end", "long", "short"]


def test_what_ran_once_is_known_after_a_restart(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        carry_out(machine, workflow({"w": N("maths.word", {"text": "x"})}, "w.str"))
    with engine(tmp_path) as machine:
        estimate = machine.estimate(planned(machine))
    assert set(estimate.nodes) == {"a"}
    assert "a" not in estimate.unknown


def test_nodes_side_by_side_take_as_long_as_the_longest_way(tmp_path: Path) -> None:
    told(Ledger(tmp_path / "cache"), maths_word=1.0, maths_join=5.0, probe_shout=2.0)
    with engine(tmp_path) as machine:
        estimate = machine.estimate(planned(machine))
        assert Costs(Ledger(tmp_path / "cache")).estimate(planned(machine), threads=1).seconds == 13.0
    assert estimate.seconds == 11.0
    assert estimate.unknown == ()


def test_what_is_cached_costs_nothing(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        carry_out(machine, workflow(CHAIN, "end.str"))
        estimate = machine.estimate(planned(machine))
    assert (estimate.seconds, estimate.nodes, estimate.unknown) == (0.0, {}, ())


def test_a_run_says_first_what_it_will_take(tmp_path: Path) -> None:
    told(Ledger(tmp_path / "cache"), maths_word=1.0, maths_join=5.0)
    with engine(tmp_path) as machine:
        _, log = carry_out(machine, workflow(CHAIN, "end.str"))
    (first,) = (event for event in log.events if isinstance(event, events.RunStarted))
    assert (first.seconds, first.unknown, first.peak_bytes) == (11.0, 1, None)


def test_the_longest_way_ranks_first(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        plan = planned(machine)
    found = ranks(plan, {"a": 1.0, "long": 5.0, "short": 2.0, "end": 1.0})
    assert found == {"end": 1.0, "short": 3.0, "long": 6.0, "a": 7.0}
    assert ranks(plan, {"a": 0.0001}) == {}


def test_the_most_urgent_is_taken_first_and_equals_in_the_order_they_came() -> None:
    ready = Ready[str](lambda name: {"b": 2.0, "c": 9.0}.get(name, 0.0))
    ready.extend(["a", "b", "c", "d"])
    assert [ready.popleft() for _ in range(4)] == ["c", "b", "a", "d"]
    assert not ready


def test_a_run_starts_the_longest_way_first(tmp_path: Path) -> None:
    """Two branches wait for nothing; the one that was written last takes longer, and is started first."""
    nodes = {
        "short": N("probe.numbers"),
        "slow": N("maths.join"),
        "end": N("maths.join", words="slow.str"),
    }
    told(Ledger(tmp_path / "cache"), maths_join=9.0, probe_numbers=0.1)
    with engine(tmp_path, threads=1) as machine:
        _, log = carry_out(machine, workflow(nodes, "short.ints", "end.str"))
    assert log.of(events.NodeStarted) == ["slow", "short", "end"]


@node(category="test", device="gpu")
def use(context: Context, *, size: int = 1) -> int:
    """Use weights, and memory."""
    with context.resource("heavy") as module:
        held = bytearray(size << 20)
        return len(held) + len(str(module))


class TextLoader(Loader):
    """Loads texts as weights of 1,000 bytes."""

    handles = (str,)

    def identity(self, handle: object) -> str:
        return str(handle)

    def load(self, handle: object, place: Place, report: Callable[[int, int], None]) -> Loaded:
        report(0, 1000)
        return Loaded(f"{handle} {place.dtype}", 1000)


class Pack:
    """The node and its loader."""

    @hookimpl
    def register_nodes(self) -> list[Callable[..., object]]:
        return [use]

    @hookimpl
    def register_loaders(self) -> list[Loader]:
        return [TextLoader()]

    @hookimpl
    def measure_memory(self, device: str) -> Callable[[], int] | None:
        return (lambda: 51_000) if device == "abacus" else None


@pytest.mark.parametrize("device", ["abacus", "cpu"])
def test_memory_is_weights_and_the_largest_working_set(tmp_path: Path, device: str) -> None:
    installed = build_registry(module_plugins({"p": Pack()}))
    source = workflow({"n": N("p.use", {"size": 8})}, "n.int")
    with Engine(config(tmp_path, device=device), installed) as machine:
        assert machine.run(source).status == "done"
        (sample,) = Ledger(tmp_path / "cache").samples([f"p.use 1 {device}/float32"]).popitem()[1]
        estimate = machine.estimate(machine.plan(machine.check(workflow({"n": N("p.use", {"size": 9})}, "n.int"))))
    assert sample.weights["heavy"][0] == 1000
    if device == "abacus":
        assert sample.working == 50_000
        assert estimate.peak_bytes == 51_000
    elif sample.working is not None:
        assert sample.working > 8 << 20


def test_what_loading_took_is_no_part_of_what_a_node_takes(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        plan = planned(machine)
        ledger = Ledger(tmp_path / "cache")
        ledger.learn([("maths.join 1", Sample(1.0, {}, 10, {"w": (100, 7.0)})), ("maths.word 1", Sample(1.0))])
        costs = Costs(ledger)
        assert costs.estimate(plan, threads=4).seconds == 10.0
        assert costs.estimate(plan, loaded={"w"}, threads=4).seconds == 3.0
        assert costs.estimate(plan).peak_bytes == 110


def test_a_system_that_does_not_tell_is_no_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(meter, "_CLEAR", tmp_path / "no" / "such")
    assert meter.begin()() is None
    monkeypatch.setattr(meter, "_CLEAR", tmp_path / "clear")
    monkeypatch.setattr(meter, "_STATUS", tmp_path / "none")
    assert meter.begin()() is None


def test_the_terminal_says_how_long_it_will_take(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    nodes = {"slow": {"type": "toy.slow", "settings": {"steps": 4}}}
    file = terminal.save(document(nodes, outputs={"n": {"from": "slow.float"}}))
    assert "none of these nodes has run here before" in terminal.call("run", file, "--explain").out
    Ledger(tmp_path / "cache").learn([("toy.slow 1", Sample(2.0, {"steps": 4.0}))])
    assert "1 would run, 0 cached; about 2 s\n" in terminal.call("run", file, "--explain").out
    (line,) = terminal.call("run", file, "--explain", "--json").lines
    assert line["seconds"] == 2.0
    assert "1 node to run; about 2 s\n" in terminal.call("run", file).out
    (learned,) = Ledger(tmp_path / "cache").samples(["toy.slow 1"]).values()
    assert [sample.sizes["steps"] for sample in learned] == [4.0, 4.0]
