"""Model families: one file each, found by looking through this package.

To add one, put a file here with a `Family` subclass and `FAMILIES = (ThatClass(),)`; nothing else needs to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.families.family import Family
from graphgen_nodes.sampling import schedules
from graphgen_nodes.sampling.paths import Path
from graphgen_nodes.sockets import Schedule

__all__ = ["Family", "families", "family", "usual_schedule"]


@cache
def families() -> Mapping[str, Family]:
    """Return every family by its name."""
    found: dict[str, Family] = {}
    for module in sorted(iter_modules(__path__), key=lambda module: module.name):
        for item in getattr(import_module(f"{__name__}.{module.name}"), "FAMILIES", ()):
            found[item.name] = item
    return MappingProxyType(found)


def usual_schedule(name: str, path: Path, steps: int, *, cells: int | None = None) -> Schedule:
    """Return the steps that the pipeline of a family takes; of a family that is not known, those usual for the path.

    `cells` is the size of the latent, which some families' steps depend on.
    """
    found = families().get(name)
    return schedules.default(path, steps) if found is None else found.schedule(path, steps, cells=cells)


def family(name: str) -> Family:
    """Return a family by its name.

    Raises:
        CheckpointError: there is no such family.
    """
    if name not in families():
        raise CheckpointError(f"family: there is no {name!r}; known are {', '.join(families())}")
    return families()[name]
