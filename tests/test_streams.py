"""Generator nodes in runs: who starts early, what comes out, what is kept, and what happens when something fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Semaphore, Timer

import pytest
from engine_kit import Log, N, carry_out, config, engine, workflow
from lane_kit import WORKER, installed, others
from packs import streams
from packs.steering import CALLS as COUNTED

from graphgen import events
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.events import Event
from graphgen.jsontypes import JSON
from graphgen.report import Report


@pytest.fixture(autouse=True)
def _fresh() -> None:
    for counts in (streams.CALLS, streams.MARKS, COUNTED):
        counts.clear()
    streams.GATES.clear()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


def mapped(type_: str, source: str, settings: dict[str, JSON] | None = None, **clause: JSON) -> dict[str, JSON]:
    """Write a map over a list."""
    return {**N(type_, settings, value=source), "map": {"over": ["value"], **clause}}


def doubled(source: str, **clause: JSON) -> dict[str, JSON]:
    """Write a map that counts its calls."""
    return mapped("steering.counted", source, {"add": 10, "word": "item"}, **clause)


class Gatekeeper(Log):
    """Lets a gated list give its first item, and each next one when `lets` says so of an event."""

    def __init__(self, lets: Callable[[Event], bool], gate: str = "") -> None:
        super().__init__()
        self._lets = lets
        self._gate = streams.GATES.setdefault(gate, Semaphore(1))

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if self._lets(event):
            self._gate.release()


def guarded(machine: Engine, document: dict[str, JSON], listen: Log, control: Control | None = None) -> Report:
    """Run a workflow that would wait for ever if nothing started early; then it is cancelled after a while."""
    control = control or Control()
    watchdog = Timer(60, control.cancel)
    watchdog.start()
    try:
        return machine.run(document, listen=listen, control=control)
    finally:
        watchdog.cancel()


def finished(prefix: str) -> Callable[[Event], bool]:
    """Tell of events that say that a node of a map has ended."""
    return lambda event: isinstance(event, events.NodeFinished) and event.node.startswith(prefix)


# --- who starts early -------------------------------------------------------------------------------------------------


def test_a_map_starts_with_the_first_item(machine: Engine) -> None:
    """Each item is let out only after the turn before it has ended."""
    nodes = {"list": N("streams.gated", {"count": 4}), "each": doubled("list.ints")}
    log = Gatekeeper(finished("each/"))
    report = guarded(machine, workflow(nodes, "each.int"), log)
    assert (report.status, dict(report.outputs)) == ("done", {"each": [10, 11, 12, 13]})
    order = [event.node for event in log.events if isinstance(event, events.NodeFinished)]
    assert order.index("each/3") < order.index("list") < order.index("each")


def test_maps_of_maps_start_with_the_first_item_and_give_them_in_order(machine: Engine) -> None:
    nodes = {"list": N("streams.gated", {"count": 4}), "each": doubled("list.ints"), "more": doubled("each.int")}
    report = guarded(machine, workflow(nodes, "more.int"), Gatekeeper(finished("more/")))
    assert (report.status, dict(report.outputs)) == ("done", {"more": [20, 21, 22, 23]})


def test_a_node_that_takes_a_stream_starts_with_the_first_item(machine: Engine) -> None:
    """It gives a list of its own as it comes, over which a map goes."""
    nodes = {
        "list": N("streams.gated", {"count": 3}),
        "plus": N("streams.plus", {"add": 5}, values="list.ints"),
        "each": doubled("plus.ints"),
        "sum": N("streams.added", values="plus.ints"),
    }
    report = guarded(machine, workflow(nodes, "each.int", "sum.int"), Gatekeeper(finished("each/")))
    assert (report.status, dict(report.outputs)) == ("done", {"each": [15, 16, 17], "sum": 18})


def test_what_needs_the_whole_waits_for_it(machine: Engine) -> None:
    nodes = {
        "list": N("streams.counting", {"count": 3}),
        "sum": N("steering.summed", values="list.ints"),
        "inline": N("streams.added_inline", values="list.ints"),
        "loop": {**N("maths.add", a="list.ints"), "loop": {"over": ["a"]}},
        "zip": {**N("maths.add", a="list.ints", b="list.ints"), "map": {"over": ["a", "b"]}},
    }
    report, log = carry_out(machine, workflow(nodes, "sum.int", "inline.int", "loop.int", "zip.int"))
    assert dict(report.outputs) == {"sum": 3, "inline": 3, "loop": 2, "zip": [0, 2, 4]}
    begun = [event.node for event in log.events if isinstance(event, events.NodeStarted | events.NodeFinished)]
    assert all(begun.index("list", 1) < begun.index(name) for name in ("sum", "inline", "loop", "zip"))


def test_other_inputs_are_waited_for(machine: Engine) -> None:
    """They come when the list has begun to grow, and before it is whole."""
    streams.GATES["base"] = Semaphore(0)
    nodes = {
        "list": N("streams.gated", {"count": 2}),
        "many": N("streams.gated", {"count": 1, "gate": "base"}),
        "base": N("steering.summed", values="many.ints"),
        "sum": N("streams.added", values="list.ints", base="base.int"),
    }

    def lets(event: Event) -> bool:
        if isinstance(event, events.NodePartial) and event.node == "list":
            streams.GATES["base"].release(2)
        if isinstance(event, events.NodeStarted) and event.node == "sum":
            streams.GATES[""].release(2)
        return False

    report = guarded(machine, workflow(nodes, "sum.int"), Gatekeeper(lets))
    assert (report.status, dict(report.outputs)) == ("done", {"sum": 1})


# --- what comes out, and what is kept ---------------------------------------------------------------------------------

LISTS = {
    "streamed": N("streams.counting", {"count": 5}),
    "async": N("streams.counting_async", {"count": 5}),
    "inline": N("streams.counting_inline", {"count": 5}),
    "returned": N("steering.numbers", {"count": 5}),
}


@pytest.mark.parametrize("kind", LISTS)
def test_every_list_gives_the_same(machine: Engine, kind: str) -> None:
    nodes = {
        "list": LISTS[kind],
        "each": doubled("list.ints", failures="skip"),
        "but": mapped("steering.not_three", "list.ints", failures="skip"),
        "sum": N("streams.added", values="list.ints"),
        "wait": N("streams.added_async", values="list.ints"),
        "low": N("streams.extent", values="each.int"),
    }
    outputs = ("each.int", "but.int", "sum.int", "wait.int", "low.low")
    report, _ = carry_out(machine, workflow(nodes, *outputs))
    expected = {"each": [10, 11, 12, 13, 14], "but": [0, 10, 20, 40], "sum": 10, "wait": 10, "low": 10}
    assert (report.status, dict(report.outputs)) == ("done", expected)


def test_what_is_cached_does_not_run_however_the_list_came(tmp_path: Path) -> None:
    """Items found by the value they are made of, whether that came in a list or alone."""
    outputs = ("each.int", "sum.int")

    def document(kind: str) -> dict[str, JSON]:
        sums = N("streams.added", {"word": "sum"}, values="list.ints")
        return workflow({"list": LISTS[kind], "each": doubled("list.ints"), "sum": sums}, *outputs)

    with engine(tmp_path) as machine:
        first, _ = carry_out(machine, document("streamed"))
        again, log = carry_out(machine, document("streamed"))
        assert log.cached == {"each", "sum"}
        assert not log.ran
    with engine(tmp_path) as machine:
        _, log = carry_out(machine, document("streamed"))
        assert not log.ran, "also after a restart"
        other, _ = carry_out(machine, document("returned"))
    assert dict(first.outputs) == dict(again.outputs) == dict(other.outputs)
    assert COUNTED["item"] == 5
    assert streams.CALLS["sum"] == 1


def test_an_edit_that_leaves_the_list_as_it_was_finds_what_was_made_of_it(machine: Engine) -> None:
    """The producer runs again; what is found under its list's value is taken, though it had begun."""
    for seen in ("one", "two"):
        nodes = {"list": N("streams.counting", {"count": 4, "word": seen}), "each": doubled("list.ints")}
        nodes["sum"] = N("steering.summed", values="each.int")
        report, log = carry_out(machine, workflow(nodes, "each.int", "sum.int"))
        assert dict(report.outputs) == {"each": [10, 11, 12, 13], "sum": 46}
    assert (streams.CALLS["two"], COUNTED["item"]) == (1, 4)
    assert log.ran == {"list"}


def test_an_early_node_serves_others_with_the_same_value_key(machine: Engine) -> None:
    nodes = {
        "one": N("streams.counting", {"count": 3, "word": "one"}),
        "two": N("streams.counting", {"count": 3, "word": "two"}),
        "left": doubled("one.ints"),
        "right": doubled("two.ints"),
    }
    report, _ = carry_out(machine, workflow(nodes, "left.int", "right.int"))
    assert dict(report.outputs) == {"left": [10, 11, 12], "right": [10, 11, 12]}
    assert COUNTED["item"] == 3


def test_an_empty_list_is_a_list(machine: Engine) -> None:
    nodes = {"list": N("streams.counting", {"count": 0}), "each": doubled("list.ints")}
    nodes["sum"] = N("streams.added", values="list.ints")
    report, _ = carry_out(machine, workflow(nodes, "each.int", "sum.int"))
    assert dict(report.outputs) == {"each": [], "sum": 0}


def test_no_more_turns_are_open_than_ever(machine: Engine) -> None:
    """However fast the items come: what is open is bounded, and the producer does not wait."""
    nodes = {"list": N("streams.counting", {"count": 1_000}), "each": doubled("list.ints")}
    opened, most = set[str](), 0

    def listen(event: Event) -> None:
        nonlocal most
        name = getattr(event, "node", "")
        if name.startswith("each/") and isinstance(event, events.NodeStarted):
            opened.add(name)
        elif name.startswith("each/") and isinstance(event, events.NodeFinished):
            opened.remove(name)
        most = max(most, len(opened))

    report = machine.run(workflow(nodes, "each.int"), listen=listen)
    assert (report.status, len(opened), 0 < most <= 16) == ("done", 0, True)
    assert dict(report.outputs)["each"] == list(range(10, 1_010))


def test_streams_inside_a_body_and_in_a_graph_that_a_node_returns(machine: Engine) -> None:
    inside: dict[str, JSON] = {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "sum.int"}},
        "nodes": {
            "list": {"type": "streams.counting", "inputs": {"count": "inputs.value"}},
            "each": doubled("list.ints"),
            "sum": N("streams.added", values="list.ints", base="whole.int"),
            "whole": N("steering.summed", values="each.int"),
        },
    }
    nodes = {"list": N("steering.numbers", {"count": 4}), "all": mapped("subgraph.inside", "list.ints")}
    report, _ = carry_out(machine, workflow(nodes, "all.int", subgraphs={"inside": inside}))
    assert dict(report.outputs) == {"all": [0, 10, 22, 36]}


# --- values that get better -------------------------------------------------------------------------------------------


def test_partial_values_are_told_and_the_last_is_kept(tmp_path: Path) -> None:
    nodes = {"n": N("maths.number", {"value": 40}), "half": N("streams.halved", {"word": "half"}, value="n.int")}
    nodes["after"] = N("maths.add", {"extra": 1}, a="half.int")
    for run in range(2):
        with engine(tmp_path) as machine:
            report, log = carry_out(machine, workflow(nodes, "half.int", "after.int"))
        assert dict(report.outputs) == {"half": 5, "after": 6}
        partial = [event for event in log.events if isinstance(event, events.NodePartial)]
        assert [(event.node, event.count, dict(event.summaries)) for event in partial] == (
            [] if run else [("half", 1, {"int": "40"})]
        )
        shown = [event.data for event in log.events if isinstance(event, events.NodePreview)]
        assert shown == ([] if run else [b"20"])
    assert streams.CALLS["half"] == 1


def test_no_partial_value_is_kept_of_a_node_that_fails(machine: Engine) -> None:
    nodes = {"n": N("maths.number", {"value": 40}), "half": N("streams.halved", {"fail": True}, value="n.int")}
    nodes["after"] = N("maths.add", a="half.int")
    for _ in range(2):
        report, log = carry_out(machine, workflow(nodes, "after.int"))
        assert (report.status, log.failed, log.skipped) == ("failed", {"half"}, {"after"})


def test_no_value_as_the_last_one_blocks(machine: Engine) -> None:
    nodes = {"list": N("streams.wrongly", {"how": "blocked", "at": 2}), "after": N("maths.add", a="list.int")}
    report, log = carry_out(machine, workflow(nodes, "after.int"))
    assert (report.status, log.skipped) == ("done", {"after"})
    (skipped,) = [event for event in log.events if isinstance(event, events.NodeSkipped)]
    assert skipped.because == "'list' gives no value: it came to nothing"


# --- what fails, and what is cancelled --------------------------------------------------------------------------------


def test_a_list_that_fails_midway_fails_those_who_have_begun(tmp_path: Path) -> None:
    """What was done of its items is found by the next run."""
    nodes = {
        "list": N("streams.gated", {"count": 3, "fail": True}),
        "each": doubled("list.ints"),
        "sum": N("streams.added", values="list.ints"),
        "after": N("maths.add", a="sum.int"),
    }
    with engine(tmp_path) as machine:
        log = Gatekeeper(finished("each/"))
        report = guarded(machine, workflow(nodes, "each.int", "after.int"), log)
    assert [str(failure) for failure in report.failures] == ["list (streams.gated): ValueError: the gate fell shut"]
    assert {"each", "sum", "after"} <= log.skipped
    skipped = [event for event in log.events if isinstance(event, events.NodeSkipped)]
    assert ("'list' failed", "failed", "list") in [(event.because, event.kind, event.about) for event in skipped]
    assert not dict(report.outputs)
    assert COUNTED["item"] == 3
    nodes["list"] = N("streams.counting", {"count": 3})
    with engine(tmp_path) as machine:
        report, _ = carry_out(machine, workflow(nodes, "each.int", "after.int"))
    assert dict(report.outputs) == {"each": [10, 11, 12], "after": 3}
    assert COUNTED["item"] == 3, "found in the cache"


def test_one_who_reads_and_fails_does_not_hold_the_list_up(machine: Engine) -> None:
    nodes = {
        "list": N("streams.counting", {"count": 200}),
        "bad": N("streams.added", {"fail": True}, values="list.ints"),
        "three": mapped("steering.not_three", "list.ints"),
        "sum": N("streams.added", values="list.ints"),
    }
    report, log = carry_out(machine, workflow(nodes, "bad.int", "three.int", "sum.int"))
    assert log.failed & nodes.keys() == {"bad", "three"}
    assert dict(report.outputs) == {"sum": 19_900}


def test_one_who_stops_reading_is_kept_under_the_whole_list(machine: Engine) -> None:
    for _ in range(2):
        nodes = {
            "list": N("streams.counting", {"count": 50}),
            "sum": N("streams.added", {"most": 3}, values="list.ints"),
        }
        report, log = carry_out(machine, workflow(nodes, "sum.int"))
        assert dict(report.outputs) == {"sum": 3}
    assert not log.ran


def test_one_who_has_ended_waits_with_its_result_until_the_list_is_whole(machine: Engine) -> None:
    """The list fails after its reader has read all that it wants: the reader is skipped, as if it had not begun."""
    nodes = {"list": N("streams.gated", {"count": 3, "fail": True})}
    nodes["sum"] = N("streams.added", {"most": 1}, values="list.ints")
    nodes["each"] = doubled("list.ints")
    log = Gatekeeper(finished("each/"))
    report = guarded(machine, workflow(nodes, "sum.int", "each.int"), log)
    assert (report.status, log.failed, log.skipped & nodes.keys()) == ("failed", {"list"}, {"sum", "each"})


def test_cancelling_stops_the_list_and_those_who_read_it(machine: Engine) -> None:
    control = Control()
    nodes = {
        "list": N("streams.gated", {"count": 5}),
        "each": doubled("list.ints"),
        "sum": N("streams.added", values="list.ints"),
    }

    class Canceller(Gatekeeper):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if finished("each/1")(event):
                control.cancel()

    log = Canceller(finished("each/"))
    report = guarded(machine, workflow(nodes, "each.int", "sum.int"), log, control)
    assert (report.status, log.skipped) == ("cancelled", {"list", "each", "sum"})
    assert streams.MARKS[""] == 1, "the generator was closed, and its `finally` ran"
    nodes["list"] = N("streams.counting", {"count": 5})
    again, _ = carry_out(machine, workflow(nodes, "each.int", "sum.int"))
    assert dict(again.outputs) == {"each": [10, 11, 12, 13, 14], "sum": 10}
    assert COUNTED["item"] == 5


def test_a_list_that_another_run_makes_is_taken_whole(machine: Engine) -> None:
    """Two runs at once: the second follows the first, and starts nothing early."""
    from threading import Thread

    document = workflow({"list": N("streams.gated", {"count": 3}), "each": doubled("list.ints")}, "each.int")
    reports: list[Report] = []
    second = Thread(target=lambda: reports.append(machine.run(document, listen=waiting)))
    seen = Log()

    def waiting(event: Event) -> None:
        seen(event)
        if isinstance(event, events.NodeWaiting):
            for _ in range(9):
                streams.GATES[""].release()

    def starts(event: Event) -> bool:
        if finished("each/0")(event):
            second.start()
        return False

    report = guarded(machine, document, Gatekeeper(starts))
    second.join(60)
    assert dict(report.outputs) == dict(reports[0].outputs) == {"each": [10, 11, 12]}
    assert COUNTED["item"] == 3
    assert "list" in seen.cached


def test_worker_processes_stream_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", WORKER["PYTHONPATH"])
    nodes = {
        "list": N("streams.counting", {"count": 40}),
        "plus": N("streams.plus", values="list.ints"),
        "sum": N("streams.added", values="plus.ints"),
        "wait": N("streams.added_async", values="plus.ints"),
        "each": doubled("plus.ints"),
    }
    settings = config(tmp_path, workers="process", cpu_workers=2, disabled_plugins=others())
    with Engine(settings, installed()) as machine:
        report, _ = carry_out(machine, workflow(nodes, "sum.int", "wait.int", "each.int"))
        assert (report.status, report.failures) == ("done", ())
        assert dict(report.outputs) == {"sum": 820, "wait": 820, "each": list(range(11, 51))}
        nodes["list"] = N("streams.counting", {"count": 40, "fail_at": 30})
        report, log = carry_out(machine, workflow(nodes, "sum.int", "wait.int", "each.int"))
    assert (log.failed, log.skipped & nodes.keys()) == ({"list"}, {"plus", "sum", "wait", "each"})
