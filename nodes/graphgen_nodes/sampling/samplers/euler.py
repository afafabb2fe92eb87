# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""Euler's method (Karras et al. 2022, algorithm 1 without churn)."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, slope


@dataclass(frozen=True)
class EulerAlgorithm(Algorithm):
    """Follow the ODE's slope at the step's beginning; first order, one evaluation a step."""

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        return state.advance(now.x + (t - s) * slope(self.path, now), now)
