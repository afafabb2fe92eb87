"""What imports what, where it cannot be told from the import graph alone; `lint-imports` checks the layers."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from engine_kit import HERE

import graphgen

NODES = HERE.parent / "nodes" / "graphgen_nodes"
HEAVY = ("torch", "numpy", "PIL", "aiohttp", "networkx", "transformers", "diffusers")

LIST = """
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
registry = build_registry(find_plugins())
assert registry.nodes and not registry.broken, registry.broken
registry.catalogue()
"""

RUN_TWICE = """
from pathlib import Path
from graphgen.config import Config
from graphgen.engine import Engine
config = Config.load({name: sys.argv[1] for name in ("models", "inputs", "outputs", "cache", "data")})
source = {"graphgen": 1, "nodes": {
    "number": {"type": "values.number"}, "text": {"type": "values.text", "settings": {"value": "x"}}},
    "outputs": {"number": {"from": "number.float"}, "text": {"from": "text.str"}}}
for expected in (2, 0):
    with Engine(config) as engine:
        report = engine.run(source)
        assert report.status == "done", report
"""


def imported_by(program: str, *arguments: str) -> set[str]:
    """Run a program in a fresh interpreter and return which heavy libraries it imported."""
    code = f"import sys, json\n{program}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_listing_all_nodes_imports_nothing_heavy() -> None:
    assert imported_by(LIST) == set()


def test_checking_running_and_finding_plain_values_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported_by(RUN_TWICE, str(tmp_path)) == set()


@pytest.mark.parametrize("path", sorted(NODES.rglob("*.py")), ids=lambda path: path.relative_to(NODES).as_posix())
def test_built_in_nodes_import_only_what_plugins_may(path: Path) -> None:
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.ImportFrom) and str(statement.module).partition(".")[0] == "graphgen":
            assert statement.module == "graphgen", f"line {statement.lineno}: import it from graphgen itself"
            assert {alias.name for alias in statement.names} <= set(graphgen.__all__), f"line {statement.lineno}"
        if isinstance(statement, ast.Import):
            assert not [alias for alias in statement.names if alias.name.partition(".")[0] == "graphgen"]


def test_what_node_authors_import_is_there_and_small() -> None:
    assert all(hasattr(graphgen, name) for name in graphgen.__all__)
    assert sorted(graphgen.__all__) == graphgen.__all__
    assert len(graphgen.__all__) <= 44
