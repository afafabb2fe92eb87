"""Spacings of noise levels that papers and releases propose, beside the common ones of `schedules`.

In: a path and settings, plain numbers. Out: a `Schedule` that ends at 0. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atan, exp, log, pi, tan
from typing import Literal

from graphgen_nodes.sampling.paths import Path, VariancePreserving
from graphgen_nodes.sampling.quantiles import beta_quantile
from graphgen_nodes.sampling.schedules import InitialNoise, at_sigmas, level_range, linspace
from graphgen_nodes.sockets import Schedule

Over = Literal["levels", "sigma"]
Table = Literal["sd1", "sdxl"]

ALIGNED: dict[Table, tuple[float, ...]] = {
    "sd1": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
    "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
}
"""The levels that Sabour et al. 2024 found best for ten steps, as published with the paper."""


def beta(
    path: Path, steps: int, *, alpha: float = 0.6, beta: float = 0.6, over: Over = "levels", cells: int | None = None
) -> Schedule:
    """Space steps by the quantiles of a beta distribution: below 1 both ends get more steps (Lee et al. 2024).

    `over` the levels as training drew them, as in the paper, or over sigma, as diffusers' `use_beta_sigmas` does.
    `cells` is the size of the latent, which some paths depend on.
    """
    sized = path.sized(cells)
    if over == "sigma":
        quantiles = [beta_quantile(share, alpha, beta) for share in linspace(1.0, 0.0, steps)]
        return at_sigmas(path, [sized.sigma_min + share * (sized.sigma_max - sized.sigma_min) for share in quantiles])
    shares = [beta_quantile(1 - k / steps, alpha, beta) for k in range(steps)]
    if isinstance(sized, VariancePreserving):
        return at_sigmas(path, [sized.sigma_at(share * (sized.timesteps - 1)) for share in shares])
    return at_sigmas(path, [sized.sigma_at_share(share) for share in shares])


def linear_quadratic(path: Path, steps: int, *, threshold: float = 0.025) -> Schedule:
    """Fall a little in small even steps, then ever faster (Genmo 2024, Mochi 1; Polyak et al. 2024, Movie Gen).

    The first half of the steps falls by `threshold` of the greatest level in all, the others along a parabola that
    goes on at the same slope and ends at 0.
    """
    linear = steps // 2
    if not linear:
        return at_sigmas(path, [path.sigma_max])
    curved = steps - linear
    slope = threshold / linear
    bend = (1 - threshold - slope * curved) / curved**2
    fallen = [slope * k + bend * max(k - linear, 0) ** 2 for k in range(steps)]
    return at_sigmas(path, [path.sigma_max * (1 - fall) for fall in fallen])


def kl_optimal(path: Path, steps: int, *, sigma_min: float | None = None, sigma_max: float | None = None) -> Schedule:
    """Space the arc tangent of sigma / alpha evenly: least divergence where data are Gaussian (Sabour et al. 2024)."""
    low, high = level_range(path, sigma_min, sigma_max)
    first, last = (atan(sigma / path.alpha(sigma)) if path.alpha(sigma) else pi / 2 for sigma in (high, low))
    angles = linspace(first, last, steps)
    between = [path.sigma_at_lambda(-log(tan(angle))) for angle in angles[1:-1]]
    return at_sigmas(path, [high, *between, low][:steps])


def align_your_steps(path: Path, steps: int, table: Table, *, initial_noise: InitialNoise = "path") -> Schedule:
    """Take the levels that were found best for Stable Diffusion 1 or XL in ten steps (Sabour et al. 2024).

    Other numbers of steps interpolate log sigma between them. The last level of the table is left out for 0.
    """
    return at_sigmas(path, interpolated(ALIGNED[table], steps + 1)[:-1], initial_noise=initial_noise)


def interpolated(levels: Sequence[float], count: int) -> list[float]:
    """Return `count` levels of the same course, log sigma being linear between those given; both ends are kept."""
    found = []
    for place in linspace(0.0, len(levels) - 1.0, count):
        k = min(int(place), len(levels) - 2)
        part = place - k
        found.append(levels[k] if part == 0 else exp((1 - part) * log(levels[k]) + part * log(levels[k + 1])))
    return found
