"""What the methods share: looking at the denoiser, and the few moves along a path they are made of.

Notation: the step goes from noise level s to t; alpha, sigma and lambda = log(alpha / sigma) are the path's. On a flow
path the first s is pure noise, alpha_s = 0 and lambda_s = -inf: formulas are written so that this is no special case,
or say where it is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

from torch import Tensor

from graphgen_nodes.sampling.paths import Path
from graphgen_nodes.sampling.protocols import Denoise, Evaluation, State
from graphgen_nodes.sockets import Schedule


@dataclass(frozen=True)
class Algorithm:
    """A method on one schedule; subclasses add their options and `step`."""

    schedule: Schedule

    @property
    def path(self) -> Path:
        """Return the path the schedule lies on."""
        return self.schedule.path

    def init(self, x: Tensor) -> State:
        """Return the state before the first step: nothing but x."""
        return State(x, self.schedule.start)

    def interval(self, i: int) -> tuple[float, float]:
        """Return the noise levels s and t of step i."""
        return self.schedule.sigmas[i], self.schedule.sigmas[i + 1]


def evaluate(path: Path, denoise: Denoise, x: Tensor, sigma: float) -> Evaluation:
    """Look at the denoiser once; go on from the returned x, which holds the noise to be carried along.

    That is `x` itself, unless guidance names another prediction for the noise: its noise then stands beside the guided
    sample, as in CFG++ (Chung et al. 2024, algorithm 2).
    """
    found = denoise(x, sigma)
    if found.unguided is not None:
        x = x + path.alpha(sigma) * (found.denoised - found.unguided)
    return Evaluation(sigma, x, found.denoised, found.variance)


def slope(path: Path, seen: Evaluation) -> Tensor:
    """Return dx/dsigma of the probability-flow ODE: the noise in x, plus what alpha's change takes from the sample.

    It is (x - denoised) / sigma on variance-exploding, scaled variance-preserving and flow paths alike.
    """
    noise = (seen.x - path.alpha(seen.sigma) * seen.denoised) / seen.sigma
    return noise + path.alpha_slope(seen.sigma) * seen.denoised


def score(path: Path, seen: Evaluation) -> Tensor:
    """Return the gradient of log p(x), which the denoised sample tells (Tweedie): (alpha * denoised - x) / sigma^2."""
    return (path.alpha(seen.sigma) * seen.denoised - seen.x) / seen.sigma**2


def transfer(path: Path, x: Tensor, s: float, denoised: Tensor, t: float, kept: float | None = None) -> Tensor:
    """Return `alpha_t * denoised + kept * noise`, with the noise that x holds beside the denoised sample at s.

    With `kept` = sigma_t (the default) this solves the ODE exactly for a constant denoised sample: DDIM's step
    (Song et al. 2021, equation 12) and the first order of DPM-Solver++ (Lu et al. 2022). A smaller one leaves room
    for fresh noise.
    """
    kept = t if kept is None else kept
    return kept / s * x + (path.alpha(t) - path.alpha(s) * kept / s) * denoised


def ancestral(path: Path, s: float, t: float, eta: float) -> tuple[float, float]:
    """Split the noise level t into what is kept of the present noise and what is fresh: kept^2 + fresh^2 = t^2.

    `fresh` is eta times the posterior's standard deviation sigma_t / sigma_s * sqrt(sigma_s^2 - (alpha_s / alpha_t)^2
    sigma_t^2) (Song et al. 2021, equation 16): 0 is an ODE step, 1 the reverse of the noising chain. From pure noise
    and with eta 1 all of it is fresh.
    """
    ratio = path.alpha(s) * t / path.alpha(t)
    fresh = min(t, eta * t / s * sqrt(max(s**2 - ratio**2, 0.0)))
    return sqrt(t**2 - fresh**2), fresh


def downward(path: Path, s: float, t: float, eta: float) -> tuple[float, float, float]:
    """Return how an ancestral step to t goes for methods that solve the ODE: to level u, times a scale, plus noise.

    u is the level at which the noise kept beside the sample is that of `ancestral`; `scale * x_u` has the sample's
    part of t, and noise of standard deviation `fresh` makes up the rest of its noise.
    """
    kept, fresh = ancestral(path, s, t, eta)
    if fresh == 0:
        return t, 1.0, 0.0
    u = path.sigma_at_lambda(log(path.alpha(t) / kept)) if kept > 0 else 0.0
    return u, path.alpha(t) / path.alpha(u), fresh


def renoise(path: Path, x: Tensor, u: float, t: float, noise: Tensor) -> Tensor:
    """Return x, at noise level u, with noise added up to the higher level t: the noising chain from u to t."""
    scale = path.alpha(t) / path.alpha(u)
    return scale * x + sqrt(max(t**2 - (scale * u) ** 2, 0.0)) * noise
