"""Save and restore training state as safetensors and JSON: weights, averages, optimiser moments."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class Average:
    """Keep an exponential moving average of a module's trained parameters."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}
        self.steps = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module; faster at first, so that it forgets the start."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        trained = {k: p.detach() for k, p in module.named_parameters() if p.requires_grad}
        averages = [self.values[name] for name in trained]
        torch._foreach_lerp_(averages, list(trained.values()), 1 - decay)


def save_state(
    folder: Path,
    modules: dict[str, nn.Module],
    averages: dict[str, Average],
    optimizer: torch.optim.Optimizer,
    progress: dict[str, float],
) -> None:
    """Write a checkpoint that `load_state` resumes from, replacing the last one at once."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        tensors |= {f"{name}.now.{k}": v for k, v in module.state_dict().items()}
    for name, average in averages.items():
        tensors |= {f"{name}.average.{k}": v for k, v in average.values.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
    contiguous = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
    save_file(contiguous, folder / "state.tmp", metadata={"progress": json.dumps(progress)})
    os.replace(folder / "state.tmp", folder / "state.safetensors")


def load_state(
    folder: Path,
    modules: dict[str, nn.Module],
    averages: dict[str, Average],
    optimizer: torch.optim.Optimizer | None = None,
) -> dict[str, float]:
    """Restore what `save_state` wrote; return its progress, empty where there is no checkpoint."""
    path = folder / "state.safetensors"
    if not path.exists():
        return {}
    tensors = load_file(path)
    for name, module in modules.items():
        module.load_state_dict(with_prefix(tensors, f"{name}.now."))
    progress: dict[str, float] = json.loads(read_metadata(path)["progress"])
    for name, average in averages.items():
        average.values = with_prefix(tensors, f"{name}.average.")
        average.steps = int(progress["step"])
    if optimizer is not None:
        state: dict[int, dict[str, Any]] = {}
        for key, value in with_prefix(tensors, "optimizer.").items():
            index, field = key.split(".", 1)
            state.setdefault(int(index), {})[field] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return progress


def with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def read_metadata(path: Path) -> dict[str, str]:
    """Return a safetensors file's metadata."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    metadata: dict[str, str] = header.get("__metadata__", {})
    return metadata
