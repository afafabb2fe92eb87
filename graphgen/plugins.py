"""Finding and loading plugins: entry points of the group `graphgen`, each under its own name.

A plugin that cannot be imported, or whose hooks raise, is reported with the reason and never stops the others.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec
from json import loads
from pathlib import Path

from graphgen.errors import error_line
from graphgen.jsontypes import digest

GROUP = "graphgen"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A loaded plugin: its pack's name, the object with its hooks, and where it came from."""

    name: str
    module: object
    distribution: str = ""
    version: str = ""
    source: str | None = None
    """Digest of its source files while it is installed editable."""


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be used, and why: `error` is one line, `traceback` all of them."""

    name: str
    distribution: str
    error: str
    traceback: str


def find_plugins(disabled: Collection[str] = ()) -> list[Plugin | BrokenPlugin]:
    """Import every installed plugin that is not disabled, in the order of their names."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return [_load(entry) for entry in found if entry.name not in disabled]


def module_plugins(modules: Mapping[str, object]) -> list[Plugin | BrokenPlugin]:
    """Wrap modules that are imported already as plugins, as tests and notebooks want."""
    return [Plugin(name, module) for name, module in modules.items()]


def broken(name: str, distribution: str, error: BaseException) -> BrokenPlugin:
    """Describe a plugin that raised."""
    return BrokenPlugin(name, distribution, error_line(error), "".join(traceback.format_exception(error)))


def _load(entry: EntryPoint) -> Plugin | BrokenPlugin:
    distribution = entry.dist
    name = distribution.name if distribution else ""
    try:
        module = entry.load()
        source = _source_digest(entry.module.partition(".")[0]) if _is_editable(distribution) else None
    except (Exception, SystemExit) as error:  # a plugin may fail in any way; it must not stop the others
        return broken(entry.name, name, error)
    return Plugin(entry.name, module, name, distribution.version if distribution else "", source)


def _is_editable(distribution: Distribution | None) -> bool:
    text = distribution.read_text("direct_url.json") if distribution else None
    return bool(loads(text).get("dir_info", {}).get("editable")) if text else False


@cache
def _source_digest(package: str) -> str:
    return digest(*(part for path in _source_files(package) for part in (path.name.encode(), path.read_bytes())))


def _source_files(package: str) -> Iterator[Path]:
    module = sys.modules.get(package)
    places: Iterable[str] = getattr(module, "__path__", None) or _single_file(package)
    for place in places:
        path = Path(place)
        yield from sorted(path.rglob("*.py")) if path.is_dir() else (path,)


def _single_file(package: str) -> list[str]:
    spec = find_spec(package)
    return [spec.origin] if spec and spec.origin else []
