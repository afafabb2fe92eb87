"""How tiny ControlNets are built for the tiny models of `tiny_pipelines`: by diffusers' classes, untrained."""

from __future__ import annotations

from typing import Any
from warnings import catch_warnings, simplefilter

from torch import nn

EMBEDDING = (8, 8, 16, 16)
"""Channels of the convolutions that a picture goes through; three of them halve it."""


def for_unet(unet: Any, *, union: bool = False) -> nn.Module:
    """Build a ControlNet for a UNet; a union of six kinds of pictures."""
    import diffusers

    module: Any = diffusers.ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=EMBEDDING, load_weights_from_unet=False
    )
    if union:
        told = {name: value for name, value in module.config.items() if name[0] != "_" and name != "mid_block_type"}
        width = told["block_out_channels"][0]
        module = diffusers.ControlNetUnionModel(**told, num_trans_channel=width, num_proj_channel=width)
    assert isinstance(module, nn.Module)
    return module


def for_sd3(transformer: Any, *, large: bool = False, masked: bool = False) -> nn.Module:
    """Build a ControlNet of one block for SD3's transformer.

    `large` reads no prompt, as those for 3.5 large; `masked` reads a mask, as alimama's.
    """
    import diffusers

    config = transformer.config
    same = ("sample_size", "patch_size", "in_channels", "out_channels", "attention_head_dim", "num_attention_heads")
    more = ("joint_attention_dim", "caption_projection_dim", "pooled_projection_dim", "pos_embed_max_size", "qk_norm")
    told = {name: config[name] for name in (*same, *more)}
    if large:
        none = {"joint_attention_dim": None, "use_pos_embed": False, "force_zeros_for_pooled_projection": False}
        told |= {**none, "pos_embed_max_size": None, "qk_norm": None}
    module: nn.Module = diffusers.SD3ControlNetModel(**told, num_layers=1, extra_conditioning_channels=int(masked))
    return module


def for_flux(transformer: Any, *, modes: int | None = None, pixels: bool = False) -> nn.Module:
    """Build a ControlNet of one block of each kind for Flux's transformer, or as XLabs', a double one over `pixels`."""
    import diffusers

    config = transformer.config
    same = ("in_channels", "attention_head_dim", "num_attention_heads", "joint_attention_dim", "pooled_projection_dim")
    told = {name: config[name] for name in (*same, "guidance_embeds", "axes_dims_rope")}
    own = {"patch_size": 2, "conditioning_embedding_channels": 16} if pixels else {}
    singles = 0 if pixels else 1
    with catch_warnings():
        simplefilter("ignore")  # its own use of an old name
        module: nn.Module = diffusers.FluxControlNetModel(
            **told, **own, num_layers=1, num_single_layers=singles, num_mode=modes
        )
    return module


def t2i_for(unet: Any, *, channels: int = 3) -> nn.Module:
    """Build a T2I-Adapter for a UNet: SDXL's, of four levels whatever the UNet, where the UNet is told sizes."""
    import diffusers

    widths = list(unet.config.block_out_channels)
    xl = unet.config.addition_embed_type is not None
    module: nn.Module = diffusers.T2IAdapter(
        in_channels=channels,
        channels=[*widths, *widths[-1:] * (4 - len(widths))] if xl else widths,
        downscale_factor=16 if xl else 8,
        adapter_type="full_adapter_xl" if xl else "full_adapter",
    )
    return module
