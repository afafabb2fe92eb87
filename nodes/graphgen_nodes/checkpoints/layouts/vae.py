"""The KL autoencoder of latent diffusion (Rombach et al. 2022): SD 1.x, 2.x, SD3 and their kin.

The release counts the decoder's resolutions from the finest (`decoder.up.0`), diffusers from the coarsest, and
writes the attention's matrices as 1x1 convolutions, as do diffusers folders saved before its version 0.18.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import nn

RESNET = {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "nin_shortcut": "conv_shortcut"}
ATTENTION = {"q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


class KLAutoencoder(Architecture):
    """diffusers' AutoencoderKL."""

    classes = ("AutoencoderKL",)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from `encoder.down`, `decoder.up`; diffusers' names stay, its old attention names change."""
        if "decoder.mid.block_1.conv1.weight" not in shapes:
            return [SAME, *_attention("mid_block.attentions.0", OLD_ATTENTION)]
        whole = [Rule(name, name) for name in ("quant_conv", "post_quant_conv")]
        unused = [Rule(name, None) for name in ("loss", "model_ema")]
        return [*whole, *unused, *_encoder(shapes), *_decoder(shapes), *_attention("mid.attn_1", ATTENTION)]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read channels, layers, latent channels and which optional layers there are from the shapes."""
        levels = count(shapes, "encoder.down_blocks")
        return {
            "in_channels": shapes["encoder.conv_in.weight"][1],
            "out_channels": shapes["decoder.conv_out.weight"][0],
            "latent_channels": shapes["decoder.conv_in.weight"][1],
            "block_out_channels": [shapes[f"encoder.down_blocks.{i}.resnets.0.conv1.weight"][0] for i in range(levels)],
            "down_block_types": ["DownEncoderBlock2D"] * levels,
            "up_block_types": ["UpDecoderBlock2D"] * levels,
            "layers_per_block": count(shapes, "encoder.down_blocks.0.resnets"),
            "use_quant_conv": "quant_conv.weight" in shapes,
            "use_post_quant_conv": "post_quant_conv.weight" in shapes,
            "mid_block_add_attention": "encoder.mid_block.attentions.0.to_q.weight" in shapes,
        }

    def build(self, config: Config) -> nn.Module:
        """Build an AutoencoderKL."""
        from diffusers import AutoencoderKL

        module: nn.Module = AutoencoderKL.from_config(dict(config))
        return module


def _encoder(shapes: Shapes) -> Iterator[Rule]:
    yield from _ends("encoder")
    for level in range(count(shapes, "encoder.down")):
        here, there = f"encoder.down.{level}", f"encoder.down_blocks.{level}"
        for index in range(count(shapes, f"{here}.block")):
            yield from rename(f"{here}.block.{index}", f"{there}.resnets.{index}", RESNET)
        yield Rule(f"{here}.downsample", f"{there}.downsamplers.0")


def _decoder(shapes: Shapes) -> Iterator[Rule]:
    yield from _ends("decoder")
    levels = count(shapes, "decoder.up")
    for level in range(levels):
        here, there = f"decoder.up.{level}", f"decoder.up_blocks.{levels - 1 - level}"
        for index in range(count(shapes, f"{here}.block")):
            yield from rename(f"{here}.block.{index}", f"{there}.resnets.{index}", RESNET)
        yield Rule(f"{here}.upsample", f"{there}.upsamplers.0")


def _ends(half: str) -> Iterator[Rule]:
    yield from rename(half, half, {"conv_in": "conv_in", "norm_out": "conv_norm_out", "conv_out": "conv_out"})
    for number, index in (("1", 0), ("2", 1)):
        yield from rename(f"{half}.mid.block_{number}", f"{half}.mid_block.resnets.{index}", RESNET)


def _attention(name: str, matrices: dict[str, str]) -> Iterator[Rule]:
    for half in ("encoder", "decoder"):
        there = f"{half}.mid_block.attentions.0"
        yield Rule(f"{half}.{name}.norm", f"{there}.group_norm")
        for old, new in matrices.items():
            yield Rule(f"{half}.{name}.{old}", f"{there}.{new}", matrix=True)
