# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""Heun's method (Karras et al. 2022, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphgen_nodes.sampling.paths import Path
from graphgen_nodes.sampling.protocols import Denoise, Evaluation, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, slope


@dataclass(frozen=True)
class HeunAlgorithm(Algorithm):
    """Average the slopes at both ends of Euler's step; second order, two evaluations a step, one for the last."""

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        return state.advance(heun_step(self.path, denoise, now, t), now)


def heun_step(path: Path, denoise: Denoise, now: Evaluation, t: float) -> Tensor:
    """Return x at noise level t by Heun's step from an evaluation; the step to sigma 0 is Euler's."""
    here = slope(path, now)
    x = now.x + (t - now.sigma) * here
    if t > 0:
        there = slope(path, evaluate(path, denoise, x, t))
        x = now.x + (t - now.sigma) * (here + there) / 2
    return x
