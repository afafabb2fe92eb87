# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""PNDM's pseudo linear multistep, PLMS (Liu et al. 2022, Pseudo Numerical Methods for Diffusion Models)."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, slope

ADAMS_BASHFORTH = {2: (-1 / 2, 3 / 2), 3: (5 / 12, -16 / 12, 23 / 12), 4: (-9 / 24, 37 / 24, -59 / 24, 55 / 24)}
"""Weights of the last two, three and four slopes for equal steps, the latest last (equation 12)."""


@dataclass(frozen=True)
class PNDMAlgorithm(Algorithm):
    """Extrapolate the last four slopes as if steps were equal; one evaluation a step, two for the first.

    The slope of the ODE in sigma is the predicted noise on scaled variance-preserving paths, as in the paper, and the
    velocity on a flow path.
    """

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        seen = (*state.history, now)[-4:]
        slopes = [slope(self.path, past) for past in seen]
        if len(seen) > 1:
            mean = sum(weight * past for weight, past in zip(ADAMS_BASHFORTH[len(seen)], slopes, strict=True))
        elif t > 0:
            there = evaluate(self.path, denoise, now.x + (t - s) * slopes[0], t)
            mean = (slopes[0] + slope(self.path, there)) / 2
        else:
            mean = slopes[0]
        return state.advance(now.x + (t - s) * mean, now, keep=4)
