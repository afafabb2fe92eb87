"""What a file or folder of the models root holds, for lists to choose from: told by headers alone. Torch-free.

In: a path. Out: its `parts`, in the words that nodes ask for them by (`File(parts=...)`), and the `family` of models
that it is for, where that can be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from graphgen_nodes.checkpoints.header import CheckpointError, read_header
from graphgen_nodes.checkpoints.parts import Checkpoint, open_checkpoint
from graphgen_nodes.control.handles import find_control
from graphgen_nodes.families import families
from graphgen_nodes.families.handles import autoencoder_handle, find_family, text_encoder_handle
from graphgen_nodes.imaging.upscalers import enlargement
from graphgen_nodes.ip_adapter.handles import adapter_handle
from graphgen_nodes.lora.files import open_lora
from graphgen_nodes.lora.matching import guess_family
from graphgen_nodes.lora.settings import PEFT_FILE
from graphgen_nodes.text.embeddings import NAMED

About: TypeAlias = dict[str, object]

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("unet", "transformer", "denoiser"), "denoiser"),
    **dict.fromkeys(("text_encoder", "text_encoder_2", "text_encoder_3"), "text_encoder"),
    **dict.fromkeys(("clip", "clip_l", "clip_g", "openclip", "t5xxl"), "text_encoder"),
    **dict.fromkeys(("controlnet", "adapter"), "controlnet"),
    **{kind: kind for kind in ("vae", "image_encoder", "ip_adapter")},
}
"""What kinds of parts of a checkpoint are called where one is chosen."""

_BY_CONTEXT: Mapping[int, str] = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""Families of UNets by the width of the text that their cross-attention reads, which their adapters share."""

_BY_WIDTHS: Mapping[frozenset[int], str] = {
    frozenset({768}): "sd1",
    frozenset({1024}): "sd2",
    frozenset({768, 1280}): "sdxl",
}
"""Families by the widths of their text encoders, which are those of learned words."""

_CONTEXT = "to_k_ip.weight"


def describe(path: Path) -> About:
    """Say what a file or folder holds.

    Raises:
        CheckpointError: it holds nothing that graphgen knows, or cannot be read; says why.
    """
    if (path / PEFT_FILE).is_file():
        return describe(path / PEFT_FILE)
    if not path.is_file():
        return _checkpoint(path)
    stat = path.stat()
    return dict(_described(path, stat.st_size, stat.st_mtime_ns, stat.st_ino))


@lru_cache(maxsize=4096)
def _described(path: Path, size: int, modified: int, inode: int) -> About:  # noqa: ARG001 - they are the memo's key
    for look in (_lora, _embedding, _upscaler):
        if found := look(path):
            return found
    return _checkpoint(path)


def _lora(path: Path) -> About | None:
    try:
        file = open_lora(path)
    except CheckpointError:
        return None
    title = guess_family(file)
    named = (name for name, found in families().items() if title and found.title.startswith(title))
    return {**_of(next(named, None)), "parts": ["lora"]}


def _embedding(path: Path) -> About | None:
    """Know a learned word by its few vectors, as wide as text encoders have them."""
    shapes = {name: info.shape for name, info in read_header(path).tensors.items()}
    if not shapes or not (len(shapes) == 1 or set(shapes) <= set(NAMED)):
        return None
    if any(len(shape) not in (1, 2) for shape in shapes.values()):
        return None
    family = _BY_WIDTHS.get(frozenset(shape[-1] for shape in shapes.values()))
    return {**_of(family), "parts": ["embedding"]} if family or len(shapes) > 1 else None


def _upscaler(path: Path) -> About | None:
    try:
        return {"parts": ["upscaler"], "scale": enlargement(path).scale}
    except CheckpointError:
        return None


def _checkpoint(path: Path) -> About:
    checkpoint = open_checkpoint(path)
    held = {WORDS.get(kind) for kind in checkpoint.parts}
    parts = [word for word in dict.fromkeys(WORDS.values()) if word in held]
    if not parts:
        strange = ", ".join(checkpoint.parts) or "nothing"
        raise CheckpointError(f"{path}: holds {strange}, which is no part of a model that graphgen knows")
    return {**_of(_family_of(checkpoint, parts)), "parts": parts}


def _family_of(checkpoint: Checkpoint, parts: list[str]) -> str | None:
    """Return the family of the first part that tells one; None where it fits several, or none that is known."""
    asks: Mapping[str, Callable[[], str | None]] = {
        "denoiser": lambda: find_family(checkpoint).name,
        "controlnet": lambda: find_control(checkpoint)[0].name,
        "ip_adapter": lambda: _of_adapter(checkpoint),
        "text_encoder": lambda: text_encoder_handle([checkpoint]).family,
        "vae": lambda: autoencoder_handle(checkpoint).latent.family,
    }
    for part, ask in asks.items():
        if part in parts:
            try:
                return ask()
            except CheckpointError:
                return None
    return None


def _of_adapter(checkpoint: Checkpoint) -> str | None:
    if (host := adapter_handle(checkpoint).host) != "unet":
        return host
    shapes = checkpoint.parts["ip_adapter"].shapes
    widths = {shape[1] for name, shape in shapes.items() if name.endswith(_CONTEXT) and len(shape) == 2}
    return _BY_CONTEXT.get(widths.pop()) if len(widths) == 1 else None


def _of(family: str | None) -> About:
    """Name a family; several that share an autoencoder go by the name of its latents, and have no title."""
    if family is None:
        return {}
    return {"family": family, **({"title": families()[family].title} if family in families() else {})}
