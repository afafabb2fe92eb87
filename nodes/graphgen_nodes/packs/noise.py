"""Randomness as a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Seed, hookimpl, node
from graphgen_nodes.facts import from_settings
from graphgen_nodes.sockets import Noise


@node(
    category="sampling",
    title="Gaussian noise",
    cheap=True,
    infer=from_settings("noise"),
    aliases=("Random noise", "Seed"),
)
def gaussian(
    *,
    seed: Annotated[int, Seed(), Field(description="The same seed gives the same picture.")] = 0,
    first: Annotated[
        int, Field(ge=0, le=1_000_000, description="Skip this many images: 7 makes a batch's eighth image alone.")
    ] = 0,
    shared: Annotated[bool, Field(description="Give all images of a batch the noise of the first.")] = False,
) -> Noise:
    """Choose the randomness of a run: image i of a batch draws from a generator seeded with seed + first + i.

    It is drawn on the CPU, so that a seed gives the same picture on every device and in every batch size.
    """
    return Noise(seed, first, shared)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the noise."""
    return [gaussian]
