"""Guiders: which prompts a picture follows, and how strictly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Slider, hookimpl, node
from graphgen_nodes.facts import check_conditioning
from graphgen_nodes.guider_facts import ATTENTIVE, LAYERED, around, clipped, contrasted, guided, prompts, switched
from graphgen_nodes.perturbations import PerturbedAttention, SkippedLayers
from graphgen_nodes.sampling.dual import DualGuidance
from graphgen_nodes.sampling.guiders import (
    CFGPlusPlusGuidance,
    ClassifierFreeGuidance,
    ClippedGuidance,
    ContrastGuidance,
    NoGuidance,
    PerpendicularGuidance,
    ProjectedGuidance,
    SwitchedGuidance,
    ThresholdedGuidance,
    ZeroStarGuidance,
)
from graphgen_nodes.settings import End, Share, Start
from graphgen_nodes.sockets import Conditioning, Denoiser, Guider, Unconditional

Guided = Annotated[Denoiser, Field(description="The model to guide.")]
Positive = Annotated[Conditioning, Field(description="What the picture should be.")]
Negative = Annotated[Conditioning, Field(description="What it should not be; often an empty prompt.")]
Around = Annotated[Guider, Field(description="What guides otherwise.")]
Scale = Annotated[
    float, Field(ge=0, le=100, description="How strictly to follow the prompt; 1 is as trained."), Slider(step=0.5)
]
Contrast = Annotated[
    float, Field(ge=0, le=100, description="How far to move away from it; 0: not at all."), Slider(step=0.1)
]


def _check_family(denoiser: Denoiser, prompt: Conditioning, at: str) -> None:
    """Refuse at a run what `guided` could not know, where a model was chosen by a wire."""
    check_conditioning({"family": denoiser.family}, {"family": prompt.family}, at=at)


@node(category="guiders", title="Classifier-free guidance", cheap=True, infer=guided, aliases=("CFG guider",))
def classifier_free(
    denoiser: Guided,
    positive: Positive,
    negative: Negative,
    *,
    scale: Scale = 7.5,
    rescale: Annotated[
        float, Field(ge=0, le=1, description="Draw back the contrast that a high scale adds."), Slider(step=0.05)
    ] = 0.0,
    start: Start = 0.0,
    end: Annotated[
        End, Field(description="Where it ceases to act, as a share of the schedule; steps after it take half the time.")
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


@node(
    category="guiders",
    title="Dual guidance",
    cheap=True,
    infer=prompts("positive", "middle", "negative"),
    aliases=("Dual CFG guider",),
)
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


@node(category="guiders", cheap=True, infer=guided, title="No guidance", aliases=("Basic guider",))
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


@node(category="guiders", title="Clip predictions", cheap=True, infer=clipped)
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


@node(
    category="guiders",
    cheap=True,
    infer=prompts("positive", "negative"),
    title="Adaptive projected guidance",
    aliases=("APG",),
)
def projected(
    denoiser: Guided,
    positive: Positive,
    negative: Negative,
    *,
    scale: Scale = 10.0,
    parallel: Annotated[
        float, Field(ge=0, le=1, description="How much of what saturates is kept; 1: all, as classifier-free guidance.")
    ] = 0.0,
    most: Annotated[
        float, Field(ge=0, le=1e6, description="Longest change a step makes, as a vector's length; 0: any.")
    ] = 0.0,
    momentum: Annotated[
        float, Field(gt=-1, lt=1, description="How much of the last step's change counts; below 0: against it.")
    ] = 0.0,
) -> Guider:
    """Guide strictly without oversaturating: mostly across the prediction, not along it (Sadat et al. 2024, APG).

    The paper takes `most` 15 with Stable Diffusion XL, 2.5 with DiT; a `momentum` of -0.5 is usual. It counts from look
    to look of the sampler, and begins anew where another guider acted between.
    """
    _check_family(denoiser, positive, "positive")
    _check_family(denoiser, negative, "negative")
    return ProjectedGuidance(denoiser, positive, negative, scale, parallel, most, momentum)


@node(category="guiders", cheap=True, infer=prompts("positive", "negative"), title="CFG++ guidance")
def cfg_plus_plus(
    denoiser: Guided,
    positive: Positive,
    negative: Negative,
    *,
    scale: Annotated[
        float,
        Field(ge=0, le=10, description="From the negative prediction, 0, to the positive one, 1, or beyond."),
        Slider(step=0.05),
    ] = 0.6,
) -> Guider:
    """Guide the picture but not the noise, so that steps stay near what the model knows (Chung et al. 2024, CFG++).

    Samplers of every kind carry the negative prediction's noise along. Scales are small: 0.6 does what 7.5 does in
    classifier-free guidance, and more steps guide more strictly.
    """
    _check_family(denoiser, positive, "positive")
    _check_family(denoiser, negative, "negative")
    return CFGPlusPlusGuidance(denoiser, positive, negative, scale)


@node(category="guiders", cheap=True, infer=prompts("positive", "negative"), title="CFG-Zero* guidance")
def zero_star(
    denoiser: Guided,
    positive: Positive,
    negative: Negative,
    *,
    scale: Scale = 4.0,
    zero_until: Annotated[
        float, Field(ge=0, le=1, description="Stand still in the steps that begin before this share of the schedule.")
    ] = 0.04,
) -> Guider:
    """Guide from a negative output scaled to fit, but not in the very first steps; for flows (Fan et al. 2025)."""
    _check_family(denoiser, positive, "positive")
    _check_family(denoiser, negative, "negative")
    return ZeroStarGuidance(denoiser, positive, negative, scale, zero_until)


@node(
    category="guiders",
    title="Perpendicular negative",
    cheap=True,
    infer=prompts("positive", "negative", "empty"),
    aliases=("Perp-Neg guider",),
)
def perpendicular(
    denoiser: Guided,
    positive: Positive,
    negative: Negative,
    empty: Annotated[Conditioning, Field(description="An empty prompt.")],
    *,
    scale: Scale = 7.5,
    negative_scale: Annotated[
        float, Field(ge=0, le=100, description="How strictly to keep away from the negative prompt."), Slider(step=0.1)
    ] = 1.0,
) -> Guider:
    """Keep away from a prompt but keep what it shares with the positive one: Perp-Neg (Armandpour et al. 2023)."""
    for name, prompt in (("positive", positive), ("negative", negative), ("empty", empty)):
        _check_family(denoiser, prompt, name)
    return PerpendicularGuidance(denoiser, positive, negative, empty, scale, negative_scale)


@node(category="guiders", cheap=True, infer=contrasted())
def autoguidance(
    guider: Around,
    weaker: Annotated[Denoiser, Field(description="A worse version of the model: smaller, or trained for less long.")],
    *,
    scale: Annotated[
        float, Field(ge=1, le=100, description="How far to move away from it; 1: not at all."), Slider(step=0.1)
    ] = 2.0,
    start: Start = 0.0,
    end: End = 1.0,
) -> Guider:
    """Move away from what a worse version of the model predicts of the same prompt (Karras et al. 2024).

    Around guiders.none it is the paper's: weaker + scale * (prediction - weaker).
    """
    return ContrastGuidance(guider.denoiser, guider, scale - 1, weaker, None, start, end)


@node(
    category="guiders",
    title="Perturbed-attention guidance",
    cheap=True,
    infer=contrasted(ATTENTIVE, "use guiders.skip_layers"),
    aliases=("PAG",),
)
def perturbed_attention(
    guider: Around,
    *,
    scale: Contrast = 3.0,
    layers: Annotated[
        str, Field(min_length=1, max_length=500, description="Blocks whose self-attention is left out, by comma.")
    ] = "mid_block",
    start: Start = 0.0,
    end: End = 1.0,
) -> Guider:
    """Move away from what the model predicts without some of its self-attention (Ahn et al. 2024, PAG).

    It improves structure, with and without a prompt, for a third network call a step. Blocks are named as in diffusers:
    `mid_block`, `up_blocks.1`, and `transformer_blocks.13` of a DiT.
    """
    patch = PerturbedAttention(tuple(name.strip() for name in layers.split(",") if name.strip()))
    return ContrastGuidance(guider.denoiser, guider, scale, None, patch, start, end)


@node(
    category="guiders",
    title="Skip-layer guidance",
    cheap=True,
    infer=contrasted(LAYERED, "use guiders.perturbed_attention"),
    aliases=("SLG",),
)
def skip_layers(
    guider: Around,
    *,
    scale: Contrast = 2.8,
    layers: Annotated[
        str,
        Field(
            pattern=r"^\d+( *, *\d+)*$", max_length=500, description="Blocks to leave out, counted from 0, by comma."
        ),
    ] = "7, 8, 9",
    start: Start = 0.01,
    end: End = 0.2,
) -> Guider:
    """Move away from what a transformer predicts without some of its blocks: skip-layer guidance (Stability AI 2024).

    The settings are those for Stable Diffusion 3.5 medium, in which it improves anatomy.
    """
    patch = SkippedLayers(tuple(int(number) for number in layers.split(",")))
    return ContrastGuidance(guider.denoiser, guider, scale, None, patch, start, end)


@node(category="guiders", title="Dynamic thresholding", cheap=True, infer=around)
def threshold(
    guider: Around,
    *,
    quantile: Annotated[float, Field(gt=0, le=1, description="Share of values that are left as they are.")] = 0.995,
    most: Annotated[float, Field(ge=1, le=1e6, description="Greatest range that is drawn in.")] = 100.0,
) -> Guider:
    """Draw predictions into the range -1 to 1 by their own quantile, for models over pixels (Saharia et al. 2022)."""
    return ThresholdedGuidance(guider.denoiser, guider, quantile, most)


@node(category="guiders", title="Switch guidance", cheap=True, infer=switched)
def switch(
    first: Annotated[Guider, Field(description="What guides the steps before.")],
    then: Annotated[Guider, Field(description="What guides the steps from there on.")],
    *,
    at: Annotated[Share, Field(description="Where to switch, as a share of the schedule.")] = 0.5,
) -> Guider:
    """Guide the first steps one way and the last ones another: by another prompt, scale or model.

    A step belongs to the one in whose share of the whole schedule it begins. Changing `then` or `at` computes only the
    steps again that differ.
    """
    return SwitchedGuidance(first.denoiser, first, then, at)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the guiders."""
    return [
        classifier_free,
        none,
        dual,
        projected,
        cfg_plus_plus,
        zero_star,
        perpendicular,
        autoguidance,
        perturbed_attention,
        skip_layers,
        clip,
        threshold,
        switch,
    ]


@hookimpl
def register_types() -> list[type]:
    """Let the guiders' data travel."""
    return [
        ClassifierFreeGuidance,
        NoGuidance,
        DualGuidance,
        ProjectedGuidance,
        CFGPlusPlusGuidance,
        ZeroStarGuidance,
        PerpendicularGuidance,
        ContrastGuidance,
        ClippedGuidance,
        ThresholdedGuidance,
        SwitchedGuidance,
        PerturbedAttention,
        SkippedLayers,
    ]
