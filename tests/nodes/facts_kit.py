"""What is true of a value that was really computed, in the words of docs/facts.md: an `infer` must have foretold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import singledispatch

from torch import Tensor

from graphgen import Facts, Files
from graphgen_nodes import (
    Autoencoder,
    Conditioning,
    Denoiser,
    GuidedConditioning,
    Guider,
    Image,
    LabelConditioning,
    Latent,
    Mask,
    Noise,
    Sampler,
    Schedule,
    TextConditioning,
    TextEncoder,
    Unconditional,
    Upscaler,
)
from graphgen_nodes.compositions import Composition
from graphgen_nodes.imaging.cutouts import Cutout
from graphgen_nodes.prompt_to_prompt.local import LocalSampler
from graphgen_nodes.prompt_to_prompt.patch import PromptEdit
from graphgen_nodes.sampling.guiders import ClippedGuidance, ContrastGuidance, ThresholdedGuidance
from graphgen_nodes.sampling.masked import MaskedSampler
from graphgen_nodes.sockets import Path


@singledispatch
def facts_of(value: object) -> dict[str, object]:
    """Return all facts that can be read from a value."""
    if isinstance(value, Sampler):
        return {"method": type(value).__name__} | {field.name: getattr(value, field.name) for field in fields(value)}  # type: ignore[arg-type]
    if isinstance(value, Guider):
        denoiser = facts_of(value.denoiser)
        prompts = [item for field in fields(value) if isinstance(item := getattr(value, field.name), Conditioning)]  # type: ignore[arg-type]
        told = [facts_of(prompt) for prompt in prompts]
        beside = {name: fact for prompt in told for name, fact in prompt.items() if name in ("rows", "columns")}
        batch = max(int(str(prompt["batch"])) for prompt in told)
        asked = [name for name in ("family", "format", "path", "prediction", "edited") if name in denoiser]
        return {name: denoiser[name] for name in asked} | beside | {"batch": batch}
    assert isinstance(value, bool | int | float | str)
    return {"value": value}


@facts_of.register
def _(value: Image) -> dict[str, object]:
    batch, channels, height, width = value.pixels.shape
    return {"batch": batch, "channels": channels, "height": height, "width": width}


@facts_of.register
def _(value: Mask) -> dict[str, object]:
    batch, height, width = value.values.shape
    return {"batch": batch, "height": height, "width": width}


@facts_of.register
def _(value: Latent) -> dict[str, object]:
    batch, channels, rows, columns = value.samples.shape
    cell = value.format.downscale
    return {
        "family": value.format.family,
        "format": asdict(value.format),
        "batch": batch,
        "channels": channels,
        "rows": rows,
        "columns": columns,
        "height": rows * cell,
        "width": columns * cell,
    }


@facts_of.register
def _(value: TextConditioning) -> dict[str, object]:
    batch, tokens, width = value.embeddings.shape
    pooled = 0 if value.pooled is None else value.pooled.shape[1]
    told = {"family": value.family, "batch": batch, "tokens": tokens, "embedding": width, "pooled": pooled}
    told |= {"beside": "nothing"} if value.beside is None else shown(value.beside, batch)
    scale = value.guidance if isinstance(value, GuidedConditioning) else None
    return told if scale is None else {**told, "guidance": scale}


def shown(beside: Tensor, batch: int) -> dict[str, object]:
    """Return what is shown beside a latent of four channels: a picture, or a mask before one."""
    count, channels, rows, columns = beside.shape
    kind = {1: "depth", 4: "picture", 5: "masked_picture"}[channels]
    return {"beside": kind, "batch": max(batch, count), "rows": rows, "columns": columns}


@facts_of.register
def _(value: Cutout) -> dict[str, object]:
    return {}


@facts_of.register
def _(value: MaskedSampler) -> dict[str, object]:
    latent = facts_of(value.latent)
    return {**facts_of(value.sampler), **{name: latent[name] for name in ("format", "rows", "columns", "batch")}}


@facts_of.register
def _(value: LocalSampler) -> dict[str, object]:
    return {**facts_of(value.sampler), "by_words": True}


@facts_of.register
def _(value: LabelConditioning) -> dict[str, object]:
    return {"family": value.family, "batch": len(value.labels)}


@facts_of.register
def _(value: Composition) -> dict[str, object]:
    parts = [facts_of(part.conditioning) for part in value.parts]
    masks = [region.mask for part in value.parts for region in part.regions if region.mask is not None]
    batch = max(*(int(str(part["batch"])) for part in parts), *map(len, masks), 1)
    shared = {name: fact for name, fact in parts[0].items() if all(part.get(name) == fact for part in parts)}
    at = [sum(part.start <= share < part.end for part in value.parts) for share in [k / 100 for k in range(100)]]
    flags = {"alone": any(part.alone for part in value.parts), "several": max(at) > 1}
    return {**shared, "batch": batch} | {name: True for name, flag in flags.items() if flag}


@facts_of.register
def _(value: Unconditional) -> dict[str, object]:
    return {"family": value.family, "batch": 1}


@facts_of.register(ClippedGuidance)
@facts_of.register(ThresholdedGuidance)
@facts_of.register(ContrastGuidance)
def _(value: ClippedGuidance | ThresholdedGuidance | ContrastGuidance) -> dict[str, object]:
    return facts_of(value.guider)


@facts_of.register
def _(value: Schedule) -> dict[str, object]:
    told = {"steps": len(value.steps), "start": value.start, "length": len(value.timesteps)}
    return {**told, "path": path_of(value.path)}


@facts_of.register
def _(value: Noise) -> dict[str, object]:
    return asdict(value)


@facts_of.register
def _(value: Denoiser) -> dict[str, object]:
    return {
        "family": value.family,
        "prediction": value.prediction,
        "path": path_of(value.path),
        "format": asdict(value.latent),
        "components": [value.weights.part],
        "weights": [asdict(value.weights)],
        "precision": value.precision,
        "classes": value.classes,
        "beside": value.beside,
        **next(({"edited": edited(patch)} for patch in value.patches if isinstance(patch, PromptEdit)), {}),
    }


def edited(patch: PromptEdit) -> dict[str, object]:
    """Return what an edit of a prompt knows: how many tokens, and whether it watches some."""
    return {"tokens": len(patch.shares), "watched": any(patch.watched)}


@facts_of.register
def _(value: TextEncoder) -> dict[str, object]:
    parts = [weights.part for weights in value.encoders]
    weights = [asdict(weights) for weights in value.encoders]
    return {"family": value.family, "components": parts, "weights": weights, "precision": value.precision}


@facts_of.register
def _(value: Autoencoder) -> dict[str, object]:
    told = {"family": value.latent.family, "format": asdict(value.latent)}
    parts = [] if value.weights is None else [value.weights.part]
    return {**told, "components": parts, "halves": list(value.halves), "precision": value.precision}


@facts_of.register
def _(value: Upscaler) -> dict[str, object]:
    return {"scale": value.scale, "precision": value.precision}


@facts_of.register
def _(value: Files) -> dict[str, object]:
    return {"count": len(value.files)}


def path_of(path: Path) -> dict[str, object]:
    """Return a noise process as its kind and numbers."""
    return {"kind": type(path).__name__, **asdict(path)}  # type: ignore[call-overload]


def assert_foretold(predicted: Facts, value: object, place: str, *, loaded: Mapping[str, object] | None = None) -> None:
    """Check that what was foretold of a value is so, and that nothing was left out.

    `loaded` is what only the loaded network can tell.
    """
    true = {**facts_of(value), **(loaded or {})}
    told = {name: fact for name, fact in predicted.items() if name != "note"}
    assert {name: told.get(name, "nothing") for name in true} == true, place
    assert set(told) <= set(true) | ONLY_TOLD, f"{place}: no value can show that {sorted(set(told) - set(true))}"


_WANTED = {"embedding", "pooled", "multiple", "most_cells", "square", "learned_variance", "guidance", "names"}
ONLY_TOLD = _WANTED | {"tokens", "windows", "channels"}
"""Facts of handles that the handle itself does not hold: the network they stand for does, and is asked elsewhere."""
