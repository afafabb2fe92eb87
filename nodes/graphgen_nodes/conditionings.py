"""The tensors inside conditionings, whatever class they are of: listed, replaced, zeroed and brought to the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from graphgen_nodes.compositions import Composition
from graphgen_nodes.sampling.phases import unchanged
from graphgen_nodes.sockets import Conditioning, SizedConditioning, TextConditioning

AnyConditioning = TypeVar("AnyConditioning", bound=Conditioning)


def tensors_of(conditioning: Conditioning) -> dict[str, Tensor]:
    """Return a conditioning's tensors by the names of their fields; what is None is left out."""
    values = {field.name: getattr(conditioning, field.name) for field in fields(conditioning)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def with_tensors(conditioning: AnyConditioning, tensors: Mapping[str, Tensor]) -> AnyConditioning:
    """Return a conditioning with some of its tensors replaced."""
    changed: Mapping[str, Any] = tensors  # subclasses have more fields than their bound tells
    return replace(conditioning, **changed)


def on_cpu(conditioning: AnyConditioning) -> AnyConditioning:
    """Return a conditioning as it travels along wires: on the CPU, floating-point numbers in float32."""
    moved = {name: value.cpu() for name, value in tensors_of(conditioning).items()}
    rounded = {name: value.float() for name, value in moved.items() if value.is_floating_point()}
    return with_tensors(conditioning, {**moved, **rounded})


def told_apart(positive: Conditioning, negative: Conditioning) -> tuple[Conditioning, Conditioning]:
    """Return two conditionings that say of themselves, and of their parts, whether they are the negative one."""
    return _flagged(positive, torch.tensor([False])), _flagged(negative, torch.tensor([True]))


def same_prompt(one: Conditioning, other: Conditioning) -> bool:
    """Tell whether two conditionings are surely the same, but for what they say of themselves."""
    return unchanged(_flagged(one, None), _flagged(other, None))


def _flagged(conditioning: Conditioning, negative: Tensor | None) -> Conditioning:
    if not isinstance(conditioning, Composition):
        return replace(conditioning, negative=negative)
    parts = (replace(part, conditioning=_flagged(part.conditioning, negative)) for part in conditioning.parts)
    return replace(conditioning, parts=tuple(parts))


def zeros_like(conditioning: AnyConditioning) -> AnyConditioning:
    """Return a conditioning that says nothing: zeros in all its tensors."""
    return with_tensors(
        conditioning, {name: torch.zeros_like(value) for name, value in tensors_of(conditioning).items()}
    )


def zeros_of(conditioning: AnyConditioning, name: str) -> AnyConditioning:
    """Return a conditioning with zeros in one of its tensors, where it has that."""
    found = tensors_of(conditioning)
    return with_tensors(conditioning, {name: torch.zeros_like(found[name])} if name in found else {})


def blended(first: AnyConditioning, second: AnyConditioning, ratio: float) -> AnyConditioning:
    """Return (1 - ratio) * first + ratio * second in all numbers with a point; the rest is the first one's.

    Ratios 0 and 1 are the two themselves.
    """
    if ratio in (0, 1):
        return second if ratio else first
    ours, theirs = tensors_of(first), tensors_of(second)
    mixed = {
        name: (1 - ratio) * value + ratio * theirs[name]
        for name, value in ours.items()
        if value.is_floating_point() and name in theirs
    }
    return with_tensors(first, mixed)


def joined(first: TextConditioning, second: TextConditioning) -> TextConditioning:
    """Return the first with the second one's tokens after its own."""
    batch = max(len(first.embeddings), len(second.embeddings))
    tokens = [words.embeddings.expand(batch, -1, -1) for words in (first, second)]
    return replace(first, embeddings=torch.cat(tokens, dim=1))


def with_sizes(conditioning: SizedConditioning, sizes: Sequence[int], score: float) -> SizedConditioning:
    """Return a conditioning that tells of a picture's sizes and score, for all images it is for."""
    count = len(conditioning.embeddings)
    return replace(conditioning, sizes=torch.tensor([sizes] * count), score=torch.full((count,), score))
