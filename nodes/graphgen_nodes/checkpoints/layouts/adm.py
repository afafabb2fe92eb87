"""The UNet over pixels of Nichol and Dhariwal (2021) and Dhariwal and Nichol (2021), as OpenAI published both.

Blocks stand in one row, as in latent diffusion, but those that halve and double the picture may be residual blocks like
the others: their places tell them. Heads, the order in which queries, keys and values lie, and the noise process are
told by nothing in a file; they are those of the published model of the same make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.keys import Rule, Source
from graphgen_nodes.checkpoints.layouts.architecture import Architecture, Incomplete, Shapes, count, rename
from graphgen_nodes.checkpoints.layouts.unet import RESNET
from graphgen_nodes.checkpoints.parts import Config, Part

if TYPE_CHECKING:
    from torch import nn

ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb": "class_embedding",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
HEAD_WIDTH = 64
CHANNELS_128 = (1, 1, 2, 3, 4)
"""How many times as wide the levels of the published model of 128 pixels are: it has four heads of any width."""

OWN = ("heads", "told_width", "beta_schedule", "timesteps", "timestep_scale")
"""Settings of a configuration that the library's class has no name for."""


@dataclass(frozen=True)
class Make:
    """What is told by nothing but the model that a network is like.

    `heads` is the number of attention heads, 0 for one to 64 channels; where `mixed`, each head's query, key and value
    lie together. `beta_schedule` over `timesteps` is the noise process, and the network is told a timestep times
    `timestep_scale`.
    """

    heads: int = 0
    mixed: bool = True
    beta_schedule: str = "linear"
    timesteps: int = 1000
    timestep_scale: float = 1.0


def make_of(*, widths: tuple[int, ...], layers: int, resizes: bool, modulates: bool, labels: bool) -> Make:
    """Return the make of the published model with such levels.

    `widths` are the levels' channels in units of the first, `layers` the residual blocks to a level; `resizes` says
    that residual blocks halve and double, `modulates` that timesteps scale and shift, `labels` that classes are told.
    """
    if resizes and layers == 3:  # guided-diffusion, 64 pixels
        return Make(mixed=False, beta_schedule="cosine")
    if resizes:
        return Make(heads=4 if widths == CHANNELS_128 else 0)
    if not modulates:  # improved-diffusion, LSUN
        return Make(heads=1)
    return Make(heads=4, beta_schedule="cosine", timesteps=4000, timestep_scale=1.0 if labels else 0.25)


class ADM(Architecture):
    """diffusers' UNet2DModel with the heads and the timesteps of OpenAI's."""

    classes = ("UNet2DModel",)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from `input_blocks`, `middle_block`, `output_blocks`."""
        layers, levels = _sizes(shapes)
        make = _make(shapes)
        middle = [rename(f"middle_block.{2 * k}", f"mid_block.resnets.{k}", RESNET) for k in range(2)]
        return [
            *rename("", "", ENDS),
            *(rule for part in middle for rule in part),
            *_attention(shapes, "middle_block.1", "mid_block.attentions.0", make),
            *_down(shapes, levels, layers, make),
            *_up(shapes, levels, layers, make),
        ]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read channels, layers, attention, classes and ways of resizing from the shapes, the rest from the make."""
        levels = range(count(shapes, "down_blocks"))
        channels = [shapes[f"down_blocks.{level}.resnets.0.conv1.weight"][0] for level in levels]
        attends = [f"down_blocks.{level}.attentions.0.to_q.weight" in shapes for level in levels]
        resizes = "down_blocks.0.downsamplers.0.conv1.weight" in shapes
        modulates = shapes["down_blocks.0.resnets.0.time_emb_proj.weight"][0] == 2 * channels[0]
        labels = shapes.get("class_embedding.weight")
        layers = count(shapes, "down_blocks.0.resnets")
        plain = "Resnet{}sampleBlock2D" if resizes else "{}Block2D"
        embedding = shapes["time_embedding.linear_1.weight"]
        make = make_of(
            widths=_in_units(channels), layers=layers, resizes=resizes, modulates=modulates, labels=labels is not None
        )
        return {
            "in_channels": shapes["conv_in.weight"][1],
            "out_channels": shapes["conv_out.weight"][0],
            "block_out_channels": channels,
            "down_block_types": ["AttnDownBlock2D" if here else plain.format("Down") for here in attends],
            "up_block_types": ["AttnUpBlock2D" if here else plain.format("Up") for here in reversed(attends)],
            "layers_per_block": layers,
            "downsample_type": "resnet" if resizes else "conv",
            "upsample_type": "resnet" if resizes else "conv",
            "resnet_time_scale_shift": "scale_shift" if modulates else "default",
            "attn_norm_num_groups": 32,
            "attention_head_dim": None,
            "time_embedding_dim": embedding[0],
            "num_class_embeds": None if labels is None else labels[0],
            "told_width": embedding[1],
            "heads": make.heads,
            "beta_schedule": make.beta_schedule,
            "timesteps": make.timesteps,
            "timestep_scale": make.timestep_scale,
        }

    def configure(self, part: Part, sources: Mapping[str, Source]) -> Config:
        """Return what the shapes tell.

        Raises:
            CheckpointError: the network enlarges pictures, or the tensors do not add up to one.
        """
        found = super().configure(part, sources)
        if found["in_channels"] == found["out_channels"] == 6:
            raise CheckpointError(
                f"{part}: enlarges pictures: it sees a small one beside the noisy one, which graphgen cannot show it; "
                "draw with a model that takes 3 channels, and enlarge by upscalers.upscale"
            )
        return found

    def build(self, config: Config) -> nn.Module:
        """Build a UNet2DModel with as many heads as the make has."""
        from diffusers import UNet2DModel
        from diffusers.models.attention_processor import Attention
        from diffusers.models.embeddings import TimestepEmbedding, Timesteps

        module = UNet2DModel.from_config({name: value for name, value in config.items() if name not in OWN})
        heads, told, given = (config[name] for name in ("heads", "told_width", "time_embedding_dim"))
        module.register_to_config(**{name: config[name] for name in OWN})
        # the library embeds timesteps in the first level's width, which is half of OpenAI's at 512 pixels
        module.time_proj = Timesteps(told, flip_sin_to_cos=True, downscale_freq_shift=0)
        module.time_embedding = TimestepEmbedding(told, given)
        for attention in module.modules():
            if isinstance(attention, Attention):
                attention.heads = attention.sliceable_head_dim = heads or attention.inner_dim // HEAD_WIDTH
                attention.scale = (attention.inner_dim // attention.heads) ** -0.5
        found: nn.Module = module
        return found


def is_release(shapes: Shapes) -> bool:
    """Tell whether tensors are OpenAI's: a row of blocks whose middle one attends to the picture alone."""
    return all(name in shapes for name in ("input_blocks.0.0.weight", "middle_block.1.qkv.weight", "out.2.weight"))


def _sizes(shapes: Shapes) -> tuple[int, int]:
    """Return how many residual blocks a level has on the way down, and how many levels there are.

    Raises:
        Incomplete: no block doubles the picture, or the numbers of blocks do not fit.
    """
    row = count(shapes, "output_blocks")
    layers = next((index for index in range(row) if _resizer(shapes, index)), 0)
    if not layers or row % (layers + 1) or count(shapes, "input_blocks") != row:
        raise Incomplete(f"{row} output_blocks do not make levels of {layers + 1} blocks")
    return layers, row // (layers + 1)


def _resizer(shapes: Shapes, index: int) -> str | None:
    """Return the name of what doubles the picture at the end of an output block; None where nothing does."""
    names = [f"output_blocks.{index}.{place}" for place in (1, 2)]  # after the attention, where there is one
    marks = ("conv.weight", "in_layers.0.weight")
    return next((name for name in names if any(f"{name}.{mark}" in shapes for mark in marks)), None)


def _make(shapes: Shapes) -> Make:
    layers, levels = _sizes(shapes)
    channels = [shapes[f"input_blocks.{1 + level * (layers + 1)}.0.in_layers.2.weight"][0] for level in range(levels)]
    return make_of(
        widths=_in_units(channels),
        layers=layers,
        resizes=f"input_blocks.{layers + 1}.0.in_layers.2.weight" in shapes,
        modulates=shapes["input_blocks.1.0.emb_layers.1.weight"][0] == 2 * channels[0],
        labels="label_emb.weight" in shapes,
    )


def _in_units(channels: list[int]) -> tuple[int, ...]:
    return tuple(width // channels[0] for width in channels)


def _down(shapes: Shapes, levels: int, layers: int, make: Make) -> Iterator[Rule]:
    for level in range(levels):
        first = 1 + level * (layers + 1)
        for index in range(layers):
            yield from _layer(shapes, f"input_blocks.{first + index}", f"down_blocks.{level}", index, make)
        if level < levels - 1:
            here, there = f"input_blocks.{first + layers}.0", f"down_blocks.{level}.downsamplers.0"
            yield Rule(f"{here}.op", f"{there}.conv")
            yield from rename(here, there, RESNET)


def _up(shapes: Shapes, levels: int, layers: int, make: Make) -> Iterator[Rule]:
    for index in range(levels * (layers + 1)):
        level, place = divmod(index, layers + 1)
        yield from _layer(shapes, f"output_blocks.{index}", f"up_blocks.{level}", place, make)
        if (here := _resizer(shapes, index)) is not None:
            there = f"up_blocks.{level}.upsamplers.0"
            yield Rule(f"{here}.conv", f"{there}.conv")
            yield from rename(here, there, RESNET)


def _layer(shapes: Shapes, source: str, block: str, index: int, make: Make) -> Iterator[Rule]:
    yield from rename(f"{source}.0", f"{block}.resnets.{index}", RESNET)
    if f"{source}.1.qkv.weight" in shapes:
        yield from _attention(shapes, f"{source}.1", f"{block}.attentions.{index}", make)


def _attention(shapes: Shapes, here: str, there: str, make: Make) -> Iterator[Rule]:
    heads = make.heads or shapes[f"{here}.proj_out.weight"][0] // HEAD_WIDTH
    yield Rule(f"{here}.norm", f"{there}.group_norm")
    yield Rule(f"{here}.proj_out", f"{there}.to_out.0", matrix=True)
    for kind in ("weight", "bias"):
        targets = tuple(f"{there}.to_{matrix}.{kind}" for matrix in "qkv")
        yield Rule(f"{here}.qkv.{kind}", targets, matrix=True, groups=heads if make.mixed else 1)
