"""Finding plugins: real distributions in a folder, some of which cannot be loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FIND = """
import json
from graphgen.plugins import find_plugins, BrokenPlugin
from graphgen.registry import build_registry
found = [plugin for plugin in find_plugins({disabled}) if plugin.name.startswith("t_")]
registry = build_registry(found)
print(json.dumps({{
    "nodes": sorted(registry.nodes),
    "broken": {{item.name: [item.distribution, item.error] for item in registry.broken}},
    "versions": {{item.name: [item.distribution, item.version] for item in registry.plugins}},
    "sources": {{name: spec.source for name, spec in registry.nodes.items()}},
}}))
"""

NODE = """
from graphgen import hookimpl, node

@node(category="x")
def one() -> int:
    return {value}

@hookimpl
def register_nodes():
    return [one]
"""


def install(folder: Path, name: str, entries: dict[str, str], *, editable: bool = False) -> None:
    """Lay a distribution's metadata out as pip does."""
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[graphgen]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()))
    if editable:
        (info / "direct_url.json").write_text(json.dumps({"url": "file:///x", "dir_info": {"editable": True}}))


def find(folder: Path, *disabled: str) -> dict[str, Any]:
    program = FIND.format(disabled=list(disabled))
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": str(folder)}, check=False
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_plugins_are_found_and_broken_ones_reported_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "t_good.py").write_text(NODE.format(value=1))
    (tmp_path / "t_leaves.py").write_text("raise SystemExit('goodbye')")
    (tmp_path / "t_typo.py").write_text("def register_nodes(:")
    install(tmp_path, "acme-good", {"t_good": "t_good"})
    install(
        tmp_path,
        "acme-bad",
        {"t_leaves": "t_leaves", "t_missing": "t_nowhere", "t_typo": "t_typo", "t_part": "t_good:x"},
    )
    found = find(tmp_path)
    assert found["nodes"] == ["t_good.one"]
    assert found["versions"] == {"t_good": ["acme-good", "1.2"]}
    errors = {name: str(error[1]) for name, error in found["broken"].items() if isinstance(error, list)}
    assert errors["t_leaves"] == "SystemExit: goodbye"
    assert errors["t_missing"] == "ModuleNotFoundError: No module named 't_nowhere'"
    assert errors["t_part"].startswith("AttributeError: module 't_good' has no attribute 'x'")
    assert errors["t_typo"].startswith("SyntaxError: ")


def test_disabled_plugins_are_not_even_imported(tmp_path: Path) -> None:
    (tmp_path / "t_leaves.py").write_text("raise SystemExit('goodbye')")
    install(tmp_path, "acme-bad", {"t_leaves": "t_leaves"})
    assert find(tmp_path, "t_leaves")["broken"] == {}


def test_the_source_of_an_editable_plugin_is_part_of_its_keys(tmp_path: Path) -> None:
    (tmp_path / "t_lib").mkdir()
    (tmp_path / "t_lib" / "__init__.py").write_text(NODE.format(value=1))
    (tmp_path / "t_fixed.py").write_text(NODE.format(value=1))
    install(tmp_path, "acme-edit", {"t_lib": "t_lib"}, editable=True)
    install(tmp_path, "acme-fixed", {"t_fixed": "t_fixed"})
    before = find(tmp_path)["sources"]
    assert before["t_fixed.one"] is None
    assert before["t_lib.one"] == find(tmp_path)["sources"]["t_lib.one"]
    (tmp_path / "t_lib" / "helper.py").write_text("x = 1")
    assert find(tmp_path)["sources"]["t_lib.one"] != before["t_lib.one"]


def test_metadata_that_cannot_be_read_breaks_that_plugin_only(tmp_path: Path) -> None:
    (tmp_path / "t_good.py").write_text(NODE.format(value=1))
    (tmp_path / "t_odd.py").write_text(NODE.format(value=1))
    install(tmp_path, "acme-good", {"t_good": "t_good"})
    install(tmp_path, "acme-odd", {"t_odd": "t_odd"}, editable=True)
    (tmp_path / "acme_odd-1.2.dist-info" / "direct_url.json").write_text("{not json")
    found = find(tmp_path)
    assert found["nodes"] == ["t_good.one"]
    assert list(found["broken"]) == ["t_odd"]
