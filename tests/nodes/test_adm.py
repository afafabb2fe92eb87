"""OpenAI's releases: told apart by headers, equal to the papers' network written out, sampled by the same nodes.

Reached in float32 on the CPU with random weights: 3.1e-6 of outputs of deviation 1; of a picture, 8.0e-5 of the range
0..1, since diffusers multiplies the cosine schedule's betas in single precision.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from nodes.adm_kit import Reference, Settings, release
from safetensors.torch import save_file
from torch import Tensor

import graphgen
from graphgen import Place
from graphgen.errors import WorkflowError
from graphgen_nodes import Image
from graphgen_nodes.checkpoints import CheckpointError, open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.families.known import known_denoiser
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.sampling.paths import VariancePreserving
from graphgen_nodes.sockets import LabelConditioning, Unconditional

LINEAR = VariancePreserving(0.0001, 0.02, "linear", 1000)
COSINE = VariancePreserving(0.0001, 0.02, "cosine", 1000)
LONG = VariancePreserving(0.1 / 4000, 20 / 4000, "cosine", 4000)

MAKES = {
    "guided_64": (Settings(layers=3, mixed=False, classes=5), COSINE),
    "guided_128": (Settings(multiples=(1, 1, 2, 3, 4), width=32, layers=1, attends=(2, 4), heads=4, classes=5), LINEAR),
    "guided_256": (Settings(multiples=(1, 1, 2), attends=(1, 2)), LINEAR),
    "guided_512": (Settings(width=128, multiples=(0.5, 1), layers=1, classes=3), LINEAR),
    "improved_64": (Settings(layers=3, heads=4, resizes=False, timestep_scale=0.25), LONG),
    "improved_labels": (Settings(heads=4, resizes=False, classes=5), LONG),
    "improved_lsun": (Settings(heads=1, resizes=False, modulates=False), LINEAR),
}


def saved(path: Path, settings: Settings) -> tuple[Path, dict[str, Tensor]]:
    tensors = release(settings)
    save_file(tensors, path)
    return path, tensors


@pytest.mark.parametrize("make", MAKES)
def test_the_released_network_gives_what_the_paper_s_gives(make: str, tmp_path: Path) -> None:
    settings, path = MAKES[make]
    file, tensors = saved(tmp_path / "model.safetensors", settings)
    handle = denoiser_handle(open_checkpoint(file))
    assert (handle.family, handle.prediction, handle.classes) == ("adm", "epsilon", settings.classes)
    assert handle.path == path
    network: Any = ModelLoader().load(handle, Place("cpu", "float32"), lambda *_: None).module
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    timestep, labels = torch.tensor([3.0, 700.0]), torch.tensor([0, 2]) if settings.classes else None
    told = Unconditional("adm") if labels is None else LabelConditioning("adm", labels)
    expected = Reference(settings, tensors)(x, timestep, labels)
    torch.testing.assert_close(network(x, timestep, told), expected, rtol=0, atol=2e-5)
    assert 0.3 < float(expected.std()) < 3


def test_what_is_known_before_anything_runs(tmp_path: Path) -> None:
    file, _ = saved(tmp_path / "model.safetensors", Settings(multiples=(1, 1, 2), classes=5))
    known = known_denoiser(open_checkpoint(file))
    assert (known["multiple"], known["learned_variance"], known["classes"]) == (4, True, 5)


def test_relatives_that_cannot_be_run_are_refused(tmp_path: Path) -> None:
    larger, _ = saved(tmp_path / "upsampler.safetensors", Settings(taken=6))
    with pytest.raises(CheckpointError, match="enlarges pictures"):
        denoiser_handle(open_checkpoint(larger))
    consistency, _ = saved(tmp_path / "cd.safetensors", Settings(given=3))
    with pytest.raises(CheckpointError, match="nothing in it tells what its network predicts"):
        denoiser_handle(open_checkpoint(consistency))
    file, tensors = saved(tmp_path / "half.safetensors", Settings())
    save_file({name: value for name, value in tensors.items() if not name.startswith("output_blocks.5")}, file)
    with pytest.raises(CheckpointError, match="5 output_blocks do not make levels of 3 blocks"):
        denoiser_handle(open_checkpoint(file))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for root in ("models", "inputs", "outputs", "cache", "data"):
        monkeypatch.setenv(f"GRAPHGEN_{root.upper()}_DIR", str(tmp_path / root))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def plan_of(file: Path, label: str) -> dict[str, Any]:
    """Return the workflow of DDPM, told a class, with the variance that the network learned."""
    plan: dict[str, Any] = json.loads((Path(__file__).parents[2] / "workflows" / "ddpm.json").read_text())
    plan["nodes"]["label"] = {
        "type": "conditioning.label",
        "version": 1,
        "inputs": {"denoiser": "model.denoiser"},
        "settings": {"label": label},
    }
    plan["nodes"]["guider"]["inputs"]["positive"] = "label.conditioning"
    plan["parameters"] = {}
    plan["nodes"]["model"]["settings"]["path"] = file.name
    plan["nodes"]["sampler"]["settings"]["variance"] = "learned"
    plan["nodes"]["schedule"]["settings"]["steps"] = 5
    plan["nodes"]["latent"]["settings"] = {"width": 16, "height": 16, "batch": 1}
    return plan


@torch.no_grad()
def test_sampling_equals_a_loop_over_diffusers_scheduler(models: Path) -> None:
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    settings = Settings(layers=3, mixed=False, classes=5)
    file, tensors = saved(models / "64x64_diffusion.safetensors", settings)
    found = graphgen.run(plan_of(file, "2"))["picture"]
    assert isinstance(found, Image)
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="learned_range", clip_sample=True)
    scheduler.set_timesteps(5)
    generator = torch.Generator().manual_seed(7)
    x, network = torch.randn(1, 3, 16, 16, generator=generator), Reference(settings, tensors)
    for timestep in scheduler.timesteps:
        output = network(x, timestep[None].float(), torch.tensor([2]))
        x = scheduler.step(output, timestep, x, generator=generator).prev_sample
    expected = (x / 2 + 0.5).clamp(0, 1)
    assert float(expected.std()) > 0.05
    torch.testing.assert_close(found.pixels, expected, rtol=0, atol=5e-4)


def test_there_is_no_null_class(models: Path) -> None:
    file, _ = saved(models / "model.safetensors", Settings(classes=5))
    with pytest.raises(WorkflowError, match=r"label\.label: is empty, but models of adm know no null class"):
        graphgen.run(plan_of(file, ""))
    with pytest.raises(WorkflowError, match=r"label\.label: is 5; allowed are 0 to 4"):
        graphgen.run(plan_of(file, "5"))
