"""What a run finds instead of computing it, and what must never be found."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from engine_kit import N, carry_out, engine, workflow
from packs import probe

from graphgen import events
from graphgen.engine import Engine
from graphgen.jsontypes import JSON


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet_world() -> Iterator[None]:
    yield
    probe.CLOCK[0] = 0
    probe.ON_READ.clear()
    probe.MEETINGS.clear()
    probe.GATHERINGS.clear()
    probe.SHORT.clear()


class TestCache:
    """What is found instead of computed."""

    def test_nothing_runs_twice_even_after_a_restart(self, tmp_path: Path) -> None:
        nodes = {
            "one": N("maths.number", {"value": 1}),
            "two": N("maths.add", {"extra": 1}, a="one.int"),
            "end": N("maths.add", {"extra": 1}, a="two.int"),
        }
        with engine(tmp_path) as first:
            assert carry_out(first, workflow(nodes, "end.int"))[0].ran == 3
        with engine(tmp_path) as second:
            report, log = carry_out(second, workflow(nodes, "end.int"))
        assert report.ran == 0
        assert log.cached == {"end"}, "what lies above a cached node is not even looked at"
        assert [event.source for event in log.events if isinstance(event, events.NodeCached)] == ["disk"]

    def test_a_node_that_comes_out_as_before_stops_the_wave(self, machine: Engine) -> None:
        def source(value: int) -> dict[str, JSON]:
            nodes = {
                "one": N("maths.number", {"value": value}),
                "odd": N("maths.parity", value="one.int"),
                "far": N("maths.add", a="odd.int"),
            }
            return workflow(nodes, "far.int")

        carry_out(machine, source(3))
        _, log = carry_out(machine, source(5))
        assert log.ran == {"one", "odd"}
        assert log.cached == {"far"}
        _, log = carry_out(machine, source(5))
        assert log.ran == set(), "what was found by value is found by recipe the next time"

    def test_below_an_impure_node_the_value_decides(self, machine: Engine) -> None:
        source = workflow({"now": N("probe.clock"), "end": N("maths.add", a="now.int")}, "end.int")
        assert carry_out(machine, source)[1].ran == {"now", "end"}
        assert carry_out(machine, source)[1].ran == {"now"}
        probe.CLOCK[0] = 5
        report, log = carry_out(machine, source)
        assert (report.outputs["end"], log.ran) == (5, {"now", "end"})
        probe.CLOCK[0] = 0
        assert carry_out(machine, source)[1].ran == {"now"}

    def test_a_file_counts_by_its_content(self, machine: Engine) -> None:
        note = machine.config.roots.inputs / "note.txt"
        note.write_text("hello")
        source = workflow({"r": N("probe.read"), "s": N("probe.shout", text="r.str")}, "s.str")
        assert carry_out(machine, source)[0].outputs["s"] == "HELLO"
        note.write_text("bye")
        assert carry_out(machine, source)[0].outputs["s"] == "BYE"
        note.unlink()
        note.write_text("hello")
        report, log = carry_out(machine, source)
        assert (report.outputs["s"], log.ran) == ("HELLO", set())

    def test_what_read_a_file_that_changed_meanwhile_is_kept_under_no_key_of_the_old_one(self, machine: Engine) -> None:
        note = machine.config.roots.inputs / "note.txt"
        note.write_text("old")
        source = workflow({"r": N("probe.read"), "s": N("probe.shout", text="r.str")}, "s.str")
        plan = machine.plan(machine.check(source))
        note.write_text("new")  # after the plan, before the run
        assert machine.execute(plan).outputs["s"] == "NEW"
        note.write_text("old")
        assert carry_out(machine, source)[0].outputs["s"] == "OLD"

    def test_what_was_read_while_a_file_changed_is_not_kept(self, machine: Engine) -> None:
        note = machine.config.roots.inputs / "note.txt"
        note.write_text("old")
        source = workflow({"r": N("probe.read"), "s": N("probe.shout", text="r.str")}, "s.str")
        probe.ON_READ.append(partial(note.write_text, "new"))
        assert carry_out(machine, source)[0].outputs["s"] == "OLD"
        probe.ON_READ.clear()
        note.write_text("old")
        _, log = carry_out(machine, source)
        assert log.ran == {"r"}, "what was read is not known, so it is read again; what follows is found by its value"
        note.write_text("new")
        assert carry_out(machine, source)[0].outputs["s"] == "NEW"

    def test_equal_nodes_below_a_changed_file_are_not_kept_either(self, machine: Engine) -> None:
        note = machine.config.roots.inputs / "note.txt"
        note.write_text("old")
        nodes = {"r": N("probe.read"), "r2": N("probe.read"), "s": N("probe.shout", text="r2.str")}
        source = workflow(nodes, "s.str", "r.str")
        plan = machine.plan(machine.check(source))
        note.write_text("new")
        assert dict(machine.execute(plan).outputs) == {"s": "NEW", "r": "new"}
        note.write_text("old")
        assert dict(carry_out(machine, source)[0].outputs) == {"s": "OLD", "r": "old"}

    def test_a_file_that_goes_away_while_it_is_read_serves_this_run(self, machine: Engine) -> None:
        note = machine.config.roots.inputs / "note.txt"
        note.write_text("short")
        probe.ON_READ.append(note.unlink)
        assert carry_out(machine, workflow({"r": N("probe.read")}, "r.str"))[0].outputs["r"] == "short"

    def test_cheap_nodes_that_read_files_are_kept_too(self, machine: Engine) -> None:
        (machine.config.roots.inputs / "note.txt").write_text("hello")
        source = workflow({"r": N("probe.read_quickly")}, "r.str")
        assert carry_out(machine, source)[0].ran == 1
        assert carry_out(machine, source)[0].ran == 0

    def test_a_wired_path_is_fingerprinted_when_it_is_known(self, machine: Engine) -> None:
        (machine.config.roots.inputs / "a.txt").write_text("A")
        nodes = {"name": N("maths.word", {"text": "a.txt"}), "r": N("probe.read", path="name.str")}
        source = workflow(nodes, "r.str")
        assert carry_out(machine, source)[0].outputs["r"] == "A"
        assert carry_out(machine, source)[0].ran == 0
        (machine.config.roots.inputs / "a.txt").write_text("B")
        assert carry_out(machine, source)[0].outputs["r"] == "B"

    def test_a_wired_path_that_is_not_there_fails_the_node(self, machine: Engine) -> None:
        nodes = {"name": N("maths.word", {"text": "b.txt"}), "r": N("probe.read", path="name.str")}
        report, _ = carry_out(machine, workflow(nodes, "r.str"))
        assert "there is no 'b.txt' in inputs" in report.failures[0].message

    def test_without_the_cache_everything_runs_and_nothing_is_written(self, tmp_path: Path) -> None:
        with engine(tmp_path, use_cache=False) as machine:
            source = workflow({"one": N("maths.number"), "two": N("maths.add", a="one.int")}, "two.int")
            assert carry_out(machine, source)[0].ran == 2
            assert carry_out(machine, source)[0].ran == 2
        assert not (tmp_path / "cache").exists()

    def test_what_was_computed_before_a_failure_is_kept(self, machine: Engine) -> None:
        nodes = {"one": N("maths.number"), "two": N("maths.add", a="one.int"), "bad": N("probe.fail", value="two.int")}
        carry_out(machine, workflow(nodes, "bad.int"))
        assert carry_out(machine, workflow(nodes, "bad.int"))[1].cached == {"two"}


class TestShortOfMemory:
    """What was made otherwise than asked serves its run, and is found by no other."""

    NODES: ClassVar[dict[str, JSON]] = {
        "one": N("maths.number", {"value": 1}),
        "made": N("probe.strain", value="one.int"),
        "below": N("maths.add", {"extra": 1}, a="made.int"),
        "end": N("maths.add", {"extra": 1}, a="below.int"),
    }

    def test_a_run_with_the_memory_computes_what_was_asked(self, tmp_path: Path) -> None:
        source = workflow(self.NODES, "end.int", "made.int")
        probe.SHORT.append(False)
        with engine(tmp_path) as first:
            report, _ = carry_out(first, source)
            assert dict(report.outputs) == {"end": 1003, "made": 1001}
            report, log = carry_out(first, source)
            assert dict(report.outputs) == {"end": 1003, "made": 1001}
            assert log.ran == {"made"}, "what lies below is found by the value it was made of"
        probe.SHORT.clear()
        with engine(tmp_path) as second:
            report, log = carry_out(second, source)
            assert dict(report.outputs) == {"end": 3, "made": 1}
            assert log.ran - {"one"} == {"made", "below", "end"}
            assert carry_out(second, source)[1].ran == set()
            probe.SHORT.append(False)
            assert dict(carry_out(second, source)[0].outputs) == {"end": 3, "made": 1}

    def test_what_is_the_same_nevertheless_is_kept(self, machine: Engine) -> None:
        source = workflow(self.NODES, "end.int")
        probe.SHORT.append(True)
        assert carry_out(machine, source)[1].ran == {"one", "made", "below", "end"}
        assert carry_out(machine, source)[1].ran == set()

    def test_nor_is_a_map_of_it(self, machine: Engine) -> None:
        nodes = {
            "many": N("probe.numbers", {"count": 2}),
            "each": {**N("probe.strain", value="many.ints"), "map": {"over": ["value"]}},
            "count": N("probe.count", items="each.int"),
            "sum": {**N("maths.add", {"extra": 1}, a="each.int"), "map": {"over": ["a"]}},
        }
        source = workflow(nodes, "count.int", "sum.int")
        probe.SHORT.append(False)
        assert carry_out(machine, source)[0].outputs["sum"] == [1001, 1002]
        probe.SHORT.clear()
        assert carry_out(machine, source)[0].outputs["sum"] == [1, 2]

    def test_equal_nodes_share_it_and_keep_none(self, machine: Engine) -> None:
        nodes = {**self.NODES, "too": N("probe.strain", value="one.int"), "far": N("maths.add", a="too.int")}
        source = workflow(nodes, "end.int", "far.int")
        probe.SHORT.append(False)
        assert dict(carry_out(machine, source)[0].outputs) == {"end": 1003, "far": 1001}
        probe.SHORT.clear()
        assert dict(carry_out(machine, source)[0].outputs) == {"end": 3, "far": 1}
