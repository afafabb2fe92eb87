"""Models: name the networks of a checkpoint, from headers and configs alone; weights are loaded where they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

from pydantic import Field

from graphgen import Context, Facts, File, Known, Refusal, ResourceError, hookimpl, node
from graphgen_nodes.checkpoints.parts import Checkpoint, open_checkpoint
from graphgen_nodes.families.handles import Asked, autoencoder_handle, denoiser_handle, text_encoder_handle
from graphgen_nodes.sampling.facts import denoiser_facts, format_facts
from graphgen_nodes.sockets import Autoencoder, Denoiser, Precision, TextEncoder

ModelFile = Annotated[
    str,
    File("models", (".safetensors",)),
    Field(min_length=1, description="A diffusers folder or a .safetensors file, in the models folder."),
]
MoreFile = Annotated[
    str,
    File("models", (".safetensors",)),
    Field(description="A further file, for families with several text encoders in files of their own."),
]
Predicts = Annotated[
    Asked, Field(description="What the network predicts; auto reads it from the checkpoint where that tells.")
]
NumberFormat = Annotated[Precision, Field(description="auto is what suits the device.")]
FamilyName = Annotated[str, Field(description="sd1, sd2 or sd3, where the file fits several; auto tells otherwise.")]

TEXT_FILES = ("path", "path_2", "path_3")


class Model(NamedTuple):
    """The networks of a text-to-image model."""

    denoiser: Annotated[Denoiser, Field(description="The network that turns noise into latents.")]
    text_encoder: Annotated[TextEncoder, Field(description="What reads prompts.")]
    autoencoder: Annotated[Autoencoder, Field(description="What turns latents into pictures and back.")]


# --- what is known before running -----------------------------------------------------------------------------------


@contextmanager
def _refusing(at: str = "path") -> Iterator[None]:
    try:
        yield
    except ResourceError as error:
        raise Refusal(str(error), at=at) from error


def _opened(known: Known, setting: str = "path") -> Checkpoint | None:
    """Open the checkpoint a setting names; None where it is wired to what is not known, or empty."""
    name = known.settings.get(setting)
    if not isinstance(name, str) or not name:
        return None
    with _refusing(setting):
        return open_checkpoint(known.path("models", name))


def _content(known: Known) -> str:
    """Identify the content of all files that the settings name."""
    found = []
    for setting in TEXT_FILES:
        checkpoint = _opened(known, setting)
        if checkpoint is not None:
            found.append(checkpoint.digest())
    return " ".join(found)


def _asked(known: Known) -> Asked:
    value = known.settings.get("prediction", "auto")
    return next((word for word in ("epsilon", "v", "sample", "flow") if word == value), "auto")


def _named_family(known: Known) -> str:
    value = known.settings.get("family", "auto")
    return value if isinstance(value, str) else "auto"


def _model_facts(known: Known) -> dict[str, Facts]:
    checkpoint = _opened(known)
    if checkpoint is None:
        return {}
    return {**_denoiser_facts(known), **_text_facts(known), **_autoencoder_facts(known)}


def _denoiser_facts(known: Known) -> dict[str, Facts]:
    checkpoint = _opened(known)
    if checkpoint is None:
        return {}
    with _refusing():
        return {"denoiser": denoiser_facts(denoiser_handle(checkpoint, _asked(known)))}


def _text_facts(known: Known) -> dict[str, Facts]:
    checkpoints = [found for setting in TEXT_FILES if (found := _opened(known, setting)) is not None]
    if not checkpoints:
        return {}
    with _refusing():
        return {"text_encoder": {"family": text_encoder_handle(checkpoints, _named_family(known)).family}}


def _autoencoder_facts(known: Known) -> dict[str, Facts]:
    checkpoint = _opened(known)
    if checkpoint is None:
        return {}
    with _refusing():
        found = autoencoder_handle(checkpoint, _named_family(known))
    return {"autoencoder": {"format": format_facts(found.latent)}}


# --- nodes ----------------------------------------------------------------------------------------------------------


@node(category="models", title="Load model", infer=_model_facts, fingerprint=_content)
def load(
    context: Context, *, path: ModelFile, prediction: Predicts = "auto", precision: NumberFormat = "auto"
) -> Model:
    """Name the denoiser, text encoder and autoencoder of a whole model.

    Takes a diffusers folder or a single safetensors file of Stable Diffusion 1.x, 2.x, 3 or 3.5. For a file that
    lacks a part, use models.load_denoiser, models.load_text_encoder and models.load_autoencoder.
    """
    checkpoint = open_checkpoint(context.path("models", path))
    return Model(
        denoiser_handle(checkpoint, prediction, precision),
        text_encoder_handle([checkpoint], "auto", precision),
        autoencoder_handle(checkpoint, "auto", precision),
    )


@node(category="models", title="Load denoiser", infer=_denoiser_facts, fingerprint=_content)
def load_denoiser(
    context: Context, *, path: ModelFile, prediction: Predicts = "auto", precision: NumberFormat = "auto"
) -> Denoiser:
    """Name the denoising network of a checkpoint: a whole model, or a UNet or transformer alone."""
    checkpoint = open_checkpoint(context.path("models", path))
    return denoiser_handle(checkpoint, prediction, precision)


@node(category="models", title="Load text encoder", infer=_text_facts, fingerprint=_content)
def load_text_encoder(
    context: Context,
    *,
    path: ModelFile,
    path_2: MoreFile = "",
    path_3: MoreFile = "",
    family: FamilyName = "auto",
    precision: NumberFormat = "auto",
) -> TextEncoder:
    """Name the text encoders of a checkpoint, or of up to three files that hold one each (SD3: CLIP-L, CLIP-G, T5)."""
    checkpoints = [open_checkpoint(context.path("models", name)) for name in (path, path_2, path_3) if name]
    return text_encoder_handle(checkpoints, family, precision)


@node(category="models", title="Load autoencoder", infer=_autoencoder_facts, fingerprint=_content)
def load_autoencoder(
    context: Context, *, path: ModelFile, family: FamilyName = "auto", precision: NumberFormat = "auto"
) -> Autoencoder:
    """Name the autoencoder of a checkpoint: a whole model, or an autoencoder alone."""
    return autoencoder_handle(open_checkpoint(context.path("models", path)), family, precision)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the loaders."""
    return [load, load_denoiser, load_text_encoder, load_autoencoder]
