# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""Improved PNDM (Zhang and Chen 2023, section 3.3): Adams-Bashforth of rising order, without PNDM's first steps."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, slope
from graphgen_nodes.sampling.samplers.pndm import ADAMS_BASHFORTH


@dataclass(frozen=True)
class IPNDMAlgorithm(Algorithm):
    """Extrapolate up to four slopes as if steps were equal, beginning with Euler's step; one evaluation a step.

    With the true spacing of the levels it would be linear multistep.
    """

    order: int

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        seen = (*state.history, now)[-self.order :]
        slopes = [slope(self.path, past) for past in seen]
        weights = ADAMS_BASHFORTH[len(seen)] if len(seen) > 1 else (1.0,)
        mean = sum(weight * past for weight, past in zip(weights, slopes, strict=True))
        return state.advance(now.x + (t - s) * mean, now, keep=max(self.order - 1, 1))
