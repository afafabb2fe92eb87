"""Autoencoders of which one half alone is there, as tiny ones are released. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

from graphgen import Refusal
from graphgen_nodes.sockets import HALVES, Half


def check_half(halves: object, wanted: Half, *, at: str = "autoencoder") -> None:
    """Refuse an autoencoder whose `halves`, where they are known, lack the one that is wanted."""
    if isinstance(halves, Sequence) and wanted not in halves:
        there = next(half for half in HALVES if half != wanted)
        raise Refusal(
            f"is an autoencoder's {there} alone, and its {wanted} is needed here",
            at=at,
            cure=f"add a models.load_autoencoder with the file of the {wanted}, or with a diffusers folder of both",
        )
