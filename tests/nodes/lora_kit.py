"""LoRA files for tests: random small changes to the layers of tiny models, in the dialects of several trainers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

RANK = 3
Parts = dict[str, Tensor]


def layers_of(module: nn.Module, *endings: str) -> dict[str, Tensor]:
    """Return the weights of the linear and convolutional layers whose names end as given (all without endings)."""
    kinds = nn.Linear | nn.Conv2d
    return {
        name: layer.weight.detach()
        for name, layer in module.named_modules()
        if isinstance(layer, kinds) and (not endings or name.endswith(endings))
    }


def pair(weight: Tensor, seed: int, *, rank: int = RANK, zero: bool = False) -> tuple[Tensor, Tensor]:
    """Return `down` and `up` for a weight: `up @ down` is the change; zero as training begins with."""
    generator = torch.Generator().manual_seed(seed)
    down = torch.randn(rank, *weight.shape[1:], generator=generator) * weight[0].numel() ** -0.5
    up = torch.randn(len(weight), rank, *(1,) * (weight.ndim - 2), generator=generator) * 0.3
    return down, up * 0 if zero else up


def pairs(layers: Mapping[str, Tensor], seed: int, *, zero: bool = False) -> dict[str, tuple[Tensor, Tensor]]:
    """Return a pair for each layer."""
    return {name: pair(weight, seed + index, zero=zero) for index, (name, weight) in enumerate(layers.items())}


def kohya(found: Mapping[str, tuple[Tensor, Tensor]], prefix: str, alpha: float | None = None) -> Parts:
    """Write pairs as kohya does: underscores, `lora_down`, and an alpha."""
    tensors: Parts = {}
    for name, (down, up) in found.items():
        key = prefix + name.replace(".", "_")
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        if alpha is not None:
            tensors[f"{key}.alpha"] = torch.tensor(alpha)
    return tensors


def peft(found: Mapping[str, tuple[Tensor, Tensor]], prefix: str) -> Parts:
    """Write pairs as PEFT does: dots, `lora_A` and `lora_B`."""
    tensors: Parts = {}
    for name, (down, up) in found.items():
        tensors |= {f"{prefix}{name}.lora_A.weight": down, f"{prefix}{name}.lora_B.weight": up}
    return tensors


def old(found: Mapping[str, tuple[Tensor, Tensor]], prefix: str) -> Parts:
    """Write pairs as diffusers did before PEFT: matrices named by their attention's processor."""
    tensors: Parts = {}
    for name, (down, up) in found.items():
        owner, _, own = name.removesuffix(".0").rpartition(".")
        key = f"{prefix}{owner}.processor.{own}_lora"
        tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
    return tensors


def save(path: Path, *tensors: Parts, metadata: dict[str, str] | None = None) -> Path:
    """Save tensors as a LoRA file."""
    whole = {name: value.contiguous().clone() for part in tensors for name, value in part.items()}
    save_file(whole, path, metadata=metadata)
    return path


def dense(found: Mapping[str, tuple[Tensor, Tensor]], scale: float = 1.0) -> dict[str, Tensor]:
    """Return what pairs add to the weights, by applying the two layers one after the other to a basis."""
    return {name: scale * _after(down, up) for name, (down, up) in found.items()}


def _after(down: Tensor, up: Tensor) -> Tensor:
    if down.ndim == 2:
        return nn.functional.linear(nn.functional.linear(torch.eye(down.shape[1]), down), up).T
    height, width = down.shape[2:]
    basis = torch.eye(down[0].numel()).reshape(-1, *down.shape[1:])
    through = nn.functional.conv2d(nn.functional.conv2d(basis, down), up)
    return through.flatten(1).T.reshape(len(up), -1, height, width)


def names(keys: Iterable[str]) -> set[str]:
    """Return keys without what follows a tensor's layer."""
    return {key.rpartition(".lora_")[0] for key in keys}
