"""T2I-Adapters (Mou et al. 2023): small networks that say once of a picture what to add inside a UNet's encoder.

They read neither prompt nor noise. The release numbers its blocks in one row, diffusers by resolution. Those of full
size are known; the light ones are built otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Shapes, count
from graphgen_nodes.checkpoints.layouts.control import ControlArchitecture, Hint
from graphgen_nodes.checkpoints.parts import Config, Part
from graphgen_nodes.sockets import Reads

if TYPE_CHECKING:
    from torch import nn

BLOCKS = 2
"""Residual blocks at each resolution, in all releases."""
LUMA = (0.299, 0.587, 0.114)


class T2IAdapter(ControlArchitecture):
    """diffusers' T2IAdapter of a `kind`, which folds squares of `unit` pixels into channels first."""

    classes = ("T2IAdapter",)

    def __init__(self, kind: str, unit: int) -> None:
        self.kind = kind
        self.unit = unit

    def fits(self, part: Part) -> bool:
        """Tell whether a part folds as many pixels as those of this kind, of one channel or of three."""
        shape = part.shapes.get("adapter.conv_in.weight") or part.shapes.get("conv_in.weight") or (0, 0)
        return shape[1] in (self.unit**2, 3 * self.unit**2)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from one row of blocks; diffusers' own names stay."""
        if "body.0.block1.weight" not in shapes:
            return [SAME]
        return [Rule("conv_in", "adapter.conv_in"), *_body(shapes)]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read channels and depths from the shapes."""
        levels = range(count(shapes, "adapter.body"))
        return {
            "in_channels": shapes["adapter.conv_in.weight"][1] // self.unit**2,
            "channels": [shapes[f"adapter.body.{level}.resnets.0.block1.weight"][0] for level in levels],
            "num_res_blocks": count(shapes, "adapter.body.0.resnets"),
            "downscale_factor": self.unit,
            "adapter_type": self.kind,
        }

    def build(self, config: Config) -> nn.Module:
        """Build a T2IAdapter."""
        import diffusers

        module: nn.Module = diffusers.T2IAdapter.from_config(dict(config))
        return module

    def reads(self, config: Config) -> Reads:  # noqa: ARG002
        """Return that it reads pixels."""
        return "pixels"

    def width(self, config: Config) -> int:  # noqa: ARG002
        """Return that it reads no prompt."""
        return 0

    def steer(
        self,
        network: nn.Module,
        denoiser: nn.Module,  # noqa: ARG002
        args: tuple[Any, ...],  # noqa: ARG002
        given: Mapping[str, Any],  # noqa: ARG002
        hint: Hint,
    ) -> Mapping[str, Any]:
        """Return what is added inside each of the UNet's encoder's blocks; one channel is a picture's brightness."""
        picture = hint.picture
        asked: Any = network  # a model of diffusers', which has a config
        if asked.config.in_channels == 1:
            picture = (picture * picture.new_tensor(LUMA).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        return {"down_intrablock_additional_residuals": [state * hint.strength for state in network(picture)]}


def _body(shapes: Shapes) -> Iterator[Rule]:
    for index in range(count(shapes, "body")):
        level, place = divmod(index, BLOCKS)
        yield Rule(f"body.{index}", f"adapter.body.{level}.resnets.{place}")
        yield Rule(f"body.{index}.in_conv", f"adapter.body.{level}.in_conv")
