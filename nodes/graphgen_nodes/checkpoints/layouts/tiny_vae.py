"""Tiny autoencoders (TAESD, Bohan 2023, github.com/madebyollin/taesd), which stand in for a family's KL autoencoder.

They work on latents as they are sampled, in scaled units, and find no distribution. The release has encoder and decoder
in files of their own, each a row of numbered layers; its decoder counts the clamp of what comes in as layer 0, which
diffusers' does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Incomplete, Shapes
from graphgen_nodes.checkpoints.parts import Config
from graphgen_nodes.sockets import HALVES

if TYPE_CHECKING:
    from torch import nn

RELEASED_ENCODER, RELEASED_DECODER = "1.conv.0.weight", "3.conv.0.weight"
"""Each one's first block; an encoder has both."""


class TinyAutoencoder(Architecture):
    """diffusers' AutoencoderTiny, whole or a half of it."""

    classes = ("AutoencoderTiny",)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from a released half's numbered layers; diffusers' names stay."""
        words = {name.partition(".")[0] for name in shapes}
        numbers = [int(word) for word in words if word.isascii() and word.isdecimal() and len(word) < 9]
        if RELEASED_ENCODER in shapes:
            return [Rule(str(number), f"encoder.layers.{number}") for number in numbers]
        if RELEASED_DECODER in shapes:
            return [Rule(str(number), f"decoder.layers.{number - 1}") for number in numbers if number]
        return [SAME]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read channels, blocks and which `halves` there are from the shapes; one that lacks would mirror the other."""
        rows = {half: _Row.of(shapes, half) for half in HALVES if f"{half}.layers.0.weight" in shapes}
        if not rows:
            raise KeyError("decoder.layers.0.weight")
        other = next(iter(rows.values()))
        encoder, decoder = (rows.get(half) or other.mirrored() for half in HALVES)
        return {
            "in_channels": encoder.taken,
            "out_channels": decoder.given,
            "latent_channels": decoder.taken,
            "encoder_block_out_channels": [encoder.width] * len(encoder.blocks),
            "decoder_block_out_channels": [decoder.width] * len(decoder.blocks),
            "num_encoder_blocks": list(encoder.blocks),
            "num_decoder_blocks": list(decoder.blocks),
            "halves": list(rows),
        }

    def build(self, config: Config) -> nn.Module:
        """Build an AutoencoderTiny without the half that is not there."""
        from diffusers import AutoencoderTiny

        # the class itself writes block_out_channels into config.json, and then warns of it
        given = {name: value for name, value in config.items() if name not in ("halves", "block_out_channels")}
        module: nn.Module = AutoencoderTiny.from_config(given)
        there = config.get("halves")
        for half in HALVES:
            if isinstance(there, list) and half not in there:
                setattr(module, half, None)
        return module


@dataclass(frozen=True)
class _Row:
    """A half's layers: channels in, inside and out, and the blocks between each two of the convolutions."""

    taken: int
    width: int
    given: int
    blocks: tuple[int, ...]

    @classmethod
    def of(cls, shapes: Shapes, half: str) -> Self:
        """Read a half's layers.

        Raises:
            Incomplete: there are no two convolutions.
        """
        numbers = {word for name in shapes if name.startswith(f"{half}.layers.") and (word := name.split(".")[2])}
        ordered = sorted(int(word) for word in numbers if word.isascii() and word.isdecimal() and len(word) < 9)
        plain = [number for number in ordered if f"{half}.layers.{number}.weight" in shapes]
        if len(plain) < 2:
            raise Incomplete(f"the tensors under '{half}.layers' are no {half}'s")
        blocks = [number for number in ordered if f"{half}.layers.{number}.conv.0.weight" in shapes]
        first, last = (shapes[f"{half}.layers.{number}.weight"] for number in (plain[0], plain[-1]))
        counts = tuple(sum(low < block < high for block in blocks) for low, high in pairwise(plain))
        return cls(first[1], first[0], last[0], counts)

    def mirrored(self) -> _Row:
        """Return the other half's layers, were they these backwards."""
        return _Row(self.given, self.width, self.taken, self.blocks[::-1])
