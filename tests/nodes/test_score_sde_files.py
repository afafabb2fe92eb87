"""Checkpoints of score_sde: converted, recognised, and equal to the paper's network written out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from nodes.score_sde_kit import Reference, Settings, release
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from graphgen import Place
from graphgen_nodes.checkpoints import CheckpointError, open_checkpoint
from graphgen_nodes.checkpoints.converting import convert
from graphgen_nodes.checkpoints.unpickling import Refused, tensors_of
from graphgen_nodes.families.handles import autoencoder_handle, denoiser_handle
from graphgen_nodes.families.known import known_denoiser
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.sampling.paths import VarianceExploding
from graphgen_nodes.sockets import Unconditional

SIGMAS = torch.logspace(2, -2, 30, dtype=torch.float64)


def loaded(path: Path) -> object:
    found = ModelLoader().load(denoiser_handle(open_checkpoint(path)), Place("cpu", "float32"), lambda *_: None)
    return found.module


def saved(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file({f"module.{name}": value.contiguous() for name, value in tensors.items()}, path)
    return path


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(width=16, multiples=(1, 2, 8), layers=2, attends=(2,)),
        Settings(multiples=(1, 4, 4), attends=(1,)),
        Settings(layers=2, attends=()),
    ],
    ids=["two", "deep", "inside", "no"],
)
def test_the_released_network_gives_the_paper_s_score(settings: Settings, tmp_path: Path) -> None:
    tensors = release(settings, SIGMAS)
    network = loaded(saved(tmp_path / "church.safetensors", tensors))
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    sigma = torch.tensor([0.3, 40.0])
    found = network(x, sigma, Unconditional("ncsnpp"))  # type: ignore[operator]
    expected = Reference(settings, tensors)(x, sigma)
    found, expected = (value * sigma[:, None, None, None] for value in (found, expected))
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
    assert float(expected.std()) > 0.5


def test_headers_tell_family_levels_and_sizes(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(saved(tmp_path / "a.safetensors", release(Settings(), SIGMAS)))
    handle = denoiser_handle(checkpoint)
    assert (handle.family, handle.prediction, handle.path) == ("ncsnpp", "score", VarianceExploding(0.01, 100.0))
    assert autoencoder_handle(checkpoint).weights is None
    assert known_denoiser(checkpoint)["multiple"] == 2
    without = {name: value for name, value in release(Settings(), SIGMAS).items() if name != "sigmas"}
    assert denoiser_handle(open_checkpoint(saved(tmp_path / "b.safetensors", without))).path == VarianceExploding()


def test_other_networks_of_the_release_are_named(tmp_path: Path) -> None:
    tensors = release(Settings(), SIGMAS)
    flat = {name: value for name, value in tensors.items() if value.shape[2:] != (1, 1)}
    with pytest.raises(CheckpointError, match=r"NCSN\+\+ without pyramids.*graphgen can run"):
        denoiser_handle(open_checkpoint(saved(tmp_path / "cifar.safetensors", flat)))
    with pytest.raises(CheckpointError, match=r"DDPM or DDPM\+\+ of score_sde"):
        denoiser_handle(open_checkpoint(saved(tmp_path / "vp.safetensors", {"all_modules.0.weight": torch.ones(2, 2)})))
    for gone, said in (
        ("all_modules.5.", r"numbered up to \d+, but only"),
        ("all_modules.4.Conv_1", r"\.4 is unknown where an NCSN\+\+ of 2 levels has resnet"),
    ):
        broken = {name: value for name, value in tensors.items() if not name.startswith(gone)}
        with pytest.raises(CheckpointError, match=said):
            denoiser_handle(open_checkpoint(saved(tmp_path / "broken.safetensors", broken)))


def test_a_training_s_file_gives_its_averaged_weights(tmp_path: Path) -> None:
    """As score_sde saves it: averages without names, in the order of what is trained, buffers among the weights."""
    tensors = release(Settings(), SIGMAS)
    fixed = ("sigmas", "all_modules.0.W")
    averages = {name: value + 1 for name, value in tensors.items() if name not in fixed}
    state = {
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
        "model": {f"module.{name}": value for name, value in tensors.items()},
        "ema": {"decay": 0.999, "num_updates": 5, "shadow_params": list(averages.values())},
        "step": 3,
    }
    torch.save(state, tmp_path / "checkpoint_48.pth")
    said = convert(tmp_path / "checkpoint_48.pth", tmp_path / "made.safetensors")
    assert "the weights that ema.shadow_params averages" in said
    found = load_file(tmp_path / "made.safetensors")
    assert found.keys() == {f"module.{name}" for name in tensors}
    for name, value in tensors.items():
        assert torch.equal(found[f"module.{name}"], averages.get(name, value))
    loaded(tmp_path / "made.safetensors")


def test_averages_that_might_be_of_other_weights_are_refused() -> None:
    weights = {"a": torch.zeros(2), "b": torch.zeros(2), "c": torch.zeros(3)}
    with pytest.raises(Refused, match="in several ways"):
        tensors_of({"model": weights, "ema": {"shadow_params": [torch.ones(2), torch.ones(3)]}})
    with pytest.raises(Refused, match="in no way"):
        tensors_of({"model": weights, "ema": {"shadow_params": [torch.ones(3), torch.ones(2)]}})


def test_averages_are_in_the_order_of_torch_s_own_parameters() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.GroupNorm(1, 2))
    module.register_buffer("levels", torch.zeros(5))
    averages = [value.detach() + 1 for value in module.parameters()]
    tensors, _ = tensors_of({"model": module.state_dict(), "ema": {"shadow_params": averages}})
    for name, value in module.named_parameters():
        assert torch.equal(tensors[name], value + 1)
    assert torch.equal(tensors["levels"], torch.zeros(5))
