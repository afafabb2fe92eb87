# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""Linear multistep (Adams and Bashforth) with the true spacing of the noise levels (Crowson 2022, k-diffusion)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod, sqrt

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, slope


@dataclass(frozen=True)
class LMSAlgorithm(Algorithm):
    """Integrate the polynomial through the last `order` slopes over the step; one evaluation a step."""

    order: int

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        seen = (*state.history, now)[-self.order :]
        weights = adams_bashforth([past.sigma for past in seen], t)
        x = now.x
        for weight, past in zip(weights, seen, strict=True):
            x = x + weight * slope(self.path, past)
        return state.advance(x, now, keep=self.order)


def adams_bashforth(nodes: Sequence[float], t: float) -> list[float]:
    """Return the integrals, from the last node to t, of the Lagrange polynomials through up to four nodes.

    Two Gauss points integrate their cubics exactly.
    """
    s = nodes[-1]
    half = (t - s) / 2
    points = [s + half - half / sqrt(3), s + half + half / sqrt(3)]
    return [
        half * sum(prod((point - other) / (node - other) for other in nodes if other != node) for point in points)
        for node in nodes
    ]
