"""Samplers: the numerical methods that walk a schedule. All work on every model; docs/samplers.md compares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from graphgen import Slider, hookimpl, node
from graphgen_nodes.facts import from_settings
from graphgen_nodes.sampling import options
from graphgen_nodes.sockets import Sampler

Eta = Annotated[
    float, Field(ge=0, le=1, description="How much fresh noise each step adds; 0 adds none."), Slider(step=0.05)
]


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.Euler))
def euler() -> Sampler:
    """Follow the slope: first order, one network call a step; plain and reliable (Karras et al. 2022)."""
    return options.Euler()


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.EulerAncestral))
def euler_ancestral(*, eta: Eta = 1.0) -> Sampler:
    """Follow the slope past the next level and add fresh noise up to it; never settles (Crowson 2022)."""
    return options.EulerAncestral(eta)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.Heun))
def heun() -> Sampler:
    """Average the slopes at both ends of a step: second order, two network calls a step (Karras et al. 2022)."""
    return options.Heun()


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DPMpp2M), title="DPM++ 2M")
def dpmpp_2m() -> Sampler:
    """Extrapolate from the last two predictions: second order, one call a step; good in 15 to 30 (Lu et al. 2022)."""
    return options.DPMpp2M()


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DPMpp2MSDE), title="DPM++ 2M SDE")
def dpmpp_2m_sde(
    *,
    eta: Eta = 1.0,
    solver: Annotated[
        Literal["midpoint", "heun"], Field(description="How the change between predictions is taken in.")
    ] = "midpoint",
) -> Sampler:
    """Add noise to DPM++ 2M: second order, one network call a step (Lu et al. 2022)."""
    return options.DPMpp2MSDE(eta, solver)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DPMppSDE), title="DPM++ SDE")
def dpmpp_sde(
    *,
    eta: Eta = 1.0,
    middle: Annotated[
        float, Field(gt=0, le=1, description="Where between two levels to look, in log signal-to-noise ratio.")
    ] = 0.5,
) -> Sampler:
    """Look at a point inside each step, with noise: two network calls a step (Crowson 2022)."""
    return options.DPMppSDE(eta, middle)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.LMS), title="LMS")
def lms(
    *, order: Annotated[int, Field(ge=1, le=4, description="How many past slopes the polynomial goes through.")] = 4
) -> Sampler:
    """Integrate the polynomial through the last slopes: one network call a step (Crowson 2022)."""
    return options.LMS(order)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.PNDM), title="PNDM")
def pndm() -> Sampler:
    """Combine the last four slopes (PLMS): one network call a step, two for the first (Liu et al. 2022)."""
    return options.PNDM()


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DDIM), title="DDIM")
def ddim(*, eta: Eta = 0.0) -> Sampler:
    """Move the predicted noise to the next level: one network call a step (Song et al. 2021)."""
    return options.DDIM(eta)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DDPM), title="DDPM")
def ddpm(
    *,
    variance: Annotated[
        Literal["small", "large", "learned"],
        Field(description="The noise of a step: the least, the most, or as the network learned it between the two."),
    ] = "small",
) -> Sampler:
    """Undo the noising chain step by step, with noise; wants hundreds of steps (Ho et al. 2020)."""
    return options.DDPM(variance)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.UniPC), title="UniPC")
def unipc(
    *,
    order: Annotated[int, Field(ge=1, le=3, description="Order of the predictor; the corrector adds one.")] = 2,
    variant: Annotated[
        Literal["bh1", "bh2"], Field(description="B(h) of the paper; bh1 for few steps without guidance.")
    ] = "bh2",
) -> Sampler:
    """Predict, and correct with the next look: one network call a step; good in 8 to 15 (Zhao et al. 2023)."""
    return options.UniPC(order, variant)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.LCM), title="LCM")
def lcm(
    *,
    timestep_scaling: Annotated[
        float, Field(gt=0, le=1000, description="As in the distilled model's training; models with betas only.")
    ] = 10.0,
) -> Sampler:
    """Jump to the picture and noise it again: 1 to 8 steps, for consistency-distilled models (Luo et al. 2023)."""
    return options.LCM(timestep_scaling)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.PredictorCorrector))
def predictor_corrector(
    *,
    corrector_steps: Annotated[int, Field(ge=0, le=100, description="Langevin steps at each level.")] = 1,
    snr: Annotated[float, Field(gt=0, le=1, description="Their signal-to-noise ratio, which sets their size.")] = 0.15,
    norms: Annotated[
        Literal["image", "batch"],
        Field(description="Size steps for each image, or alike for a batch by mean norms, as the release does."),
    ] = "image",
) -> Sampler:
    """Correct by Langevin steps at each level, then predict the next; for score models (Song et al. 2021).

    Wants hundreds of steps, and calls the network once more than there are corrector steps in each.
    """
    return options.PredictorCorrector(corrector_steps, snr, norms)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.AnnealedLangevin))
def annealed_langevin(
    *,
    inner_steps: Annotated[int, Field(ge=1, le=1000, description="Langevin steps at each level.")] = 5,
    step_size: Annotated[
        float, Field(gt=0, le=1, description="Size of a step, as a share of the level's square.")
    ] = 0.06,
) -> Sampler:
    """Walk by Langevin steps at each level, from the noisiest to the cleanest (Song and Ermon 2019)."""
    return options.AnnealedLangevin(inner_steps, step_size)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the samplers."""
    return [
        euler,
        euler_ancestral,
        heun,
        dpmpp_2m,
        dpmpp_2m_sde,
        dpmpp_sde,
        lms,
        pndm,
        ddim,
        ddpm,
        unipc,
        lcm,
        predictor_corrector,
        annealed_langevin,
    ]


@hookimpl
def register_types() -> list[type]:
    """Let the samplers' data travel."""
    return list(options.SAMPLERS)
