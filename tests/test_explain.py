"""Why a node runs: each reason, in words, and what the record of a run remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from engine_kit import N, engine, registry, workflow
from packs import probe

from graphgen.engine import Engine
from graphgen.explain import read_record
from graphgen.jsontypes import JSON

ID = "the workflow"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


def run(machine: Engine, nodes: Mapping[str, JSON], *outputs: str) -> str:
    return machine.execute(machine.plan(machine.check(workflow(nodes, *outputs))), identity=ID).status


def why(machine: Engine, nodes: Mapping[str, JSON], *outputs: str) -> dict[str, tuple[str, ...]]:
    plan = machine.plan(machine.check(workflow(nodes, *outputs)))
    return {line.node: (line.state, *line.reasons) for line in machine.explain(plan, ID)}


def chain(value: int = 1, extra: int = 0) -> dict[str, JSON]:
    return {"one": N("maths.number", {"value": value}), "two": N("maths.add", {"extra": extra}, a="one.int")}


def test_a_first_run_and_one_without_changes(machine: Engine) -> None:
    assert why(machine, chain(), "two.int") == {
        "one": ("run", "it has not run yet"),
        "two": ("run", "it has not run yet"),
    }
    run(machine, chain(), "two.int")
    assert why(machine, chain(), "two.int") == {"one": ("not needed",), "two": ("cached",)}


def test_a_setting_that_changed_is_shown_with_both_values(machine: Engine) -> None:
    run(machine, chain(), "two.int")
    assert why(machine, chain(value=5), "two.int") == {
        "one": ("run", "value: 1 -> 5"),
        "two": ("run", "'one' changed"),
    }
    assert why(machine, chain(extra=3), "two.int")["two"] == ("run", "extra: 0 -> 3")


def test_what_changed_since_the_last_run_may_be_kept_all_the_same(machine: Engine) -> None:
    def counts(value: int, extra: int) -> dict[str, JSON]:
        counted = N("steering.counted", {"word": "x"}, value="one.int")
        return {
            "one": N("maths.number", {"value": value}),
            "c": counted,
            "two": N("maths.add", {"extra": extra}, a="c.int"),
        }

    run(machine, counts(1, 0), "two.int")
    run(machine, counts(2, 0), "two.int")
    told = why(machine, counts(1, 7), "two.int")
    assert told["c"] == ("cached",)
    assert told["two"] == ("run", "extra: 0 -> 7", "'c' changed since the last run, and is kept")


def test_a_setting_that_is_wired_now(machine: Engine) -> None:
    run(machine, chain(), "two.int")
    nodes = chain() | {"two": N("maths.add", a="one.int", extra="one.int")}
    assert why(machine, nodes, "two.int")["two"] == ("run", "extra: 0 -> wired", "its wires changed")


def test_another_node_of_the_same_name(machine: Engine) -> None:
    run(machine, chain(), "two.int")
    nodes = chain() | {"two": N("maths.parity", value="one.int")}
    assert why(machine, nodes, "two.int")["two"] == ("run", "it was a maths.add", "its wires changed")


def test_a_new_version_or_source_of_a_node(machine: Engine, tmp_path: Path) -> None:
    run(machine, chain(), "two.int")
    made = registry()
    for change, words in (
        ({"version": 2}, "the node's version changed"),
        ({"source": "x"}, "the plugin's source changed"),
    ):
        spec = replace(made.nodes["maths.add"], **change)
        newer = replace(made, nodes={**made.nodes, "maths.add": spec})
        with engine(tmp_path, installed=newer) as other:
            assert why(other, chain(), "two.int")["two"] == ("run", words)


def test_a_file_that_changed(machine: Engine) -> None:
    note = machine.config.roots.inputs / "note.txt"
    nodes = {"r": N("probe.read"), "s": N("probe.shout", text="r.str")}
    note.write_text("a")
    run(machine, nodes, "s.str")
    note.write_text("b")
    assert why(machine, nodes, "s.str") == {"r": ("run", "the file it reads changed"), "s": ("run", "'r' changed")}


def test_a_device_that_changed(machine: Engine, tmp_path: Path) -> None:
    nodes: dict[str, JSON] = {"w": N("probe.where")}
    run(machine, nodes, "w.str")
    with engine(tmp_path, device="cuda", precision="float16") as other:
        assert why(other, nodes, "w.str")["w"] == ("run", "the device or its precision changed")


def test_below_an_impure_node_only_the_value_will_tell(machine: Engine) -> None:
    nodes = {"now": N("probe.clock"), "end": N("maths.add", a="now.int")}
    run(machine, nodes, "end.int")
    assert why(machine, nodes, "end.int") == {
        "now": ("run", "it runs every time"),
        "end": ("may run", "it depends on what 'now' gives"),
    }
    probe.CLOCK[0] = 0


def test_equal_nodes_name_each_other(machine: Engine) -> None:
    nodes = {"one": N("maths.number"), "same": N("maths.number")}
    assert why(machine, nodes, "one.int", "same.int")["same"] == ("equal", "the same as 'one'")


def test_what_is_no_longer_in_the_cache(machine: Engine) -> None:
    run(machine, chain(), "two.int")
    machine.cache.clear()
    assert why(machine, chain(), "two.int")["two"] == ("run", "its value is not in the cache")


def test_a_run_of_some_nodes_does_not_forget_the_others(machine: Engine) -> None:
    nodes = chain() | {"other": N("maths.parity", value="one.int")}
    run(machine, nodes, "two.int", "other.int")
    changed = chain(extra=9) | {"other": N("maths.parity", value="one.int")}
    machine.execute(machine.plan(machine.check(workflow(changed, "two.int", "other.int")), ["two"]), identity=ID)
    machine.cache.clear()
    assert why(machine, changed, "other.int")["other"] == ("run", "its value is not in the cache")


def test_nodes_that_failed_or_were_skipped_have_not_run(machine: Engine) -> None:
    nodes = {"bad": N("probe.fail"), "after": N("maths.add", a="bad.int"), "fine": N("maths.number")}
    assert run(machine, nodes, "after.int", "fine.int") == "failed"
    assert set(read_record(machine.config.roots.cache, ID)) == {"fine"}
    assert why(machine, nodes, "after.int")["bad"] == ("run", "it has not run yet")


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"one": 3}', '{"one": {"recipe": 3, "wires": []}}'])
def test_a_damaged_record_is_no_record(machine: Engine, content: str) -> None:
    run(machine, chain(), "two.int")
    for path in (machine.config.roots.cache / "records").iterdir():
        path.write_text(content)
    machine.cache.clear()
    assert why(machine, chain(), "two.int")["one"][:2] == ("run", "it has not run yet")


def test_the_explanation_of_many_nodes_is_linear(machine: Engine) -> None:
    nodes: dict[str, JSON] = {"n0": N("maths.number")}
    nodes |= {f"n{i}": N("maths.quick", {"extra": 1}, a=f"n{i - 1}.int") for i in range(1, 5000)}
    assert len(why(machine, nodes, "n4999.int")) == 5000
