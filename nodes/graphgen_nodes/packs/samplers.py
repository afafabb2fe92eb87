"""Samplers: the numerical methods that walk a schedule. All work on every model; docs/samplers.md compares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from graphgen import Facts, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.facts import Infer, from_settings, number_of
from graphgen_nodes.sampling import options
from graphgen_nodes.sockets import Sampler

Eta = Annotated[
    float, Field(ge=0, le=1, description="How much fresh noise each step adds; 0 adds none."), Slider(step=0.05)
]


def _ranged(method: type[Sampler]) -> Infer:
    """Return an infer for a method between two levels, `low` and `high`."""

    def infer(known: Known) -> dict[str, Facts]:
        low, high = number_of(known.settings, "low"), number_of(known.settings, "high")
        if low is not None and high is not None and low >= high:
            raise Refusal(f"is {low:g}, at or above high {high:g}", at="low", cure="make low less than high")
        return from_settings("sampler", method)(known)

    return infer


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


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.HeunPP2), title="Heun++")
def heunpp2() -> Sampler:
    """Average the slopes at this level and two ahead: up to three network calls a step (Hallatore 2023)."""
    return options.HeunPP2()


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DPM2), title="DPM2")
def dpm_2(*, eta: Eta = 0.0) -> Sampler:
    """Take the slope half way: second order, two network calls a step; with eta ancestral (Karras et al. 2022)."""
    return options.DPM2(eta)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DPMpp2S), title="DPM++ 2S")
def dpmpp_2s(*, eta: Eta = 1.0) -> Sampler:
    """Look half way in each step, then noise: second order, two network calls; ancestral with eta (Lu et al. 2022)."""
    return options.DPMpp2S(eta)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DPMpp3MSDE), title="DPM++ 3M SDE")
def dpmpp_3m_sde(*, eta: Eta = 1.0) -> Sampler:
    """Extrapolate from the last three predictions, with noise: one call a step; for 20 or more (Crowson 2022)."""
    return options.DPMpp3MSDE(eta)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.IPNDM), title="iPNDM")
def ipndm(*, order: Annotated[int, Field(ge=1, le=4, description="How many past slopes are combined.")] = 4) -> Sampler:
    """Combine up to four slopes as PNDM does, but begin plainly: one call a step; for even steps (Zhang, Chen 2023)."""
    return options.IPNDM(order)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.DEIS), title="DEIS")
def deis(
    *, order: Annotated[int, Field(ge=1, le=3, description="How many predictions the polynomial goes through.")] = 3
) -> Sampler:
    """Integrate a polynomial through the last predicted noises: one call a step; for few steps (Zhang, Chen 2023)."""
    return options.DEIS(order)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.RESMultistep), title="RES multistep")
def res_multistep(*, eta: Eta = 0.0) -> Sampler:
    """Integrate the line through the last two predictions: second order, one call a step (Zhang et al. 2023)."""
    return options.RESMultistep(eta)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.ERSDE), title="ER-SDE")
def er_sde(
    *, order: Annotated[int, Field(ge=1, le=3, description="How many predictions the polynomial goes through.")] = 3
) -> Sampler:
    """Add as much noise as helps detail, and no more: one network call a step; good in 15 to 30 (Cui et al. 2023)."""
    return options.ERSDE(order)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.GradientEstimation))
def gradient_estimation(
    *, gamma: Annotated[float, Field(ge=1, le=5, description="How far to look past the last slope; 1 is Euler.")] = 2.0
) -> Sampler:
    """Go on in the direction in which the slope changes: one network call a step (Permenter and Yuan 2024)."""
    return options.GradientEstimation(gamma)


@node(category="samplers", cheap=True, infer=_ranged(options.SASolver), title="SA-Solver")
def sa_solver(
    *,
    predictor: Annotated[
        int, Field(ge=1, le=3, description="Order of the step: how many predictions it looks at.")
    ] = 2,
    corrector: Annotated[int, Field(ge=0, le=4, description="Order of its correction afterwards; 0: none.")] = 2,
    tau: Annotated[float, Field(ge=0, le=2, description="How much fresh noise; 0: none."), Slider(step=0.05)] = 1.0,
    low: Annotated[
        float, Field(gt=0, le=1, description="Noise is added above this share of the noise levels of training.")
    ] = 0.2,
    high: Annotated[float, Field(gt=0, le=1, description="And below this share of them.")] = 0.8,
    pece: Annotated[
        bool, Field(description="Look at the network again after each correction: two calls a step.")
    ] = False,
) -> Sampler:
    """Predict and correct with noise in the middle of the way: one network call a step (Xue et al. 2023)."""
    return options.SASolver(predictor, corrector, tau, low, high, pece)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.SEEDS2), title="SEEDS-2")
def seeds_2(
    *,
    eta: Eta = 1.0,
    middle: Annotated[
        float, Field(gt=0, le=1, description="Where between two levels to look, in log signal-to-noise ratio.")
    ] = 0.5,
    solver: Annotated[
        Literal["phi_1", "phi_2"], Field(description="How the change within a step counts: by its middle, or exactly.")
    ] = "phi_1",
) -> Sampler:
    """Look at a point inside each step, with the noise that belongs there: two calls a step (Gonzalez et al. 2023)."""
    return options.SEEDS2(eta, middle, solver)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.SEEDS3), title="SEEDS-3")
def seeds_3(*, eta: Eta = 1.0) -> Sampler:
    """Look at two points inside each step: third order without noise, three calls a step (Gonzalez et al. 2023)."""
    return options.SEEDS3(eta)


@node(category="samplers", cheap=True, infer=_ranged(options.Restart))
def restart(
    *,
    low: Annotated[float, Field(gt=0, le=1000, description="Where to turn back, in noise over signal.")] = 0.1,
    high: Annotated[float, Field(gt=0, le=1000, description="Up to where to add noise.")] = 2.0,
    times: Annotated[int, Field(ge=1, le=100, description="How often.")] = 1,
    inner_steps: Annotated[int, Field(ge=1, le=1000, description="Steps from there down again.")] = 8,
) -> Sampler:
    """Take Heun's steps, and near the end noise the picture again and denoise it anew (Xu et al. 2023).

    It calls the network twice a step, and twice `inner_steps` for each time it goes back. Levels are sigma / alpha.
    """
    return options.Restart(low, high, times, inner_steps)


@node(category="samplers", cheap=True, infer=from_settings("sampler", options.TCD), title="TCD")
def tcd(
    *, gamma: Annotated[float, Field(ge=0, le=1, description="How much fresh noise; 0: none."), Slider(step=0.05)] = 0.3
) -> Sampler:
    """Jump past the next level and noise up to it: 2 to 8 steps, for TCD and Hyper models (Zheng et al. 2024)."""
    return options.TCD(gamma)


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
        heunpp2,
        dpm_2,
        dpmpp_2s,
        dpmpp_2m,
        dpmpp_2m_sde,
        dpmpp_3m_sde,
        dpmpp_sde,
        lms,
        pndm,
        ipndm,
        deis,
        unipc,
        res_multistep,
        er_sde,
        sa_solver,
        seeds_2,
        seeds_3,
        gradient_estimation,
        restart,
        ddim,
        ddpm,
        lcm,
        tcd,
        predictor_corrector,
        annealed_langevin,
    ]


@hookimpl
def register_types() -> list[type]:
    """Let the samplers' data travel."""
    return list(options.SAMPLERS)
