"""What the editor costs in a browser: workflows of 100, 1,000 and 3,000 nodes opened, moved over, edited.

A real server and real Chromium, without a GPU, driven by Playwright from web/ (web/bench/editor.bench.ts measures). The
editor has to be built (`make web`), with its development packages installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.measure import Measurement

WEB = Path(__file__).parents[1] / "web"
EDITOR = Path(__file__).parents[1] / "graphgen" / "server" / "static" / "index.html"

UNITS: Mapping[str, tuple[str, float]] = {
    "library shown": ("ms", 1),
    "requests": ("", 1),
    "bytes sent": ("KB", 1e-3),
    "bytes of scripts, sent": ("KB", 1e-3),
    "bytes of scripts": ("KB", 1e-3),
    "nodes drawn": ("", 1),
    "opened from the library": ("ms", 1),
    "main thread's work for it": ("ms", 1),
    "opened by its address": ("ms", 1),
    "panning, all in view": ("frames/s", 1),
    "panning, all in view, work for a frame": ("ms", 1),
    "panning at zoom 1": ("frames/s", 1),
    "panning at zoom 1, work for a frame": ("ms", 1),
    "dragging a node": ("frames/s", 1),
    "dragging a node, work for a frame": ("ms", 1),
    "selecting a node": ("ms", 1),
    "a key in a text": ("ms", 1),
    "undoing": ("ms", 1),
    "heap": ("MB", 1e-6),
}
"""The unit of each figure, and what it is multiplied by to be in it."""

AIMS: Mapping[tuple[int, str], float] = {
    (1000, "opened from the library"): 1500,
    (1000, "opened by its address"): 1500,
    (1000, "panning, all in view"): 30,
    (1000, "panning at zoom 1"): 50,
}


def measure() -> Iterator[Measurement]:
    """Yield the figures.

    Raises:
        SystemExit: the editor is not built, or what drives the browser is not installed.
    """
    if missing := _missing():
        raise SystemExit(f"the editor cannot be measured: {missing}")
    for figure in _figures():
        size, name = int(figure["size"]), str(figure["name"])
        unit, scale = UNITS[name]
        label = f"{size:,} nodes, {name}" if size else name
        yield Measurement("editor", label, float(figure["value"]) * scale, unit, AIMS.get((size, name)))


def _missing() -> str:
    if not EDITOR.is_file():
        return "it is not built; run: make web"
    if not (WEB / "node_modules" / "@playwright" / "test").is_dir():
        return "Playwright is not installed; run: cd web && npm ci"
    if shutil.which("npx") is None:
        return "npx is not on PATH; on Debian: apt-get install npm"
    return ""


def _figures() -> list[dict[str, str | float]]:
    """Run the benchmark in web/, which prints what it finds as it goes, and return what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "figures.json")
        given = {"PYTHON": sys.executable, "GRAPHGEN_BENCH_RESULTS": str(results)}
        command = ["npx", "playwright", "test", "--config", "bench.config.ts"]
        subprocess.run(command, cwd=WEB, env={**os.environ, **given}, check=True, stdout=sys.stderr)
        figures: list[dict[str, str | float]] = json.loads(results.read_text(encoding="utf-8"))
    return figures
