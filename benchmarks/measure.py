"""Measurements as data, and the table they are shown in."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

from graphgen.jsontypes import JSON


@dataclass(frozen=True)
class Measurement:
    """One figure: what was measured, how much, in which unit, the aim, and what it was compared with."""

    group: str
    name: str
    value: float
    unit: str
    aim: float | None = None
    compared_with: str = ""
    ratio: float | None = None

    def to_json(self) -> dict[str, JSON]:
        """Return the measurement as a JSON object."""
        return asdict(self)


def best_of(times: int, work: Callable[[], object]) -> float:
    """Return the shortest of several runs, in seconds: the one the machine disturbed least."""
    shortest = float("inf")
    for _ in range(times):
        gc.collect()
        began = perf_counter()
        work()
        shortest = min(shortest, perf_counter() - began)
    return shortest


def table(measurements: Sequence[Measurement]) -> str:
    """Lay measurements out for reading."""
    rows = [("what", "measured", "aim", "compared with", "ratio")]
    for item in measurements:
        aim = "" if item.aim is None else f"{item.aim:g} {item.unit}"
        ratio = "" if item.ratio is None else f"{item.ratio:.2f}"
        rows.append((f"{item.group}: {item.name}", f"{item.value:.4g} {item.unit}", aim, item.compared_with, ratio))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
