"""Guiders: which prompts a picture follows, and how strictly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Facts, Known, Slider, hookimpl, node
from graphgen_nodes.sampling.facts import check_same_family
from graphgen_nodes.sampling.options import ClassifierFreeGuidance, NoGuidance
from graphgen_nodes.sockets import Conditioning, Denoiser, Guider


def _infer(known: Known) -> dict[str, Facts]:
    denoiser = known.inputs.get("denoiser", {})
    for prompt in ("positive", "negative"):
        check_same_family(denoiser, known.inputs.get(prompt, {}), at=prompt, what="the denoiser")
    return {"guider": {name: denoiser[name] for name in ("family", "format", "path") if name in denoiser}}


@node(category="guiders", cheap=True, infer=_infer)
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
) -> Guider:
    """Follow a prompt and keep away from another by classifier-free guidance (Ho and Salimans 2022).

    The prediction is negative + scale * (positive - negative). Scale 1 does not look at the negative prompt, which
    halves the time. `rescale` is phi of Lin et al. 2024, with 0.7 a usual value.
    """
    return ClassifierFreeGuidance(denoiser, positive, negative, scale, rescale)


@node(category="guiders", cheap=True, infer=_infer, title="No guidance")
def none(
    denoiser: Annotated[Denoiser, Field(description="The model to sample from.")],
    positive: Annotated[Conditioning, Field(description="What the picture should be.")],
) -> Guider:
    """Follow a prompt as trained, without guidance; for distilled models, whose guidance is built in."""
    return NoGuidance(denoiser, positive)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the guiders."""
    return [classifier_free, none]


@hookimpl
def register_types() -> list[type]:
    """Let the guiders' data travel."""
    return [ClassifierFreeGuidance, NoGuidance]
