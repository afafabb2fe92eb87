"""The UNet of latent diffusion (Rombach et al. 2022), as CompVis and Stability AI published it for SD 1.x, 2.x and XL.

The release numbers its blocks in one row (`input_blocks.7.1`), diffusers by resolution (`down_blocks.2.attentions.0`);
the table is written by walking the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import nn

ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "middle_block.1": "mid_block.attentions.0",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}

ADDED_WIDTH = 256
"""Sines and cosines for each number that SDXL's UNet is told of the picture; the same in all, for shapes do not say."""


class UNet(Architecture):
    """diffusers' UNet2DConditionModel; `heads` gives a block's attention heads from its channels.

    Shapes do not tell the number of heads, so each family brings the rule its models were published with.
    """

    classes = ("UNet2DConditionModel",)

    def __init__(self, heads: Callable[[int], int]) -> None:
        self.heads = heads

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from `input_blocks`, `middle_block`, `output_blocks`; diffusers' own names stay."""
        if "conv_in.weight" in shapes:
            return [SAME]
        return [
            *rename("", "", ENDS),
            *rename("middle_block.0", "mid_block.resnets.0", RESNET),
            *rename("middle_block.2", "mid_block.resnets.1", RESNET),
            *_down(shapes),
            *_up(shapes),
        ]

    def release_names(self, shapes: Shapes) -> Shapes:
        """Return the release's row of blocks: whether each attends, and where a resolution ends."""
        return dict.fromkeys((*_release_down(shapes), *_release_up(shapes)), ())

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read channels, blocks, layers, attention, context width and SDXL's further condition from the shapes."""
        levels = range(count(shapes, "down_blocks"))
        up = [_has_attention(shapes, f"up_blocks.{level}") for level in levels]
        return {
            **self.first_half(shapes),
            "out_channels": shapes["conv_out.weight"][0],
            "up_block_types": ["CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in up],
        }

    def first_half(self, shapes: Shapes) -> dict[str, object]:
        """Return the configuration of what stands before the decoder, which a ControlNet is a copy of."""
        levels = range(count(shapes, "down_blocks"))
        channels = [shapes[f"down_blocks.{level}.resnets.0.conv1.weight"][0] for level in levels]
        down = [_has_attention(shapes, f"down_blocks.{level}") for level in levels]
        mid = "mid_block.attentions.0"
        # diffusers takes the middle block's depth from the last level, and any for a level that does not attend
        depths = [
            max(count(shapes, f"down_blocks.{level}.attentions.0.transformer_blocks"), 1) for level in levels[:-1]
        ]
        return {
            "in_channels": shapes["conv_in.weight"][1],
            "block_out_channels": channels,
            "down_block_types": ["CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in down],
            "layers_per_block": count(shapes, "down_blocks.0.resnets"),
            "transformer_layers_per_block": [*depths, count(shapes, f"{mid}.transformer_blocks")],
            "cross_attention_dim": shapes[f"{mid}.transformer_blocks.0.attn2.to_k.weight"][1],
            "use_linear_projection": len(shapes[f"{mid}.proj_in.weight"]) == 2,
            # diffusers' name notwithstanding, this is the number of heads
            "attention_head_dim": [self.heads(width) for width in channels],
            **_further_condition(shapes),
        }

    def build(self, config: Config) -> nn.Module:
        """Build a UNet2DConditionModel."""
        from diffusers import UNet2DConditionModel

        module: nn.Module = UNet2DConditionModel.from_config(dict(config))
        return module


def _further_condition(shapes: Shapes) -> dict[str, object]:
    """Return what SDXL's UNet has beyond SD's: a pooled prompt and numbers about the picture, embedded together."""
    embedding = shapes.get("add_embedding.linear_1.weight")
    if embedding is None:
        return {}
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": ADDED_WIDTH,
        "projection_class_embeddings_input_dim": embedding[1],
    }


def _has_attention(shapes: Shapes, block: str) -> bool:
    return f"{block}.attentions.0.norm.weight" in shapes


def _down(shapes: Shapes) -> Iterator[Rule]:
    level = resnet = 0
    for index in range(1, count(shapes, "input_blocks")):
        here = f"input_blocks.{index}"
        if f"{here}.0.op.weight" in shapes:
            yield Rule(f"{here}.0.op", f"down_blocks.{level}.downsamplers.0.conv")
            level, resnet = level + 1, 0
            continue
        yield from _layer(shapes, here, f"down_blocks.{level}", resnet)
        resnet += 1


def _up(shapes: Shapes) -> Iterator[Rule]:
    level = resnet = 0
    for index in range(count(shapes, "output_blocks")):
        here = f"output_blocks.{index}"
        yield from _layer(shapes, here, f"up_blocks.{level}", resnet)
        resnet += 1
        for place in (1, 2):  # after the attention, where the block has one
            if f"{here}.{place}.conv.weight" in shapes:
                yield Rule(f"{here}.{place}", f"up_blocks.{level}.upsamplers.0")
                level, resnet = level + 1, 0


def _release_down(shapes: Shapes) -> Iterator[str]:
    yield "input_blocks.0.0.weight"
    index = 1
    for level in range(count(shapes, "down_blocks")):
        block = f"down_blocks.{level}"
        for resnet in range(count(shapes, f"{block}.resnets")):
            yield f"input_blocks.{index}.{1 if f'{block}.attentions.{resnet}.norm.weight' in shapes else 0}.norm.weight"
            index += 1
        if f"{block}.downsamplers.0.conv.weight" in shapes:
            yield f"input_blocks.{index}.0.op.weight"
            index += 1


def _release_up(shapes: Shapes) -> Iterator[str]:
    index = 0
    for level in range(count(shapes, "up_blocks")):
        block, attends = f"up_blocks.{level}", _has_attention(shapes, f"up_blocks.{level}")
        resnets = count(shapes, f"{block}.resnets")
        for resnet in range(resnets):
            yield f"output_blocks.{index}.{1 if attends else 0}.norm.weight"
            if resnet == resnets - 1 and f"{block}.upsamplers.0.conv.weight" in shapes:
                yield f"output_blocks.{index}.{2 if attends else 1}.conv.weight"
            index += 1


def _layer(shapes: Shapes, source: str, block: str, index: int) -> Iterator[Rule]:
    yield from rename(f"{source}.0", f"{block}.resnets.{index}", RESNET)
    if f"{source}.1.norm.weight" in shapes:
        yield Rule(f"{source}.1", f"{block}.attentions.{index}")
