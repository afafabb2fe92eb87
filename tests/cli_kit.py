"""Call graphgen as people do: in a process of its own, in an empty folder, with the packs of tests/packs installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

PACKS = Path(__file__).parent / "packs"
COMMAND = (sys.executable, "-c", "import sys; from graphgen.cli import main; sys.exit(main())")


@dataclass(frozen=True)
class Answer:
    """What a call printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines; fails where a line is none."""
        return [json.loads(line) for line in self.out.splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one name."""
        return [line for line in self.lines if line["event"] == name]


@dataclass(frozen=True)
class Terminal:
    """An empty folder to work in, with the five roots inside, and some packs installed.

    graphgen's own packs are left out unless `complete`, since finding them takes most of a short call.
    """

    folder: Path
    packs: Sequence[str] = ("toy",)
    complete: bool = False

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of calls."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("GRAPHGEN_")}
        packs = [str(PACKS / name) for name in self.packs]
        path = os.pathsep.join([*packs, *filter(None, [kept.get("PYTHONPATH")])])
        roots = {
            f"GRAPHGEN_{name.upper()}_DIR": str(self.folder / name) for name in ("models", "inputs", "cache", "data")
        }
        if not self.complete:
            roots["GRAPHGEN_DISABLED_PLUGINS"] = ",".join(built_in())
        return {**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "100", **roots, **more}

    def save(self, workflow: Mapping[str, object], name: str = "workflow.json") -> str:
        """Write a workflow's file and return its name."""
        (self.folder / name).write_text(json.dumps(workflow), encoding="utf-8")
        return name

    def call(self, *arguments: str, stdin: str | None = None, **environment: str) -> Answer:
        """Call graphgen and wait for its end."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            input=None if stdin is None else stdin.encode(),
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=240,
            check=False,
        )
        return Answer(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Call graphgen and go on beside it."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def written(self) -> list[str]:
        """The names of the files in the outputs folder, hidden ones included."""
        return sorted(entry.name for entry in (self.folder / "outputs").glob("*"))


@cache
def built_in() -> tuple[str, ...]:
    """Return the names of the packs that come with graphgen."""
    return tuple(entry.name for entry in distribution("graphgen").entry_points if entry.group == "graphgen")


def workflow(nodes: Mapping[str, object], **more: object) -> dict[str, object]:
    """Return a workflow's document."""
    return {"graphgen": 1, "nodes": nodes, **more}


def a_sum(**settings: object) -> dict[str, object]:
    """Return a workflow of five nodes and four parameters that takes a number of steps and writes a text file."""
    return workflow(
        {
            "two": {"type": "toy.number", "settings": {"value": 2}},
            "long": {"type": "toy.slow", "inputs": {"value": "two.float"}, "settings": {"steps": 3, **settings}},
            "square": {"type": "toy.heavy", "inputs": {"value": "two.float"}},
            "sum": {"type": "toy.add", "inputs": {"numbers": ["long.float", "square.float"]}},
            "note": {"type": "toy.write", "inputs": {"value": "sum.float"}, "settings": {"text": "sum"}},
        },
        name="A sum",
        description="Adds slow numbers and writes the sum down.",
        parameters={
            "first": {"sets": ["two.value"], "description": "The first number"},
            "steps": {"sets": ["long.steps"], "description": "How long it takes"},
            "mode": {"sets": ["square.mode"], "description": "What is done to it"},
            "title": {"sets": ["note.text"], "description": "What is written before it"},
        },
        outputs={"total": {"from": "sum.float", "description": "The sum"}},
    )
