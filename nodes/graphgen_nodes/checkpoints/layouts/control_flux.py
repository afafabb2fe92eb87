"""ControlNets for Flux.1: first blocks of the transformer that read a picture's latent or, as XLabs made them, pixels.

InstantX and Shakker published theirs in diffusers' names, XLabs in those of Flux's release. A union is told which kind
of picture it reads by a token before the prompt's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Shapes
from graphgen_nodes.checkpoints.layouts.control import ControlArchitecture, Hint, picture_rules, whole
from graphgen_nodes.checkpoints.layouts.flux import FluxTransformer
from graphgen_nodes.checkpoints.parts import Config
from graphgen_nodes.sockets import Reads

if TYPE_CHECKING:
    from torch import nn

MODES = "controlnet_mode_embedder.weight"
PIXELS = "input_hint_block"
USUAL_GUIDANCE = 3.5
"""What a network trained on the dev model is told beside a denoiser that is told no guidance scale."""


class ControlFlux(ControlArchitecture):
    """diffusers' FluxControlNetModel."""

    classes = ("FluxControlNetModel",)
    modes = ("canny", "tile", "depth", "blur", "pose", "gray", "low_quality")

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the transformer's table and XLabs' names for what reads the picture; diffusers' own names stay."""
        if "img_in.weight" not in shapes:
            return [SAME]
        own = [Rule("controlnet_blocks", "controlnet_blocks"), Rule("pos_embed_input", "controlnet_x_embedder")]
        return [*FluxTransformer().rules(shapes), *own, *picture_rules(shapes, PIXELS)]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read depths, widths, kinds of pictures and whether pixels are read from the shapes."""
        hint = shapes.get(f"{PIXELS}.conv_out.weight")
        channels = shapes["x_embedder.weight"][1]
        return {
            **FluxTransformer().stream(shapes),
            "patch_size": isqrt(channels // hint[0]) if hint else 1,
            "num_mode": shapes[MODES][0] if MODES in shapes else None,
            "conditioning_embedding_channels": hint[0] if hint else None,
        }

    def build(self, config: Config) -> nn.Module:
        """Build a FluxControlNetModel."""
        from diffusers import FluxControlNetModel

        with catch_warnings():
            simplefilter("ignore", FutureWarning)  # diffusers takes a class of its own from where it no longer lies
            module: nn.Module = FluxControlNetModel.from_config(dict(config))
        return module

    def count_modes(self, config: Config) -> int:
        """Return how many kinds of pictures a union knows."""
        return whole(config, "num_mode")

    def reads(self, config: Config) -> Reads:
        """Return that it reads latents, or pixels where it has convolutions for them."""
        return "pixels" if whole(config, "conditioning_embedding_channels") else "latents"

    def width(self, config: Config) -> int:
        """Return the width of T5's tokens."""
        return whole(config, "joint_attention_dim", 4096)

    def steer(
        self, network: nn.Module, denoiser: nn.Module, args: tuple[Any, ...], given: Mapping[str, Any], hint: Hint
    ) -> Mapping[str, Any]:
        """Return what is added to the picture's tokens after each of the denoiser's double and single blocks."""
        import torch

        names = ("encoder_hidden_states", "pooled_projections", "timestep", "img_ids", "txt_ids")
        told = {name: given[name] for name in names}
        config: Any = network.config
        if config.guidance_embeds:
            scale = given.get("guidance")
            told["guidance"] = torch.full_like(given["timestep"], USUAL_GUIDANCE) if scale is None else scale
        if hint.mode is not None:
            told["controlnet_mode"] = torch.full((len(args[0]), 1), hint.mode, device=args[0].device)
        pixels = config.conditioning_embedding_channels is not None
        picture = hint.picture * 2 - 1
        if not pixels:
            picture = torch.nn.functional.pixel_unshuffle(hint.picture, 2).flatten(2).transpose(1, 2)
        latent = args[0][..., : config.in_channels]  # without what editing models see beside it
        doubles, singles = network(
            latent, controlnet_cond=picture, conditioning_scale=hint.strength, **told, return_dict=False
        )
        parts: Any = denoiser
        added = {
            "controlnet_block_samples": _spread(doubles, len(parts.transformer_blocks), in_turn=pixels),
            "controlnet_single_block_samples": _spread(singles, len(parts.single_transformer_blocks)),
        }
        return {name: value for name, value in added.items() if value is not None}


def _spread(added: Sequence[Any] | None, blocks: int, *, in_turn: bool = False) -> list[Any] | None:
    """Return what each of a denoiser's blocks gets, of which there are more: neighbours share, or all take turns."""
    if not added:
        return None
    share = -(-blocks // len(added))
    return [added[index % len(added) if in_turn else index // share] for index in range(blocks)]
