# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""The gradient-estimation sampler (Permenter and Yuan 2024, Interpreting and Improving Diffusion Models)."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, slope


@dataclass(frozen=True)
class GradientEstimationAlgorithm(Algorithm):
    """Follow gamma times the present slope less (gamma - 1) times the last one; first order, one evaluation a step.

    Gamma 1 is Euler's method; 1.5 would be Adams-Bashforth's for equal steps.
    """

    gamma: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        here = slope(self.path, now)
        if state.history:
            here = self.gamma * here + (1 - self.gamma) * slope(self.path, state.history[-1])
        return state.advance(now.x + (t - s) * here, now)
