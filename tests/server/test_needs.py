"""What workflows need of this machine: told in the list, without opening or checking anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_kit import config
from server.server_kit import Client, serving
from server.test_runs import SUM
from server.test_saved_workflows import put

from graphgen.engine import Engine
from graphgen.plugins import find_plugins
from graphgen.registry import Registry, build_registry
from graphgen.server.needs import Machine, Need

LOAD = {"type": "models.load", "settings": {"path": "big.safetensors"}}
PICTURE = {"type": "images.load", "settings": {"path": "uploads/cat.png"}}


@pytest.fixture(scope="module")
def installed() -> Registry:
    return build_registry(find_plugins())


@pytest.fixture
def machine(installed: Registry, tmp_path: Path) -> Iterator[Machine]:
    with Engine(config(tmp_path), installed) as engine:
        yield Machine(installed, engine.path_of)


def needs(machine: Machine, nodes: object, **more: Any) -> list[tuple[str, str]]:
    return [(need.kind, need.name) for need in machine.needs_of({"graphgen": 1, "nodes": nodes, **more})]


def test_models_pictures_and_kinds_of_nodes_are_found_once_each(machine: Machine) -> None:
    nodes = {"a": PICTURE, "b": LOAD, "c": LOAD, "d": {"type": "no.such"}, "e": {"type": "images.solid"}}
    assert needs(machine, nodes) == [("model", "big.safetensors"), ("input", "uploads/cat.png"), ("node", "no.such")]


def test_subgraphs_are_looked_into_and_are_no_unknown_nodes(machine: Machine) -> None:
    inner = {"nodes": {"deep": LOAD, "other": {"type": "subgraph.second"}}}
    used = {"one": {"type": "subgraph.first"}, "lost": {"type": "subgraph.third"}}
    found = needs(machine, used, subgraphs={"first": inner, "second": {"nodes": {}}})
    assert found == [("model", "big.safetensors"), ("node", "subgraph.third")]


def test_what_does_not_run_needs_nothing_and_a_usual_file_counts(machine: Machine) -> None:
    assert needs(machine, {"a": {**LOAD, "mode": "mute"}, "b": {**LOAD, "mode": "bypass"}}) == []
    assert needs(machine, {"a": {**LOAD, "inputs": {"path": "b.text"}}}) == []
    assert needs(machine, {"a": {"type": "upscalers.load"}}) == [("model", "realesr-animevideov3-x4.safetensors")]
    assert needs(machine, {"a": {"type": "models.load"}, "b": {"type": "masks.paint"}}) == []


@pytest.mark.parametrize("nodes", [None, [], 3, {"a": None}, {"a": []}, {"a": {"type": 3}}, {"a": {"settings": []}}])
def test_what_is_no_workflow_needs_nothing(machine: Machine, nodes: object) -> None:
    assert needs(machine, nodes) == []
    wrong = {"a": {"type": "models.load", "settings": {"path": {}}, "inputs": "b"}}
    assert needs(machine, wrong, subgraphs=nodes) == []


def test_what_is_there_is_not_missing_and_nothing_outside_is_looked_at(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / "big.safetensors").touch()
    (tmp_path / "secret").touch()
    wanted = (
        Need("model", "big.safetensors"),
        Need("model", "emoji"),
        Need("model", "small.safetensors"),
        Need("model", "../secret"),
        Need("input", str(tmp_path / "secret")),
        Need("node", "no.such"),
    )
    assert machine.lacks(wanted, {}) == list(wanted[2:])
    assert machine.lacks(wanted, {wanted[2]: True}) == list(wanted[3:])


def test_the_list_says_what_runs_here_and_notices_what_comes(installed: Registry, tmp_path: Path) -> None:
    with serving(tmp_path, installed=installed) as client:
        put(client, "mine", {"graphgen": 1, "nodes": {"a": LOAD}})
        (tmp_path / "data" / "workflows" / "torn.json").write_text('{"graphgen": 1, "nodes"')
        views = listed(client)
        assert (views["text_to_image"]["runs_here"], views["text_to_image"]["missing"]) == (True, [])
        assert views["flux_dev"]["missing"] == [{"kind": "model", "name": "FLUX.1-dev"}]
        assert (views["mine"]["runs_here"], views["mine"]["damaged"]) == (False, False)
        assert (views["torn"]["runs_here"], views["torn"]["damaged"]) == (False, True)
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / "big.safetensors").touch()
        assert listed(client)["mine"]["runs_here"]


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        etag = put(client, "sum", SUM).json["etag"]
        assert (listed(client)["sum"]["title"], listed(client)["sum"]["etag"]) == ("A sum", etag)
        (tmp_path / "data" / "workflows" / "sum.json").write_text(json.dumps({**SUM, "name": "By hand"}))
        assert listed(client)["sum"]["title"] == "By hand"
        (tmp_path / "data" / "workflows" / "sum.json").unlink()
        assert "sum" not in listed(client)


def listed(client: Client) -> dict[str, dict[str, Any]]:
    return {view["name"]: view for view in client.get("/api/workflows").json["workflows"]}
