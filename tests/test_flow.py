"""Steering a run: lazy inputs, blocked outputs, maps, loops, and graphs that nodes return."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_kit import N, carry_out, engine, problems_of, workflow
from packs import maths, steering
from packs.steering import CALLS

from graphgen import events
from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen.plugins import module_plugins
from graphgen.registry import build_registry
from graphgen_nodes.packs import flow


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    CALLS.clear()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


def counted(word: str, source: str, add: int = 0) -> dict[str, JSON]:
    """Write a node that counts its calls under a word."""
    return N("steering.counted", {"word": word, "add": add}, value=source)


# --- lazy inputs ------------------------------------------------------------------------------------------------------


def branches(take: int, left: int = 1, right: int = 2) -> dict[str, JSON]:
    """Write a choice between two branches."""
    return workflow(
        {
            "one": N("maths.number", {"value": 1}),
            "left": counted("left", "one.int", left),
            "right": counted("right", "one.int", right),
            "chosen": N("steering.choose", {"take": take}, first="left.int", second="right.int"),
            "after": counted("after", "chosen.int"),
        },
        "after.int",
    )


@pytest.mark.parametrize(("take", "value", "ran"), [(0, 0, ""), (1, 2, "left"), (2, 3, "right"), (3, 5, "left right")])
def test_only_what_is_asked_for_runs(machine: Engine, take: int, value: int, ran: str) -> None:
    report, _ = carry_out(machine, branches(take))
    assert dict(report.outputs) == {"after": value}
    assert dict(CALLS) == dict.fromkeys([*ran.split(), "after"], 1)


def test_a_branch_that_was_not_asked_for_is_no_reason_to_run_again(tmp_path: Path) -> None:
    with engine(tmp_path) as first:
        first.run(branches(1))
    CALLS.clear()
    with engine(tmp_path) as second:
        again = second.run(branches(1))
        other = second.run(branches(1, right=50))
        changed = second.run(branches(1, left=7))
    assert (again.ran, other.ran) == (0, 0)
    assert CALLS == {"left": 1, "after": 1}
    assert dict(changed.outputs) == {"after": 8}


def test_what_was_asked_for_is_known_after_a_restart(tmp_path: Path) -> None:
    with engine(tmp_path) as first:
        first.run(branches(3))
    with engine(tmp_path) as second:
        plan = second.plan(second.check(branches(3)))
    assert plan.order == ()


def test_a_cheap_switch_that_has_not_changed_does_not_run_after_a_restart(tmp_path: Path) -> None:
    nodes = {
        "one": N("maths.number", {"value": 1}),
        "left": counted("left", "one.int"),
        "chosen": N("flow.switch", {"condition": True}, if_true="left.int"),
    }
    installed = build_registry(module_plugins({"maths": maths, "steering": steering, "flow": flow}))
    for _ in range(2):
        with engine(tmp_path, installed=installed) as machine:
            plan = machine.plan(machine.check(workflow(nodes, "chosen.value")))
            assert dict(machine.execute(plan).outputs) == {"chosen": 1}
    assert (plan.order, set(plan.cached)) == ((), {"chosen"})


def test_lazy_inputs_work_without_a_cache(tmp_path: Path) -> None:
    with engine(tmp_path, use_cache=False) as machine:
        assert dict(machine.run(branches(3)).outputs) == {"after": 5}


def test_a_failing_branch_fails_only_who_asks_for_it(machine: Engine) -> None:
    nodes = {
        "one": N("maths.number", {"value": 1}),
        "bad": N("probe.fail", value="one.int"),
        "chosen": N("steering.choose", {"take": 1}, first="one.int", second="bad.int"),
        "both": N("steering.choose", {"take": 3}, first="one.int", second="bad.int"),
    }
    assert dict(machine.run(workflow(nodes, "chosen.int")).outputs) == {"chosen": 1}
    report = machine.run(workflow(nodes, "both.int"))
    assert (report.status, report.skipped) == ("failed", 1)


# --- no value ---------------------------------------------------------------------------------------------------------


def test_what_needs_a_blocked_output_is_skipped_and_says_why(machine: Engine) -> None:
    nodes = {
        "one": N("maths.number", {"value": 7}),
        "sides": N("steering.sides", value="one.int"),
        "even": counted("even", "sides.even"),
        "below": counted("below", "even.int"),
        "odd": counted("odd", "sides.odd"),
        "optional": N("maths.add", a="sides.odd", b="sides.even"),
    }
    document = workflow(nodes, "below.int", "odd.int", "optional.int")
    for _ in range(2):  # computed, and from the cache
        report, record = carry_out(machine, document)
        assert report.status == "done"
        assert dict(report.outputs) == {"odd": 7, "optional": 7}
        skipped = {e.node: e.because for e in record.events if isinstance(e, events.NodeSkipped)}
        assert skipped == {"even": "'sides' gives no value: 7 is odd", "below": "'even' was skipped"}
    assert CALLS == {"odd": 1}


def test_an_optional_input_does_without_what_was_skipped_but_not_without_what_failed(machine: Engine) -> None:
    nodes = {
        "one": N("maths.number", {"value": 3}),
        "sides": N("steering.sides", value="one.int"),
        "skipped": counted("skipped", "sides.even"),
        "further": counted("further", "skipped.int"),
        "without": N("maths.add", a="one.int", b="further.int"),
        "asked": N("steering.choose", {"take": 3}, first="one.int", second="further.int"),
        "none": N("maths.total", values=["further.int", "skipped.int"]),
        "failing": N("steering.not_three", value="one.int"),
        "lost": N("maths.add", a="one.int", b="failing.int"),
        "unanswered": N("steering.choose", {"take": 3}, first="one.int", second="failing.int"),
    }
    ends = ["without.int", "asked.int", "none.int", "lost.int", "unanswered.int"]
    report, record = carry_out(machine, workflow(nodes, *ends))
    assert dict(report.outputs) == {"without": 3, "asked": 3, "none": 0}
    assert record.skipped == {"skipped", "further", "lost", "unanswered"}
    assert record.failed == {"failing"}


def test_an_output_that_is_blocked_is_no_output_and_the_report_says_why(machine: Engine) -> None:
    nodes = {"one": N("maths.number", {"value": 7}), "sides": N("steering.sides", value="one.int")}
    document = workflow(nodes, outputs={"even": {"from": "sides.even"}, "odd": {"from": "sides.odd"}})
    for _ in range(2):  # computed, and from the cache
        report, _ = carry_out(machine, document)
        assert (report.status, dict(report.outputs), dict(report.blocked)) == ("done", {"odd": 7}, {"even": "7 is odd"})


# --- maps -------------------------------------------------------------------------------------------------------------


def mapped(count: int, clause: dict[str, JSON], type_: str = "steering.not_three", **rest: JSON) -> dict[str, JSON]:
    """Write a map over the numbers from 0."""
    return workflow(
        {
            "many": N("steering.numbers", {"count": count}),
            "each": {**N(type_, {"word": "item"}, value="many.ints"), "map": {"over": ["value"], **clause}, **rest},
            "sum": N("steering.summed", values="each.int"),
        },
        "each.int",
        "sum.int",
    )


def test_a_map_runs_once_for_each_item_and_caches_each(machine: Engine) -> None:
    assert dict(machine.run(mapped(3, {})).outputs) == {"each": [0, 10, 20], "sum": 30}
    assert CALLS["item"] == 3
    assert machine.run(mapped(3, {})).ran == 0
    failed, record = carry_out(machine, mapped(5, {"failures": "skip"}))
    assert dict(failed.outputs) == {"each": [0, 10, 20, 40], "sum": 70}
    assert (failed.status, CALLS["item"]) == ("done", 5)
    (told,) = (event.message for event in record.events if isinstance(event, events.NodeLog))
    assert told.startswith("1 item failed and was left out; item 3: ")


def test_a_failing_item_fails_its_map_unless_it_may_be_left_out(machine: Engine) -> None:
    report, record = carry_out(machine, mapped(5, {}))
    assert report.status == "failed"
    assert {failure.node for failure in report.failures} == {"each/3", "each"}
    assert "1 of 5 items failed: item 3" in str(next(failure for failure in report.failures if failure.node == "each"))
    skipped = [event.node for event in record.events if isinstance(event, events.NodeSkipped)]
    assert skipped == ["sum"]


def test_an_item_without_a_value_is_left_out(machine: Engine) -> None:
    odd: JSON = {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "sides.odd"}},
        "nodes": {"sides": N("steering.sides", value="inputs.value")},
    }
    document = workflow(
        {
            "many": N("steering.numbers", {"count": 6}),
            "each": {**N("subgraph.odd", value="many.ints"), "map": {"over": ["value"]}},
        },
        "each.int",
        subgraphs={"odd": odd},
    )
    assert dict(machine.run(document).outputs) == {"each": [1, 3, 5]}


@pytest.mark.parametrize(("how", "values"), [("zip", [0, 2, 4]), ("product", [0, 1, 2, 1, 2, 3, 2, 3, 4])])
def test_lists_are_taken_side_by_side_or_in_all_combinations(machine: Engine, how: str, values: list[int]) -> None:
    nodes = {
        "many": N("steering.numbers"),
        "each": {**N("maths.add", a="many.ints", b="many.ints"), "map": {"over": ["a", "b"], "how": how}},
    }
    assert dict(machine.run(workflow(nodes, "each.int")).outputs) == {"each": values}


def test_a_zip_wants_lists_of_one_length(machine: Engine) -> None:
    nodes = {
        "two": N("steering.numbers", {"count": 2}),
        "three": N("steering.numbers"),
        "each": {**N("maths.add", a="two.ints", b="three.ints"), "map": {"over": ["a", "b"]}},
    }
    (failure,) = machine.run(workflow(nodes, "each.int")).failures
    assert "a has 2, b has 3" in str(failure)


def test_what_is_not_mapped_and_the_index_go_to_each_item(machine: Engine) -> None:
    nodes: dict[str, JSON] = {
        "many": N("steering.numbers"),
        "ten": N("maths.number", {"value": 10}),
        "each": {**N("maths.add", a="many.ints", b="ten.int"), "map": {"over": ["a"], "index": "extra"}},
    }
    assert dict(machine.run(workflow(nodes, "each.int")).outputs) == {"each": [10, 12, 14]}


def test_an_empty_list_gives_an_empty_list(machine: Engine) -> None:
    assert dict(machine.run(mapped(0, {})).outputs) == {"each": [], "sum": 0}


def test_items_share_the_keys_of_the_node_written_out(machine: Engine) -> None:
    machine.run(mapped(3, {}))
    alone = workflow(
        {"two": N("maths.number", {"value": 2}), "x": N("steering.not_three", {"word": "item"}, value="two.int")},
        "x.int",
    )
    assert dict(machine.run(alone).outputs) == {"x": 20}
    assert CALLS["item"] == 3


def test_maps_stand_inside_maps(machine: Engine) -> None:
    inner: JSON = {
        "inputs": {"count": {"type": "int"}},
        "outputs": {"ints": {"from": "each.int"}},
        "nodes": {
            "many": {**N("steering.numbers"), "inputs": {"count": "inputs.count"}},
            "each": {**N("maths.add", {"extra": 1}, a="many.ints"), "map": {"over": ["a"]}},
        },
    }
    document = workflow(
        {
            "many": N("steering.numbers", {"count": 4}),
            "all": {**N("subgraph.inner", count="many.ints"), "map": {"over": ["count"]}},
        },
        "all.ints",
        subgraphs={"inner": inner},
    )
    assert str(machine.check(document).nodes["all"].spec.outputs[0].type) == "list[list[int]]"
    assert dict(machine.run(document).outputs) == {"all": [[], [1], [1, 2], [1, 2, 3]]}
    assert machine.run(document).ran == 0


# --- loops ------------------------------------------------------------------------------------------------------------


def loop(clause: dict[str, JSON], **rest: JSON) -> dict[str, JSON]:
    """Write a loop that adds 2 at each turn, beginning with 1."""
    step: JSON = {
        "inputs": {"value": {"type": "int"}},
        "parameters": {"add": {"sets": ["next.add"]}},
        "outputs": {"int": {"from": "next.int"}, "more": {"from": "more.bool"}},
        "nodes": {
            "next": counted("turn", "inputs.value", 2),
            "more": N("steering.below", {"limit": 8}, value="next.int"),
        },
    }
    nodes: dict[str, JSON] = {
        "one": N("maths.number", {"value": 1}),
        "loop": {**N("subgraph.step", value="one.int"), "loop": {"carry": {"value": "int"}, **clause}},
    }
    return workflow(nodes, "loop.int", subgraphs={"step": step}, **rest)


def test_a_loop_repeats_and_carries_over(machine: Engine) -> None:
    assert dict(machine.run(loop({"times": 3})).outputs) == {"loop": 7}
    assert CALLS["turn"] == 3
    assert dict(machine.run(loop({"times": 5})).outputs) == {"loop": 11}
    assert CALLS["turn"] == 5  # the first three turns were there


def test_a_loop_ends_when_its_condition_does(machine: Engine) -> None:
    assert dict(machine.run(loop({"while": "more"})).outputs) == {"loop": 9}
    (failure,) = machine.run(loop({"while": "more", "at_most": 2})).failures
    assert "raise at_most" in str(failure)


def test_a_loop_of_no_turns_gives_what_came_in(machine: Engine) -> None:
    assert dict(machine.run(loop({"times": 0})).outputs) == {"loop": 1}


def test_a_loop_collects_what_each_turn_gave(machine: Engine) -> None:
    assert dict(machine.run(loop({"times": 3, "collect": ["int"]})).outputs) == {"loop": [3, 5, 7]}


def test_a_loop_goes_through_a_list(machine: Engine) -> None:
    nodes: dict[str, JSON] = {
        "many": N("steering.numbers", {"count": 5}),
        "zero": N("maths.number", {"value": 0}),
        "sum": {**N("maths.add", a="zero.int", b="many.ints"), "loop": {"over": ["b"], "carry": {"a": "int"}}},
    }
    assert dict(machine.run(workflow(nodes, "sum.int")).outputs) == {"sum": 10}


def test_a_loop_of_a_thousand_turns_is_no_deeper_than_one(machine: Engine) -> None:
    assert dict(machine.run(loop({"times": 1000})).outputs) == {"loop": 2001}
    assert machine.run(loop({"times": 1000})).ran == 0


def test_a_parameter_reaches_into_a_zone(machine: Engine) -> None:
    document = loop({"times": 2}, parameters={"by": {"sets": ["loop.add"]}})
    assert dict(machine.run(document, {"by": 10}).outputs) == {"loop": 21}


def test_a_run_is_cancelled_between_turns_and_goes_on(machine: Engine) -> None:
    from graphgen.control import Control

    control = Control()
    turns = 0

    def listen(event: events.Event) -> None:
        nonlocal turns
        turns += isinstance(event, events.NodeFinished) and event.node.endswith("/next")
        if turns == 5:
            control.cancel()

    stopped = machine.run(loop({"times": 50}), listen=listen, control=control)
    assert stopped.status == "cancelled"
    assert dict(machine.run(loop({"times": 50})).outputs) == {"loop": 101}
    assert CALLS["turn"] <= 51


# --- graphs that nodes return -----------------------------------------------------------------------------------------


def expanding(type_: str, value: int) -> dict[str, JSON]:
    """Write a node that returns a graph."""
    return workflow({"n": N("maths.number", {"value": value}), "grown": N(type_, value="n.int")}, "grown.int")


def test_a_returned_graph_runs_in_its_nodes_place(machine: Engine) -> None:
    report, record = carry_out(machine, expanding("steering.countdown", 3))
    assert dict(report.outputs) == {"grown": 3}
    assert "grown/down/down/plus" in {e.node for e in record.events if isinstance(e, events.NodeFinished)}
    assert machine.run(expanding("steering.countdown", 3)).ran == 0


def test_a_returned_graph_that_cannot_run_says_why(machine: Engine) -> None:
    (failure,) = machine.run(expanding("steering.astray", 1)).failures
    assert "no node 'maths.nothing' is installed" in str(failure)


@pytest.mark.parametrize(("rise", "words"), [(1, "more than 32 deep"), (0, "it needs its own result")])
def test_expansion_without_end_is_refused(machine: Engine, rise: int, words: str) -> None:
    nodes = {"n": N("maths.number"), "grown": N("steering.endless", {"rise": rise}, value="n.int")}
    report = machine.run(workflow(nodes, "grown.int"))
    assert report.status == "failed"
    assert words in str(report.failures[0])


def test_what_an_output_of_any_type_gives_is_checked_when_it_arrives(machine: Engine) -> None:
    def document(as_text: bool) -> dict[str, JSON]:
        nodes = {
            "one": N("maths.number", {"value": 1}),
            "any": N("steering.anything", {"as_text": as_text}, value="one.int"),
            "sum": N("maths.add", a="any.any"),
        }
        return workflow(nodes, "sum.int")

    assert dict(machine.run(document(False)).outputs) == {"sum": 1}
    (failure,) = machine.run(document(True)).failures
    assert "its input 'a' is given a str; it takes int" in str(failure)


def test_mistakes_in_clauses_are_told_all_at_once(machine: Engine) -> None:
    base = N("maths.add", a="many.ints")
    document = workflow(
        {
            "many": N("steering.numbers"),
            "typo": {**base, "map": {"over": ["aa"], "index": "int"}},
            "unwired": {**base, "map": {"over": ["b"]}},
            "endless": {**base, "loop": {"carry": {"a": "nope"}}},
            "both": {**base, "map": {"over": ["a"]}, "loop": {"times": 1}},
            "setting": {**N("maths.add", {"extra": "x"}, a="many.ints"), "map": {"over": ["a"]}},
            "type": {**N("maths.join", words="many.ints"), "map": {"over": ["words"]}},
        },
        "typo.int",
    )
    assert [str(problem) for problem in problems_of(machine, document)] == [
        "typo.map.over: the node has no input 'aa'; allowed: a, b, extra; did you mean 'a'?",
        "typo.map.index: the node has no input 'int'; allowed: a, b, extra",
        "unwired.map.over: nothing is wired to 'b'; wire a list in",
        'endless.loop: nothing says when the loop ends; write "times", "while" or "over"',
        "endless.loop.carry: the node has no output 'nope'; allowed: int",
        "both: has both a map and a loop; put one into a subgraph",
        "type.map.over: 'words' takes any number of wires; wire a list instead",
        'setting.extra: must be a whole number (got "x")',
    ]


def test_a_zone_inside_itself_is_refused(machine: Engine) -> None:
    again: JSON = {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "n.int"}},
        "nodes": {"n": {**N("subgraph.again", value="inputs.value"), "loop": {"times": 1}}},
    }
    document = workflow(
        {"one": N("maths.number"), "a": N("subgraph.again", value="one.int")}, "a.int", subgraphs={"again": again}
    )
    assert "a subgraph cannot hold itself" in str(problems_of(machine, document)[0])
