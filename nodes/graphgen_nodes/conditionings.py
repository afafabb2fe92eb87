"""The tensors inside conditionings, whatever class they are of: listed, replaced, zeroed and brought to the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from graphgen_nodes.sockets import Conditioning, SizedConditioning

AnyConditioning = TypeVar("AnyConditioning", bound=Conditioning)


def tensors_of(conditioning: Conditioning) -> dict[str, Tensor]:
    """Return a conditioning's tensors by the names of their fields; what is None is left out."""
    values = {field.name: getattr(conditioning, field.name) for field in fields(conditioning)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def with_tensors(conditioning: AnyConditioning, tensors: Mapping[str, Tensor]) -> AnyConditioning:
    """Return a conditioning with some of its tensors replaced."""
    return replace(conditioning, **tensors)  # type: ignore[arg-type]  # subclasses have more fields


def on_cpu(conditioning: AnyConditioning) -> AnyConditioning:
    """Return a conditioning as it travels along wires: on the CPU, floating-point numbers in float32."""
    moved = {name: value.cpu() for name, value in tensors_of(conditioning).items()}
    rounded = {name: value.float() for name, value in moved.items() if value.is_floating_point()}
    return with_tensors(conditioning, {**moved, **rounded})


def zeros_like(conditioning: AnyConditioning) -> AnyConditioning:
    """Return a conditioning that says nothing: zeros in all its tensors."""
    return with_tensors(
        conditioning, {name: torch.zeros_like(value) for name, value in tensors_of(conditioning).items()}
    )


def with_sizes(conditioning: SizedConditioning, sizes: Sequence[int], score: float) -> SizedConditioning:
    """Return a conditioning that tells of a picture's sizes and score, for all images it is for."""
    count = len(conditioning.embeddings)
    return replace(conditioning, sizes=torch.tensor([sizes] * count), score=torch.full((count,), score))
