"""From `graphgen run` to the picture, as a person at a terminal waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.measure import Measurement

WORKFLOW = Path(__file__).parent.parent / "workflows" / "text_to_image.json"


def measure() -> Iterator[Measurement]:
    """Measure a first run, one with another seed, a cached one, and listing the nodes."""
    with TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "GRAPHGEN_CACHE_DIR": f"{folder}/cache",
            "GRAPHGEN_OUTPUTS_DIR": f"{folder}/outputs",
        }
        python = command_seconds([sys.executable, "-c", "pass"], environment)[0]
        yield from _both("first run, nothing cached", ["run", str(WORKFLOW)], environment, python)
        yield from _both("another seed", ["run", str(WORKFLOW), "--set", "seed=8"], environment, python)
        yield from _both("fully cached", ["run", str(WORKFLOW)], environment, python, aim=0.5)
        yield from _both("graphgen nodes", ["nodes"], environment, python, aim=0.5)


def _both(
    name: str, arguments: list[str], environment: Mapping[str, str], python: float, aim: float | None = None
) -> Iterator[Measurement]:
    runs = [
        command_seconds([sys.executable, "-m", "graphgen", *arguments], environment)
        for _ in range(1 if aim is None else 3)
    ]
    wall, process = min(wall for wall, _ in runs), min(process for _, process in runs)
    yield Measurement("terminal", f"{name}: until done", wall, "s", None, "an empty Python", wall / python)
    yield Measurement("terminal", f"{name}: process time", process, "s", aim)


def command_seconds(command: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Run a command; return the seconds it took by the clock and by the processor."""
    before = getrusage(RUSAGE_CHILDREN)
    began = perf_counter()
    subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.DEVNULL)
    wall = perf_counter() - began
    after = getrusage(RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
