"""Read from a LoRA file's header which layers it changes and how. Torch-free.

In: a safetensors file. Out: a `LoraFile` with one `Layer` for each layer it names, under the name the file has for it;
`graphgen_nodes.lora.names` knows whose that is. Trainers end tensors' names in dialects of their own: kohya
(`.lora_down.weight`, `.alpha`), PEFT, ai-toolkit and diffusers (`.lora_A.weight`), diffusers before PEFT
(`.lora.down.weight`, `.processor.to_q_lora.down.weight`), XLabs (`.processor.qkv_lora1.down.weight`) and LyCORIS
(`.hada_w1_a`, `.lokr_w1`, `.lora_mid.weight`, `.diff`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from graphgen_nodes.checkpoints.header import CheckpointError, Header, read_header
from graphgen_nodes.checkpoints.keys import Shape, some
from graphgen_nodes.lora.settings import PEFT_CONFIG, PEFT_FILE, PEFT_PREFIX, Settings, read_settings

Algorithm = Literal["lora", "loha", "lokr", "full"]

ENDINGS: Mapping[str, str] = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_mid.weight": "mid",
    "lora_A.weight": "down",
    "lora_B.weight": "up",
    "lora_A.default.weight": "down",
    "lora_B.default.weight": "up",
    "lora.down.weight": "down",
    "lora.up.weight": "up",
    "lora_linear_layer.down.weight": "down",
    "lora_linear_layer.up.weight": "up",
    "alpha": "alpha",
    "dora_scale": "dora_scale",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
    "lora_magnitude_vector.default.weight": "magnitude",
    "diff": "weight",
    "diff_b": "bias",
    "w_norm": "weight",
    "b_norm": "bias",
    **{
        name: name
        for name in (
            *("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"),
            *("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
        )
    },
}
"""What follows the name of a layer and a dot, and the role that tensor has."""

JOINED: Mapping[str, tuple[str, str]] = {
    f"_{word}.{role}.weight": (stays, role)
    for word, stays in (("lora", ""), ("lora1", "_lora1"), ("lora2", "_lora2"))
    for role in ("down", "up")
}
"""Endings that diffusers once joined to a layer's name, and XLabs: what stays of it there, and the tensor's role."""

LOHA = frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"})
"""The roles of a LoHa, which may have `hada_t1` and `hada_t2` besides."""

LENGTHS = frozenset({"dora_scale", "magnitude"})
"""The roles of what DoRA learned."""

SCALES = LENGTHS | {"alpha"}
"""Roles that go with every algorithm."""

_MANY = 1 << 40


@dataclass(frozen=True)
class Layer:
    """What a file holds for one layer: the tensors' names and shapes by their roles."""

    name: str
    tensors: Mapping[str, str]
    shapes: Mapping[str, Shape]

    @property
    def algorithm(self) -> Algorithm:
        """Return how its tensors become a change.

        Raises:
            CheckpointError: they add up to no known algorithm.
        """
        roles = self.tensors.keys() - SCALES
        if {"down", "up"} <= roles <= {"down", "up", "mid"}:
            return "lora"
        if roles in (LOHA, LOHA | {"hada_t1", "hada_t2"}):
            return "loha"
        if all({f"lokr_{w}"} <= roles or {f"lokr_{w}_a", f"lokr_{w}_b"} <= roles for w in ("w1", "w2")):
            return "lokr"
        if roles and roles <= {"weight", "bias"}:
            return "full"
        held = ", ".join(sorted(self.tensors))
        raise CheckpointError(
            f"{self.name!r} has {held}, which is no whole LoRA, LoHa or LoKr; download the file again"
        )

    @property
    def size(self) -> tuple[int, int]:
        """Return the rows of the change to the layer's weight and how many numbers it has in all; (0, 0) for none."""
        shapes, algorithm = self.shapes, self.algorithm
        if algorithm == "lora":
            rows, kernel = shapes["up"][0], prod(shapes.get("mid", shapes["down"])[2:])
            return rows, rows * shapes["down"][1] * kernel
        if algorithm == "loha":
            a, b, t = shapes["hada_w1_a"], shapes["hada_w1_b"], shapes.get("hada_t1")
            rows = a[0] if t is None else a[1]
            return rows, rows * b[1] * (1 if t is None else prod(t[2:]))
        if algorithm == "lokr":
            (rows1, all1), (rows2, all2) = self._factor("w1"), self._factor("w2")
            return rows1 * rows2, all1 * all2
        weight = shapes.get("weight")
        return (0, 0) if weight is None else (weight[0], prod(weight))

    def _factor(self, which: str) -> tuple[int, int]:
        """Return the rows and the numbers of one of the two factors of a Kronecker product."""
        whole, t = self.shapes.get(f"lokr_{which}"), self.shapes.get(f"lokr_t{which[1]}")
        if whole is not None:
            return whole[0], prod(whole)
        a, b = self.shapes[f"lokr_{which}_a"], self.shapes[f"lokr_{which}_b"]
        rows = a[0] if t is None else a[1]
        return rows, rows * b[1] * (1 if t is None else prod(t[2:]))


@dataclass(frozen=True)
class LoraFile:
    """A LoRA file: its layers by the names it has for them, what its metadata says, and its trainer's settings."""

    path: Path
    layers: Mapping[str, Layer]
    metadata: Mapping[str, str]
    settings: Settings

    @property
    def assumed(self) -> str:
        """Return what has to be assumed of a file of PEFT's without its settings, "" for others."""
        by_peft = self.path.name == PEFT_FILE or any(name.startswith(PEFT_PREFIX) for name in self.layers)
        if not by_peft or self.settings.told or any("alpha" in layer.tensors for layer in self.layers.values()):
            return ""
        return (
            f"has no {PEFT_CONFIG} beside it, which says how strong it is meant to be, so lora_alpha is taken to be "
            f"the rank; keep both in one folder, the file as {PEFT_FILE}, or set strength to lora_alpha / r"
        )


def open_lora(path: Path) -> LoraFile:
    """Read what a LoRA file holds from its header.

    Raises:
        CheckpointError: it is no safetensors file, holds tensors that belong to no LoRA (lists them), or has settings
            that cannot be followed.
    """
    header = read_header(path)
    found: dict[str, dict[str, str]] = {}
    strange = []
    for tensor in header.tensors:
        name, role = _parted(tensor)
        if role is None:
            strange.append(tensor)
        else:
            found.setdefault(name, {})[role] = tensor
    if strange or not found:
        held = f"holds {some(strange)}, which" if strange else "holds nothing that"
        raise CheckpointError(
            f"{path}: {held} belongs to no LoRA, LoHa, LoKr or DoRA; give a file of one, and load whole models with "
            "models.load"
        )
    layers = {name: read_layer(header, name, tensors) for name, tensors in found.items()}
    settings = read_settings(path, header.metadata)
    settings.check(has_lengths=any(layer.tensors.keys() & LENGTHS for layer in layers.values()))
    return LoraFile(path, layers, header.metadata, settings)


def _parted(tensor: str) -> tuple[str, str | None]:
    """Part a tensor's name into that of its layer and its role, None if it has no known one."""
    for ending, (stays, role) in JOINED.items():
        if tensor.endswith(ending):
            return tensor.removesuffix(ending) + stays, role
    dots = [index for index, letter in enumerate(tensor) if letter == "."]
    for dot in dots:  # the longest ending first
        if (found := ENDINGS.get(tensor[dot + 1 :])) is not None:
            return tensor[:dot], found
    return tensor, None


def read_layer(header: Header, name: str, tensors: Mapping[str, str]) -> Layer:
    """Read what a file holds for a layer, whose tensors are given by their roles.

    Raises:
        CheckpointError: they add up to no change of a layer.
    """
    layer = Layer(name, tensors, {role: header.tensors[tensor].shape for role, tensor in tensors.items()})
    try:
        rows, numbers = layer.size
    except (IndexError, CheckpointError) as error:
        said = error if isinstance(error, CheckpointError) else f"{name!r} has tensors of wrong ranks"
        raise CheckpointError(f"{header.path}: {said}") from error
    if numbers > _MANY:
        raise CheckpointError(f"{header.path}: {name!r} would change {rows} rows of {numbers} numbers; it is damaged")
    return layer
