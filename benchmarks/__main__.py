"""Run the benchmarks: `python -m benchmarks [overhead] [steering] [handover] ...`, all of them by default."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from benchmarks.measure import Measurement, table

GROUPS = (
    "overhead", "steering", "again", "handover", "sweep", "server", "picture",
    "sampling", "families", "loading", "editor",
)  # fmt: skip
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    """Measure the named groups, print them and write them down."""
    if unknown := [name for name in names if name not in GROUPS]:
        print(f"unknown: {', '.join(unknown)}; allowed: {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    found = [item for name in names or GROUPS for item in _group(name)()]
    print(table(found))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.json"
    path.write_text(json.dumps({"machine": _machine(), "measurements": [item.to_json() for item in found]}, indent=1))
    print(f"\nwritten to {path}")
    return 0


def _group(name: str) -> Callable[[], Iterator[Measurement]]:
    measure: Callable[[], Iterator[Measurement]] = import_module(f"benchmarks.{name}").measure
    return measure


def _machine() -> Mapping[str, str]:
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": str(os.cpu_count()),
        "load": load,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
