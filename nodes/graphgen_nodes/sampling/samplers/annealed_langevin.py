"""Annealed Langevin dynamics (Song and Ermon 2019, algorithm 1), with a last denoising (Song and Ermon 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, score


@dataclass(frozen=True)
class AnnealedLangevinAlgorithm(Algorithm):
    """Take Langevin steps at each level, beginning where those of the level before ended.

    The step size is `step_size` times the level's square: the paper's epsilon is `step_size` times the square of the
    last level. A step to sigma 0 ends at the denoised sample. Evaluations a step: `inner_steps`, one more for the last.
    """

    inner_steps: int
    step_size: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        size = self.step_size * s**2
        first = 1 + i * self.inner_steps
        now = evaluate(self.path, denoise, state.x, s)
        for draw in range(first, first + self.inner_steps):
            x = now.x + size / 2 * score(self.path, now) + sqrt(size) * noise.draw(draw)
            if draw + 1 < first + self.inner_steps or t == 0:
                now = evaluate(self.path, denoise, x, s)
        return state.advance(now.denoised if t == 0 else x, now, draws=first + self.inner_steps - state.draws)
