"""What only a lane in processes of its own can survive: nodes that end, crash, fill or block their process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue

import pytest
from lane_kit import ENDS, WORKER, Bench, bench_of, drained, process_lane, until

from graphgen.cache.stored import MAPPED
from graphgen.process import ending
from graphgen.remote import ProcessLane
from graphgen.tasks import Failed, Finished, Logged, Report, Started, Stopped

Made = Callable[..., Bench]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """Make benches with a lane of workers, whose terms may be changed."""
    benches: list[Bench] = []

    def make(**changes: object) -> Bench:
        bench = bench_of("process", tmp_path)
        bench.lane = process_lane(bench.config, bench.cache, **changes)  # type: ignore[arg-type]
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.lane.close()


def failure(told: list[Report]) -> Failed:
    assert isinstance(told[-1], Failed), told
    return told[-1]


def written(path: Path) -> str:
    until(path.exists)
    return path.read_text()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestDying:
    """A worker that ends while a node runs."""

    @pytest.mark.parametrize(
        ("how", "words"),
        [
            ("exit", "ended with exit code 9; let the node raise an error instead of ending its process"),
            ("kill", "was killed (SIGKILL); most likely the system had no memory left; make smaller pictures or "),
            ("segfault", "crashed (SIGSEGV: compiled code used memory that is not its own); update the node's plugin "),
            ("abort", "gave up (SIGABRT: compiled code found something it cannot go on with); update the node's "),
        ],
    )
    def test_it_fails_that_task_in_clear_words_and_is_replaced(self, made: Made, how: str, words: str) -> None:
        bench = made()
        tasks = [
            bench.start("perils.die", {"how": how}, value=3),
            bench.start("maths.add", a=1),
            bench.start("perils.die", {"how": how}, value=3),
            bench.start("maths.add", a=2),
        ]
        first, second, third, fourth = (bench.end(task)[-1] for task in tasks)
        assert isinstance(first, Failed)
        assert first.error.startswith(f"its worker process {words}")
        assert first.inputs.startswith("value: 3")
        assert isinstance(third, Failed)
        assert third.error == first.error
        assert isinstance(second, Finished)
        assert isinstance(fourth, Finished)

    def test_the_traceback_says_where_compiled_code_crashed(self, made: Made) -> None:
        failed = failure(made().run("perils.die", {"how": "segfault"}))
        assert "Fatal Python error: Segmentation fault" in failed.traceback
        assert "in die" in failed.traceback

    def test_sys_exit_costs_not_even_the_worker(self, made: Made) -> None:
        bench = made()
        before = bench.value("perils.process")
        failed = failure(bench.run("perils.die", {"how": "raise"}))
        assert failed.error.startswith("SystemExit: enough; the node called sys.exit, which ends it alone; ")
        assert bench.value("perils.process") == before

    def test_while_idle_it_is_replaced_unnoticed(self, made: Made) -> None:
        bench = made()
        worker = bench.value("perils.process")
        assert isinstance(worker, int)
        os.kill(worker, 9)
        until(lambda: not alive(worker))
        assert bench.value("perils.process") != worker

    def test_while_weights_are_loaded_it_fails_that_task(self, made: Made, tmp_path: Path) -> None:
        bench = made()
        log = str(tmp_path / "log")
        broken, fine = (bench.value("perils.model", {"name": name, "log": log}) for name in ("broken", "fine"))
        failed = failure(bench.run("perils.use", model=broken))
        assert "gave up (SIGABRT" in failed.error
        assert "in load" in failed.traceback
        assert bench.value("perils.use", model=fine) == "cpu"

    def test_every_death_has_words(self) -> None:
        assert ending(0)[0] == "ended with exit code 0"
        assert ending(-15) == ("was ended by SIGTERM", "find out who sent it")
        assert ending(-99)[0] == "was ended by signal 99"


class TestStarting:
    """Workers that cannot begin, or not with all plugins."""

    def test_one_that_cannot_start_is_told_once_and_not_tried_for_ever(self, made: Made, tmp_path: Path) -> None:
        (tmp_path / "broken").mkdir()
        starts = tmp_path / "starts"
        (tmp_path / "broken" / "pydantic.py").write_text(f"open({str(starts)!r}, 'a').write('x')\nraise SystemExit(5)")
        bench = made(environment={"PYTHONPATH": os.pathsep.join([str(tmp_path / "broken"), WORKER["PYTHONPATH"]])})
        tasks = [bench.start("maths.add", a=number) for number in range(5)]
        errors = {failure(bench.end(task)).error for task in tasks}
        (error,) = errors
        assert error.startswith("no worker can be started: it ended with exit code 5 before it was ready; ")
        assert starts.read_text() == "xx", "once more than once, in case the first one was killed by chance"

    def test_a_pack_that_kills_the_process_while_it_is_imported(self, made: Made) -> None:
        failed = failure(made(environment={**WORKER, "PERILS": "die"}).run("perils.process"))
        assert "no worker can be started: it ended with exit code 7 before it was ready" in failed.error

    def test_a_pack_that_calls_sys_exit_while_it_is_imported_fails_its_own_nodes(self, made: Made) -> None:
        bench = made(environment={**WORKER, "PERILS": "exit"})
        failed = failure(bench.run("perils.process"))
        words = "the worker has no node 'perils.process'; its plugin could not be loaded there: SystemExit: "
        assert failed.error.startswith(words + "no pack today; ")
        assert bench.value("maths.add", a=1) == 1

    def test_a_pack_that_is_not_there_is_named(self, made: Made) -> None:
        failed = failure(made(environment={}).run("maths.add", a=1))
        words = "the worker has no node 'maths.add'; install its plugin where workers find it too"
        assert failed.error == words


class TestNotStopping:
    """Nodes that would go on for ever."""

    @pytest.mark.parametrize(
        ("kind", "how", "grace"), [("dawdle", "it stopped when", 60.0), ("spin", "it did not stop when", 1.0)]
    )
    def test_the_time_limit_fails_the_node_and_nothing_else(
        self, made: Made, kind: str, how: str, grace: float
    ) -> None:
        bench = made(seconds=0.3, grace=grace)
        tasks = [bench.start(f"perils.{kind}"), bench.start("maths.add", a=1)]
        failed = failure(bench.end(tasks[0]))
        assert failed.error.startswith(f"it took longer than the 0.3 s of time_limit; {how} it was asked to")
        assert failed.error.endswith("; set time_limit higher, or give the node less to do")
        assert isinstance(bench.end(tasks[1])[-1], Finished)

    def test_a_node_that_ignores_cancelling_is_ended_with_its_worker(self, made: Made, tmp_path: Path) -> None:
        bench = made(grace=0.2)
        task = bench.start("perils.spin", {"started": str(tmp_path / "pid")})
        worker = int(written(tmp_path / "pid"))
        bench.lane.cancel(task)
        assert bench.end(task)[-1] == Stopped()
        until(lambda: not alive(worker))
        assert bench.value("maths.add", a=1) == 1

    def test_closing_ends_it_too(self, made: Made, tmp_path: Path) -> None:
        bench = made(grace=0.2)
        bench.start("perils.spin", {"started": str(tmp_path / "pid")})
        bench.start("maths.add", a=1)
        worker = int(written(tmp_path / "pid"))
        bench.lane.close()
        assert [report for _, report in drained(bench.reports) if isinstance(report, ENDS)] == [Stopped(), Stopped()]
        assert not alive(worker)

    def test_the_memory_limit_ends_the_worker(self, made: Made) -> None:
        bench = made(own_bytes=300 << 20)
        failed = failure(bench.run("perils.bloat", {"megabytes": 400}))
        words = "its worker took more memory than the 0.3 GiB of worker_bytes and was ended; set worker_bytes "
        assert failed.error.startswith(words)
        assert bench.value("maths.add", a=1) == 1

    def test_others_on_the_loop_are_told_when_one_blocks_it(self, made: Made, tmp_path: Path) -> None:
        bench = made(width=8, grace=0.3)
        waiting = bench.start("probe.wait_async", {"started": str(tmp_path / "waiting")})
        until((tmp_path / "waiting").exists)
        blocking = bench.start("perils.spin_async", {"started": str(tmp_path / "pid")})
        written(tmp_path / "pid")
        bench.lane.cancel(blocking)
        assert bench.end(blocking)[-1] == Stopped()
        words = "its worker was ended because another node in it did not stop; run it again"
        assert failure(bench.end(waiting)).error == words
        assert bench.value("probe.double", value=2) == 4


class TestPool:
    """Several workers, and several tasks in one."""

    def test_tasks_run_side_by_side_in_as_many_workers_as_allowed(self, made: Made, tmp_path: Path) -> None:
        bench = made(workers=2)
        tasks = [bench.start("perils.dawdle", {"started": str(tmp_path / str(number))}) for number in range(3)]
        workers = {written(tmp_path / str(number)) for number in range(2)}
        assert len(workers) == 2
        bench.lane.cancel(tasks[0])
        assert written(tmp_path / "2") in workers, "the third waited for one of them"
        for task in tasks:
            bench.lane.cancel(task)
            assert bench.end(task)[-1] == Stopped()

    def test_a_worker_is_started_only_when_the_others_are_busy(self, made: Made) -> None:
        bench = made(workers=8)
        assert len({bench.value("perils.process") for _ in range(5)}) == 1

    def test_what_waits_goes_on_when_workers_die(self, made: Made) -> None:
        bench = made(workers=2)
        dying = [bench.start("perils.die", {"how": "kill"}) for _ in range(4)]
        fine = [bench.start("maths.add", a=number) for number in range(20)]
        assert all(isinstance(bench.end(task)[-1], Failed) for task in dying)
        ends = [bench.end(task)[-1] for task in fine]
        assert [end.values["int"].load() for end in ends if isinstance(end, Finished)] == list(range(20))

    def test_async_nodes_wait_together_in_one_worker(self, made: Made) -> None:
        bench = made(width=3)
        tasks = [bench.start("probe.gather", {"name": "three", "parties": 3, "seat": seat}) for seat in range(3)]
        assert all(isinstance(bench.end(task)[-1], Finished) for task in tasks)


class TestValues:
    """What crosses, and what does not."""

    @pytest.mark.parametrize("size", [0, 1, 1000, MAPPED - 1, MAPPED, 5 << 20])
    def test_a_node_that_writes_into_its_input_spoils_nobodys(self, made: Made, size: int) -> None:
        bench = made()
        told = bench.run("perils.sheet", {"size": max(size, 1), "fill": 7})[-1]
        assert isinstance(told, Finished)
        sheet = told.values["sheet"].load()
        for _ in range(2):
            assert bench.value("perils.scribble", sheet=sheet) == 7
        assert bench.value("perils.first", sheet=sheet) == 7
        again = told.values["sheet"].load()
        assert bench.cache.wrap(again).digest == told.values["sheet"].digest

    def test_large_texts_cross_unharmed(self, made: Made) -> None:
        text = "ä" * 3_000_000
        assert made().value("maths.join", words=(text,)) == text

    def test_many_large_values_cross_at_once(self, made: Made) -> None:
        bench = made()
        texts = tuple("x" * MAPPED for _ in range(5))
        assert bench.value("maths.join", {"between": ""}, words=texts) == "x" * (5 * MAPPED)

    def test_prints_go_to_standard_error(self, made: Made, capfd: pytest.CaptureFixture[str]) -> None:
        bench = made()
        told = bench.run("perils.speak", {"words": "hear hear"})
        bench.lane.close()
        out, err = capfd.readouterr()
        assert out == ""
        assert err.splitlines() == ["hear hear printed", "hear hear original", "hear hear below"]
        assert not [report for report in told if isinstance(report, Logged)]
        assert told[0] == Started()


def test_a_lane_without_tasks_starts_nothing(tmp_path: Path) -> None:
    bench = bench_of("process", tmp_path)
    assert isinstance(bench.lane, ProcessLane)
    with closing(bench.lane):
        assert bench.lane.warm() == {}
        assert isinstance(bench.reports, SimpleQueue)
    assert bench.reports.empty()
