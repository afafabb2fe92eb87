"""Discretisations of a path: which noise levels a sampler visits.

In: a path and settings, plain numbers. Out: a `Schedule`. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, exp, log
from typing import Literal

from graphgen_nodes.sampling.paths import Flow, Path, VariancePreserving
from graphgen_nodes.sockets import Schedule

Spacing = Literal["leading", "linspace", "trailing", "distilled"]
Rounding = Literal["none", "nearest"]
FinalSigma = Literal["zero", "sigma_min"]
InitialNoise = Literal["path", "sigma"]
FlowSpacing = Literal["training", "uniform"]


def karras(
    path: Path,
    steps: int,
    *,
    rho: float = 7.0,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    rounding: Rounding = "none",
    initial_noise: InitialNoise = "path",
) -> Schedule:
    """Space sigma^(1/rho) evenly from sigma_max to sigma_min, then step to 0 (Karras et al. 2022, equation 5).

    The range is the path's trained one unless given; `rounding` tells the network the nearest whole timestep;
    `initial_noise` is that of `model`.
    """
    low, high = level_range(path, sigma_min, sigma_max)
    roots = linspace(high ** (1 / rho), low ** (1 / rho), steps)
    sigmas = [high, *(root**rho for root in roots[1:-1]), low][:steps]
    return at_sigmas(path, sigmas, rounding, initial_noise)


def exponential(
    path: Path,
    steps: int,
    *,
    rho: float = 1.0,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    rounding: Rounding = "none",
    initial_noise: InitialNoise = "path",
) -> Schedule:
    """Space log sigma evenly from sigma_max to sigma_min, then step to 0; score SDE's geometric levels.

    With another `rho` than 1 the shares of that range are raised to its power: above 1 more steps at low noise.
    """
    low, high = level_range(path, sigma_min, sigma_max)
    logs = [log(low) + share**rho * (log(high) - log(low)) for share in linspace(1.0, 0.0, steps)]
    return at_sigmas(path, [high, *(exp(value) for value in logs[1:-1]), low][:steps], rounding, initial_noise)


def uniform(path: Path, steps: int, *, cells: int | None = None) -> Schedule:
    """Space steps evenly over the noise levels as training drew them, from the noisiest to 0.

    `cells` is the size of the latent, which some paths depend on.
    """
    sized = path.sized(cells)
    return at_sigmas(path, [sized.sigma_at_share(1 - k / steps) for k in range(steps)])


def model(
    path: Path,
    steps: int,
    *,
    spacing: Spacing = "leading",
    steps_offset: int = 1,
    drop_last: bool = False,
    rounding: Rounding = "nearest",
    final_sigma: FinalSigma = "zero",
    initial_noise: InitialNoise = "path",
    original_steps: int = 50,
) -> Schedule:
    """Take steps of the model's own chain of betas (spacings as in Lin et al. 2024, table 2).

    Args:
        path: A variance-preserving path: a chain of `timesteps` betas.
        steps: How many of the chain's timesteps to visit.
        spacing: `leading` counts up from `steps_offset`, `linspace` includes both ends, `trailing` counts down from
            the last, `distilled` picks from the `original_steps` that a consistency model was distilled on.
        steps_offset: Added to each timestep; used by `leading` alone.
        drop_last: Space one step more and leave out the cleanest, as DPM-Solver and UniPC do; not for `trailing`.
        rounding: `nearest` visits whole timesteps; `none` keeps fractions and interpolates sigma between its
            neighbours, as Euler, Heun and LMS do in diffusers. Only `linspace` has fractions.
        final_sigma: `zero` ends at the clean sample; `sigma_min` at the noise level of timestep 0, as Stable
            Diffusion's DDIM and PNDM do.
        initial_noise: `path` starts at sqrt(1 + sigma^2), `sigma` at sigma, as Euler, Heun and LMS do in diffusers
            with linspace and trailing.
        original_steps: See `distilled`.

    Raises:
        ValueError: the path has no chain of betas, or not that many timesteps.
    """
    if not isinstance(path, VariancePreserving):
        raise ValueError(
            f"schedules.model: needs a model with a chain of betas (this one's path is {type(path).__name__}); "
            "use schedules.default or schedules.flow"
        )
    if spacing == "distilled":
        timesteps = _distilled(path.timesteps, steps, original_steps)
    else:
        timesteps = _spaced(path.timesteps, steps, spacing, steps_offset, drop_last)
    if rounding == "nearest":
        timesteps = [float(round(timestep)) for timestep in timesteps]
    if not 0 <= timesteps[-1] <= timesteps[0] <= path.timesteps - 1:
        raise ValueError(
            f"schedules.model: {steps} steps with offset {steps_offset} visit the timesteps {timesteps[-1]:g} to "
            f"{timesteps[0]:g}; allowed are 0 to {path.timesteps - 1}: take fewer steps or a smaller offset"
        )
    sigmas = [_between_neighbours(path.sigmas, timestep) for timestep in timesteps]
    last = path.sigma_min if final_sigma == "sigma_min" else 0.0
    start = sigmas[0] if initial_noise == "sigma" else None
    return Schedule((*sigmas, last), tuple(timesteps), path, noise_scale=start)


def flow(
    path: Path,
    steps: int,
    *,
    shift: float | None = None,
    spacing: FlowSpacing = "training",
    cells: int | None = None,
) -> Schedule:
    """Space steps evenly from pure noise, then move them by the time shift (Esser et al. 2024, equation 23).

    Args:
        path: A flow path.
        steps: How many steps to take; a last one to 0 is among them.
        shift: The time shift; the path's own if None.
        spacing: `uniform` spaces steps over 1..0. `training` spaces them over the levels trained, which are shifted
            already, and shifts again: what diffusers' flow-match schedule does, and Stable Diffusion 3 with it. A shift
            that follows the picture's size is applied once.
        cells: The size of the latent, which the shift of some paths follows.

    Raises:
        ValueError: the path is no flow path, or its shift follows a size that is not given.
    """
    if not isinstance(path, Flow):
        raise ValueError(
            f"schedules.flow: needs a flow-matching model (this one's path is {type(path).__name__}); "
            "use schedules.default, schedules.karras or schedules.model"
        )
    if spacing == "training":
        times = linspace(1.0, path.shifted(1 / path.timesteps, shift), steps)
    else:
        times = [1 - k / steps for k in range(steps)]
    moved = path.sized(cells).shift if shift is None else shift
    return at_sigmas(path, [path.shifted(time, moved) for time in times])


def default(path: Path, steps: int, *, steps_offset: int = 1) -> Schedule:
    """Space steps as most pipelines of models with such a path do.

    A chain is `leading` with offset 1, as Stable Diffusion's, or another; a flow is `training`, others are `uniform`.
    """
    if isinstance(path, VariancePreserving):
        return model(path, steps, steps_offset=steps_offset)
    if isinstance(path, Flow):
        return flow(path, steps)
    return uniform(path, steps)


def cut(schedule: Schedule, start: float, end: float) -> Schedule:
    """Keep the steps between two shares (0..1) of a schedule: the one way to partial sampling.

    Image-to-image at strength s keeps 1 - s to 1; a hand-over to a refiner cuts both schedules at the same share. A
    share between two steps is moved to the later one, as diffusers does with strength.

    Raises:
        ValueError: no step lies between the two.
    """
    part = part_of(len(schedule.steps), start, end)
    return replace(schedule, start=schedule.start + part.start, stop=schedule.start + part.stop)


def part_of(count: int, start: float, end: float) -> range:
    """Return which of so many steps lie between two shares (0..1), as `cut` takes them.

    Raises:
        ValueError: none does.
    """
    part = range(*(ceil(share * count - 1e-9) for share in (start, end)))
    if not part:
        raise ValueError(
            f"schedules.slice: no step of the {count} lies between start {start:g} and end {end:g}; "
            "move them apart or take more steps"
        )
    return part


def level_range(path: Path, sigma_min: float | None, sigma_max: float | None) -> tuple[float, float]:
    """Return the least and the greatest level: those given, or else the path's."""
    low = path.sigma_min if sigma_min is None else sigma_min
    high = path.sigma_max if sigma_max is None else sigma_max
    if not 0 < low < high:
        raise ValueError(f"schedules: sigma_min {low:g} must be above 0 and below sigma_max {high:g}")
    return low, high


def at_sigmas(
    path: Path, sigmas: Sequence[float], rounding: Rounding = "none", initial_noise: InitialNoise = "path"
) -> Schedule:
    """Return the schedule of some levels and 0, with the timesteps that the path has for them."""
    timesteps = [path.timestep(sigma) for sigma in sigmas]
    if rounding == "nearest":
        timesteps = [float(round(timestep)) for timestep in timesteps]
    start = sigmas[0] if initial_noise == "sigma" else None
    return Schedule((*sigmas, 0.0), tuple(timesteps), path, noise_scale=start)


def _spaced(count: int, steps: int, spacing: Spacing, offset: int, drop_last: bool) -> list[float]:
    """Return timesteps of a chain of `count`, falling."""
    points = steps + 1 if drop_last else steps
    if spacing == "linspace":
        timesteps = linspace(count - 1.0, 0.0, points)
    elif spacing == "leading":
        timesteps = [float(k * (count // points) + offset) for k in reversed(range(points))]
    else:
        timesteps = [float(round(count - k * count / steps) - 1) for k in range(steps)]
    return timesteps[:steps]


def _distilled(count: int, steps: int, original: int) -> list[float]:
    """Return every so many of the timesteps a consistency model was distilled on (Luo et al. 2023)."""
    if not steps <= original <= count:
        raise ValueError(
            f"schedules.model: {steps} steps cannot be picked from {original} original_steps of a chain of {count}; "
            f"take at most {min(original, count)} steps"
        )
    known = [(k + 1) * (count // original) - 1 for k in reversed(range(original))]
    return [float(known[k * original // steps]) for k in range(steps)]


def _between_neighbours(table: Sequence[float], timestep: float) -> float:
    low = min(int(timestep), len(table) - 2)
    part = timestep - low
    return (1 - part) * table[low] + part * table[low + 1]


def linspace(first: float, last: float, count: int) -> list[float]:
    """Return `count` numbers from first to last, both included; the first alone if count is 1."""
    return [first + (last - first) * k / max(count - 1, 1) for k in range(count)]
