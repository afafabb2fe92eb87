"""Conditionings of all kinds: on wires, in the denoiser's batches, and in families that take another kind."""

from __future__ import annotations

import pytest
import torch
from nodes.sampling_oracles import PATHS, SHAPE, RandomNetwork, handle
from torch import Tensor

from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.types import fits, socket_type
from graphgen_nodes import Conditioning, LabelConditioning, TextConditioning, Unconditional
from graphgen_nodes.compositions import Composition, Part
from graphgen_nodes.conditionings import on_cpu, tensors_of, told_apart
from graphgen_nodes.families.family import told
from graphgen_nodes.sampling.denoiser import NetworkDenoiser

KINDS = [
    TextConditioning("tiny", torch.zeros(1, 3, 8)),
    LabelConditioning("tiny", torch.tensor([7])),
    Unconditional("tiny"),
]


@pytest.mark.parametrize("value", KINDS)
def test_every_kind_travels_along_a_wire_for_conditionings(value: Conditioning) -> None:
    registry = build_registry(find_plugins())
    assert fits(socket_type(type(value)), socket_type(Conditioning), registry.types)
    again = registry.codec.decode(registry.codec.encode(value))
    assert type(again) is type(value)
    assert isinstance(again, Conditioning)
    assert {name: tensor.tolist() for name, tensor in tensors_of(again).items()} == {
        name: tensor.tolist() for name, tensor in tensors_of(value).items()
    }


class Listening(RandomNetwork):
    """Remembers what it was told."""

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning = KINDS[0]) -> Tensor:  # noqa: ARG002
        self.told.append((len(x), conditioning))
        return x

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, Conditioning]] = []


def test_labels_and_nothing_are_joined_each_among_themselves() -> None:
    network = Listening()
    many = [LabelConditioning("tiny", torch.tensor([1])), LabelConditioning("tiny", torch.tensor([2])), *KINDS[2:] * 2]
    NetworkDenoiser(network, handle(PATHS["exploding"]))(torch.zeros(2, *SHAPE[1:]), 1.0, many)
    (count, labels), (others, nothing) = network.told
    assert isinstance(labels, LabelConditioning)
    assert labels.labels.tolist() == [1, 1, 2, 2]
    assert (count, others) == (4, 4)
    assert nothing == Unconditional("tiny")


def test_only_numbers_with_a_point_become_float32() -> None:
    half = on_cpu(TextConditioning("tiny", torch.zeros(1, 3, 8, dtype=torch.bfloat16)))
    assert half.embeddings.dtype == torch.float32
    assert half.pooled is None
    assert on_cpu(LabelConditioning("tiny", torch.tensor([7]))).labels.dtype == torch.int64


def test_a_network_that_is_told_another_kind_says_so() -> None:
    assert told(KINDS[0], TextConditioning) is KINDS[0]
    with pytest.raises(ValueError, match="is of kind LabelConditioning, but this denoiser takes TextConditioning"):
        told(KINDS[1], TextConditioning)


def test_conditionings_and_their_parts_are_told_apart() -> None:
    one, other = (TextConditioning("sd1", torch.ones(1, 2, 3)) for _ in range(2))
    both = Composition("sd1", (Part(one, 0.5), Part(other)))
    positive, negative = told_apart(one, both)
    assert positive.negative is not None
    assert not positive.negative.any()
    assert isinstance(negative, Composition)
    flags = [part.conditioning.negative for part in negative.parts]
    assert all(flag is not None and flag.all() for flag in flags)
    assert [part.strength for part in negative.parts] == [0.5, 1.0]
