"""Weights of a LoRA by the denoiser's blocks, as people write them: `down 1, mid 0.5, up.1 0, single.0-18 0.8`.

In: such a text. Out: pairs of a dotted prefix of layers' names and a weight; the longest prefix of a name decides, and
what is not named has weight 1. Torch-free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.keys import some

Blocks = tuple[tuple[str, float], ...]

WORDS: Mapping[str, str] = {
    "all": "",
    "down": "down_blocks",
    "mid": "mid_block",
    "up": "up_blocks",
    "joint": "transformer_blocks",
    "double": "transformer_blocks",
    "single": "single_transformer_blocks",
}
"""Short words for blocks, and the prefix of the layers in them."""

MOST = 1000
"""A higher number of a block is a slip of the pen."""


def parse_blocks(text: str) -> Blocks:
    """Read weights by blocks.

    Raises:
        ValueError: a part is no block and weight; says how to write one.
    """
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (word.strip() for word in part.rpartition(" "))
        try:
            weight = float(number)
        except ValueError:
            weight = float("nan")
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or not isfinite(weight):
            raise ValueError(f"{part!r} is no block and weight; write them as in 'down 1, mid 0.5, up.1 0'")
        for prefix in _prefixes(name):
            found[prefix] = weight
    return tuple(found.items())


def weight_of(blocks: Blocks, layer: str) -> float:
    """Return the weight of a layer: that of the longest prefix of its name."""
    matching = [(len(prefix), weight) for prefix, weight in blocks if _within(layer, prefix)]
    return max(matching, default=(0, 1.0))[1]


def check_blocks(blocks: Blocks, layers: Iterable[str]) -> None:
    """Refuse blocks that a network with these layers does not have.

    Raises:
        CheckpointError: lists the blocks there are.
    """
    names = list(layers)
    for prefix, _ in blocks:
        if not any(_within(name, prefix) for name in names):
            there = sorted({".".join(name.split(".")[:2]) for name in names if "block" in name.split(".")[0]})
            raise CheckpointError(f"the denoiser has no block {prefix!r}; it has {some(there, 40)}")


def _within(layer: str, prefix: str) -> bool:
    return not prefix or layer == prefix or layer.startswith(f"{prefix}.")


def _prefixes(name: str) -> list[str]:
    """Return the prefixes a block's name stands for: one, or one for each number of a range."""
    word, dot, rest = name.partition(".")
    whole = WORDS.get(word, word) + dot + rest
    span = re.fullmatch(r"(.+\.)(\d{1,9})-(\d{1,9})", whole)
    if span is None:
        return [whole]
    first, last = int(span[2]), int(span[3])
    if not first <= last <= MOST:
        raise ValueError(f"{name!r} is no range of blocks; write the lower number first, up to {MOST}")
    return [f"{span[1]}{number}" for number in range(first, last + 1)]
