"""Multistep consistency sampling (Song et al. 2023, algorithm 1; Luo et al. 2023, Latent Consistency Models)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from graphgen_nodes.sampling.paths import VariancePreserving
from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate

SIGMA_DATA = 0.5


@dataclass(frozen=True)
class LCMAlgorithm(Algorithm):
    """Jump to the sample and add fresh noise of the next level; for consistency-distilled networks.

    On variance-preserving paths the distilled function is c_skip x + c_out denoised (Luo et al. 2023, equation 9 with
    the timestep scaled), so that it is the identity at timestep 0.
    """

    timestep_scaling: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        sample = now.denoised
        if isinstance(self.path, VariancePreserving):
            time = self.schedule.timesteps[i] * self.timestep_scaling
            c_skip = SIGMA_DATA**2 / (time**2 + SIGMA_DATA**2)
            c_out = time / sqrt(time**2 + SIGMA_DATA**2)
            sample = c_skip * self.path.input_scale(s) * now.x + c_out * sample
        x = self.path.alpha(t) * sample
        if t > 0:
            x = x + t * noise.draw(state.draws)
        return state.advance(x, now, draws=1)
