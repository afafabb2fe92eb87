"""Partial work: what a long node keeps of its work before it is done, so that another run goes on from there.

In: a node, and a text by which it tells its partial works apart. Out: the keys they are kept under in the cache, and
the door through which lanes reach it. Where a task's latest partial work was kept, a note under the key of the task's
result says how far it went: `--explain` reads it.
"""

from __future__ import annotations

from typing import Protocol, cast

from graphgen.cache import Cache, Result, StoredValue
from graphgen.hookspecs import DeviceInfo
from graphgen.jsontypes import json_digest
from graphgen.recipe import environment_of
from graphgen.spec import NodeSpec


class Partials(Protocol):
    """Where partial works are kept, by keys of 40 hexadecimal digits."""

    def recall(self, key: str) -> Result | None:
        """Return what is kept under a key: a result whose one value is named `value`, or None."""

    def remember(self, key: str, value: StoredValue, seconds: float) -> None:
        """Keep a value; `seconds` is what coming there took."""


class CachedPartials:
    """Keeps partial works in the cache, on disk too, within its budget."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def recall(self, key: str) -> Result | None:
        """Return what the cache holds."""
        return self._cache.fetch(key)

    def remember(self, key: str, value: StoredValue, seconds: float) -> None:
        """Hand the value to the cache, which writes it in a thread of its own."""
        self._cache.keep([key], {"value": value}, seconds, durable=True)


def partial_key(spec: NodeSpec, device: DeviceInfo, text: str) -> str:
    """Return the key of a node's partial work: its id, version, source and device, and the text it calls it by."""
    return json_digest(["partial", spec.id, spec.version, spec.source, environment_of(spec, device), text])


def note_key(key: str) -> str:
    """Return the key of the note on how far the task went whose result will have a key."""
    return json_digest(["how far", key])


def how_far(cache: Cache, key: str) -> str | None:
    """Return the words in which a task told how far its partial work goes, if that is still there."""
    note = cache.fetch(note_key(key))
    if note is None:
        return None
    words, where = cast(tuple[str, str], note.values["value"].load())
    return words if cache.peek(where) else None
