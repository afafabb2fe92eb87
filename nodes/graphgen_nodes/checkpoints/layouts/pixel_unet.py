"""The UNet over pixels of DDPM (Ho et al. 2020) and NCSN++ (Song et al. 2021): told the noise level, and nothing else.

The first release's names in PyTorch (`temb.dense.0`, `down.0.block.0`) are translated; so are the attention names of
diffusers folders saved before its version 0.18.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.keys import Rule, Source
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config, Part

if TYPE_CHECKING:
    from torch import nn

ENDS = {
    "temb.dense.0": "time_embedding.linear_1",
    "temb.dense.1": "time_embedding.linear_2",
    "conv_in": "conv_in",
    "norm_out": "conv_norm_out",
    "conv_out": "conv_out",
}
RESNET = {
    "norm1": "norm1",
    "conv1": "conv1",
    "temb_proj": "time_emb_proj",
    "norm2": "norm2",
    "conv2": "conv2",
    "nin_shortcut": "conv_shortcut",
}
ATTENTION = {"q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


class PixelUNet(Architecture):
    """diffusers' UNet2DModel."""

    classes = ("UNet2DModel",)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from `down`, `mid`, `up`; diffusers' names stay, its old attention names change."""
        if "temb.dense.0.weight" not in shapes:
            blocks = sorted({name.rsplit(".query.", 1)[0] for name in shapes if ".query." in name})
            return [SAME, *(rule for block in blocks for rule in _matrices(block, block, OLD_ATTENTION))]
        middle = [rename(f"mid.block_{k + 1}", f"mid_block.resnets.{k}", RESNET) for k in range(2)]
        attention = _attention("mid.attn_1", "mid_block.attentions.0")
        return [*rename("", "", ENDS), *(rule for part in middle for rule in part), *attention, *_levels(shapes)]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read channels, layers and attention from the shapes; the rest is as the first release has it."""
        levels = range(count(shapes, "down_blocks"))
        attends = [f"down_blocks.{level}.attentions.0.to_q.weight" in shapes for level in levels]
        return {
            "in_channels": shapes["conv_in.weight"][1],
            "out_channels": shapes["conv_out.weight"][0],
            "block_out_channels": [shapes[f"down_blocks.{level}.resnets.0.conv1.weight"][0] for level in levels],
            "down_block_types": ["AttnDownBlock2D" if here else "DownBlock2D" for here in attends],
            "up_block_types": ["AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attends)],
            "layers_per_block": count(shapes, "down_blocks.0.resnets"),
            "attention_head_dim": None,
            "flip_sin_to_cos": False,
            "freq_shift": 1,
            "downsample_padding": 0,
            "norm_eps": 1e-6,
        }

    def configure(self, part: Part, sources: Mapping[str, Source]) -> Config:
        """Return config.json, or what the shapes of the first release tell; diffusers' own are of many kinds.

        Raises:
            CheckpointError: nothing tells which kind it is, or the tensors do not add up to a network.
        """
        if part.config is None and part.layout == "diffusers":
            raise CheckpointError(
                f"{part}: is a UNet2DModel, whose tensors do not tell how its timesteps, attention and edges work; "
                "give the folder with its config.json"
            )
        return super().configure(part, sources)

    def build(self, config: Config) -> nn.Module:
        """Build a UNet2DModel."""
        from diffusers import UNet2DModel

        module: nn.Module = UNet2DModel.from_config(dict(config))
        return module


def _levels(shapes: Shapes) -> Iterator[Rule]:
    levels = count(shapes, "down")
    for level in range(levels):
        for here, there, sampler in (
            (f"down.{level}", f"down_blocks.{level}", "downsample"),
            (f"up.{level}", f"up_blocks.{levels - 1 - level}", "upsample"),
        ):
            for index in range(count(shapes, f"{here}.block")):
                yield from rename(f"{here}.block.{index}", f"{there}.resnets.{index}", RESNET)
            for index in range(count(shapes, f"{here}.attn")):
                yield from _attention(f"{here}.attn.{index}", f"{there}.attentions.{index}")
            yield Rule(f"{here}.{sampler}", f"{there}.{sampler}rs.0")


def _attention(here: str, there: str) -> Iterator[Rule]:
    yield Rule(f"{here}.norm", f"{there}.group_norm")
    yield from _matrices(here, there, ATTENTION)


def _matrices(here: str, there: str, names: Mapping[str, str]) -> Iterator[Rule]:
    for old, new in names.items():
        yield Rule(f"{here}.{old}", f"{there}.{new}", matrix=True)
