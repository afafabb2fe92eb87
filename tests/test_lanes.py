"""What every lane promises, in this process or in another: one contract, four lanes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from lane_kit import ENDS, Bench, bench_of, drained, new_id, no_children, open_files, process_lane, until
from packs.maths import Point

from graphgen.cache import StoredValue
from graphgen.lanes import InlineLane, LoopLane
from graphgen.tasks import Asked, Failed, Finished, Item, Logged, Partial, Progress, Shown, Started, Stopped, Task

ALL = ["inline", "thread", "process"]
"""The loop lane runs async nodes alone, so it has its own variants of some tests."""
WAITING = ["thread", "loop", "process"]


@pytest.fixture(scope="class")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = bench_of(request.param, tmp_path_factory.mktemp(request.param))
    with closing(made.lane):
        yield made


@pytest.mark.parametrize("bench", ALL, indirect=True)
class TestEveryLane:
    """Plain nodes."""

    def test_a_task_starts_and_finishes(self, bench: Bench) -> None:
        started, finished = bench.run("maths.add", {"extra": 3}, a=1, b=2)
        assert started == Started()
        assert isinstance(finished, Finished)
        assert finished.values["int"].load() == 6
        assert finished.seconds >= 0

    def test_values_of_all_kinds_cross(self, bench: Bench) -> None:
        assert bench.value("maths.mirror", point=Point(1, 2)) == Point(2, 1)
        assert bench.value("maths.join", {"between": "–"}, words=("a\0b", "😀", "")) == "a\0b–😀–"
        assert bench.value("probe.count", items=list(range(1000))) == 499_500
        assert bench.value("maths.total") == 0
        finished = bench.run("maths.split", value=7)[-1]
        assert isinstance(finished, Finished)
        assert {name: value.load() for name, value in finished.values.items()} == {"half": 3, "rest": 1}

    def test_tasks_end_one_after_another(self, bench: Bench) -> None:
        tasks = [bench.start("maths.add", {"extra": index}, a=1) for index in range(5)]
        ends: list[int] = []
        while len(ends) < 5:
            number, report = bench.reports.get(timeout=240)
            if isinstance(report, ENDS):
                ends.append(number)
        assert ends == tasks

    def test_progress_messages_and_previews_come_in_order(self, bench: Bench) -> None:
        told = bench.end(bench.start("probe.talk", {"times": 3}, watched=True, value=5))
        assert told[0] == Started()
        assert [report.message for report in told if isinstance(report, Logged)] == ["at 5", "careful"]
        assert [report.level for report in told if isinstance(report, Logged)] == ["info", "warning"]
        progress = [report for report in told if isinstance(report, Progress)]
        assert (progress[-1].done, progress[-1].total) == (3, 3)
        (shown,) = [report for report in told if isinstance(report, Shown)]
        assert (shown.preview.data, shown.preview.media_type) == (b"\x89PNG", "image/png")

    def test_nothing_is_shown_when_nobody_watches(self, bench: Bench) -> None:
        assert not [report for report in bench.run("probe.talk", value=5) if isinstance(report, Shown)]

    def test_printing_disturbs_nothing(self, bench: Bench) -> None:
        assert bench.value("probe.chatter", {"times": 200}) == 200

    def test_an_input_that_is_changed_spoils_nothing(self, bench: Bench) -> None:
        stored = bench.cache.wrap([1, 2])
        for _ in range(2):
            task = Task(new_id(), "probe.spoil", {"by": 4}, {"items": (stored,)})
            bench.lane.submit(task, lambda number, report: bench.reports.put((number, report)))
            finished = bench.end(task.id)[-1]
            assert isinstance(finished, Finished)
            assert finished.values["int"].load() == 7
        assert stored.load() == [1, 2]

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("fail", "ValueError: no such luck"),
            (
                "leave",
                "SystemExit: 3; the node called sys.exit, which ends it alone; let it raise an error instead",
            ),
            ("give_up", "I do not want to"),
            ("lie", "its output 'int' is a str; it promises int"),
            ("hide", "the type packs.probe.Secret is not registered; return it from register_types()"),
        ],
    )
    def test_a_node_that_raises_fails(self, bench: Bench, kind: str, message: str) -> None:
        failed = bench.run(f"probe.{kind}", value=7)[-1]
        assert isinstance(failed, Failed)
        assert failed.error == message
        assert failed.inputs.startswith("value: 7")
        assert "Traceback" in failed.traceback
        assert bench.value("maths.add", a=1) == 1, "the lane goes on"

    def test_a_wired_setting_that_is_not_allowed_fails(self, bench: Bench) -> None:
        failed = bench.run("maths.scale", value=1.0, steps=0)[-1]
        assert isinstance(failed, Failed)
        assert failed.error.endswith("a value that its setting does not allow: steps: must be at least 1 (got 0)")

    def test_paths_are_resolved_inside_the_roots(self, bench: Bench) -> None:
        (bench.config.roots.inputs / "note.txt").write_text("hello")
        assert bench.value("probe.read", {"path": "note.txt"}) == "hello"
        failed = bench.run("probe.read", {"path": "../note.txt"})[-1]
        assert isinstance(failed, Failed)
        assert "goes up with '..'" in failed.error

    def test_partial_work_outlives_the_call_that_kept_it(self, bench: Bench) -> None:
        failed = bench.run("probe.climb", {"tire_at": 3})[-1]
        assert isinstance(failed, Failed)
        assert failed.error == "ValueError: too tired"
        assert bench.value("probe.climb", {"to": 6}) == [4, 5, 6]
        assert bench.value("probe.climb", {"path": "south"}) == [1, 2, 3, 4, 5], "another key"
        assert bench.value("probe.climb", {"of": "maths.add"}) == [1, 2, 3, 4, 5], "another node's"
        lost = bench.run("probe.climb", {"of": "maths.ad"})[-1]
        assert isinstance(lost, Failed)
        words = "no node 'maths.ad' is installed whose partial work could be shared; did you mean 'maths.add'?"
        assert lost.error == words

    def test_it_closes_twice_and_before_anything_ran(self, bench: Bench) -> None:
        bench.lane.close()
        bench.lane.close()


@pytest.mark.parametrize("bench", WAITING, indirect=True)
class TestCancelling:
    """Stopping tasks, begun or not."""

    def test_a_running_task_stops(self, bench: Bench, tmp_path: Path) -> None:
        task = self._wait(bench, tmp_path / "started")
        bench.lane.cancel(task)
        assert bench.end(task)[-1] == Stopped()

    def test_a_task_in_line_stops_without_having_begun(self, bench: Bench, tmp_path: Path) -> None:
        if isinstance(bench.lane, LoopLane):
            return  # it begins everything at once
        first = self._wait(bench, tmp_path / "started")
        second = bench.start("maths.add", a=1)
        bench.lane.cancel(second)
        bench.lane.cancel(first)
        assert bench.end(first)[-1] == Stopped()
        assert bench.end(second) == [Stopped()]

    def test_cancelling_what_is_over_or_unknown_does_nothing(self, bench: Bench) -> None:
        bench.lane.cancel(10**9)
        kind = "probe.double" if isinstance(bench.lane, LoopLane) else "maths.parity"
        task = bench.start(kind, value=1)
        bench.end(task)
        bench.lane.cancel(task)
        assert bench.value(kind, value=1) in (1, 2)

    def test_closing_stops_what_runs(self, bench: Bench, tmp_path: Path) -> None:
        self._wait(bench, tmp_path / "started")
        bench.start("probe.wait_async" if isinstance(bench.lane, LoopLane) else "probe.wait")
        bench.lane.close()
        ends = [report for _, report in drained(bench.reports) if isinstance(report, ENDS)]
        assert ends == [Stopped(), Stopped()]

    def _wait(self, bench: Bench, started: Path) -> int:
        kind = "wait_async" if isinstance(bench.lane, LoopLane) else "wait"
        task = bench.start(f"probe.{kind}", {"started": str(started)})
        until(started.exists)
        return task


@pytest.mark.parametrize("bench", ALL, indirect=True)
class TestGenerators:
    """Nodes that yield what they give."""

    def test_what_is_yielded_becomes_a_list(self, bench: Bench) -> None:
        kind = "counting_inline" if isinstance(bench.lane, InlineLane) else "counting"
        started, partial, finished = bench.run(f"streams.{kind}", {"count": 3})
        assert started == Started()
        assert partial == Partial(1, {"ints": "0"})
        assert isinstance(finished, Finished)
        assert finished.values["ints"].load() == [0, 1, 2]
        assert bench.value(f"streams.{kind}", {"count": 0}) == []

    def test_items_are_given_as_they_come_where_they_are_wanted(self, bench: Bench) -> None:
        told = bench.end(bench.start("streams.counting", {"count": 3}, streamed=True))
        assert [report.value.load() for report in told if isinstance(report, Item)] == [0, 1, 2]
        last = told[-1]
        assert isinstance(last, Finished)
        assert last.values["ints"].load() == [0, 1, 2]

    def test_the_last_value_is_the_result_and_previews_are_shown(self, bench: Bench) -> None:
        told = bench.end(bench.start("streams.halved", watched=True, value=12))
        assert [report for report in told if isinstance(report, Partial)] == [Partial(1, {"int": "12"})]
        (shown,) = [report for report in told if isinstance(report, Shown)]
        assert (shown.preview.data, shown.preview.media_type) == (b"6", "text/plain")
        last = told[-1]
        assert isinstance(last, Finished)
        assert {name: value.load() for name, value in last.values.items()} == {"int": 3}
        assert not [report for report in bench.run("streams.halved", value=12) if isinstance(report, Shown)]

    def test_several_outputs_get_better_together(self, bench: Bench) -> None:
        last = bench.run("streams.extent", values=[4, 1, 9])[-1]
        assert isinstance(last, Finished)
        assert {name: value.load() for name, value in last.values.items()} == {"low": 1, "high": 9}

    def test_what_is_changed_after_it_was_yielded_spoils_nothing(self, bench: Bench) -> None:
        assert bench.value("streams.changing", {"count": 3}) == [[0], [0, 1], [0, 1, 2]]

    def test_a_list_that_is_there_is_a_stream_too(self, bench: Bench) -> None:
        assert bench.value("streams.added", values=[1, 2, 3]) == 6
        assert bench.value("streams.added", {"most": 2}, values=[1, 2, 3]) == 3
        assert bench.value("streams.twice", values=[1, 2]) == [1, 2, 1, 2]

    @pytest.mark.parametrize(
        ("kind", "how", "at", "message"),
        [
            ("wrong", "type", 1, "yielded a str as item 2 of 'ints'; it promises list[int]"),
            ("wrong", "no value", 0, "yielded no value as item 1 (it is gone); leave the item out instead"),
            (
                "wrong",
                "graph",
                0,
                "yielded a graph to run in its place, as value 1; return one, or yield values",
            ),
            (
                "wrong",
                "return",
                1,
                "returned a list; a generator gives what it yields, so write 'yield' in place of 'return'",
            ),
            (
                "wrongly",
                "type",
                1,
                "of what it yielded, value 2 is wrong: its output 'int' is a str; it promises int",
            ),
            (
                "wrongly",
                "graph",
                0,
                "yielded a graph to run in its place, as value 1; return one, or yield values",
            ),
            (
                "wrongly",
                "nothing",
                0,
                "yielded no value; the last one that it yields is its output, so it must yield at least one",
            ),
            (
                "wrongly",
                "return",
                1,
                "returned a int; a generator gives what it yields, so write 'yield' in place of 'return'",
            ),
        ],
    )
    def test_misuse_fails_in_clear_words(self, bench: Bench, kind: str, how: str, at: int, message: str) -> None:
        failed = bench.run(f"streams.{kind}", {"how": how, "at": at})[-1]
        assert isinstance(failed, Failed)
        assert failed.error == message

    def test_a_lazy_input_is_asked_for_before_the_first_yield(self, bench: Bench) -> None:
        ends = []
        for at in (0, 1):
            task = Task(new_id(), "streams.wrong", {"how": "ask", "at": at}, {}, lazy=("value",))
            bench.lane.submit(task, lambda number, report: bench.reports.put((number, report)))
            ends.append(bench.end(task.id)[-1])
        asked, failed = ends
        assert asked == Asked("value")
        assert isinstance(failed, Failed)
        words = "asked for its input 'value' after it had yielded; ask for lazy inputs before the first yield"
        assert failed.error == words


@pytest.mark.parametrize("bench", ["thread", "process"], indirect=True)
class TestStreams:
    """Items that reach a task while it runs."""

    def test_each_item_is_taken_before_the_next_is_there(self, bench: Bench) -> None:
        task = bench.start("streams.plus", {"add": 10}, streams=("values",), streamed=True)
        for item in range(3):
            bench.feed(task, item)
            assert bench.item(task) == item + 10
        bench.feed(task, last=True)
        last = bench.end(task)[-1]
        assert isinstance(last, Finished)
        assert last.values["ints"].load() == [10, 11, 12]

    def test_many_items_at_once_and_large_ones_come_in_order(self, bench: Bench) -> None:
        task = bench.start("streams.added", streams=("values",))
        bench.feed(task, *range(500))
        bench.feed(task, *range(500, 1000), last=True)
        last = bench.end(task)[-1]
        assert isinstance(last, Finished)
        assert last.values["int"].load() == 499_500

    def test_a_list_is_gone_through_twice_while_it_comes(self, bench: Bench) -> None:
        task = bench.start("streams.twice", streams=("values",))
        bench.feed(task, 1)
        bench.feed(task, 2, last=True)
        last = bench.end(task)[-1]
        assert isinstance(last, Finished)
        assert last.values["ints"].load() == [1, 2, 1, 2]

    def test_a_task_in_line_is_fed_before_it_begins(self, bench: Bench, tmp_path: Path) -> None:
        first = bench.start("probe.wait", {"started": str(tmp_path / "started")})
        until((tmp_path / "started").exists)
        second = bench.start("streams.added", streams=("values",))
        bench.feed(second, 1, 2)
        bench.lane.cancel(first)
        bench.feed(second, 3, last=True)
        assert bench.end(first)[-1] == Stopped()
        last = bench.end(second)[-1]
        assert isinstance(last, Finished)
        assert last.values["int"].load() == 6

    def test_one_that_waits_for_items_stops(self, bench: Bench) -> None:
        task = bench.start("streams.plus", streams=("values",), streamed=True)
        bench.feed(task, 1)
        assert bench.item(task) == 2
        bench.lane.cancel(task)
        assert bench.end(task)[-1] == Stopped()

    def test_one_that_is_over_is_fed_in_vain(self, bench: Bench) -> None:
        task = bench.start("streams.added", {"most": 1}, streams=("values",))
        bench.feed(task, 5, 6)
        assert isinstance(bench.end(task)[-1], Finished)
        bench.feed(task, 7, last=True)
        assert bench.value("streams.added", values=[1]) == 1

    def test_an_item_of_another_type_fails_it(self, bench: Bench) -> None:
        task = bench.start("streams.added", streams=("values",))
        bench.feed(task, 1, "a text", last=True)
        failed = bench.end(task)[-1]
        assert isinstance(failed, Failed)
        assert failed.error == "its input 'values' is given a str as item 2; it takes list[int]"


def test_the_time_that_a_worker_waits_for_items_is_not_limited(tmp_path: Path) -> None:
    """Another task, which may take as long and begins later, is out of time first."""
    bench = bench_of("process", tmp_path)
    bench.lane = process_lane(bench.config, bench.cache, workers=2, seconds=0.3)
    with closing(bench.lane):
        waiting = bench.start("streams.plus", streams=("values",), streamed=True)
        bench.feed(waiting, 1)
        assert bench.item(waiting) == 2
        late = bench.end(bench.start("probe.wait"))[-1]
        assert isinstance(late, Failed)
        assert "it took longer than the 0.3 s of time_limit" in late.error
        bench.feed(waiting, 2, last=True)
        assert isinstance(bench.end(waiting)[-1], Finished)


@pytest.mark.parametrize("kind", ["loop", "process"])
def test_async_generators_and_streams(kind: str, tmp_path: Path) -> None:
    bench = bench_of(kind, tmp_path)
    with closing(bench.lane):
        told = bench.end(bench.start("streams.counting_async", {"count": 3}, streamed=True))
        assert [report.value.load() for report in told if isinstance(report, Item)] == [0, 1, 2]
        assert bench.value("streams.halved_async", value=12) == 3
        assert bench.value("streams.added_async", values=[1, 2, 3]) == 6
        task = bench.start("streams.added_async", streams=("values",))
        until(lambda: bench.reports.qsize())
        bench.feed(task, 1, 2)
        bench.feed(task, 3, last=True)
        last = bench.end(task)[-1]
        assert isinstance(last, Finished)
        assert last.values["int"].load() == 6
        waiting = bench.start("streams.added_async", streams=("values",))
        until(lambda: bench.reports.qsize())
        bench.lane.cancel(waiting)
        assert bench.end(waiting)[-1] == Stopped()


class TestLoopLane:
    """Async nodes, which wait together."""

    def test_a_task_starts_and_finishes_or_fails(self, tmp_path: Path) -> None:
        bench = bench_of("loop", tmp_path)
        with closing(bench.lane):
            assert bench.value("probe.double", value=4) == 8
            assert bench.value("probe.double_in_thread", value=4) == 8
            failed = bench.run("probe.fail_async", value=1)[-1]
        assert isinstance(failed, Failed)
        assert failed.error == "ValueError: no luck on the loop"

    def test_the_process_lane_runs_async_nodes_too(self, tmp_path: Path) -> None:
        bench = bench_of("process", tmp_path)
        with closing(bench.lane):
            assert bench.value("probe.double", value=4) == 8


@pytest.mark.parametrize("kind", ["inline", "thread", "loop", "process"])
def test_a_closed_lane_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    threads, files = set(threading.enumerate()), open_files()
    bench = bench_of(kind, tmp_path)
    with closing(bench.lane):
        if kind == "loop":
            bench.value("probe.double_in_thread", value=1)
        else:
            bench.value("maths.add", a=1)
    del bench
    assert set(threading.enumerate()) <= threads
    assert open_files() <= files
    assert no_children()


def test_an_idle_thread_holds_no_values(tmp_path: Path) -> None:
    bench = bench_of("thread", tmp_path)
    with closing(bench.lane):
        value: StoredValue | None = bench.cache.wrap([1, 2, 3])
        assert value is not None
        seen = weakref.ref(value)
        task = Task(new_id(), "probe.count", {}, {"items": (value,)})
        bench.lane.submit(task, lambda number, report: bench.reports.put((number, report)))
        bench.end(task.id)
        del value, task
        until(lambda: seen() is None)
