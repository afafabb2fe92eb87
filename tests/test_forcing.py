"""Forced nodes: what runs again, what follows, whose results are replaced, and names that mean nothing."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_kit import Log, N, carry_out, engine, workflow
from packs import maths, probe, steering
from packs.steering import CALLS

from graphgen import hookimpl, node
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.plugins import module_plugins
from graphgen.registry import build_registry
from graphgen.sweep import sweep

GIVES = [0]
"""What `moody` gives."""
GATE = threading.Event()
BEGUN = threading.Semaphore(0)


@node(category="moods")
def moody(*, seed: int = 0) -> int:
    """Give another number at another time, against the rules."""
    return GIVES[0]


@node(category="moods")
def slow() -> int:
    """Wait at a gate."""
    CALLS["slow"] += 1
    BEGUN.release()
    assert GATE.wait(30)
    return 1


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the nodes."""
    return [moody, slow]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    modules = {"maths": maths, "probe": probe, "steering": steering, "moods": sys.modules[__name__]}
    CALLS.clear()
    GIVES[0] = 0
    GATE.clear()
    with engine(tmp_path, installed=build_registry(module_plugins(modules))) as made:
        yield made


def chain() -> dict[str, JSON]:
    """A workflow of three nodes in a row, of which the first has a mood, and a fourth beside it."""
    nodes = {
        "first": N("moods.moody"),
        "second": N("steering.counted", {"word": "second"}, value="first.int"),
        "third": N("steering.counted", {"word": "third"}, value="second.int"),
        "beside": N("steering.counted", {"word": "beside"}, value="third.int"),
    }
    return workflow(nodes, "third.int", "beside.int")


def forced(machine: Engine, source: dict[str, JSON], *names: str) -> tuple[set[str], set[str], dict[str, object]]:
    """Force nodes; return what ran, what was found, and the outputs."""
    log = Log()
    report = machine.run(source, force=names, listen=log)
    assert report.status == "done"
    return log.ran, log.cached, dict(report.outputs)


def test_a_forced_node_above_a_cached_target_runs_and_an_equal_value_stops_the_wave(machine: Engine) -> None:
    carry_out(machine, chain())
    assert forced(machine, chain(), "first") == ({"first"}, {"second", "third", "beside"}, {"third": 0, "beside": 0})
    assert forced(machine, chain(), "second", "beside")[0] == {"second", "beside"}


def test_a_fresh_result_replaces_what_was_kept_of_it_and_of_what_is_below(machine: Engine) -> None:
    carry_out(machine, chain())
    GIVES[0] = 5
    assert carry_out(machine, chain())[0].outputs["third"] == 0
    assert forced(machine, chain(), "first")[2] == {"third": 5, "beside": 5}
    report, log = carry_out(machine, chain())
    assert (log.ran, dict(report.outputs)) == (set(), {"third": 5, "beside": 5})


def test_a_fresh_result_outlives_a_restart(tmp_path: Path, machine: Engine) -> None:
    carry_out(machine, chain())
    GIVES[0] = 5
    forced(machine, chain(), "first")
    with engine(tmp_path, installed=machine.registry) as later:
        report, log = carry_out(later, chain())
        assert (log.ran, dict(report.outputs)) == (set(), {"third": 5, "beside": 5})


def test_all_forces_what_the_targets_need_and_keeps_it(machine: Engine) -> None:
    carry_out(machine, chain())
    GIVES[0] = 3
    log = Log()
    machine.run(chain(), targets=["second"], force="all", listen=log)
    assert log.ran == {"first", "second"}
    assert carry_out(machine, chain(), targets=["second"])[1].cached == {"second"}


def test_nodes_that_compute_the_same_are_forced_together_and_run_once(machine: Engine) -> None:
    nodes = {
        "one": N("moods.moody"),
        "two": N("moods.moody"),
        "sum": N("maths.add", a="one.int", b="two.int"),
    }
    carry_out(machine, workflow(nodes, "sum.int"))
    GIVES[0] = 2
    ran, cached, outputs = forced(machine, workflow(nodes, "sum.int"), "one")
    assert (ran, cached, outputs) == ({"one", "sum"}, {"two"}, {"sum": 4})


def test_partial_work_is_not_gone_on_from(machine: Engine) -> None:
    with pytest.raises(AssertionError):
        forced(machine, workflow({"climb": N("probe.climb", {"tire_at": 3})}, "climb.ints"))
    source = workflow({"climb": N("probe.climb")}, "climb.ints")
    assert machine.run(source, force=["climb"]).outputs["climb"] == [1, 2, 3, 4, 5]


def test_a_forced_node_takes_no_result_that_another_run_is_making(machine: Engine) -> None:
    source = workflow({"slow": N("moods.slow")}, "slow.int")
    other = threading.Thread(target=lambda: machine.run(source))
    other.start()
    assert BEGUN.acquire(timeout=30)
    mine = threading.Thread(target=lambda: machine.run(source, force=["slow"]))
    mine.start()
    assert BEGUN.acquire(timeout=30), "it runs beside the other one"
    GATE.set()
    other.join()
    mine.join()
    assert CALLS["slow"] == 2


def test_a_claim_of_another_process_does_not_hold_a_forced_node_up(tmp_path: Path, machine: Engine) -> None:
    source = workflow({"n": N("steering.counted", {"word": "n"}, value="one.int"), "one": N("maths.number")}, "n.int")
    carry_out(machine, source)
    key = machine.plan(machine.check(source)).keys["n"]
    assert key
    with engine(tmp_path, installed=machine.registry) as other:
        other.cache.clear()
        claim = other.cache.claim(key)
        assert claim
        with claim:
            assert forced(machine, source, "n")[0] >= {"n"}


def test_a_forced_map_runs_each_item_again_equal_ones_once(machine: Engine) -> None:
    nodes: dict[str, JSON] = {
        "list": N("steering.numbers", {"count": 3}),
        "same": {**N("maths.parity", value="list.ints"), "map": {"over": ["value"]}},
        "each": {**N("steering.counted", {"word": "each"}, value="same.int"), "map": {"over": ["value"]}},
    }
    source = workflow(nodes, "each.int")
    carry_out(machine, source)
    assert CALLS["each"] == 2
    carry_out(machine, source)
    assert CALLS["each"] == 2
    ran, _, outputs = forced(machine, source, "each")
    assert outputs == {"each": [0, 1, 0]}
    assert CALLS["each"] == 4
    assert "same" not in ran


def test_what_a_forced_node_returns_to_run_in_its_place_runs_again_too(machine: Engine) -> None:
    source = workflow(
        {"u": N("steering.unfold", {"word": "u"}, value="one.int"), "one": N("maths.number", {"value": 1})}
    )
    source["outputs"] = {"u": {"from": "u.int"}}
    carry_out(machine, source)
    assert CALLS["u"] == 2
    forced(machine, source, "u")
    assert CALLS["u"] == 4


def test_a_branch_that_nobody_asks_for_is_not_computed_though_it_is_forced(machine: Engine) -> None:
    nodes = {
        "one": N("maths.number", {"value": 1}),
        "left": N("steering.counted", {"word": "left"}, value="one.int"),
        "right": N("steering.counted", {"word": "right"}, value="left.int"),
        "chosen": N("steering.choose", {"take": 1}, first="left.int", second="right.int"),
        "end": N("steering.counted", {"word": "end"}, value="chosen.int"),
    }
    source = workflow(nodes, "end.int")
    carry_out(machine, source)
    assert forced(machine, source, "left", "right")[0] == {"left"}
    assert forced(machine, source, "chosen")[0] == {"chosen"}
    assert CALLS == {"left": 2, "end": 1}


def inner() -> dict[str, JSON]:
    """A workflow with a subgraph of two nodes and a map."""
    inside: JSON = {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "b.int"}},
        "nodes": {
            "a": N("steering.counted", {"word": "a"}, value="inputs.value"),
            "b": N("steering.counted", {"word": "b"}, value="a.int"),
        },
    }
    nodes: dict[str, JSON] = {
        "one": N("maths.number"),
        "use": N("subgraph.inner", value="one.int"),
        "list": N("steering.numbers"),
        "each": {**N("subgraph.inner", value="list.ints"), "map": {"over": ["value"]}},
        "off": {**N("maths.number"), "mode": "mute"},
        "passed": {**N("maths.add", a="use.int"), "mode": "bypass"},
        "extra": N("maths.number", {"value": 3}),
    }
    return workflow(nodes, "passed.int", "each.int", subgraphs={"inner": inside})


def test_a_node_in_a_subgraph_is_forced_by_its_full_name_and_all_of_them_by_the_subgraphs(machine: Engine) -> None:
    carry_out(machine, inner())
    assert forced(machine, inner(), "use/b")[0] - {"one"} == {"use/b"}
    assert forced(machine, inner(), "use")[0] - {"one"} == {"use/a", "use/b"}


def test_names_that_mean_no_node_that_runs_are_refused_at_once(machine: Engine) -> None:
    with pytest.raises(WorkflowError) as caught:
        machine.plan(machine.check(inner()), ["each", "useb"], ["each/3", "off", "passed", "lsit", "each"])
    assert [(problem.place, problem.code) for problem in caught.value.problems] == [
        ("useb", "unknown_target"),
        ("each/3", "inside_zone"),
        ("off", "muted"),
        ("passed", "muted"),
        ("lsit", "unknown_forced"),
    ]
    assert caught.value.problems[1].cure == "force 'each'"
    assert caught.value.problems[4].cure == "did you mean 'list'?"
    with pytest.raises(WorkflowError, match="extra: is forced, but nothing that is to be run needs it"):
        machine.plan(machine.check(inner()), force=["extra"])


def test_explain_says_what_is_forced_and_what_depends_on_it(machine: Engine) -> None:
    machine.run(chain())
    plan = machine.plan(machine.check(chain()), force=["first"])
    machine.execute(plan, identity="it")
    found = {item.node: (item.state, item.reasons) for item in machine.explain(plan, "it")}
    assert found["first"] == ("run", ("it is forced",))
    assert found["second"] == ("may run", ("it depends on what 'first' gives",))
    assert found["third"] == ("may run", ("it depends on what 'second' gives",))


def test_a_sweep_forces_a_node_in_every_variation(machine: Engine) -> None:
    nodes = {
        "one": N("maths.number", {"value": 1}),
        "shared": N("steering.counted", {"word": "shared"}, value="one.int"),
        "end": N("steering.counted", {"word": "end"}, value="shared.int"),
    }
    source = workflow(nodes, "end.int", parameters={"add": {"sets": ["end.add"]}})
    axes: dict[str, list[JSON]] = {"add": [1, 2]}
    sweep(machine, source, axes)
    sweep(machine, source, axes, force=["end"])
    assert (CALLS["shared"], CALLS["end"]) == (1, 4)
    sweep(machine, source, axes, force=["shared"])
    assert (CALLS["shared"], CALLS["end"]) == (2, 4)
    with pytest.raises(WorkflowError, match="did you mean 'end'"):
        sweep(machine, source, axes, force=["edn"])
