"""Add a LoRA file's changes to a network's parameters, reading each from the mapped file when it is made.

In: a `LoRA` and a network. Out: an `Edit` for each parameter that the file changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from safetensors import safe_open
from torch import Tensor

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.lora.algorithms import delta_of, renormalised
from graphgen_nodes.lora.blocks import weight_of
from graphgen_nodes.lora.files import Layer, LoraFile
from graphgen_nodes.lora.matching import match
from graphgen_nodes.lora.names import Names, Target
from graphgen_nodes.lora.patch import LoRA
from graphgen_nodes.patches import Component, Edit


def edits_of(patch: LoRA, file: LoraFile, component: Component) -> Mapping[str, Edit]:
    """Return what a LoRA, which lies in a file, makes of a network's parameters, by their names in the module."""
    parameters = dict(component.module.named_parameters())
    # transformers puts the prefix before some of its classes' names; the key tables know none
    own = {name.removeprefix("text_model."): name for name in parameters}
    names = Names([(component.slot, {name: tuple(parameters[full].shape) for name, full in own.items()})])
    stored = safe_open(file.path, framework="pt")
    edits: dict[str, Edit] = {}
    for name, target in match(file, names).targets.items():
        pieces = [own[f"{layer}.weight"] for layer in target.layers]
        rows = [len(parameters[piece]) for piece in pieces]
        for index, (layer, piece) in enumerate(zip(target.layers, pieces, strict=True)):
            strength = patch.strength * weight_of(patch.blocks, layer)
            change = Change(file, file.layers[name], stored, target, tuple(rows), index, strength)
            if strength and "bias" in change.layer.tensors and f"{layer}.bias" in own:
                edits[own[f"{layer}.bias"]] = change.on_bias
            if strength and change.layer.size[0]:
                edits[piece] = _after(edits.get(piece), change.on_weight)
    return edits


def _after(first: Edit | None, second: Edit) -> Edit:
    """Return two edits of one parameter as one: a file may name a layer twice, in two ways."""
    return second if first is None else partial(_both, first, second)


def _both(first: Edit, second: Edit, old: Tensor) -> Tensor:
    return second(first(old))


@dataclass(frozen=True)
class Change:
    """What a layer of a file makes, at a strength, of one of the network's layers it is for: that number `index`.

    `rows` are how many rows each of these has; the file's layer has all of them.
    """

    file: LoraFile
    layer: Layer
    stored: Any
    target: Target
    rows: tuple[int, ...]
    index: int
    strength: float

    def on_weight(self, old: Tensor) -> Tensor:
        """Return the new weight."""
        tensors = self._read(old)
        delta, rank = delta_of(self.layer.algorithm, tensors)
        delta = self._own(delta).reshape(old.shape) * self._scale(tensors, rank)
        lengths = tensors.get("magnitude", tensors.get("dora_scale"))
        if lengths is None:
            return old + self.strength * delta
        return old + self.strength * (self._renormalised(old + delta, lengths) - old)

    def on_bias(self, old: Tensor) -> Tensor:
        """Return the new bias."""
        return old + self.strength * self._own(self._read(old)["bias"]).reshape(old.shape)

    def _own(self, rows: Tensor) -> Tensor:
        """Return the rows that are this layer's."""
        rows = rows.roll(len(rows) // 2, 0) if self.target.swap else rows
        first = sum(self.rows[: self.index])
        return rows[first : first + self.rows[self.index]]

    def _read(self, like: Tensor) -> dict[str, Tensor]:
        named = self.layer.tensors.items()
        return {role: self.stored.get_tensor(name).to(like.device).float() for role, name in named}

    def _scale(self, tensors: Mapping[str, Tensor], rank: int | None) -> float:
        """Return alpha / rank; 1 where the file gives no alpha, or the change has no rank."""
        if "alpha" in tensors:
            return 1.0 if rank is None else tensors["alpha"].item() / rank
        if self.layer.algorithm == "full":
            return 1.0
        told = self.file.settings.scale(self.target.part, self.layer.name, rank)
        return 1.0 if told is None else told

    def _renormalised(self, weight: Tensor, lengths: Tensor) -> Tensor:
        """Return a weight with DoRA's lengths: of its rows, unless LyCORIS says by their shape that of its columns."""
        rows = sum(self.rows)
        if lengths.numel() == rows and ("magnitude" in self.layer.tensors or len(lengths) == rows):
            return renormalised(weight, self._own(lengths.flatten()), over_rows=True)
        if lengths.numel() == weight.shape[1] and len(self.rows) == 1:
            return renormalised(weight, lengths, over_rows=False)
        raise CheckpointError(
            f"{self.file.path}: {self.layer.name!r} has {lengths.numel()} lengths for {rows} rows of {weight.shape[1]} "
            "numbers; there must be one for each row, or, in a layer that is not fused, for each column"
        )
