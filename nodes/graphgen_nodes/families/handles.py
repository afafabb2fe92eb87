"""From a checkpoint to handles: find its family, and say which weights to load for each of its networks.

Torch-free: what a handle says is read from headers and configs alone. `graphgen_nodes.loading` acts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.identity import find_place
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part, open_checkpoint
from graphgen_nodes.checkpoints.process import ends_in_pure_noise
from graphgen_nodes.families import families, family
from graphgen_nodes.families.family import TINY, Family, Slot, find_part, said_number, whole
from graphgen_nodes.sampling.paths import VariancePreserving
from graphgen_nodes.sockets import (
    Autoencoder,
    Denoiser,
    EmptyPrompt,
    Half,
    Precision,
    Prediction,
    TextEncoder,
    Weights,
)

Asked = Literal["auto", "epsilon", "v", "sample", "flow"]

DENOISER_KINDS = ("denoiser", "unet", "transformer")
"""What the part that is a denoising network goes under."""

AUTOENCODERS = ("vae", "tiny_vae")
"""What the part that is an autoencoder goes under."""

STRANGERS = {
    "double_blocks.0.img_attn.qkv.weight": "a relative of Flux.1 (Flux.2, Chroma)",
    "all_modules.0.W": "an NCSN++ without pyramids of the input and the output (those of CIFAR-10)",
    "all_modules.0.weight": "a DDPM or DDPM++ of score_sde, or an NCSN++ that is told timesteps",
    "single_transformer_blocks.0.attn.to_q.weight": "a relative of Flux.1 (Chroma, AuraFlow)",
}
"""A tensor of a denoiser that graphgen can name but not run yet."""


def find_family(checkpoint: Checkpoint) -> Family:
    """Return the family of the checkpoint's denoising network.

    Raises:
        CheckpointError: it holds none, or one of a family that graphgen does not know.
    """
    parts = [part for kind, part in checkpoint.parts.items() if kind in DENOISER_KINDS]
    for part in parts:
        for candidate in families().values():
            if part.kind in candidate.denoiser.kinds and candidate.is_denoiser(part):
                return candidate
    known = ", ".join(candidate.title for candidate in families().values())
    if not parts:
        raise CheckpointError(_lacking(checkpoint, "denoiser"))
    names = {name for part in parts for name in part.shapes}
    found = next((title for mark, title in STRANGERS.items() if mark in names), "of an unknown family")
    raise CheckpointError(f"{checkpoint.path}: its denoiser is {found}; graphgen can run {known}")


def denoiser_handle(checkpoint: Checkpoint, asked: Asked = "auto", precision: Precision = "auto") -> Denoiser:
    """Return a handle to the checkpoint's denoiser.

    Raises:
        CheckpointError: there is none, its prediction cannot be told, or nobody knows what it wants beside the latent.
    """
    found = find_family(checkpoint)
    part = _required(checkpoint, found.denoiser, "denoiser")
    config = read_config(found.denoiser, part)
    taken, given = found.channels(config)
    beside = found.beside(config)
    if beside is None:
        raise CheckpointError(
            f"{part}: takes {taken} channels and gives {given}; graphgen can run networks of {found.title} that take "
            "the latent alone, or beside it a picture, a mask and a masked picture, or depths"
        )
    prediction: Prediction = found.prediction(checkpoint, part) if asked == "auto" else asked
    latent = found.latent_format(find_part(checkpoint, found.autoencoder), taken if beside == "nothing" else given)
    path = found.path(checkpoint.scheduler, prediction, config)
    # a network that predicts the noise tells nothing at pure noise, whatever its checkpoint says
    if isinstance(path, VariancePreserving) and prediction != "epsilon" and ends_in_pure_noise(checkpoint):
        path = replace(path, zero_terminal_snr=True)
    weights, classes = _weights(found.denoiser, part), found.classes(config)
    return Denoiser(found.name, weights, prediction, path, latent, precision, classes=classes, beside=beside)


def autoencoder_handle(checkpoint: Checkpoint, name: str = "auto", precision: Precision = "auto") -> Autoencoder:
    """Return a handle to the checkpoint's autoencoder, of the family `name` or the one that it fits alone.

    Where a family works on pixels it is the identity, and has no weights.

    Raises:
        CheckpointError: there is none, or it fits no family, or several and nothing tells which.
    """
    found = _family_of_autoencoder(checkpoint, name)
    if found.autoencoder is None:
        config = read_config(found.denoiser, _required(checkpoint, found.denoiser, "denoiser"))
        return Autoencoder(None, found.latent_format(None, whole(config, "in_channels")), precision)
    tiny = find_part(checkpoint, TINY)
    if tiny is not None:
        return _tiny_handle(found, tiny, precision)
    part = _required(checkpoint, found.autoencoder, "autoencoder")
    channels = part.shapes.get("decoder.conv_in.weight", (0, 0))[1]
    return Autoencoder(_weights(found.autoencoder, part), found.latent_format(part, channels), precision)


def _tiny_handle(found: Family, part: Part, precision: Precision) -> Autoencoder:
    """Return a handle to a tiny autoencoder; what its config.json says of units is about its own network."""
    config = read_config(TINY, replace(part, config=None))
    channels, blocks, there = whole(config, "latent_channels"), config["num_decoder_blocks"], config["halves"]
    if channels != found.latent_channels:
        raise CheckpointError(
            f"{part}: is for latents of {channels} channels, and those of {found.title} have {found.latent_channels}; "
            "set family to one that it was made for"
        )
    usual = found.latent_format(None, channels)
    latent = replace(usual, downscale=2 ** (len(cast("list[int]", blocks)) - 1))
    scale, shift = said_number(part, "scaling_factor", 1.0), said_number(part, "shift_factor", 0.0)
    own, halves = replace(latent, scale=scale, shift=shift), tuple(cast("list[Half]", there))
    return Autoencoder(_weights(TINY, part), latent, precision, own, halves)


def text_encoder_handle(
    checkpoints: Sequence[Checkpoint], name: str = "auto", precision: Precision = "auto"
) -> TextEncoder:
    """Return a handle to the text encoders found in one or several checkpoints.

    Raises:
        CheckpointError: they fit no family (says what each family wants), or several.
    """
    found = _family_of_texts(checkpoints, name)
    weights = []
    for slot in found.texts:
        part = find_text(found, slot, checkpoints)
        if part is not None:
            weights.append(_weights(slot, part))
        elif not slot.optional:
            raise CheckpointError(
                _lacking(checkpoints[0], f"text encoder ({' or '.join(slot.kinds)}) of {found.title}")
            )
    return TextEncoder(found.name, tuple(weights), precision, empty=_empty_prompt(found, checkpoints))


def find_text(found: Family, slot: Slot, checkpoints: Sequence[Checkpoint]) -> Part | None:
    """Return the part that is a family's text encoder for a slot, from any of the checkpoints."""
    parts = (part for checkpoint in checkpoints for part in checkpoint.parts.values())
    named = [part for part in parts if found.is_text(slot, part)]
    # a folder's own name for a part outweighs what its shapes would allow
    return next((part for part in named if part.kind == slot.part), named[0] if named else None)


def reopen(weights: Weights, slot: Slot) -> Part:
    """Open the part of a checkpoint that a handle names, and check that it is still the same.

    Raises:
        CheckpointError: it is gone, or its content changed since the handle was made.
    """
    checkpoint = open_checkpoint(find_place(weights.digest, Path(weights.path)))
    same = [part for part in checkpoint.parts.values() if part.digest() == weights.digest]
    # a network in a file or folder of its own may go under any name
    chosen = same if len(same) == 1 else [part for part in same if part.kind in slot.kinds]
    if chosen:
        return chosen[0]
    raise CheckpointError(
        f"{weights.path}: its {weights.part} changed since its node looked at it; run the workflow again"
    )


def read_config(slot: Slot, part: Part) -> Config:
    """Return a network's configuration without building it."""
    return slot.architecture.configure(part, slot.architecture.sources(part))


def _family_of_autoencoder(checkpoint: Checkpoint, name: str) -> Family:
    if name != "auto":
        return family(name)
    if _has_denoiser(checkpoint):
        return find_family(checkpoint)
    tiny = find_part(checkpoint, TINY)
    part = tiny or checkpoint.parts.get("vae")
    if part is None:
        raise CheckpointError(_lacking(checkpoint, "autoencoder"))
    fitting = _fitting_tiny(tiny) if tiny else [found for found in families().values() if found.is_autoencoder(part)]
    if not fitting:
        raise CheckpointError(f"{part}: has latents that no known family uses; known are {', '.join(families())}")
    told = None if tiny else part
    fitting = [candidate for candidate in fitting if _says_usual(candidate, told)] or fitting
    formats = {candidate.latent_format(told, 0) for candidate in fitting}
    if len(formats) > 1:
        names = ", ".join(candidate.name for candidate in fitting)
        raise CheckpointError(f"{part}: could be an autoencoder of {names}; set family to one of them")
    return fitting[0]


def _fitting_tiny(part: Part) -> list[Family]:
    """Return the families whose latents have as many channels as a tiny autoencoder's."""
    channels = whole(read_config(TINY, replace(part, config=None)), "latent_channels")
    return [candidate for candidate in families().values() if candidate.latent_channels == channels]


def _says_usual(candidate: Family, part: Part | None) -> bool:
    """Tell whether an autoencoder's config.json says the scale of a family's latents; also where there is none."""
    said, usual = candidate.latent_format(part, 0), candidate.latent_format(None, 0)
    return (said.scale, said.shift) == (usual.scale, usual.shift)


def _family_of_texts(checkpoints: Sequence[Checkpoint], name: str) -> Family:
    if name != "auto":
        return family(name)
    for checkpoint in checkpoints:
        if _has_denoiser(checkpoint):
            return find_family(checkpoint)
    fitting = [candidate for candidate in families().values() if _all_used(candidate, checkpoints)]
    if len(fitting) == 1:
        return fitting[0]
    wants = "; ".join(f"{candidate.name}: {_wants(candidate)}" for candidate in families().values() if candidate.texts)
    given = ", ".join(kind for checkpoint in checkpoints for kind in checkpoint.parts)
    problem = "fits several families; set family to one of them" if fitting else "fits no family"
    raise CheckpointError(f"{checkpoints[0].path}: {given} {problem}; what each takes: {wants}")


def _empty_prompt(found: Family, checkpoints: Sequence[Checkpoint]) -> EmptyPrompt:
    """Return what a prompt without words is, from the model_index.json of a model of the family, or as usual for it."""
    for checkpoint in checkpoints:
        told = (checkpoint.index or {}).get("force_zeros_for_empty_prompt")
        if isinstance(told, bool) and _has_denoiser(checkpoint) and find_family(checkpoint) is found:
            return "zeros" if told else "encoded"
    return found.empty_prompt


def _has_denoiser(checkpoint: Checkpoint) -> bool:
    return any(kind in checkpoint.parts for kind in DENOISER_KINDS)


def _wants(candidate: Family) -> str:
    return ", ".join(slot.kinds[1] + (" (optional)" if slot.optional else "") for slot in candidate.texts)


def _all_used(candidate: Family, checkpoints: Sequence[Checkpoint]) -> bool:
    """Tell whether the family's text encoders are all there, and every text encoder given is one of them."""
    if not candidate.texts:
        return False
    found = [(slot, find_text(candidate, slot, checkpoints)) for slot in candidate.texts]
    if any(part is None and not slot.optional for slot, part in found):
        return False
    used = [part for _, part in found if part is not None]
    given = [part for checkpoint in checkpoints for kind, part in checkpoint.parts.items() if kind not in AUTOENCODERS]
    return all(any(part is one for one in used) for part in given)


def _required(checkpoint: Checkpoint, slot: Slot, role: str) -> Part:
    part = find_part(checkpoint, slot)
    if part is None:
        raise CheckpointError(_lacking(checkpoint, role))
    return part


def _lacking(checkpoint: Checkpoint, role: str) -> str:
    node = "text_encoder" if role.startswith("text encoder") else role
    held = ", ".join(checkpoint.parts) or "nothing"
    return (
        f"{checkpoint.path}: holds no {role} (it holds {held}); add a models.load_{node} node with a file that has "
        "one, and load what is here with the loader of its kind"
    )


def _weights(slot: Slot, part: Part) -> Weights:
    return Weights(part.digest(), str(part.path), slot.part, part.layout)
