"""Carrying out plans: what runs, what is found, what fails, what is cancelled, and what is let go."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from engine_kit import Log, N, carry_out, engine, registry, workflow
from packs import probe
from random_graphs import as_workflow, evaluate, random_sketches

from graphgen import Context, events, hookimpl, node
from graphgen.cache import StoredValue
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.events import Event
from graphgen.jsontypes import JSON
from graphgen.plugins import module_plugins
from graphgen.registry import build_registry


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


def chain(length: int, kind: str = "maths.quick") -> dict[str, JSON]:
    nodes: dict[str, JSON] = {"n0": N("maths.number", {"value": 1})}
    for index in range(1, length):
        nodes[f"n{index}"] = N(kind, {"extra": 1}, a=f"n{index - 1}.int")
    return workflow(nodes, f"n{length - 1}.int")


class TestOrder:
    """What runs, and when."""

    def test_only_what_the_targets_need_runs(self, machine: Engine) -> None:
        nodes = {"one": N("maths.number"), "two": N("maths.add", a="one.int"), "other": N("probe.fail")}
        report, log = carry_out(machine, workflow(nodes, "two.int"))
        assert report.status == "done"
        assert log.ran == {"one", "two"}

    def test_events_come_in_the_order_of_what_happens(self, machine: Engine) -> None:
        nodes = {"one": N("maths.number"), "two": N("maths.add", a="one.int")}
        _, log = carry_out(machine, workflow(nodes, "two.int"))
        told = [(events.event_name(event), getattr(event, "node", "")) for event in log.events]
        assert told == [
            ("run_started", ""),
            ("node_started", "one"),
            ("node_finished", "one"),
            ("node_started", "two"),
            ("node_finished", "two"),
            ("run_finished", ""),
        ]

    @pytest.mark.parametrize("kind", ["maths.quick", "maths.add"])
    def test_a_chain_of_ten_thousand(self, machine: Engine, kind: str) -> None:
        length = 10_000 if kind == "maths.quick" else 2_000
        report, _ = carry_out(machine, chain(length, kind))
        assert report.outputs[f"n{length - 1}"] == length
        assert report.ran == length
        again, _ = carry_out(machine, chain(length, kind))
        assert (again.ran, again.outputs[f"n{length - 1}"]) == (0, length)

    def test_ten_thousand_side_by_side(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {f"n{index}": N("maths.number", {"value": index}) for index in range(10_000)}
        nodes["all"] = N("maths.total", values=[f"n{index}.int" for index in range(10_000)])
        report, _ = carry_out(machine, workflow(nodes, "all.int"))
        assert report.outputs["all"] == sum(range(10_000))

    def test_a_deep_chain_of_failures_is_skipped_without_recursion(self, machine: Engine) -> None:
        source = chain(5_000)
        nodes = source["nodes"]
        assert isinstance(nodes, dict)
        nodes["n0"] = N("probe.fail")
        report, log = carry_out(machine, source)
        assert report.skipped == 4_999
        assert len(log.skipped) == 4_999

    def test_independent_branches_run_at_the_same_time(self, machine: Engine) -> None:
        # equal nodes run once, so the two that meet must differ in their settings
        probe.MEETINGS["here"] = probe.MEETINGS["here too"] = threading.Barrier(2)
        nodes: dict[str, JSON] = {name: N("probe.meet", {"name": name}) for name in ("here", "here too")}
        report, _ = carry_out(machine, workflow({"a": nodes["here"], "b": nodes["here too"]}, "a.int", "b.int"))
        assert report.status == "done"

    def test_async_nodes_wait_together(self, machine: Engine) -> None:
        nodes = {f"g{seat}": N("probe.gather", {"parties": 50, "seat": seat}) for seat in range(50)}
        report, _ = carry_out(machine, workflow(nodes, *(f"{name}.int" for name in nodes)))
        assert report.ran == 50

    def test_equal_nodes_compute_once(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {"one": N("maths.number", {"value": 4}), "other": N("maths.number", {"value": 4})}
        for side, source in (("left", "one"), ("right", "other")):
            nodes[side] = N("maths.add", {"extra": 1}, a=f"{source}.int")
            nodes[f"{side}_end"] = N("maths.parity", value=f"{side}.int")
        report, log = carry_out(machine, workflow(nodes, "left_end.int", "right_end.int"))
        assert (report.ran, report.cached) == (3, 3)
        assert {event.source for event in log.events if isinstance(event, events.NodeCached)} == {"equal"}
        assert dict(report.outputs) == {"left_end": 1, "right_end": 1}


class TestFailures:
    """What nodes do to themselves, and to nobody else."""

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("fail", "ValueError: no such luck"),
            ("fail_inline", "ValueError: no luck inline"),
            ("fail_async", "ValueError: no luck on the loop"),
            (
                "leave",
                "SystemExit: 3; the node called sys.exit, which ends it alone; let it raise an error instead",
            ),
            ("interrupt", "KeyboardInterrupt"),
            ("give_up", "I do not want to"),
            ("lie", "its output 'int' is a str; it promises int"),
            ("hide", "the type packs.probe.Secret is not registered; return it from register_types()"),
        ],
    )
    def test_a_node_that_fails_takes_its_dependants_with_it(self, machine: Engine, kind: str, message: str) -> None:
        nodes = {
            "one": N("maths.number", {"value": 7}),
            "bad": N(f"probe.{kind}", value="one.int"),
            "after": N("maths.add", a="bad.int"),
            "last": N("maths.add", a="after.int", b="good.int"),
            "good": N("maths.add", a="one.int"),
        }
        if kind == "hide":
            del nodes["after"], nodes["last"]
        report, log = carry_out(
            machine,
            workflow(
                nodes, *(f"{name}.int" for name in nodes if name != "bad"), "bad.any" if kind == "hide" else "bad.int"
            ),
        )
        assert report.status == "failed"
        assert report.outputs["good"] == 7
        assert (log.failed, log.skipped) == ({"bad"}, {"after", "last"} & set(nodes))
        (failure,) = report.failures
        assert failure.message == message
        assert (
            failure.inputs == "value: 7"
            if kind != "leave" and kind != "fail"
            else failure.inputs.startswith("value: 7, ")
        )
        assert (kind in failure.traceback) == (kind not in ("lie", "hide"))

    def test_a_node_that_gives_something_though_it_promised_nothing(self, machine: Engine) -> None:
        nodes = {"one": N("maths.number"), "bad": N("probe.nothing", value="one.int")}
        report = machine.execute(machine.plan(machine.check(workflow(nodes, "one.int")), ["bad"]))
        assert report.failures[0].message == "returned a int, but its signature says '-> None'"

    def test_a_wired_value_that_the_setting_does_not_allow_fails_clearly(self, machine: Engine) -> None:
        nodes = {"now": N("probe.clock"), "s": N("maths.scale", value="now.int", steps="now.int")}
        report, _ = carry_out(machine, workflow(nodes, "s.float"))
        assert report.failures[0].message == (
            "a wire brings a value that its setting does not allow: steps: must be at least 1 (got 0)"
        )

    def test_an_input_that_is_changed_spoils_nobody_else(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {"list": N("probe.numbers")}
        for index in range(4):
            nodes[f"spoil{index}"] = N("probe.spoil", {"by": index}, items="list.ints")
        nodes["count"] = N("probe.count", items="list.ints")
        report, _ = carry_out(machine, workflow(nodes, "spoil0.int", "count.int", "spoil3.int", "list.ints"))
        assert dict(report.outputs) == {"spoil0": 3, "count": 3, "spoil3": 6, "list": [0, 1, 2]}

    def test_a_setting_that_is_changed_spoils_no_later_run(self, machine: Engine) -> None:
        graph = machine.check(workflow({"s": N("probe.spoil_settings", {"items": [1, 2]})}, "s.int"))
        for _ in range(2):
            assert machine.execute(machine.plan(graph, force=["s"])).outputs["s"] == 3

    def test_a_listener_that_raises_ends_the_run_and_leaves_the_engine_usable(self, machine: Engine) -> None:
        source = workflow({"one": N("maths.number"), "two": N("maths.add", a="one.int")}, "two.int")

        def listen(event: Event) -> None:
            if isinstance(event, events.NodeStarted) and event.node == "two":
                raise BrokenPipeError("nobody reads this")

        with pytest.raises(BrokenPipeError):
            machine.run(source, listen=listen)
        assert carry_out(machine, source)[0].outputs["two"] == 0

    def test_ctrl_c_in_an_inline_node_cancels(self, machine: Engine) -> None:
        nodes = {
            "one": N("maths.add", a="n.int"),
            "n": N("maths.number"),
            "bad": N("probe.interrupt_inline", value="one.int"),
        }
        report, _ = carry_out(machine, workflow(nodes, "bad.int"))
        assert report.status == "cancelled"
        assert carry_out(machine, workflow(nodes, "one.int"))[0].ran == 0

    def test_a_plugin_whose_fingerprint_raises_is_a_problem(self, machine: Engine) -> None:
        with pytest.raises(Exception, match=r"r: probe\.read_badly could not say what it reads: KeyError"):
            carry_out(machine, workflow({"r": N("probe.read_badly")}, "r.str"))

    def test_a_late_report_from_a_thread_left_behind_is_ignored(self, machine: Engine) -> None:
        left: list[threading.Thread] = []

        @node(category="x")
        def hasty(context: Context) -> int:
            left.append(threading.Timer(0.05, lambda: context.log("still here")))
            left[-1].start()
            return 1

        @node(category="x")
        def slow() -> int:
            time.sleep(0.15)
            return 2

        class Pack:
            @hookimpl
            def register_nodes(self) -> list[Callable[..., object]]:
                return [hasty, slow]

        with engine(machine.config.roots.data, installed=build_registry(module_plugins({"p": Pack()}))) as other:
            report, _ = carry_out(other, workflow({"h": N("p.hasty"), "s": N("p.slow")}, "h.int", "s.int"))
        assert report.status == "done"
        left[0].join()


class TestCancelling:
    """Stopping a run."""

    @pytest.mark.parametrize("kind", ["wait", "wait_async"])
    def test_what_runs_stops_and_what_is_finished_is_kept(self, machine: Engine, kind: str, tmp_path: Path) -> None:
        control, started = Control(), tmp_path / "started"
        nodes = {
            "one": N("maths.number"),
            "done": N("maths.add", a="one.int"),
            "stuck": N(f"probe.{kind}", {"started": str(started)}, value="done.int"),
            "after": N("maths.add", a="stuck.int"),
        }
        source = workflow(nodes, "after.int", "done.int")
        threading.Thread(target=_cancel_when, args=(control, started.exists)).start()
        report, log = carry_out(machine, source, control=control)
        assert report.status == "cancelled"
        assert (log.ran, log.skipped) == ({"one", "done"}, {"stuck", "after"})
        assert carry_out(machine, workflow(nodes, "done.int"))[0].ran == 0

    def test_a_run_cancelled_before_it_begins_does_nothing(self, machine: Engine) -> None:
        control = Control()
        control.cancel()
        report, log = carry_out(machine, workflow({"one": N("maths.number")}, "one.int"), control=control)
        assert (report.status, log.skipped) == ("cancelled", {"one"})

    def test_a_run_that_was_finished_anyway_is_done(self, machine: Engine) -> None:
        control = Control()
        source = workflow({"one": N("maths.number")}, "one.int")

        def listen(event: Event) -> None:
            if isinstance(event, events.NodeFinished):
                control.cancel()

        assert machine.run(source, listen=listen, control=control).status == "done"

    def test_closing_the_engine_ends_a_run_in_another_thread(self, tmp_path: Path) -> None:
        reports = []
        with engine(tmp_path) as machine:
            started = tmp_path / "started"
            source = workflow({"w": N("probe.wait", {"started": str(started)})}, "w.int")
            runner = threading.Thread(target=lambda: reports.append(machine.run(source)))
            runner.start()
            _until(started.exists)
        runner.join(240)
        assert [report.status for report in reports] == ["cancelled"]


class TestTogether:
    """Several runs on one engine."""

    def test_two_runs_at_once_share_the_work(self, machine: Engine) -> None:
        source = workflow({"m": N("probe.meet", {"parties": 2}), "n": N("maths.add", a="m.int")}, "n.int")
        reports = []
        runners = [threading.Thread(target=lambda: reports.append(machine.run(source))) for _ in range(2)]
        probe.MEETINGS[""] = threading.Barrier(2)
        for runner in runners:
            runner.start()
        _until(lambda: probe.MEETINGS[""].n_waiting == 1)
        time.sleep(0.1)  # the other run finds it claimed, and waits
        assert probe.MEETINGS[""].n_waiting == 1
        probe.MEETINGS[""].wait(240)
        for runner in runners:
            runner.join(240)
        assert [report.outputs["n"] for report in reports] == [1, 1]
        assert sum(report.ran for report in reports) <= 3

    def test_many_runs_at_once_do_not_disturb_each_other(self, machine: Engine) -> None:
        results: dict[int, object] = {}
        sketches = {seed: random_sketches(Random(seed)) for seed in range(6)}

        def work(seed: int) -> None:
            results[seed] = dict(machine.run(as_workflow(sketches[seed])).outputs)

        runners = [threading.Thread(target=work, args=(seed,)) for seed in sketches]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join(240)
        assert results == {seed: evaluate(sketches[seed]) for seed in sketches}


class TestMemory:
    """Values are let go when nobody needs them any more."""

    def test_values_in_the_middle_of_a_chain_are_released(self, tmp_path: Path) -> None:
        nodes: dict[str, JSON] = {"n0": N("maths.number")}
        for index in range(1, 30):
            nodes[f"n{index}"] = N("maths.add", {"extra": 1}, a=f"n{index - 1}.int")
        values: list[weakref.ref[StoredValue]] = []
        alive: list[int] = []

        def listen(event: Event) -> None:
            if isinstance(event, events.NodeFinished):
                alive.append(sum(ref() is not None for ref in values))

        with engine(tmp_path, use_cache=False, memory_bytes=0, threads=1) as machine:
            wrap = machine.cache.wrap

            def remember(value: object) -> StoredValue:
                values.append(weakref.ref(stored := wrap(value)))
                return stored

            machine.cache.wrap = remember  # type: ignore[method-assign]
            machine.run(workflow(nodes, "n29.int"), listen=listen)
        assert len(values) == 30
        assert max(alive) <= 4, "the value just made, its input, and what the thread that made it still holds"

    def test_nothing_stays_after_the_run_but_what_was_asked_for(self, machine: Engine) -> None:
        report, _ = carry_out(machine, chain(50))
        gc.collect()
        assert list(report.outputs.stored) == ["n49"]


class TestTalking:
    """Progress, previews and messages."""

    def test_progress_logs_and_previews_become_events(self, machine: Engine) -> None:
        nodes = {"one": N("maths.number", {"value": 3}), "t": N("probe.talk", value="one.int")}
        _, log = carry_out(machine, workflow(nodes, "t.int"))
        assert log.of(events.NodeLog) == ["t", "t"]
        assert log.of(events.NodePreview) == ["t"]
        progress = [event for event in log.events if isinstance(event, events.NodeProgress)]
        assert (progress[-1].done, progress[-1].total) == (3, 3)

    def test_previews_are_not_made_when_nobody_watches(self, machine: Engine) -> None:
        nodes = {"one": N("maths.number", {"value": 3}), "t": N("probe.talk", value="one.int")}
        log = Log()
        machine.execute(machine.plan(machine.check(workflow(nodes, "t.int"))), listen=log, previews=False)
        assert log.of(events.NodePreview) == []
        assert log.of(events.NodeLog) == ["t", "t"]

    @pytest.mark.parametrize("total", [0, 1, 2000])
    def test_a_storm_of_progress_is_thinned_out(self, machine: Engine, total: int) -> None:
        began = time.monotonic()
        _, log = carry_out(machine, workflow({"s": N("probe.storm", {"total": total})}, "s.int"))
        most = 2 * ((time.monotonic() - began) / 0.1 + 2)
        assert 1 <= len(log.of(events.NodeProgress)) <= most

    def test_the_device_is_the_cpu_where_there_is_no_other(self, machine: Engine) -> None:
        report, _ = carry_out(machine, workflow({"w": N("probe.where")}, "w.str"))
        assert report.outputs["w"] == "cpu float32"


def _cancel_when(control: Control, condition: Callable[[], bool]) -> None:
    _until(condition)
    control.cancel()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_the_registry_of_these_tests_is_whole() -> None:
    assert len(registry().nodes) > 40
