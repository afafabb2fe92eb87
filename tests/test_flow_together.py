"""Where the ways of steering a run meet: lazy inputs and blocked outputs, zones and files, expansions and both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_kit import N, carry_out, engine, workflow
from packs.steering import CALLS

from graphgen import events
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.jsontypes import JSON

SEVEN = N("maths.number", {"value": 7})
SIDES = N("steering.sides", value="seven.int")  # the even side is blocked


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    CALLS.clear()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


def body(nodes: dict[str, JSON], **outputs: str) -> JSON:
    """Write a subgraph that takes a number, `value`."""
    ends: dict[str, JSON] = {name: {"from": source} for name, source in outputs.items()}
    return {"inputs": {"value": {"type": "int"}}, "outputs": ends, "nodes": nodes}


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("take", [1, 3])
def test_an_optional_lazy_input_that_is_blocked_counts_as_not_wired(tmp_path: Path, use_cache: bool, take: int) -> None:
    chosen = N("steering.choose", {"take": take}, first="sides.odd", second="sides.even")
    document = workflow({"seven": SEVEN, "sides": SIDES, "chosen": chosen}, "chosen.int")
    for _ in range(2):
        with engine(tmp_path, use_cache=use_cache) as machine:
            assert dict(machine.run(document).outputs) == {"chosen": 7}
            assert dict(machine.run(document).outputs) == {"chosen": 7}


@pytest.mark.parametrize("use_cache", [True, False])
def test_who_may_do_without_asks_in_vain_for_what_was_skipped_before(tmp_path: Path, use_cache: bool) -> None:
    nodes = {
        "seven": SEVEN,
        "sides": SIDES,
        "odd": N("maths.add", a="sides.odd"),
        "later": N("steering.choose", {"take": 3}, first="odd.int", second="asked.int"),
        "asked": N("steering.choose", first="sides.even"),
    }
    with engine(tmp_path, use_cache=use_cache) as machine:
        report, log = carry_out(machine, workflow(nodes, "odd.int", "later.int"))
    assert (report.status, log.skipped, dict(report.outputs)) == ("done", {"asked"}, {"odd": 7, "later": 7})


def test_a_zone_does_without_what_is_blocked_where_its_node_would(machine: Engine) -> None:
    nodes: dict[str, JSON] = {
        "seven": SEVEN,
        "sides": SIDES,
        "many": N("steering.numbers"),
        "total": {**N("maths.total", values=["sides.even", "seven.int"]), "loop": {"times": 1}},
        "each": {**N("maths.add", a="many.ints", b="sides.even"), "map": {"over": ["a"]}},
        "none": {**N("maths.add", a="seven.int", b="sides.even"), "loop": {"times": 0, "carry": {"b": "int"}}},
        "after": N("maths.add", a="none.int"),
    }
    report, log = carry_out(machine, workflow(nodes, "total.int", "each.int", "after.int"))
    assert dict(report.outputs) == {"total": 7, "each": [0, 1, 2]}
    assert log.skipped == {"after"}


def test_what_comes_of_a_map_that_left_items_out_is_not_kept(machine: Engine) -> None:
    """Neither for its own key nor for those of what follows, so that the next run tries these items again."""
    nodes: dict[str, JSON] = {
        "many": N("steering.numbers", {"count": 5}),
        "five": N("maths.number", {"value": 5}),
        "same": {"type": "steering.numbers", "inputs": {"count": "five.int"}},
        "each": {
            **N("steering.not_three", {"word": "each"}, value="many.ints"),
            "map": {"over": ["value"], "failures": "skip"},
        },
        "twin": {
            **N("steering.not_three", {"word": "each"}, value="same.ints"),
            "map": {"over": ["value"], "failures": "skip"},
        },
        "sum": N("steering.summed", values="each.int"),
        "late": N("steering.summed", values="twin.int"),
    }
    for calls in (6, 8):  # four good items once; the bad one again for each map, in each run
        report = machine.run(workflow(nodes, "sum.int", "late.int"))
        assert (report.status, dict(report.outputs)) == ("done", {"sum": 70, "late": 70})
        assert CALLS["each"] == calls


def test_a_map_over_what_is_no_list_fails_alone(machine: Engine) -> None:
    nodes: dict[str, JSON] = {
        "seven": SEVEN,
        "any": N("steering.anything", value="seven.int"),
        "each": {**N("maths.add", a="any.any"), "map": {"over": ["a"]}},
    }
    report = machine.run(workflow(nodes, "each.int", "seven.int"))
    assert dict(report.outputs) == {"seven": 7}
    assert "'a' is given a int; it takes a list" in str(report.failures[0])


@pytest.mark.parametrize(("failures", "status", "found"), [("stop", "failed", 1), ("skip", "done", 0)])
def test_an_item_that_reads_a_file_that_is_not_there_fails_as_an_item(
    machine: Engine, failures: str, status: str, found: int
) -> None:
    reading = body({"text": N("probe.read", {"path": "gone.txt"})}, str="text.str")
    nodes: dict[str, JSON] = {
        "many": N("steering.numbers"),
        "each": {**N("subgraph.reading", value="many.ints"), "map": {"over": ["value"], "failures": failures}},
    }
    report = machine.run(workflow(nodes, "each.str", subgraphs={"reading": reading}))
    assert (report.status, len(report.failures)) == (status, found)


def test_files_written_inside_a_map_carry_the_record_of_the_map(machine: Engine) -> None:
    saving = body(
        {"word": N("maths.word", {"text": "hello"}), "save": N("probe.save", {"suffix": ".note"}, text="word.str")},
        files="save.files",
    )
    nodes: dict[str, JSON] = {
        "many": N("steering.numbers"),
        "each": {**N("subgraph.saving", value="many.ints"), "map": {"over": ["value"]}},
    }
    for first in (True, False):  # the second time all of it is kept
        report, log = carry_out(machine, {"graphgen": 1, "nodes": nodes, "subgraphs": {"saving": saving}})
        ended = [e.summaries for e in log.events if isinstance(e, events.NodeFinished) and e.node == "each"]
        assert ended == ([{}] if first else []), "files that nobody is wired to are not collected"
        assert (report.status, len(report.files)) == ("done", 3)
        assert "graphgen.record" in machine.texts_in(machine.config.roots.outputs / report.files[0])


def test_a_returned_graph_that_reads_files_is_gone_into_each_time(machine: Engine) -> None:
    note = machine.config.roots.inputs / "note.txt"
    reading = body({"grown": N("steering.reads", value="inputs.value")}, text="grown.str")
    nodes: dict[str, JSON] = {
        "seven": SEVEN,
        "grown": N("steering.reads", value="seven.int"),
        "loud": N("probe.shout", text="grown.str"),
        "each": {**N("subgraph.reading", value="seven.int"), "loop": {"times": 1}},
    }
    for text in ("old", "new", "new"):
        note.write_text(text)
        report = machine.run(workflow(nodes, "loud.str", "each.text", subgraphs={"reading": reading}))
        assert dict(report.outputs) == {"loud": text.upper(), "each": text}


def test_a_run_cancelled_inside_a_returned_graph_lets_go_of_its_claim(machine: Engine) -> None:
    machine.run(workflow({"n": N("maths.number", {"value": 3}), "c": N("steering.countdown", value="n.int")}, "c.int"))
    machine._pace["steering.countdown"] = 1.0  # worth a claim
    document = workflow({"n": N("maths.number", {"value": 9}), "c": N("steering.countdown", value="n.int")}, "c.int")
    control = Control()

    def listen(event: events.Event) -> None:
        if isinstance(event, events.NodeFinished) and event.node.count("/") > 2:
            control.cancel()

    assert machine.run(document, listen=listen, control=control).status == "cancelled"
    report, log = carry_out(machine, document)
    assert dict(report.outputs) == {"c": 9}
    assert not log.of(events.NodeWaiting)


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_lazy_input_that_nobody_asked_for_yet_is_not_the_same_as_none(tmp_path: Path, use_cache: bool) -> None:
    nodes: dict[str, JSON] = {
        "seven": SEVEN,
        "first": N("maths.add", a="seven.int"),
        "short": N("steering.choose", {"take": 3}, first="first.int"),
        "long": N("steering.choose", {"take": 3}, first="first.int", second="seven.int"),
    }
    with engine(tmp_path, use_cache=use_cache) as machine:
        for names in (["short"], ["long"], ["short", "long"]):
            report = machine.run(workflow(nodes, *(f"{name}.int" for name in names)))
            assert dict(report.outputs) == {name: {"short": 7, "long": 14}[name] for name in names}


def test_the_record_of_a_map_says_what_the_nodes_inside_compute_with(machine: Engine) -> None:
    nodes: dict[str, JSON] = {
        "many": N("steering.numbers"),
        "each": {**N("maths.add", a="many.ints"), "map": {"over": ["a"]}},
    }
    report, _ = carry_out(machine, workflow(nodes, "each.int"))
    record = report.record()
    place = record.nodes["each"].environment
    assert place is not None
    assert "graphgen" in record.environments[place]
