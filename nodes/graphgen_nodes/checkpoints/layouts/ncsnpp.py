"""NCSN++ as Song et al. (2021) released it: one row of modules (`all_modules.7`) in the order in which they run.

What a module is, its tensors' names tell; where it stands, the order: levels of residual blocks, each but the last
ended by one that halves the picture and a projection of the halved input, the middle, and levels that double and each
add to the output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule, Shape, Source
from graphgen_nodes.checkpoints.layouts.architecture import Incomplete, Shapes, count, rename
from graphgen_nodes.checkpoints.layouts.pixel_unet import PixelUNet
from graphgen_nodes.checkpoints.parts import Config, Part
from graphgen_nodes.checkpoints.values import ends_of

if TYPE_CHECKING:
    from torch import nn

ROW = "all_modules"
SIGMAS = "sigmas"
"""The levels of training, from the highest to the lowest; the network itself does not use them."""

RESNET = {
    "GroupNorm_0": "norm1",
    "Conv_0": "conv1",
    "Dense_0": "time_emb_proj",
    "GroupNorm_1": "norm2",
    "Conv_1": "conv2",
    "Conv_2": "conv_shortcut",
}
ATTENTION = {"NIN_0": "to_q", "NIN_1": "to_k", "NIN_2": "to_v", "NIN_3": "to_out.0"}

LEVELS = ("sigma_max", "sigma_min")
"""What a configuration calls the ends of the levels; the network is not built by them."""


class ScoreUNet(PixelUNet):
    """diffusers' UNet2DModel with random frequencies and pyramids of the input and the output."""

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from `all_modules`; diffusers' own names stay."""
        if not is_release(shapes):
            return super().rules(shapes)
        return [Rule(SIGMAS, None), *_Row(shapes).rules()]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read channels, layers and attention from the shapes; the rest is as all published models with pyramids."""
        levels = range(count(shapes, "down_blocks"))
        down = [f"down_blocks.{level}.attentions.0.to_q.weight" in shapes for level in levels]
        up = [f"up_blocks.{level}.attentions.0.to_q.weight" in shapes for level in levels]
        return {
            "in_channels": shapes["conv_in.weight"][1],
            "out_channels": shapes["conv_out.weight"][0],
            "block_out_channels": [shapes[f"down_blocks.{level}.resnets.0.conv1.weight"][0] for level in levels],
            "down_block_types": ["AttnSkipDownBlock2D" if attends else "SkipDownBlock2D" for attends in down],
            "up_block_types": ["AttnSkipUpBlock2D" if attends else "SkipUpBlock2D" for attends in up],
            "layers_per_block": count(shapes, "down_blocks.0.resnets"),
            "time_embedding_type": "fourier",
            "attention_head_dim": None,
            "center_input_sample": True,
            "mid_block_scale_factor": 2**0.5,
            "norm_num_groups": None,
            "norm_eps": 1e-6,
        }

    def configure(self, part: Part, sources: Mapping[str, Source]) -> Config:
        """Return config.json, or what the shapes of the release tell, and the ends of its levels."""
        found = super().configure(part, sources)
        ends = ends_of(part, SIGMAS)
        return found if ends is None else {**found, **dict(zip(LEVELS, ends, strict=True))}

    def build(self, config: Config) -> nn.Module:
        """Build a UNet2DModel."""
        return super().build({name: value for name, value in config.items() if name not in LEVELS})


def is_release(shapes: Shapes) -> bool:
    """Tell whether tensors are the release's: random frequencies first, and projections of a pyramid of inputs."""
    return f"{ROW}.0.W" in shapes and any(_projects(name, shape) for name, shape in shapes.items())


def _projects(name: str, shape: Shape) -> bool:
    return name.endswith(".Conv_0.weight") and shape[2:] == (1, 1)


def _kind(shapes: Shapes, index: int) -> str:
    """Return what the module in a place is, by its tensors."""
    here = f"{ROW}.{index}"
    if f"{here}.NIN_3.W" in shapes:
        return "attention"
    if f"{here}.Conv_1.weight" in shapes:
        return "resnet"
    if _projects(f"{here}.Conv_0.weight", shapes.get(f"{here}.Conv_0.weight", ())):
        return "projection"
    return {1: "norm", 2: "dense", 4: "convolution"}.get(len(shapes.get(f"{here}.weight", ())), "unknown")


class _Row:
    """A walk along the modules."""

    def __init__(self, shapes: Shapes) -> None:
        self.kinds = [_kind(shapes, index) for index in range(count(shapes, ROW))]
        self.levels = self.kinds.count("projection") + 1
        self.layers = self.kinds[: self.kinds.index("projection")].count("resnet") - 1
        self.place = 0

    def rules(self) -> Iterator[Rule]:
        """Yield the table, module by module.

        Raises:
            Incomplete: the modules come in another order.
        """
        yield Rule(f"{ROW}.0.W", "time_proj.weight")
        self.place = 1
        for name in ("time_embedding.linear_1", "time_embedding.linear_2"):
            yield self._take("dense", name)
        yield self._take("convolution", "conv_in")
        for level in range(self.levels):
            yield from self._down(level)
        yield from self._resnet("mid_block.resnets.0")
        yield from self._attention("mid_block.attentions.0")
        yield from self._resnet("mid_block.resnets.1")
        for level in range(self.levels):
            yield from self._up(level)
        if self.place != len(self.kinds):
            raise Incomplete(f"{ROW}.{self.place} and what follows have no place in an NCSN++ of {self.levels} levels")

    def _down(self, level: int) -> Iterator[Rule]:
        block = f"down_blocks.{level}"
        for index in range(self.layers):
            yield from self._resnet(f"{block}.resnets.{index}")
            if self._next() == "attention":
                yield from self._attention(f"{block}.attentions.{index}")
        if level < self.levels - 1:
            yield from self._resnet(f"{block}.resnet_down")
            here = self._step("projection")
            yield Rule(f"{here}.Conv_0", f"{block}.skip_conv")

    def _up(self, level: int) -> Iterator[Rule]:
        block, last = f"up_blocks.{level}", level == self.levels - 1
        for index in range(self.layers + 1):
            yield from self._resnet(f"{block}.resnets.{index}")
        if self._next() == "attention":
            yield from self._attention(f"{block}.attentions.0")
        yield self._take("norm", "conv_norm_out" if last else f"{block}.skip_norm")
        yield self._take("convolution", "conv_out" if last else f"{block}.skip_conv")
        if not last:
            yield from self._resnet(f"{block}.resnet_up")

    def _resnet(self, target: str) -> Iterator[Rule]:
        yield from rename(self._step("resnet"), target, RESNET)

    def _attention(self, target: str) -> Iterator[Rule]:
        here = self._step("attention")
        yield Rule(f"{here}.GroupNorm_0", f"{target}.group_norm")
        for old, new in ATTENTION.items():
            yield Rule(f"{here}.{old}.W", f"{target}.{new}.weight", transpose=True)
            yield Rule(f"{here}.{old}.b", f"{target}.{new}.bias")

    def _take(self, kind: str, target: str) -> Rule:
        return Rule(self._step(kind), target)

    def _next(self) -> str:
        return self.kinds[self.place] if self.place < len(self.kinds) else "nothing"

    def _step(self, kind: str) -> str:
        """Return the name of the module in this place, which must be of a kind, and go on to the next."""
        if self._next() != kind:
            raise Incomplete(f"{ROW}.{self.place} is {self._next()} where an NCSN++ of {self.levels} levels has {kind}")
        self.place += 1
        return f"{ROW}.{self.place - 1}"
