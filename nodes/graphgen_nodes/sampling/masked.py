"""Sampling within a mask as data: another method, and a picture that is kept where the mask is 0. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from graphgen_nodes.sockets import Latent, Mask, Sampler, Schedule

if TYPE_CHECKING:
    from graphgen_nodes.sampling.protocols import SamplerAlgorithm

Grey = Literal["blend", "differential"]
"""What values of a mask between 0 and 1 mean: how much is painted at every step, or from which step on."""


@dataclass(frozen=True)
class MaskedSampler(Sampler):
    """Another method that paints where a mask is 1 and keeps a latent's picture where it is 0, at every step."""

    sampler: Sampler
    latent: Latent
    mask: Mask
    grey: Grey = "blend"

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.imaging.masks import of_cells
        from graphgen_nodes.sampling.samplers.masked import MaskedAlgorithm

        painted, gradual = of_cells(self.mask, self.latent), self.grey == "differential"
        return MaskedAlgorithm(schedule, self.sampler.algorithm(schedule), self.latent.samples, painted, gradual)
