"""Restart sampling (Xu et al. 2023): go back to a noisier level and down again, as often as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, renoise
from graphgen_nodes.sampling.samplers.heun import heun_step


@dataclass(frozen=True)
class RestartAlgorithm(Algorithm):
    """Heun's method; at the level nearest to `low`, noise is added up to `high`, and taken away in `inner_steps`.

    The levels are those of sigma / alpha, as in the paper, whose steps between the two are spaced like Karras et al.'s.
    It is done `times` times: each draws once. Errors that the ODE gathered above `low` are contracted by the noise.
    """

    low: float
    high: float
    times: int
    inner_steps: int

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i, and the restarts that follow it."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        x = heun_step(self.path, denoise, now, t)
        high = self._level(self.high)
        if i + 1 != self._turn() or high <= t:
            return state.advance(x, now)
        for k in range(self.times):
            x = renoise(self.path, x, t, high, noise.draw(1 + k))
            for here, there in self._inner(high, t):
                x = heun_step(self.path, denoise, evaluate(self.path, denoise, x, here), there)
        return state.advance(x, now, draws=self.times)

    def _level(self, ratio: float) -> float:
        return min(self.path.sigma_at_lambda(-log(ratio)), self.schedule.sigmas[0])

    def _turn(self) -> int:
        """Return the index of the level above 0, after the first, that is nearest to `low`, in log sigma / alpha."""
        levels = [k for k, sigma in enumerate(self.schedule.sigmas) if k > 0 and sigma > 0]
        return min(levels, key=lambda k: abs(self.path.lambda_(self.schedule.sigmas[k]) + log(self.low)), default=-1)

    def _inner(self, high: float, low: float) -> list[tuple[float, float]]:
        roots = [(level / self.path.alpha(level)) ** (1 / 7) for level in (high, low)]
        ratios = [(roots[0] + (roots[1] - roots[0]) * k / self.inner_steps) ** 7 for k in range(1, self.inner_steps)]
        levels = [high, *(self.path.sigma_at_lambda(-log(ratio)) for ratio in ratios), low]
        return list(pairwise(levels))
