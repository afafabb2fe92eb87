"""Strategic stochastic sampling for trajectory-consistency distillation (Zheng et al. 2024, algorithm 4)."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from graphgen_nodes.sampling.paths import VariancePreserving
from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, renoise, transfer


@dataclass(frozen=True)
class TCDAlgorithm(Algorithm):
    """Move along the trajectory past the next level and add fresh noise up to it; one evaluation and one draw a step.

    It goes down to the timestep (1 - gamma) times the next one, rounded down where timesteps are whole: gamma 0 is DDIM
    without noise, gamma 1 jumps to the sample, as far as there is a timestep for it. The last step adds no noise.
    """

    gamma: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        m = t if self.gamma == 0 or i + 1 == len(self.schedule.timesteps) else self._below(i, t)
        x = transfer(self.path, now.x, s, now.denoised, m)
        if m < t:
            x = renoise(self.path, x, m, t, noise.draw(state.draws))
        return state.advance(x, now, draws=1)

    def _below(self, i: int, t: float) -> float:
        timestep = (1 - self.gamma) * self.schedule.timesteps[i + 1]
        if isinstance(self.path, VariancePreserving):
            timestep = floor(timestep)
        return min(self.path.sigma_at(timestep), t)
