"""The LoRA that lies inside a FaceID adapter's file, for all of the UNet's attention. Torch-free.

The release numbers attention layers in diffusers' order, those that look at the picture itself and those that look at
the prompt alike, and gives each a pair of matrices for queries, keys, values and outputs
(`ip_adapter.0.to_q_lora.down.weight`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphgen_nodes.checkpoints.header import CheckpointError, read_header
from graphgen_nodes.checkpoints.layouts.ip_adapter import layer_order
from graphgen_nodes.families import family
from graphgen_nodes.families.handles import reopen
from graphgen_nodes.ip_adapter.handles import ADAPTER
from graphgen_nodes.lora.files import LoraFile, read_layer
from graphgen_nodes.lora.matching import match, stored_names
from graphgen_nodes.lora.patch import LoRA
from graphgen_nodes.lora.settings import Settings
from graphgen_nodes.patches import Component, Edit
from graphgen_nodes.sockets import Weights

TENSOR = re.compile(r"ip_adapter\.(\d{1,4})\.(to_(?:q|k|v|out))_lora\.(down|up)\.weight")

QUERIES = (".attn1.to_q.weight", ".attn2.to_q.weight")


@dataclass(frozen=True)
class FaceLoRA(LoRA):
    """Changes attention as the LoRA inside a FaceID adapter's file says."""

    def edits(self, component: Component) -> Mapping[str, Edit]:
        """Return what adds the LoRA's changes to the component's layers."""
        from graphgen_nodes.lora.edits import edits_of

        names = (name for name, _ in component.module.named_parameters())
        return edits_of(self, read_face_lora(self.place(), names), component)


def face_lora_place(adapter: Weights, name: str, denoiser: Weights) -> Path | None:
    """Return the file of an adapter that has a LoRA inside, None for others; it fits a denoiser of the family `name`.

    Raises:
        CheckpointError: the LoRA is made for another network.
    """
    part, found = reopen(adapter, ADAPTER), family(name)
    if not any(TENSOR.fullmatch(tensor) for tensor in part.shapes):
        return None
    names = stored_names([(found.denoiser, denoiser)])
    match(read_face_lora(part.path, names.shapes[found.denoiser.part]), names).check(found.title, partial=False)
    return part.path


def read_face_lora(path: Path, names: Iterable[str]) -> LoraFile:
    """Read the LoRA inside an adapter's file, its layers called as in a UNet with tensors of these names.

    Raises:
        CheckpointError: it has numbers that the UNet has no layers for, or no whole pairs.
    """
    layers = sorted((name.removesuffix(".to_q.weight") for name in names if name.endswith(QUERIES)), key=layer_order)
    header, found = read_header(path), dict[str, dict[str, str]]()
    for tensor in header.tensors:
        if (told := TENSOR.fullmatch(tensor)) is not None:
            if int(told[1]) >= len(layers):
                raise CheckpointError(
                    f"{path}: has a LoRA for attention {told[1]}, where this UNet has {len(layers)}; choose an "
                    "IP-Adapter made for this model"
                )
            found.setdefault(f"{layers[int(told[1])]}.{told[2]}", {})[told[3]] = tensor
    made = {name: read_layer(header, name, tensors) for name, tensors in found.items()}
    return LoraFile(path, made, {}, Settings(str(path), {}))
