"""Schedules: the noise levels that sampling visits, made for a model's own noise process."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from math import prod
from typing import Annotated

from pydantic import Field

from graphgen import Facts, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.facts import Infer, cells_of, count_of, kept, number_of, path_of, refusing, schedule_facts
from graphgen_nodes.families import usual_schedule
from graphgen_nodes.sampling import schedules, spacings
from graphgen_nodes.sampling.paths import Flow, SizedFlow, VarianceExploding, VariancePreserving
from graphgen_nodes.sampling.schedules import part_of
from graphgen_nodes.settings import Share
from graphgen_nodes.sockets import Denoiser, Latent, Path, Schedule

Model = Annotated[Denoiser, Field(description="The model to make the schedule for.")]
Sized = Annotated[
    Latent | None,
    Field(description="What will be sampled; needed where the model's shift follows its size (Flux dev)."),
]
Steps = Annotated[int, Field(ge=1, le=1000, description="How many steps to take."), Slider(step=1)]
SigmaMin = Annotated[float, Field(ge=0, le=1000, description="The last level before 0; 0 means the model's least.")]
SigmaMax = Annotated[float, Field(ge=0, le=1000, description="The first level; 0 means the model's greatest.")]
Rounded = Annotated[
    schedules.Rounding, Field(description="Whether to tell the network whole timesteps, as diffusers' DPM-Solver does.")
]
Start = Annotated[
    schedules.InitialNoise,
    Field(description="Standard deviation to begin with: the path's own, or the first sigma as diffusers' Euler."),
]


ALIGNED_FAMILIES: dict[str, spacings.Table] = {"sd1": "sd1", "sd2": "sd1", "sdxl": "sdxl"}
"""The families whose levels were published; Stable Diffusion 2 is noised as 1 is."""

MODELS_OWN = ("sigma_min", "sigma_max", "shift")
"""The settings of which 0 means the model's own."""


def _made(make: Callable[..., Schedule], path: type[Path] = Path, cure: str = "") -> Infer:
    """Make the schedule itself, for that takes neither torch nor weights, and say what is known of it."""
    sized = "cells" in signature(make).parameters
    names = signature(make).parameters.keys() - {"path", "cells"}

    def infer(known: Known) -> dict[str, Facts]:
        denoiser, settings = known.inputs.get("denoiser", {}), known.settings
        process, steps = path_of(denoiser), count_of(settings, "steps")
        cells = cells_of(known.inputs.get("latent", {}))
        if process is None or not names <= settings.keys() or (sized and known.many.get("latent") and cells is None):
            return {} if steps is None else {"schedule": {"steps": steps, "start": 0, "length": steps}}
        if not isinstance(process, path):
            message = f"has a noise process of kind {type(process).__name__}, and this schedule is for another"
            raise Refusal(message, at="denoiser", allowed=f"models with {path.__name__}", cure=cure)
        values = {name: (value or None) if name in MODELS_OWN else value for name, value in settings.items()}
        size = {"cells": cells} if sized else {}
        if sized and not values.get("shift"):
            with refusing("latent"):
                process.sized(cells)
        with refusing("", "change this node's settings"):
            return {"schedule": schedule_facts(make(process, **values, **size))}

    return infer


def _cells(latent: Latent | None) -> int | None:
    """Return how many cells a latent has."""
    return None if latent is None else prod(latent.samples.shape[2:])


def _part(known: Known) -> dict[str, Facts]:
    whole = known.inputs.get("schedule", {})
    start, end = number_of(known.settings, "start"), number_of(known.settings, "end")
    if start is not None and end is not None and start >= end:
        raise Refusal(f"is {start:g}, at or after the end {end:g}", at="start", cure="make start less than end")
    steps, first = count_of(whole, "steps"), count_of(whole, "start")
    if start is None or end is None or steps is None or first is None:
        return {"schedule": kept(whole, "path", "length")}
    with refusing("start"):
        part = part_of(steps, start, end)
    return {"schedule": {**whole, "steps": len(part), "start": first + part.start}}


def _table(family: str) -> spacings.Table:
    if family not in ALIGNED_FAMILIES:
        raise Refusal(
            f"is of {family}, for which no levels were published",
            at="denoiser",
            allowed=f"models of {', '.join(ALIGNED_FAMILIES)}",
            cure="use schedules.karras or schedules.kl_optimal",
        )
    return ALIGNED_FAMILIES[family]


def _aligned(known: Known) -> dict[str, Facts]:
    family = known.inputs.get("denoiser", {}).get("family")
    table: spacings.Table = _table(family) if isinstance(family, str) else "sd1"

    def make(path: Path, steps: int, initial_noise: schedules.InitialNoise) -> Schedule:
        return spacings.align_your_steps(path, steps, table, initial_noise=initial_noise)

    return _made(make, VariancePreserving, "use schedules.kl_optimal")(known)


def _default(known: Known) -> dict[str, Facts]:
    name = str(known.inputs.get("denoiser", {}).get("family"))

    def make(path: Path, steps: int, *, cells: int | None) -> Schedule:
        return usual_schedule(name, path, steps, cells=cells)

    return _made(make)(known)


@node(category="schedules", title="Default schedule", cheap=True, infer=_default, aliases=("Scheduler", "Sigmas"))
def default(denoiser: Model, latent: Sized = None, *, steps: Steps = 20) -> Schedule:
    """Space steps as the pipeline of the model's own family does: the schedule to begin with."""
    return usual_schedule(denoiser.family, denoiser.path, steps, cells=_cells(latent))


@node(
    category="schedules",
    title="Karras schedule",
    cheap=True,
    infer=_made(schedules.karras),
    aliases=("Karras scheduler",),
)
def karras(
    denoiser: Model,
    *,
    steps: Steps = 20,
    rho: Annotated[float, Field(gt=0, le=100, description="Greater values put more steps at low noise.")] = 7.0,
    sigma_min: SigmaMin = 0.0,
    sigma_max: SigmaMax = 0.0,
    rounding: Rounded = "none",
    initial_noise: Start = "path",
) -> Schedule:
    """Space sigma^(1/rho) evenly, then step to 0: more steps at low noise (Karras et al. 2022)."""
    return schedules.karras(
        denoiser.path,
        steps,
        rho=rho,
        sigma_min=sigma_min or None,
        sigma_max=sigma_max or None,
        rounding=rounding,
        initial_noise=initial_noise,
    )


@node(
    category="schedules",
    title="Exponential schedule",
    cheap=True,
    infer=_made(schedules.exponential),
    aliases=("Exponential scheduler",),
)
def exponential(
    denoiser: Model,
    *,
    steps: Steps = 20,
    rho: Annotated[float, Field(gt=0, le=100, description="Above 1 more steps at low noise: polyexponential.")] = 1.0,
    sigma_min: SigmaMin = 0.0,
    sigma_max: SigmaMax = 0.0,
    rounding: Rounded = "none",
    initial_noise: Start = "path",
) -> Schedule:
    """Space log sigma evenly, then step to 0 (Song et al. 2021)."""
    return schedules.exponential(
        denoiser.path,
        steps,
        rho=rho,
        sigma_min=sigma_min or None,
        sigma_max=sigma_max or None,
        rounding=rounding,
        initial_noise=initial_noise,
    )


@node(category="schedules", title="Uniform schedule", cheap=True, infer=_made(schedules.uniform))
def uniform(denoiser: Model, latent: Sized = None, *, steps: Steps = 20) -> Schedule:
    """Space steps evenly over the noise levels as training drew them; also called simple."""
    return schedules.uniform(denoiser.path, steps, cells=_cells(latent))


@node(
    category="schedules",
    cheap=True,
    infer=_made(schedules.model, VariancePreserving, "use schedules.default or schedules.flow"),
    title="Schedule of the model's betas",
)
def model(
    denoiser: Model,
    *,
    steps: Steps = 20,
    spacing: Annotated[
        schedules.Spacing,
        Field(
            description="leading: up from the offset. linspace: both ends. trailing: down from the last. distilled: "
            "from those a consistency model was distilled on."
        ),
    ] = "leading",
    steps_offset: Annotated[int, Field(ge=0, le=1000, description="Added to each timestep; for leading.")] = 1,
    drop_last: Annotated[
        bool, Field(description="Space one step more and leave out the cleanest, as DPM-Solver and UniPC do.")
    ] = False,
    rounding: Annotated[
        schedules.Rounding,
        Field(description="Whole timesteps, or fractions as Euler, Heun and LMS in diffusers; for linspace."),
    ] = "nearest",
    final_sigma: Annotated[
        schedules.FinalSigma, Field(description="End clean, or at the least trained level as DDIM and PNDM do.")
    ] = "zero",
    initial_noise: Start = "path",
    original_steps: Annotated[
        int, Field(ge=1, le=1000, description="Steps a consistency model was distilled on; for distilled.")
    ] = 50,
) -> Schedule:
    """Take steps of the chain of betas a model was trained with.

    docs/samplers.md says which settings go with which method in diffusers.
    """
    return schedules.model(
        denoiser.path,
        steps,
        spacing=spacing,
        steps_offset=steps_offset,
        drop_last=drop_last,
        rounding=rounding,
        final_sigma=final_sigma,
        initial_noise=initial_noise,
        original_steps=original_steps,
    )


@node(
    category="schedules",
    title="Flow schedule",
    cheap=True,
    infer=_made(schedules.flow, Flow, "use schedules.default, schedules.karras or schedules.model"),
)
def flow(
    denoiser: Model,
    latent: Sized = None,
    *,
    steps: Steps = 20,
    shift: Annotated[
        float, Field(ge=0, le=100, description="Greater values spend more steps at high noise; 0 is the model's own.")
    ] = 0.0,
    spacing: Annotated[
        schedules.FlowSpacing,
        Field(description="Over the trained levels as diffusers does, shifting twice; or evenly over 1 to 0 (Flux)."),
    ] = "training",
) -> Schedule:
    """Space steps evenly from noise to picture and move them by a time shift, for flow models (Esser et al. 2024)."""
    return schedules.flow(denoiser.path, steps, shift=shift or None, spacing=spacing, cells=_cells(latent))


@node(category="schedules", title="Beta schedule", cheap=True, infer=_made(spacings.beta), aliases=("Beta scheduler",))
def beta(
    denoiser: Model,
    latent: Sized = None,
    *,
    steps: Steps = 20,
    alpha: Annotated[float, Field(gt=0, le=100, description="Below 1 more steps at low noise.")] = 0.6,
    beta: Annotated[float, Field(gt=0, le=100, description="Below 1 more steps at high noise.")] = 0.6,
    over: Annotated[
        spacings.Over, Field(description="Space levels as training drew them, or sigma as diffusers does.")
    ] = "levels",
) -> Schedule:
    """Space steps by a beta distribution: more at the beginning and at the end than between (Lee et al. 2024)."""
    return spacings.beta(denoiser.path, steps, alpha=alpha, beta=beta, over=over, cells=_cells(latent))


@node(category="schedules", title="Linear-quadratic schedule", cheap=True, infer=_made(spacings.linear_quadratic))
def linear_quadratic(
    denoiser: Model,
    *,
    steps: Steps = 20,
    threshold: Annotated[
        float, Field(gt=0, lt=0.5, description="How far the first half of the steps falls, as a share.")
    ] = 0.025,
) -> Schedule:
    """Fall a little in even steps, then ever faster; for flow models of many steps (Polyak et al. 2024)."""
    return spacings.linear_quadratic(denoiser.path, steps, threshold=threshold)


@node(category="schedules", cheap=True, infer=_made(spacings.kl_optimal), title="KL-optimal schedule")
def kl_optimal(denoiser: Model, *, steps: Steps = 20, sigma_min: SigmaMin = 0.0, sigma_max: SigmaMax = 0.0) -> Schedule:
    """Space the arc tangent of sigma evenly: best where data are Gaussian (Sabour et al. 2024)."""
    return spacings.kl_optimal(denoiser.path, steps, sigma_min=sigma_min or None, sigma_max=sigma_max or None)


@node(category="schedules", cheap=True, infer=_aligned, aliases=("AYS scheduler",))
def align_your_steps(denoiser: Model, *, steps: Steps = 10, initial_noise: Start = "path") -> Schedule:
    """Take the levels that were found best for Stable Diffusion 1 and XL, for few steps (Sabour et al. 2024)."""
    return spacings.align_your_steps(denoiser.path, steps, _table(denoiser.family), initial_noise=initial_noise)


@node(category="schedules", title="Slice of a schedule", cheap=True, infer=_part, aliases=("Split sigmas",))
def slice(  # noqa: A001 - the node's name
    schedule: Annotated[Schedule, Field(description="The schedule to take a part of.")],
    *,
    start: Annotated[Share, Field(description="Where to begin; 1 - strength for image-to-image.")] = 0.0,
    end: Annotated[Share, Field(description="Where to stop.")] = 1.0,
) -> Schedule:
    """Keep the steps between two shares of a schedule: for image-to-image, refiners and partial sampling."""
    return schedules.cut(schedule, start, end)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the schedules."""
    return [
        default,
        karras,
        exponential,
        uniform,
        model,
        flow,
        beta,
        linear_quadratic,
        kl_optimal,
        align_your_steps,
        slice,
    ]


@hookimpl
def register_types() -> list[type]:
    """Let the noise processes travel."""
    return [VariancePreserving, VarianceExploding, Flow, SizedFlow]
