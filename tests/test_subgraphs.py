"""Subgraphs: the same keys and values as the nodes written out, each inside the other, and some that plugins ship."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from engine_kit import N, carry_out, engine, problems_of, workflow
from packs import maths

from graphgen.engine import Engine
from graphgen.hookspecs import hookimpl
from graphgen.jsontypes import JSON
from graphgen.parameters import describe_parameters
from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import Registry, build_registry

TWICE: dict[str, JSON] = {
    "inputs": {"start": {"type": "int"}},
    "parameters": {"step": {"sets": ["first.extra", "second.extra"]}},
    "outputs": {"sum": {"from": "second.int"}},
    "nodes": {"first": N("maths.add", {"extra": 4}, a="inputs.start"), "second": N("maths.add", a="first.int")},
}


def keys_of(machine: Engine, document: dict[str, JSON]) -> set[str | None]:
    """Return the recipe keys of all nodes."""
    return set(machine.plan(machine.check(document)).keys.values())


def test_nodes_of_a_subgraph_have_the_keys_they_have_written_out(tmp_path: Path) -> None:
    used = workflow(
        {"one": N("maths.number", {"value": 1}), "twice": N("subgraph.twice", {"step": 3}, start="one.int")},
        "twice.sum",
        subgraphs={"twice": TWICE},
    )
    written = workflow(
        {
            "one": N("maths.number", {"value": 1}),
            "a": N("maths.add", {"extra": 3}, a="one.int"),
            "b": N("maths.add", {"extra": 3}, a="a.int"),
        },
        "b.int",
    )
    with engine(tmp_path) as machine:
        assert keys_of(machine, used) == keys_of(machine, written)
        first, _ = carry_out(machine, used)
        second, _ = carry_out(machine, written)
    assert (dict(first.outputs), dict(second.outputs)) == ({"twice": 7}, {"b": 7})
    assert second.ran == 0


def test_a_parameter_is_described_by_the_setting_behind_it(tmp_path: Path) -> None:
    outer: JSON = {
        "inputs": {"start": {"type": "int"}},
        "parameters": {"step": {"sets": ["inner.step"]}},
        "outputs": {"sum": {"from": "inner.sum"}},
        "nodes": {"inner": N("subgraph.twice", start="inputs.start")},
    }
    document = workflow(
        {"one": N("maths.number"), "all": N("subgraph.outer", start="one.int")},
        "all.sum",
        subgraphs={"twice": TWICE, "outer": outer},
        parameters={"by": {"sets": ["all.step"]}},
    )
    with engine(tmp_path) as machine:
        read = machine.read(document)
        (info,) = describe_parameters(read, machine.registry)
        assert (info.name, info.type, info.value) == ("by", "int", 4)
        report = machine.run(document, {"by": 10})
    assert dict(report.outputs) == {"all": 20}


def test_what_is_muted_takes_its_subgraph_with_it(tmp_path: Path) -> None:
    document = workflow(
        {
            "one": N("maths.number", {"value": 1}),
            "twice": {**N("subgraph.twice", start="one.int"), "mode": "mute"},
            "sum": N("maths.add", a="one.int", b="twice.sum"),
        },
        "sum.int",
        subgraphs={"twice": TWICE},
    )
    with engine(tmp_path) as machine:
        assert dict(machine.run(document).outputs) == {"sum": 1}


def test_a_bypassed_subgraph_needs_an_input_that_fits(tmp_path: Path) -> None:
    word: JSON = {
        "inputs": {"start": {"type": "int"}},
        "outputs": {"text": {"from": "word.str"}},
        "nodes": {"word": N("maths.word", {"text": "x"})},
    }
    document = workflow(
        {"one": N("maths.number"), "word": {**N("subgraph.word", start="one.int"), "mode": "bypass"}},
        "word.text",
        subgraphs={"word": word},
    )
    with engine(tmp_path) as machine:
        (first, *_) = problems_of(machine, document)
    assert str(first) == (
        "word: is bypassed, and none of its wired inputs fits its output 'text' (str); remove that node's mode"
    )


def test_a_few_lines_cannot_become_billions_of_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphgen.subgraphs.LARGEST", 1000)
    layers: dict[str, JSON] = {"s0": TWICE}
    for level in range(1, 30):
        below = f"subgraph.s{level - 1}"
        layers[f"s{level}"] = {
            "inputs": {"start": {"type": "int"}},
            "outputs": {"sum": {"from": "b.sum"}},
            "nodes": {"a": N(below, start="inputs.start"), "b": N(below, start="a.sum")},
        }
    nodes = {"one": N("maths.number"), "all": N("subgraph.s29", start="one.int")}
    document = workflow(nodes, "all.sum", subgraphs=layers)
    with engine(tmp_path) as machine:
        problems = problems_of(machine, document)
    assert [problem.code for problem in problems if problem.place == "all"] == ["too_large"]


def shipped(folder: Path, document: JSON) -> Registry:
    """A registry with `maths` and a plugin that ships one subgraph."""
    path = folder / "twice.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    plugin = SimpleNamespace(register_subgraphs=hookimpl(lambda: [path]))
    return build_registry(module_plugins({"maths": maths, "acme": plugin}))


def test_a_plugin_ships_a_subgraph_as_a_node(tmp_path: Path) -> None:
    document = workflow({"one": N("maths.number"), "two": N("acme.twice", start="one.int")}, "two.sum")
    with engine(tmp_path, installed=shipped(tmp_path, TWICE)) as machine:
        assert dict(machine.run(document).outputs) == {"two": 4}


def test_a_plugin_whose_subgraph_has_no_good_form_is_broken(tmp_path: Path) -> None:
    (broken,) = shipped(tmp_path, {**TWICE, "outputs": {}}).broken
    assert "twice.json: outputs: must have 1 or more items" in broken.error


def test_the_built_in_subgraph_reads_two_prompts(tmp_path: Path) -> None:
    nodes = {
        "model": N("models.load", {"path": "emoji"}),
        "prompts": N("text.prompts", {"text": "a red apple"}, encoder="model.text_encoder"),
    }
    everything = build_registry(find_plugins())
    with engine(tmp_path, installed=everything) as machine:
        graph = machine.check(workflow(nodes, "prompts.positive", "prompts.negative"))
    assert {node.settings["text"] for name, node in graph.nodes.items() if "/" in name} == {"a red apple", ""}
