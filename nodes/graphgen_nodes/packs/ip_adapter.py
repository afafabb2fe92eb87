"""IP-Adapter: prompts that are pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from graphgen import Context, Facts, File, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.checkpoints.parts import open_checkpoint
from graphgen_nodes.facts import check_known_range, check_range, count_of, file_of, kept, refusing
from graphgen_nodes.ip_adapter.face_lora import FaceLoRA, face_lora_place
from graphgen_nodes.ip_adapter.handles import (
    Shortcut,
    adapter_facts,
    adapter_handle,
    check_denoiser,
    check_embedding,
    check_face,
    cure_of,
    known_adapter,
)
from graphgen_nodes.ip_adapter.patch import ImagePrompt
from graphgen_nodes.lora.blocks import check_blocks, parse_blocks
from graphgen_nodes.settings import End, Start
from graphgen_nodes.sockets import Denoiser, ImageEmbedding, IPAdapter, Mask, Precision, Weights

if TYPE_CHECKING:
    from torch import Tensor


# --- what is known before running -----------------------------------------------------------------------------------


def _known(known: Known) -> dict[str, Facts]:
    path = file_of(known, "models")
    if path is None:
        return {}
    with refusing("path"):
        return {"ip_adapter": {**known_adapter(open_checkpoint(path)), **kept(known.settings, "precision")}}


def _content(known: Known) -> str:
    path = file_of(known, "models")
    if path is None:
        return ""
    with refusing("path"):
        return open_checkpoint(path).digest()


def _applied(known: Known) -> dict[str, Facts]:
    denoiser, adapter = known.inputs.get("denoiser", {}), known.inputs.get("adapter", {})
    embedding, mask = known.inputs.get("embedding", {}), known.inputs.get("mask", {})
    check_known_range(known)
    _check_embedding(adapter, embedding)
    _check_face(adapter, embedding, known.inputs.get("face"))
    _check_masks(count_of(mask, "batch"), count_of(embedding, "batch"))
    family, blocks = denoiser.get("family"), known.settings.get("blocks")
    wanted, given = _weights(denoiser), _weights(adapter)
    if isinstance(family, str) and wanted and given:
        _check_blocks(_layers(given, family, wanted), blocks if isinstance(blocks, str) else "")
        _face_lora(given, family, wanted)
    return {"denoiser": denoiser}


def _weights(facts: Facts) -> Weights | None:
    """Return the one network in the facts of a handle; None where it is not known."""
    told: Any = facts.get("weights")
    known = isinstance(told, Sequence) and len(told) == 1 and isinstance(told[0], Mapping)
    return Weights(**told[0]) if known else None


# --- common to checking and running ---------------------------------------------------------------------------------


def _layers(adapter: Weights, family: str, denoiser: Weights) -> list[str]:
    with refusing("adapter"):
        return check_denoiser(adapter, family, denoiser)


def _face_lora(adapter: Weights, family: str, denoiser: Weights) -> Path | None:
    with refusing("adapter"):
        return face_lora_place(adapter, family, denoiser)


def _check_blocks(layers: Sequence[str], blocks: str) -> None:
    with refusing("blocks"):
        check_blocks(parse_blocks(blocks), layers)


def _check_embedding(adapter: Facts, embedding: Facts) -> None:
    problem = check_embedding(adapter, embedding)
    if problem is not None:
        raise Refusal(problem, at="embedding", cure=cure_of(adapter))


def _check_face(adapter: Facts, embedding: Facts, face: Facts | None) -> None:
    problem = check_face(adapter, embedding, face)
    if problem is not None:
        cure = "give one face for each picture by image_encoder.load_embedding, to FaceID Plus alone"
        raise Refusal(problem, at="face", cure=cure)


def _check_masks(masks: int | None, pictures: int | None) -> None:
    if masks is not None and pictures is not None and masks not in (1, pictures):
        raise Refusal(
            f"has {masks} masks for {pictures} pictures",
            at="mask",
            allowed="one mask, or one for each picture",
            cure="give one mask, or join as many as there are pictures",
        )


# --- nodes ----------------------------------------------------------------------------------------------------------


@node(category="adapters", title="Load IP-Adapter", infer=_known, fingerprint=_content)
def load(
    context: Context,
    *,
    path: Annotated[
        str,
        File("models", (".safetensors",), ("ip_adapter",)),
        Field(min_length=1, description="The IP-Adapter's file, in the models folder."),
    ],
    precision: Annotated[Precision, Field(description="auto is what suits the device.")] = "auto",
    shortcut: Annotated[
        Shortcut, Field(description="Whether FaceID Plus is its second version; auto: if its file's name has plusv2.")
    ] = "auto",
) -> IPAdapter:
    """Name an IP-Adapter (Ye et al. 2023): plain, plus, plus-face, full-face or FaceID, or one for Flux or SD 3."""
    return adapter_handle(open_checkpoint(context.path("models", path)), precision, shortcut)


@node(category="adapters", title="Apply IP-Adapter", infer=_applied)
def apply(
    denoiser: Annotated[Denoiser, Field(description="The denoiser that is to follow pictures.")],
    adapter: Annotated[IPAdapter, Field(description="An IP-Adapter for this model.")],
    embedding: Annotated[ImageEmbedding, Field(description="The pictures, read by the adapter's image encoder.")],
    face: Annotated[
        ImageEmbedding | None,
        Field(description="What a face network says of the faces in the pictures, for FaceID Plus alone."),
    ] = None,
    mask: Annotated[
        Mask | None,
        Field(description="Where in the drawn picture they act: one mask for all, or one for each."),
    ] = None,
    *,
    strength: Annotated[
        float, Field(ge=-5, le=5, description="How strongly they act; 0: not at all, 1: as trained."), Slider(0.05)
    ] = 1.0,
    blocks: Annotated[
        str,
        Field(
            max_length=4000,
            description="What blocks multiply it by, as in 'all 0, up_blocks.0.attentions.1 1' for style alone.",
        ),
    ] = "",
    start: Start = 0.0,
    end: End = 1.0,
    lora_strength: Annotated[
        float,
        Field(ge=-5, le=5, description="How strongly the LoRA acts that may lie inside a FaceID adapter's file."),
        Slider(step=0.05),
    ] = 1.0,
) -> Denoiser:
    """Have a denoiser follow pictures beside the prompt, on top of adapters before it.

    Each cross-attention looks at the pictures as well: attention(text) + strength * attention(pictures). The strength
    is diffusers' scale and ComfyUI's weight. Negative prompts see a picture of nothing instead. A LoRA inside the
    adapter's file acts as well. See docs/ip_adapter.md.
    """
    check_range(start, end)
    with refusing("adapter"):
        facts = adapter_facts(adapter)
    _check_embedding(facts, _given(embedding))
    _check_face(facts, _given(embedding), None if face is None else _given(face))
    _check_masks(None if mask is None else len(mask.values), len(embedding.embeds))
    _check_blocks(_layers(adapter.weights, denoiser.family, denoiser.weights), blocks)
    given_blocks, patches = parse_blocks(blocks), list(denoiser.patches)
    file = _face_lora(adapter.weights, denoiser.family, denoiser.weights)
    if file is not None and lora_strength:
        patches.append(FaceLoRA(adapter.weights.digest, str(file), lora_strength, given_blocks, start, end))
    if strength:
        pictures, blank = _read(adapter, embedding)
        masks, faces = (None if mask is None else mask.values), (None if face is None else face.embeds)
        patches.append(ImagePrompt(adapter, pictures, blank, strength, given_blocks, masks, start, end, faces))
    return replace(denoiser, patches=tuple(patches))


def _given(embedding: ImageEmbedding) -> Facts:
    states = 0 if embedding.states is None else embedding.states.shape[2]
    return {"embedding": embedding.embeds.shape[1], "states": states, "batch": len(embedding.embeds)}


def _read(adapter: IPAdapter, embedding: ImageEmbedding) -> tuple[Tensor, Tensor]:
    """Return what an adapter reads of pictures and of a negative prompt; a check has made sure that it is there.

    Negative prompts of Flux see a black picture, those of Stable Diffusion 3 zeros, as in training.
    """
    if adapter.kind in ("plain", "faceid"):
        nothing = embedding.embeds[:1] * 0
        return embedding.embeds, nothing if adapter.host == "unet" or embedding.black is None else embedding.black
    assert embedding.states is not None  # noqa: S101 - checked
    assert embedding.blank is not None  # noqa: S101 - it comes with the states
    return embedding.states, embedding.blank * 0 if adapter.kind == "timed" else embedding.blank


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the loader and the patch."""
    return [load, apply]


@hookimpl
def register_types() -> list[type]:
    """Contribute the patches that travel inside denoisers."""
    return [ImagePrompt, FaceLoRA]
