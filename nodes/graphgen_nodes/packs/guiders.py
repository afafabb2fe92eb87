"""Guiders: which prompts a picture follows, and how strictly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Facts, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.facts import check_conditioning, check_unconditional, guider_facts, number_of, switched_facts
from graphgen_nodes.sampling.dual import DualGuidance
from graphgen_nodes.sampling.guiders import ClassifierFreeGuidance, ClippedGuidance, NoGuidance, SwitchedGuidance
from graphgen_nodes.sockets import Conditioning, Denoiser, Guider, Unconditional


def _guided(known: Known) -> dict[str, Facts]:
    denoiser = known.inputs.get("denoiser", {})
    wired = ("positive",) if known.settings.get("scale", 1) == 1 else ("positive", "negative")  # as sampling looks
    prompts = {name: known.inputs[name] for name in wired if name in known.inputs}
    if not prompts:
        check_unconditional(denoiser)
        return {"guider": guider_facts(denoiser, {"batch": 1})}
    for name, prompt in prompts.items():
        check_conditioning(denoiser, prompt, at=name)
    start, end = number_of(known.settings, "start"), number_of(known.settings, "end")
    if start is not None and end is not None and start >= end:
        raise Refusal(f"is {start:g}, at or after the end {end:g}", at="start", cure="make start less than end")
    return {"guider": guider_facts(denoiser, *prompts.values())}


def _dual(known: Known) -> dict[str, Facts]:
    denoiser = known.inputs.get("denoiser", {})
    prompts = {name: known.inputs.get(name, {}) for name in ("positive", "middle", "negative")}
    for name, prompt in prompts.items():
        check_conditioning(denoiser, prompt, at=name)
    return {"guider": guider_facts(denoiser, *prompts.values())}


def _switched(known: Known) -> dict[str, Facts]:
    return {"guider": switched_facts(known.inputs.get("first", {}), known.inputs.get("then", {}))}


def _clipped(known: Known) -> dict[str, Facts]:
    low, high = number_of(known.settings, "low"), number_of(known.settings, "high")
    if low is not None and high is not None and low >= high:
        raise Refusal(f"is {low:g}, at or above high {high:g}", at="low", cure="make low less than high")
    return {"guider": known.inputs.get("guider", {})}


def _check_family(denoiser: Denoiser, prompt: Conditioning, at: str) -> None:
    """Refuse at a run what `_guided` could not know, where a model was chosen by a wire."""
    check_conditioning({"family": denoiser.family}, {"family": prompt.family}, at=at)


@node(category="guiders", cheap=True, infer=_guided)
def classifier_free(
    denoiser: Annotated[Denoiser, Field(description="The model to guide.")],
    positive: Annotated[Conditioning, Field(description="What the picture should be.")],
    negative: Annotated[Conditioning, Field(description="What it should not be; often an empty prompt.")],
    *,
    scale: Annotated[
        float, Field(ge=0, le=100, description="How strictly to follow the prompt; 1 is as trained."), Slider(step=0.5)
    ] = 7.5,
    rescale: Annotated[
        float, Field(ge=0, le=1, description="Draw back the contrast that a high scale adds."), Slider(step=0.05)
    ] = 0.0,
    start: Annotated[
        float, Field(ge=0, le=1, description="Where guidance begins, as a share of the schedule."), Slider(step=0.05)
    ] = 0.0,
    end: Annotated[
        float, Field(ge=0, le=1, description="Where it ends; the steps after it take half the time."), Slider(step=0.05)
    ] = 1.0,
    channels: Annotated[
        int, Field(ge=0, le=1024, description="Guide only so many of the latent's channels; 0: all. DiT's release: 3.")
    ] = 0,
) -> Guider:
    """Follow a prompt and keep away from another by classifier-free guidance (Ho and Salimans 2022).

    The prediction is negative + scale * (positive - negative). Scale 1 does not look at the negative prompt, which
    halves the time, and neither do the steps outside `start` to `end` (Kynkäänniemi et al. 2024). `rescale` is phi of
    Lin et al. 2024, with 0.7 a usual value.
    """
    _check_family(denoiser, positive, "positive")
    if scale != 1:
        _check_family(denoiser, negative, "negative")
    return ClassifierFreeGuidance(denoiser, positive, negative, scale, rescale, start, end, channels)


@node(category="guiders", cheap=True, infer=_dual)
def dual(
    denoiser: Annotated[Denoiser, Field(description="The model to guide.")],
    positive: Annotated[
        Conditioning, Field(description="What the picture should be; with InstructPix2Pix words and picture.")
    ],
    middle: Annotated[
        Conditioning, Field(description="What lies between; with InstructPix2Pix the picture without words.")
    ],
    negative: Annotated[Conditioning, Field(description="What to keep away from; with InstructPix2Pix neither.")],
    *,
    scale: Annotated[
        float,
        Field(ge=0, le=100, description="How strictly to follow what positive has and middle has not."),
        Slider(step=0.5),
    ] = 7.5,
    middle_scale: Annotated[
        float,
        Field(ge=0, le=100, description="How strictly to follow what middle has and negative has not."),
        Slider(step=0.1),
    ] = 1.5,
) -> Guider:
    """Follow words by one strength and a picture by another, as InstructPix2Pix does (Brooks et al. 2023).

    The prediction is negative + middle_scale * (middle - negative) + scale * (positive - middle). More of `scale`
    changes more, more of `middle_scale` keeps more of the picture. Equal scales do without the middle prediction.
    """
    for name, prompt in (("positive", positive), ("middle", middle), ("negative", negative)):
        _check_family(denoiser, prompt, name)
    return DualGuidance(denoiser, positive, middle, negative, scale, middle_scale)


@node(category="guiders", cheap=True, infer=_guided, title="No guidance")
def none(
    denoiser: Annotated[Denoiser, Field(description="The model to sample from.")],
    positive: Annotated[
        Conditioning | None, Field(description="What the picture should be; nothing for models that are told nothing.")
    ] = None,
) -> Guider:
    """Follow a prompt as trained, without guidance; for distilled models, whose guidance is built in.

    Models such as DDPM, which draw what they were trained on and nothing else, take no prompt.
    """
    if positive is None:
        return NoGuidance(denoiser, Unconditional(denoiser.family))
    _check_family(denoiser, positive, "positive")
    return NoGuidance(denoiser, positive)


@node(category="guiders", cheap=True, infer=_clipped)
def clip(
    guider: Annotated[Guider, Field(description="What guides.")],
    *,
    low: Annotated[float, Field(ge=-1000, le=1000, description="The least value of a prediction.")] = -1.0,
    high: Annotated[float, Field(ge=-1000, le=1000, description="The greatest value.")] = 1.0,
) -> Guider:
    """Keep predictions within a range of values; for models over pixels, as DDPM's own sampling does.

    Predictions at high noise leave the range that pictures have; without this, the error is carried on.
    """
    return ClippedGuidance(guider.denoiser, guider, low, high)


@node(category="guiders", cheap=True, infer=_switched)
def switch(
    first: Annotated[Guider, Field(description="What guides the steps before.")],
    then: Annotated[Guider, Field(description="What guides the steps from there on.")],
    *,
    at: Annotated[
        float, Field(ge=0, le=1, description="Where to switch, as a share of the schedule."), Slider(step=0.05)
    ] = 0.5,
) -> Guider:
    """Guide the first steps one way and the last ones another: by another prompt, scale or model.

    A step belongs to the one in whose share of the whole schedule it begins. Changing `then` or `at` computes only the
    steps again that differ.
    """
    return SwitchedGuidance(first.denoiser, first, then, at)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the guiders."""
    return [classifier_free, dual, none, clip, switch]


@hookimpl
def register_types() -> list[type]:
    """Let the guiders' data travel."""
    return [ClassifierFreeGuidance, DualGuidance, NoGuidance, ClippedGuidance, SwitchedGuidance]
