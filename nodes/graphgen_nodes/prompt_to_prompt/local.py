"""Another method whose edit stays where the words are, as data. Torch-free until it is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphgen_nodes.sockets import Sampler, SamplerState, Schedule

if TYPE_CHECKING:
    from torch import Tensor

    from graphgen_nodes.sampling.protocols import SamplerAlgorithm


@dataclass(frozen=True)
class LocalSampler(Sampler):
    """Another method that draws the second image of a batch as the first where neither attends to the watched words.

    `threshold` is the share of the most attention that counts as attending; it acts on the steps that begin at the
    share `start` of a schedule or after.
    """

    sampler: Sampler
    threshold: float = 0.3
    start: float = 0.2

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.prompt_to_prompt.blending import LocalAlgorithm

        return LocalAlgorithm(schedule, self.sampler.algorithm(schedule), self.threshold, self.start)


@dataclass(frozen=True)
class LocalState(SamplerState):
    """Where such a method stands: also `attention[2, rows, columns]`, the sum of what was watched so far."""

    attention: Tensor | None = None
