"""ControlNet for UNets (Zhang et al. 2023): a copy of the UNet's first half that reads a picture.

The release names it `control_model`, in the rows of latent diffusion; diffusers as a UNet. ControlNet union (xinsir
2024) is one network for several kinds of pictures, told which; it was published in diffusers' names alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Shapes, count
from graphgen_nodes.checkpoints.layouts.control import ControlArchitecture, Hint, check_channels, picture_rules, whole
from graphgen_nodes.checkpoints.layouts.unet import UNet
from graphgen_nodes.checkpoints.parts import Config
from graphgen_nodes.sockets import Reads

if TYPE_CHECKING:
    from torch import nn

HINT = "controlnet_cond_embedding"
PLAIN, UNION = "ControlNetModel", "ControlNetUnionModel"


class ControlUNet(ControlArchitecture):
    """diffusers' ControlNetModel and ControlNetUnionModel; `heads` is that of the family's UNet."""

    classes = (PLAIN, UNION)
    modes = ("pose", "depth", "softedge", "canny", "normal", "segments", "tile", "repaint")
    guesses = True

    def __init__(self, heads: Callable[[int], int]) -> None:
        self.unet = UNet(heads)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the UNet's table, and that of the picture's embedding and of what is added; diffusers' names stay."""
        if "conv_in.weight" in shapes:
            return [SAME]
        return [*self.unet.rules(shapes), *picture_rules(shapes, HINT), *_added(shapes)]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read the UNet's half, the picture's embedding and, of a union, its kinds from the shapes."""
        pairs = range(count(shapes, f"{HINT}.blocks") // 2)
        widths = [shapes[f"{HINT}.blocks.{2 * pair + 1}.weight"][0] for pair in pairs]
        return {
            **self.unet.first_half(shapes),
            "conditioning_channels": shapes[f"{HINT}.conv_in.weight"][1],
            "conditioning_embedding_out_channels": [shapes[f"{HINT}.conv_in.weight"][0], *widths],
            **(_union(shapes) if "task_embedding" in shapes else {"_class_name": PLAIN}),
        }

    def build(self, config: Config) -> nn.Module:
        """Build a ControlNetModel or a ControlNetUnionModel."""
        import diffusers

        kind = diffusers.ControlNetUnionModel if config.get("_class_name") == UNION else diffusers.ControlNetModel
        module: nn.Module = kind.from_config(dict(config))
        return module

    def count_modes(self, config: Config) -> int:
        """Return how many kinds of pictures a union knows."""
        return whole(config, "num_control_type", 6) if config.get("_class_name") == UNION else 0

    def reads(self, config: Config) -> Reads:
        """Return that it reads pixels."""
        check_channels(whole(config, "conditioning_channels", 3), 3)
        return "pixels"

    def width(self, config: Config) -> int:
        """Return the context's width."""
        return whole(config, "cross_attention_dim", 1280)

    def steer(
        self,
        network: nn.Module,
        denoiser: nn.Module,  # noqa: ARG002
        args: tuple[Any, ...],
        given: Mapping[str, Any],
        hint: Hint,
    ) -> Mapping[str, Any]:
        """Return the residuals for what the UNet's decoder is handed from each of its encoder's layers."""
        asked: Any = network  # a model of diffusers', which has a config
        told = {name: given[name] for name in ("encoder_hidden_states", "added_cond_kwargs") if name in given}
        if hint.mode is None:
            told["controlnet_cond"] = hint.picture
        else:
            total: int = asked.config.num_control_type
            kinds = hint.picture.new_zeros(len(hint.picture), total)
            kinds[:, hint.mode] = 1
            told |= {"controlnet_cond": [hint.picture], "control_type": kinds, "control_type_idx": [hint.mode]}
        latent = args[0][:, : asked.config.in_channels]  # not what is seen beside it
        down, middle = network(
            latent, *args[1:], **told, conditioning_scale=hint.strength, guess_mode=hint.guess, return_dict=False
        )
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def _added(shapes: Shapes) -> Iterator[Rule]:
    for index in range(count(shapes, "zero_convs")):
        yield Rule(f"zero_convs.{index}.0", f"controlnet_down_blocks.{index}")
    yield Rule("middle_block_out.0", "controlnet_mid_block")


def _union(shapes: Shapes) -> dict[str, object]:
    kinds, width = shapes["task_embedding"]
    return {
        "_class_name": UNION,
        "num_control_type": kinds,
        "num_trans_channel": width,
        "num_trans_layer": count(shapes, "transformer_layes"),  # diffusers' spelling
        "num_proj_channel": shapes["spatial_ch_projs.weight"][0],
    }
