"""What a checkpoint's networks are known to want and give before anything runs: the facts of handles. Torch-free.

Widths and lengths are read from the shapes of tensors, for those are what is loaded: a config.json may leave out what
is its library's default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from graphgen import Facts
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.layouts.architecture import Incomplete
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part, names_file, tokenizer_folder
from graphgen_nodes.facts import denoiser_facts, format_facts
from graphgen_nodes.families import family
from graphgen_nodes.families.family import Slot, find_part, whole
from graphgen_nodes.families.handles import Asked, autoencoder_handle, denoiser_handle, find_text, text_encoder_handle
from graphgen_nodes.sockets import Precision


def known_denoiser(checkpoint: Checkpoint, asked: Asked = "auto", precision: Precision = "auto") -> Facts:
    """Return the facts of a checkpoint's denoiser: those of its handle and what it wants.

    Raises:
        CheckpointError: a handle cannot be made either.
    """
    handle = denoiser_handle(checkpoint, asked, precision)
    found = family(handle.family)
    part = find_part(checkpoint, found.denoiser)
    names = names_file(part.path) if part is not None and part.layout == "diffusers" else None
    facts = {**denoiser_facts(handle), **({} if names is None else {"names": str(names)})}
    config = _told_by_shapes(found.denoiser, part)
    if config is None:
        return facts
    taken, given = found.channels(config)
    learned = given == 2 * taken
    return {**facts, "learned_variance": learned, "guidance": False, **found.wants(config)}


def known_text_encoder(checkpoints: Sequence[Checkpoint], name: str = "auto", precision: Precision = "auto") -> Facts:
    """Return the facts of the text encoders in one or several checkpoints: those of their handle and what they give.

    `windows` are what `graphgen_nodes.text.windows.Window` holds, with tokenizers by kind or folder.

    Raises:
        CheckpointError: a handle cannot be made either.
    """
    handle = text_encoder_handle(checkpoints, name, precision)
    found = family(handle.family)
    parts = {slot.part: (slot, part) for slot in found.texts if (part := find_text(found, slot, checkpoints))}
    configs = {name: _told_by_shapes(slot, part) for name, (slot, part) in parts.items()}
    complete = {name: config for name, config in configs.items() if config is not None}
    return {
        "family": handle.family,
        "components": [weights.part for weights in handle.encoders],
        "weights": [asdict(weights) for weights in handle.encoders],
        "precision": handle.precision,
        "windows": [_window(slot, part, configs[slot.part]) for slot, part in parts.values()],
        **(found.gives(complete) if len(complete) == len(configs) else {}),
    }


def known_autoencoder(checkpoint: Checkpoint, name: str = "auto", precision: Precision = "auto") -> Facts:
    """Return the facts of a checkpoint's autoencoder.

    Raises:
        CheckpointError: a handle cannot be made either.
    """
    handle = autoencoder_handle(checkpoint, name, precision)
    return {
        "family": handle.latent.family,
        "format": format_facts(handle.latent),
        "components": [] if handle.weights is None else [handle.weights.part],
        "halves": list(handle.halves),
        "precision": handle.precision,
    }


def _told_by_shapes(slot: Slot, part: Part | None) -> Config | None:
    """Return a network's configuration as its tensors tell it; None where they do not add up to one."""
    if part is None:
        return None
    try:
        shapes = {name: source.shape for name, source in slot.architecture.sources(part).items()}
        return slot.architecture.config(shapes)
    except (CheckpointError, Incomplete, KeyError, IndexError):
        return None  # told when it is loaded, with the tensor's name


def _window(slot: Slot, part: Part, config: Config | None) -> Facts:
    return {
        "tokenizer": str(tokenizer_folder(part) or slot.tokenizer),
        "length": slot.length,
        "stretches": slot.stretches,
        "chunks": slot.chunks,
        "layers": whole(config, "num_hidden_layers"),
        "part": slot.part,
        "width": embedding_width(config),
    }


def embedding_width(config: Config | None) -> int:
    """Return how many numbers a text encoder has for a token, from its configuration; 0 where it is not known."""
    return whole(config, "hidden_size") or whole(config, "d_model")
