"""Sockets and settings that are no part of a node's key: what else comes in changes nothing of what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_kit import N, carry_out, engine, workflow
from packs import probe

from graphgen.engine import Engine
from graphgen.jsontypes import JSON

ID = "the workflow"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


def muttering(source: dict[str, JSON] | None = None, *, value: int = 7, loud: bool = False) -> dict[str, JSON]:
    wires: dict[str, JSON] = {"value": "value.int"}
    nodes: dict[str, JSON] = {"value": N("maths.number", {"value": value})}
    if source is not None:
        wires, nodes = {**wires, "beside": "source.int"}, {**nodes, "source": source}
    settings: dict[str, JSON] = {"loud": loud}
    return workflow({**nodes, "end": N("probe.mutter", settings, **wires)}, "end.int")


def key_of(machine: Engine, source: dict[str, JSON]) -> str | None:
    return machine.plan(machine.check(source)).keys["end"]


def test_keyless_settings_and_wires_are_in_no_recipe_key(machine: Engine) -> None:
    plain = key_of(machine, muttering())
    assert plain is not None
    assert key_of(machine, muttering(loud=True)) == plain
    assert key_of(machine, muttering(N("maths.number", {"value": 3}))) == plain
    assert key_of(machine, muttering(N("probe.clock"))) == plain, "what runs every time leaves the key known"
    assert key_of(machine, muttering(value=8)) != plain


def test_the_setting_comes_to_the_node_all_the_same(machine: Engine) -> None:
    graph = machine.check(muttering(loud=True))
    assert graph.nodes["end"].settings == {"loud": True}


def test_what_was_computed_with_others_serves(machine: Engine) -> None:
    carry_out(machine, muttering(N("maths.number", {"value": 3})))
    report, log = carry_out(machine, muttering(N("maths.number", {"value": 4}), loud=True))
    assert report.outputs == {"end": 7}
    assert log.ran == set(), "nor is what is wired to it computed"


def test_value_keys_leave_them_out_too(machine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a node that runs every time only value keys are known."""
    monkeypatch.setattr(probe, "CLOCK", [5])

    def below_a_clock(beside: int) -> dict[str, JSON]:
        nodes = {"clock": N("probe.clock"), "beside": N("maths.number", {"value": beside})}
        return workflow({**nodes, "end": N("probe.mutter", value="clock.int", beside="beside.int")}, "end.int")

    carry_out(machine, below_a_clock(1))
    _, log = carry_out(machine, below_a_clock(2))
    assert "end" not in log.ran


def test_that_one_changed_is_no_reason_to_run(machine: Engine) -> None:
    plan = machine.plan(machine.check(muttering(N("maths.number", {"value": 3}))))
    machine.execute(plan, identity=ID)
    changed = machine.plan(machine.check(muttering(N("maths.number", {"value": 4}), value=8)))
    reasons = {line.node: line.reasons for line in machine.explain(changed, ID)}
    assert reasons["end"] == ("'value' changed",)
