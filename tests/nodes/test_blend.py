"""`models.merge`: a weighted mean of two denoisers, made on copies, exact at both ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from nodes.test_patches import quiet
from tiny import make_tiny, shared_tiny
from torch import Tensor

from graphgen import Place, Refusal
from graphgen.residency import Residency
from graphgen_nodes import Denoiser
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.packs.models import merge


def handle(path: Path) -> Denoiser:
    return denoiser_handle(open_checkpoint(path))


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another SD 1, as its release's single file."""
    return make_tiny("sd1", 5, tmp_path_factory.mktemp("second")).file


@pytest.fixture(scope="module")
def residency() -> Residency:
    return Residency([ModelLoader()], Place("cpu", "float32"))


def weights(residency: Residency, wanted: Denoiser) -> dict[str, Tensor]:
    with residency.lease(wanted, quiet) as network:
        return {name: value.clone() for name, value in network.module.named_parameters()}  # type: ignore[attr-defined]


def test_weights_lie_between_those_of_two(second: Path, residency: Residency) -> None:
    """Blend a folder with a single file, whose tensors have other names; go all the way, and not at all."""
    one, other = handle(shared_tiny("sd1").folder), handle(second)
    first, last = weights(residency, one), weights(residency, other)
    for name, value in weights(residency, merge(one, other, ratio=0.25)).items():
        torch.testing.assert_close(value, 0.75 * first[name] + 0.25 * last[name])
    whole = weights(residency, merge(one, other, ratio=1.0))
    assert all(torch.equal(value, last[name]) for name, value in whole.items())
    assert residency.files(merge(one, other)) == sorted({*residency.files(one), second})
    assert merge(one, other, ratio=0.0) == one
    assert all(torch.equal(value, first[name]) for name, value in weights(residency, one).items())


def test_ratios_by_blocks_and_three_models(second: Path, residency: Residency) -> None:
    one, other = handle(shared_tiny("sd1").folder), handle(second)
    first, last = weights(residency, one), weights(residency, other)
    for name, value in weights(residency, merge(one, other, ratio=0.5, blocks="all 0, up 2")).items():
        assert torch.equal(value, last[name] if name.startswith("up_blocks") else first[name])
    for name, value in weights(residency, merge(merge(one, other, ratio=0.5), one, ratio=0.5)).items():
        torch.testing.assert_close(value, 0.75 * first[name] + 0.25 * last[name])


def test_what_is_of_another_kind_is_refused(second: Path, tmp_path: Path) -> None:
    one, other = handle(shared_tiny("sd1").folder), handle(second)
    with pytest.raises(Refusal, match="has another family than the first: sd2"):
        merge(one, handle(shared_tiny("sd2").folder))
    with pytest.raises(Refusal, match="has another prediction than the first: v"):
        merge(one, replace(other, prediction="v"))
    with pytest.raises(Refusal, match="is patched"):
        merge(one, merge(other, one))
