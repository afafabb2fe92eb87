"""How tiny ControlNets are built for the tiny models of `tiny_pipelines`: by diffusers' classes, untrained."""

from __future__ import annotations

from typing import Any

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
