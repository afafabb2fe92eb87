"""Predictor-corrector sampling (Song et al. 2021, Score-Based Generative Modeling through SDEs, algorithms 2 and 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, score
from graphgen_nodes.sampling.samplers.ddpm import DDPMAlgorithm


@dataclass(frozen=True)
class PredictorCorrectorAlgorithm(Algorithm):
    """Take Langevin steps at a level, then the reverse of the noising chain to the next.

    The corrector's step size is 2 (snr |z| / |g|)^2 for the score g and the noise z, by norms of each image or by their
    means over the batch. The predictor, reverse diffusion, is DDPM's step with the largest variance: with alpha 1,
    x + (s^2 - t^2) g + sqrt(s^2 - t^2) z. Evaluations and draws a step: one more than corrector steps.
    """

    corrector_steps: int
    snr: float
    norms: Literal["image", "batch"]

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, _ = self.interval(i)
        first = 1 + i * (self.corrector_steps + 1)
        x = state.x
        for draw in range(first, first + self.corrector_steps):
            g, z = score(self.path, evaluate(self.path, denoise, x, s)), noise.draw(draw)
            size = 2 * (self.snr * self._norm(z) / self._norm(g)) ** 2
            x = x + size * g + torch.sqrt(2 * size) * z
        corrected = replace(state, x=x, draws=first + self.corrector_steps)
        return DDPMAlgorithm(self.schedule, "large").step(denoise, corrected, i, noise)

    def _norm(self, value: Tensor) -> Tensor:
        norms: Tensor = torch.linalg.vector_norm(value.flatten(1), dim=1)
        if self.norms == "batch":
            norms = norms.mean().expand(len(norms))
        return norms.reshape(-1, *[1] * (value.dim() - 1))
