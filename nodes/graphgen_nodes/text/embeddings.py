"""Words that a text encoder was taught by textual inversion (Gal et al. 2022), read from the header of their file.

In: a safetensors file. Out: which of its tensors, each of vectors for one word, is for which text encoder. Torch-free
until the vectors are wanted. Files are of A1111's kind (`emb_params`), for several encoders (`clip_l`, `clip_g`), or of
diffusers' kind (one tensor, called like the word).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphgen import Lease
from graphgen_nodes.checkpoints.header import CheckpointError, read_header
from graphgen_nodes.checkpoints.identity import find_place, identity
from graphgen_nodes.families.family import Slot
from graphgen_nodes.patches import BehaviourPatch

if TYPE_CHECKING:
    from torch import Tensor

NAMED = ("clip_l", "clip_g", "t5xxl")
"""Tensors that are called like the text encoder they are for."""

MOST_VECTORS = 75
"""The most vectors of a word: what fits into a chunk."""

SIGNS = re.compile(r"[\s()\[\]\\:]+")
"""What a word must not have in it, for prompts read it otherwise."""


@dataclass(frozen=True)
class Learned:
    """A tensor of a file, for one text encoder: its name, and how many vectors a word has there."""

    tensor: str
    vectors: int


def usual_word(path: Path) -> str:
    """Return the word for a file that goes by its name."""
    return SIGNS.sub("_", path.stem)


def learned_by(path: Path, encoders: Sequence[tuple[Slot, int]]) -> dict[str, Learned]:
    """Return what a file has for text encoders, by their parts; each encoder is given with its width.

    Raises:
        CheckpointError: it is no such file, or for encoders of other widths; lists its tensors.
    """
    shapes = {name: info.shape for name, info in read_header(path).tensors.items()}
    held = ", ".join(f"{name} {list(shape)}" for name, shape in list(shapes.items())[:8])
    if not shapes or any(len(shape) not in (1, 2) for shape in shapes.values()):
        raise CheckpointError(f"{path}: holds {held or 'nothing'}, which are no vectors of a word; give an embedding")
    if len(shapes) > 1 and not set(shapes) <= set(NAMED):
        names = ", ".join(NAMED)
        raise CheckpointError(f"{path}: holds {held}; an embedding has one tensor, or some of {names}")
    found = {}
    for name, shape in shapes.items():
        vectors = 1 if len(shape) == 1 else shape[0]
        for slot, width in encoders:
            if width == shape[-1] and (name in slot.kinds or name not in NAMED):
                found[slot.part] = Learned(name, vectors)
    if not found:
        wanted = ", ".join(f"{width} for {slot.part}" for slot, width in encoders)
        raise CheckpointError(
            f"{path}: holds {held}, but a word has other numbers of the model ({wanted}); give an embedding that was "
            "made for this family of models"
        )
    if (most := max(learned.vectors for learned in found.values())) > MOST_VECTORS:
        raise CheckpointError(f"{path}: has {most} vectors for a word; allowed are {MOST_VECTORS}, as CLIP reads")
    return found


@dataclass(frozen=True)
class LearnedWord(BehaviourPatch):
    """Teaches a text encoder a word: wherever a prompt has it, the file's vectors stand in place of tokens.

    `digest` identifies the file's bytes, `path` is a hint where to find it; `tensors` are pairs of a part and the name
    of its tensor.
    """

    word: str
    digest: str
    path: str = field(compare=False)
    tensors: tuple[tuple[str, str], ...] = ()

    def files(self) -> Sequence[Path]:
        """Return the one file it is read from."""
        return (self.place(),)

    def place(self) -> Path:
        """Return where the file lies.

        Raises:
            CheckpointError: it is gone, or its content changed.
        """
        path = find_place(self.digest, Path(self.path))
        if identity(path) != self.digest:
            raise CheckpointError(f"{path}: changed since its node looked at it; run the workflow again")
        return path

    @contextmanager
    def attach(self, network: Any, lease: Lease) -> Iterator[Any]:  # noqa: ARG002
        """Yield the text encoder, knowing the word."""
        yield replace(network, words={**network.words, self.word: self.vectors()})

    def vectors(self) -> Mapping[str, Tensor]:
        """Return the word's vectors `[vectors, width]` in float32, by parts.

        Raises:
            CheckpointError: the file is gone, changed, or holds NaN or infinity.
        """
        import torch
        from safetensors import safe_open

        found: dict[str, Tensor] = {}
        with safe_open(self.place(), framework="pt") as stored:
            for part, name in self.tensors:
                vectors = stored.get_tensor(name).float()
                if not torch.isfinite(vectors).all():
                    raise CheckpointError(f"{self.path}: {name!r} holds NaN or an infinity; download it again")
                found[part] = vectors.reshape(-1, vectors.shape[-1])
        return found
