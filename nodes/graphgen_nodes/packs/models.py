"""Models: name the networks of a checkpoint, from headers and configs alone; weights are loaded where they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple, TypeAlias, cast

from pydantic import Field

from graphgen import Context, Facts, File, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.blend import Blend, check_blend
from graphgen_nodes.checkpoints.files import WEIGHT_FILES
from graphgen_nodes.checkpoints.parts import Checkpoint, open_checkpoint
from graphgen_nodes.facts import Infer, denoiser_facts, refusing
from graphgen_nodes.families.handles import Asked, autoencoder_handle, denoiser_handle, text_encoder_handle
from graphgen_nodes.families.known import known_autoencoder, known_denoiser, known_text_encoder
from graphgen_nodes.lora.blocks import parse_blocks
from graphgen_nodes.sockets import Autoencoder, Denoiser, Precision, TextEncoder

_HELD = Field(min_length=1, description="A diffusers folder, or a .safetensors or .gguf file, in the models folder.")
ModelFile = Annotated[str, File("models", WEIGHT_FILES, ("denoiser", "text_encoder", "vae")), _HELD]
DenoiserFile = Annotated[str, File("models", WEIGHT_FILES, ("denoiser",)), _HELD]
TextFile = Annotated[str, File("models", WEIGHT_FILES, ("text_encoder",)), _HELD]
MoreFile = Annotated[
    str,
    File("models", WEIGHT_FILES, ("text_encoder",)),
    Field(description="A further file, for families with several text encoders in files of their own."),
]
AutoencoderFile = Annotated[str, File("models", WEIGHT_FILES, ("vae",)), _HELD]
Predicts = Annotated[
    Asked, Field(description="What the network predicts; auto reads it from the checkpoint where that tells.")
]
NumberFormat = Annotated[Precision, Field(description="auto is what suits the device.")]
FamilyName = Annotated[str, Field(description="Such as sdxl, where the file fits several; auto tells otherwise.")]

TEXT_FILES = ("path", "path_2", "path_3")

_REMEMBERED = 64
"""Checkpoints whose facts are kept: whoever edits a workflow has it checked again and again."""


class Model(NamedTuple):
    """The networks of a text-to-image model."""

    denoiser: Annotated[Denoiser, Field(description="The network that turns noise into latents.")]
    text_encoder: Annotated[TextEncoder, Field(description="What reads prompts.")]
    autoencoder: Annotated[Autoencoder, Field(description="What turns latents into pictures and back.")]


# --- what is known before running -----------------------------------------------------------------------------------


def _opened(known: Known, *settings: str) -> list[Checkpoint]:
    """Open the checkpoints that settings name, leaving out empty ones and those wired to what is not known."""
    found = []
    for setting in settings:
        name = known.settings.get(setting)
        if isinstance(name, str) and name:
            with refusing(setting):
                found.append(open_checkpoint(known.path("models", name)))
    return found


def _content(known: Known) -> str:
    """Identify the content of all files that the settings name."""
    return " ".join(checkpoint.digest() for checkpoint in _opened(known, *TEXT_FILES))


class _Question(NamedTuple):
    """What is asked of some checkpoints; by `content` an answer holds only while the files are the same."""

    files: tuple[Path, ...]
    content: str
    prediction: Asked
    family: str
    precision: Precision


_Answer: TypeAlias = Callable[[_Question], dict[str, Facts]]


def _when_known(answer: _Answer, *settings: str) -> Infer:
    """Know nothing of a model while one of the settings that decide about it is wired to what is not known."""

    def whole(known: Known) -> dict[str, Facts]:
        if not known.settings.keys() >= set(settings):
            return {}
        checkpoints = _opened(known, *TEXT_FILES)
        with refusing("path"):
            return dict(answer(_question(checkpoints, known.settings)))

    return whole


def _question(checkpoints: Sequence[Checkpoint], settings: Mapping[str, object]) -> _Question:
    return _Question(
        tuple(checkpoint.path for checkpoint in checkpoints),
        " ".join(checkpoint.digest() for checkpoint in checkpoints),
        cast(Asked, settings.get("prediction", "auto")),
        str(settings.get("family", "auto")),
        cast(Precision, settings["precision"]),
    )


@lru_cache(maxsize=_REMEMBERED)
def _model(asked: _Question) -> dict[str, Facts]:
    checkpoint = open_checkpoint(asked.files[0])
    return {
        "denoiser": known_denoiser(checkpoint, asked.prediction, asked.precision),
        "text_encoder": known_text_encoder([checkpoint], "auto", asked.precision),
        "autoencoder": known_autoencoder(checkpoint, "auto", asked.precision),
    }


@lru_cache(maxsize=_REMEMBERED)
def _denoiser(asked: _Question) -> dict[str, Facts]:
    return {"denoiser": known_denoiser(open_checkpoint(asked.files[0]), asked.prediction, asked.precision)}


@lru_cache(maxsize=_REMEMBERED)
def _text_encoder(asked: _Question) -> dict[str, Facts]:
    checkpoints = [open_checkpoint(path) for path in asked.files]
    return {"text_encoder": known_text_encoder(checkpoints, asked.family, asked.precision)}


@lru_cache(maxsize=_REMEMBERED)
def _autoencoder(asked: _Question) -> dict[str, Facts]:
    return {"autoencoder": known_autoencoder(open_checkpoint(asked.files[0]), asked.family, asked.precision)}


def _merged(known: Known) -> dict[str, Facts]:
    first, second, blocks = known.inputs["first"], known.inputs["second"], known.settings.get("blocks")
    with refusing("blocks"):
        parse_blocks(blocks if isinstance(blocks, str) else "")
    with refusing("second"):
        check_blend(first, second)
    return {"denoiser": first}


MODEL = _when_known(_model, "path", "prediction", "precision")
DENOISER = _when_known(_denoiser, "path", "prediction", "precision")
TEXT = _when_known(_text_encoder, *TEXT_FILES, "family", "precision")
AUTOENCODER = _when_known(_autoencoder, "path", "family", "precision")


# --- nodes ----------------------------------------------------------------------------------------------------------


@node(
    category="models",
    title="Load model",
    infer=MODEL,
    fingerprint=_content,
    aliases=("Load checkpoint", "Checkpoint loader", "Main model"),
)
def load(
    context: Context, *, path: ModelFile, prediction: Predicts = "auto", precision: NumberFormat = "auto"
) -> Model:
    """Name the denoiser, text encoder and autoencoder of a whole model.

    Takes a diffusers folder or a single safetensors file of the families that docs/families.md lists. For a file that
    lacks a part, use models.load_denoiser, models.load_text_encoder and models.load_autoencoder.
    """
    checkpoint = open_checkpoint(context.path("models", path))
    return Model(
        denoiser_handle(checkpoint, prediction, precision),
        text_encoder_handle([checkpoint], "auto", precision),
        autoencoder_handle(checkpoint, "auto", precision),
    )


@node(
    category="models",
    title="Load denoiser",
    infer=DENOISER,
    fingerprint=_content,
    aliases=("Load UNet", "Load diffusion model"),
)
def load_denoiser(
    context: Context, *, path: DenoiserFile, prediction: Predicts = "auto", precision: NumberFormat = "auto"
) -> Denoiser:
    """Name the denoising network of a checkpoint: a whole model, or a UNet or transformer alone."""
    checkpoint = open_checkpoint(context.path("models", path))
    return denoiser_handle(checkpoint, prediction, precision)


@node(
    category="models",
    title="Load text encoder",
    infer=TEXT,
    fingerprint=_content,
    aliases=("Load CLIP", "Dual CLIP loader"),
)
def load_text_encoder(
    context: Context,
    *,
    path: TextFile,
    path_2: MoreFile = "",
    path_3: MoreFile = "",
    family: FamilyName = "auto",
    precision: NumberFormat = "auto",
) -> TextEncoder:
    """Name the text encoders of a checkpoint, or of up to three files that hold one each.

    Stable Diffusion 3 has CLIP-L, CLIP-G and T5, Flux CLIP-L and T5; the order of the files does not matter.
    """
    checkpoints = [open_checkpoint(context.path("models", name)) for name in (path, path_2, path_3) if name]
    return text_encoder_handle(checkpoints, family, precision)


@node(
    category="models",
    title="Load autoencoder",
    infer=AUTOENCODER,
    fingerprint=_content,
    aliases=("Load VAE", "VAE loader"),
)
def load_autoencoder(
    context: Context, *, path: AutoencoderFile, family: FamilyName = "auto", precision: NumberFormat = "auto"
) -> Autoencoder:
    """Name the autoencoder of a checkpoint: a whole model, or an autoencoder alone."""
    return autoencoder_handle(open_checkpoint(context.path("models", path)), family, precision)


@node(category="models", title="Merge denoisers", infer=_merged, aliases=("Checkpoint merger",))
def merge(
    first: Annotated[Denoiser, Field(description="The denoiser to begin with.")],
    second: Annotated[Denoiser, Field(description="The one to move towards, of the same kind.")],
    *,
    ratio: Annotated[
        float, Field(ge=-2, le=3, description="How far to go: 0 is the first, 1 the second."), Slider(step=0.05)
    ] = 0.5,
    blocks: Annotated[
        str, Field(max_length=4000, description="What the ratio is multiplied by, as in 'down 1, mid 0.5, up.1 0'.")
    ] = "",
) -> Denoiser:
    """Blend the weights of two denoisers: `first + ratio * (second - first)`.

    Neither is changed. The result is made when it is used and takes the memory of one more network. Several in a row
    blend three and more; patches of the first are made before.
    """
    given = parse_blocks(blocks)
    check_blend(denoiser_facts(first), denoiser_facts(second))
    if second.patches:
        cure = "give it as it was loaded, and patch what comes out"
        raise Refusal("is patched, and only what is loaded from a file can be blended in", at="second", cure=cure)
    return replace(first, patches=(*first.patches, Blend(second.weights, ratio, given))) if ratio else first


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the loaders, and a blend of what they name."""
    return [load, load_denoiser, load_text_encoder, load_autoencoder, merge]


@hookimpl
def register_types() -> list[type]:
    """Contribute the patch that a blend is."""
    return [Blend]
