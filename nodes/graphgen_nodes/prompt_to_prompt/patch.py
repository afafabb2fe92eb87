"""The patch that an edit of a prompt is: which tokens take whose attention, how strongly, and when. Torch-free."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from graphgen import Lease
from graphgen_nodes.patches import BehaviourPatch

SELF_CELLS = 32 * 32
"""Self-attention over more queries is left alone: it is about texture, and its maps are large."""


@dataclass(frozen=True)
class PromptEdit(BehaviourPatch):
    """Has the second image of a batch attend as the first does (Hertz et al. 2022, algorithm 1).

    `entries` are those of a `mapping.TokenMap`. Token j takes the first image's attention in the steps before the share
    `shares[j]` of the schedule, times `scales[j]`; self-attention is the first image's before `self_share`. How much
    each image attends to the tokens at its places in `watched` is told to the sampler, at all steps, from the layers
    that see the latent halved `level` times.
    """

    entries: tuple[tuple[int, int, float], ...]
    shares: tuple[float, ...]
    scales: tuple[float, ...]
    self_share: float
    watched: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    level: int = 2

    def at(self, progress: float) -> PromptEdit | None:
        """Return what acts at a share of a schedule, acting always; None where nothing does."""
        shares = tuple(1.0 if progress < share else 0.0 for share in self.shares)
        own = 1.0 if progress < self.self_share else 0.0
        return replace(self, shares=shares, self_share=own) if own or any(shares) or any(self.watched) else None

    def attach(self, network: Any, lease: Lease) -> AbstractContextManager[Any]:  # noqa: ARG002 - needs no weights
        """Yield the denoiser with its attention shared between the two images."""
        from graphgen_nodes.prompt_to_prompt.attending import sharing

        return sharing(self, network)
