"""The documentation keeps up with the code: hooks are documented, used and tested; links lead somewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import permutations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from graphgen import hookspecs
from graphgen.plugins import Plugin, find_plugins

ROOT = Path(__file__).parent.parent
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "graphgen_spec")]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_there_are_hooks() -> None:
    assert "register_nodes" in HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_is_documented(hook: str) -> None:
    assert f"`{hook}`" in (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_is_used_by_a_plugin(hook: str) -> None:
    plugins = [plugin for plugin in find_plugins() if isinstance(plugin, Plugin)]
    assert any(hasattr(plugin.module, hook) for plugin in plugins)


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_is_tested(hook: str) -> None:
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    assert any(hook in path.read_text(encoding="utf-8") for path in tests)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "pictures" / "graphs").glob("*.svg")), ids=lambda p: p.stem)
def test_pictures_of_graphs_show_every_node_apart(picture: Path) -> None:
    drawn = ElementTree.parse(picture).getroot()  # noqa: S314 - our own file
    boxes = [
        tuple(float(rect.get(side, "")) for side in ("x", "y", "width", "height"))
        for rect in drawn.iter("{http://www.w3.org/2000/svg}rect")
        if rect.get("x")
    ]
    file, _, subgraph = picture.stem.partition(".")
    graph = json.loads((ROOT / "workflows" / f"{file}.json").read_text(encoding="utf-8"))
    graph = graph["subgraphs"][subgraph] if subgraph else graph
    texts = {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert 0.6 * 11 * max(len(node["type"]) for node in graph["nodes"].values()) < boxes[0][2] - 10, "it would be cut"
    assert texts >= {*graph["nodes"], *(node["type"] for node in graph["nodes"].values())}
    wires = [wire for node in graph["nodes"].values() for wire in node.get("inputs", {}).values()]
    paths = len(list(drawn.iter("{http://www.w3.org/2000/svg}path")))
    assert paths >= sum(len(wire) if isinstance(wire, list) else 1 for wire in wires)
    for (x, y, wide, high), (u, v, *_) in permutations(boxes, 2):
        assert not (x <= u < x + wide and y <= v < y + high)
