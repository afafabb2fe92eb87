# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""Heun's method (Karras et al. 2022, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, slope


@dataclass(frozen=True)
class HeunAlgorithm(Algorithm):
    """Average the slopes at both ends of Euler's step; second order, two evaluations a step, one for the last."""

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(denoise, state.x, s)
        here = slope(self.path, now)
        x = now.x + (t - s) * here
        if t > 0:
            there = slope(self.path, evaluate(denoise, x, t))
            x = now.x + (t - s) * (here + there) / 2
        return state.advance(x, now)
