"""Work that finds no memory: what is idle is let go, then ways are tried that take less, and each is told.

In: ways to do the same work. Out: what the first of them gives that fits. The person who runs the workflow reads of it,
and the run record says it. Most ways show in the last bits of a picture, or more: what they give serves the run, and is
not kept for later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from graphgen import Context, ResourceError
from graphgen_nodes.weights import memory_errors

T = TypeVar("T")

Way: TypeAlias = tuple[str, Callable[[], T]]
"""How the work is done otherwise than asked, in words (`in tiles of 512 pixels`; empty: as asked), and the work."""

BLOCKS = "with weights that come block by block"
"""The words for what is done with `context.resource(..., room=0)`, which, if nothing else is, changes no number."""


def smaller(sizes: Sequence[int], tile: int, longest: int) -> list[int]:
    """Return which sizes of tiles are smaller than those asked for (0: none) of a picture with a longest side."""
    return [size for size in sizes if size < (min(tile, longest) if tile else longest)]


def in_less_memory(context: Context, *ways: Way[T]) -> T:
    """Return what the first way gives that does not run out of memory; each is tried again where something was idle.

    A way must hold nothing outside itself, and lease what it needs: what it has made is gone when the next one begins.

    Raises:
        ResourceError: none fits; says what would help.
    """
    problem = ""
    for words, work in ways:
        if words:
            context.log(f"out of memory; tries again {words}", warning=True)
        for _ in range(2):
            try:
                with memory_errors():
                    found = work()
            except MemoryError as error:
                problem = str(error).partition("\n")[0]
            else:
                if words:
                    context.adapted(words, exact=words == BLOCKS)
                return found
            if not context.free():  # stands outside, so that the error's frames and what they hold are gone by then
                break
    raise ResourceError(
        f"{context.device}: the memory is not enough ({problem or 'no more is told'}), even with idle weights let go "
        "and in the ways that take less; make the picture or the batch smaller, choose a lower precision, close what "
        "else uses the device, or run on the CPU"
    )
