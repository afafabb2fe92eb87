"""What `graphgen doctor` says of the five folders and of the cache: subject, finding, and a cure for what is wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TypeAlias

from graphgen.cache import Cache
from graphgen.cli.words import count, size
from graphgen.config import Roots
from graphgen.errors import CacheError

Told: TypeAlias = tuple[str, str, str | None]

LITTLE = 1 << 30
"""Bytes below which a disk counts as full."""
WRITTEN = ("outputs", "cache", "data")
"""The folders that graphgen writes to."""


def look_at_folders(roots: Roots) -> Iterable[Told]:
    """Say of each folder whether it is there, can be used, and has room."""
    for field in fields(roots):
        path: Path = getattr(roots, field.name)
        found, cure = _look(field.name, path)
        yield field.name, f"{path}: {found}", cure


def look_at_cache(cache: Cache) -> Iterable[Told]:
    """Say how much the cache holds, and whether it can be written."""
    info = cache.info()
    if info.directory is None:
        yield "disk cache", "turned off (disk_bytes is 0)", None
        return
    try:
        cache.require()
    except CacheError as error:
        yield "disk cache", str(error), "make the folder writable, or choose another with GRAPHGEN_CACHE_DIR"
        return
    held = f"{count(info.disk_results, 'result')}, {size(info.disk_bytes)} of {size(info.disk_budget)}"
    yield "disk cache", f"{held}, can be written", None


def _look(name: str, path: Path) -> tuple[str, str | None]:
    variable = f"GRAPHGEN_{name.upper()}_DIR"
    nearest = next((place for place in (path, *path.parents) if place.exists()), path)
    if not nearest.is_dir():
        return f"{nearest} is a file", f"remove it, or set {variable} to a folder"
    needed = os.R_OK | os.X_OK | (os.W_OK if name in WRITTEN else 0)
    if not os.access(nearest, needed):
        what = "written to" if os.access(nearest, os.R_OK | os.X_OK) else "read"
        return f"cannot be {what}", f"change its permissions, or set {variable} to another folder"
    free = shutil.disk_usage(nearest).free
    there = "there" if nearest == path else "not there yet, made when needed"
    cure = f"free some space, or set {variable} to a folder on another disk" if name in WRITTEN else None
    return f"{there}, {size(free)} free", cure if free < LITTLE else None
