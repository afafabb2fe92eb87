"""What the files in workflows/ have in common: the main settings are parameters, alike in all; views are tidy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from graphgen.catalogue import all_nodes
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.spec import NodeSpec
from graphgen.workflow import Node, Workflow, read_workflow

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
ORDER = ("model", "prompt", "negative", "seed", "steps", "guidance", "width", "height", "count")
MAIN: Mapping[str, Mapping[str, str]] = {
    "models.load": {"path": "model"},
    "text.encode": {"text": "prompt"},
    "text.prompts": {"text": "prompt", "negative": "prompt"},
    "text.guidance": {"scale": "guidance"},
    "noise.gaussian": {"seed": "seed"},
}
"""The settings that people change first, by node, each with the parameter that is meant for it."""
Specs = Mapping[str, NodeSpec]


@pytest.fixture(scope="module")
def specs() -> Specs:
    return all_nodes(build_registry(find_plugins()))


def _kinds(spec: NodeSpec, drawn: str) -> Mapping[str, str]:
    """Return which settings of a node people change first, with the parameter's name that is meant for each."""
    if spec.id.startswith("schedules."):
        return {"steps": "steps"} if spec.setting("steps") else {}
    if spec.id.startswith("guiders.") and any(item.name == "positive" for item in spec.inputs):
        return {"scale": "guidance"} if spec.setting("scale") else {}
    return {"width": "width", "height": "height"} if spec.id == drawn else MAIN.get(spec.id, {})


def _main_settings(nodes: Mapping[str, Node], specs: Specs) -> Iterator[tuple[str, str]]:
    """Yield the main settings that are not wired, each with its kind. What an empty latent is as large as, is drawn."""
    drawn = "latents.empty" if any(node.type == "latents.empty" for node in nodes.values()) else "images.resize"
    for name, node in nodes.items():
        spec = specs.get(node.type)
        kinds = _kinds(spec, drawn) if spec else {}
        yield from ((f"{name}.{key}", kind) for key, kind in kinds.items() if key not in node.inputs)


def _all_main_settings(workflow: Workflow, specs: Specs) -> Iterator[tuple[str, str]]:
    """Yield those of the nodes, and those of subgraphs in them as the subgraphs' parameters."""
    yield from _main_settings(workflow.nodes, specs)
    for name, node in workflow.nodes.items():
        subgraph = workflow.subgraphs.get(node.type.removeprefix("subgraph."))
        if subgraph is None:
            continue
        inner = {place: key for key, parameter in subgraph.parameters.items() for place in parameter.sets}
        for place, kind in _main_settings(subgraph.nodes, specs):
            assert place in inner, f"{place} of {node.type} is no parameter of it"
            if inner[place] not in node.inputs:
                yield f"{name}.{inner[place]}", kind


def _means(parameter: str, kind: str) -> bool:
    """Tell whether a parameter's name says what it sets: `prompt`, `left_prompt`, `large_width`; `size` is both."""
    other = {"prompt": "negative", "width": "size", "height": "size"}
    return parameter.rpartition("_")[2] in (kind, other.get(kind))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_main_settings_are_parameters(path: Path, specs: Specs) -> None:
    workflow = read_workflow(path)
    found = list(_all_main_settings(workflow, specs))
    assert {"model", "steps"} <= {kind for _, kind in found}
    for place, kind in found:
        names = [name for name, parameter in workflow.parameters.items() if place in parameter.sets]
        assert names, f"no parameter sets {place}"
        assert any(_means(name, kind) for name in workflow.parameters), f"no parameter is called {kind}"
        assert kind == "model" or _means(names[0], kind), f"{names[0]} sets {place}; call it {kind}, or ..._{kind}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_parameters_make_a_form(path: Path) -> None:
    """They stand in the same order everywhere, and each is described by a line of its own."""
    parameters = read_workflow(path).parameters
    assert [name for name in parameters if name in ORDER] == [name for name in ORDER if name in parameters]
    lines = [parameter.description for parameter in parameters.values()]
    assert len(set(lines)) == len(lines)
    for line in lines:
        assert 12 <= len(line) <= 120, line
        assert line[0].isupper(), line
        assert not line.endswith("."), line


def test_what_runs_as_it_is_has_a_picture() -> None:
    """docs/examples.md shows what each example draws whose model comes along."""
    embedded = {path.stem for path in WORKFLOWS if '{"path": "emoji"}' in path.read_text(encoding="utf-8")}
    shown = {path.stem for path in (ROOT / "docs" / "pictures" / "examples").glob("*.png")}
    assert len(embedded) > 8
    assert embedded == shown, "run `python docs/pictures.py`"


def test_views_are_tidy() -> None:
    """No node lies on another, and wires run from left to right."""
    command = [sys.executable, str(ROOT / "docs" / "layout.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
