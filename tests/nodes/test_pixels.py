"""DDPM and NCSN++ against diffusers' pipelines, their mathematics against closed forms, and what they refuse.

All in float32 on the CPU with tiny random weights, by the workflows themselves. Reached, of the range 0..1: DDPM
4.8e-6, 3.2e-5 without clipping; NCSN++ 7.9e-6; interpolation 4.9e-5; original names give the same bits.
"""

from __future__ import annotations

import json
import shutil
import warnings
from math import sqrt
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from released import ddpm_unet
from safetensors.torch import load_file, save_file
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

import graphgen
from graphgen.errors import WorkflowError
from graphgen_nodes import Image, LatentFormat, VarianceExploding, VariancePreserving
from graphgen_nodes.checkpoints import CheckpointError, Part, open_checkpoint
from graphgen_nodes.families import families
from graphgen_nodes.families.handles import autoencoder_handle, denoiser_handle
from graphgen_nodes.imaging.autoencoder import latent_of, pixels_of
from graphgen_nodes.sampling import options, schedules
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.projections import project
from graphgen_nodes.sampling.protocols import Prediction, State
from graphgen_nodes.sockets import Noise

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SEED, STEPS, SIZE = 7, 6, 16
CHAIN = VariancePreserving(0.0001, 0.02, "linear", 1000)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arch in ("ddpm", "ncsnpp"):
        shared_tiny(arch)
    for root in ("inputs", "outputs", "cache", "data"):
        monkeypatch.setenv(f"GRAPHGEN_{root.upper()}_DIR", str(tmp_path / root))
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny("ddpm").folder.parent))
    monkeypatch.chdir(tmp_path)


def plan_of(name: str) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((WORKFLOWS / f"{name}.json").read_text())
    return plan


def ours(name: str, plan: dict[str, Any] | None = None, **parameters: Any) -> Tensor:
    tiny: dict[str, Any] = {"model": name, "size": SIZE, "steps": STEPS, "seed": SEED}
    picture = graphgen.run(plan or plan_of(name), **{**tiny, **parameters})["picture"]
    assert isinstance(picture, Image)
    return picture.pixels


def theirs(arch: Arch, **changes: Any) -> Tensor:
    pipeline = make_pipeline(arch, seed=0)
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **changes)
    generator = torch.Generator().manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own
        found = pipeline(num_inference_steps=STEPS, generator=generator, output_type="np").images
    return torch.from_numpy(found).movedim(-1, 1)


def difference(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    assert other.std() > 0.05, "a flat picture proves nothing"
    return float((one - other).abs().max())


# --- DDPM -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variance", "theirs_"), [("small", "fixed_small"), ("large", "fixed_large")])
def test_ddpm_equals_the_pipeline(variance: str, theirs_: str) -> None:
    assert difference(ours("ddpm", variance=variance), theirs("ddpm", variance_type=theirs_)) < 1e-4


def test_ddpm_without_clipping_equals_the_pipeline_without_it() -> None:
    plan = plan_of("ddpm")
    plan["nodes"]["sample"]["inputs"]["guider"] = "guider.guider"
    reference = theirs("ddpm", clip_sample=False)
    assert difference(ours("ddpm", plan), reference) < 5e-4
    assert difference(ours("ddpm"), reference) > 0.01


def test_original_names_give_the_folder_s_picture() -> None:
    assert difference(ours("ddpm", model="ddpm.safetensors"), ours("ddpm")) < 1e-4


PUBLISHED = {
    "CIFAR-10": ((128, 256, 256, 256), (1,), 35.7e6),
    "CelebA-HQ and LSUN": ((128, 128, 256, 256, 512, 512), (4,), 113.7e6),
}
"""Channels by level, the levels with attention, and how many parameters the paper tells (appendix B)."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_shapes_tell_the_published_sizes(name: str) -> None:
    """Read the paper's networks back from the first release's names and shapes."""
    from diffusers import UNet2DModel

    channels, attends, told = PUBLISHED[name]
    kinds = ["AttnDownBlock2D" if level in attends else "DownBlock2D" for level in range(len(channels))]
    ups = [kind.replace("Down", "Up") for kind in reversed(kinds)]
    with torch.device("meta"):
        module = UNet2DModel(
            block_out_channels=channels,
            down_block_types=tuple(kinds),
            up_block_types=tuple(ups),
            layers_per_block=2,
            attention_head_dim=None,
        )
    assert sum(value.numel() for value in module.parameters()) == pytest.approx(told, rel=0.005)
    released = ddpm_unet(module.state_dict(), levels=len(channels))
    shapes = {name: tuple(value.shape) for name, value in released.items()}
    part = Part("denoiser", Path("file"), "original", shapes, {})
    (found,) = [family for family in families().values() if family.is_denoiser(part)]
    sources = found.denoiser.architecture.sources(part)
    config = found.denoiser.architecture.configure(part, sources)
    with torch.device("meta"):
        rebuilt = found.denoiser.architecture.build(config)
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    assert {name: tuple(value.shape) for name, value in rebuilt.state_dict().items()} == wanted
    assert {name: source.shape for name, source in sources.items()} == wanted


def test_old_attention_names_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a folder saved before diffusers 0.18, as the published ones are."""
    folder = tmp_path / "models" / "old"
    shutil.copytree(shared_tiny("ddpm").folder, folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(file)
    for new, word in old.items():
        tensors = {name.replace(f".{new}.", f".{word}."): value for name, value in tensors.items()}
    save_file(tensors, file)
    picture = ours("ddpm")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(folder.parent))
    assert torch.equal(ours("ddpm", model="old"), picture)


def test_a_unet_whose_kind_nothing_tells_is_refused() -> None:
    file = shared_tiny("ddpm").folder / "unet" / "diffusion_pytorch_model.safetensors"
    with pytest.raises(CheckpointError, match=r"do not tell how its timesteps.*config\.json"):
        denoiser_handle(open_checkpoint(file))


def picture_file(path: Path, seed: int) -> Tensor:
    """Save a picture of noise as a PNG, and return its pixels in -1..1."""
    pixels = torch.randint(0, 256, (SIZE, SIZE, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    path.parent.mkdir(exist_ok=True)
    PIL.Image.fromarray(pixels.numpy()).save(path)
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1


@torch.no_grad()
def test_interpolation_is_that_of_the_paper(tmp_path: Path) -> None:
    """Noise both pictures to step t with one noise, mix, denoise: by diffusers' scheduler, in a plain loop."""
    ratio, keep = 0.3, 0.5
    first, second = (picture_file(tmp_path / "inputs" / f"{seed}.png", seed) for seed in (1, 2))
    pipeline = make_pipeline("ddpm", seed=0)
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(STEPS)
    timesteps = scheduler.timesteps[int(keep * STEPS) :]
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(first.shape, generator=generator)
    one, other = (scheduler.add_noise(picture, noise, timesteps[:1]) for picture in (first, second))
    x = (1 - ratio) * one + ratio * other
    for timestep in timesteps:
        x = scheduler.step(pipeline.unet(x, timestep).sample, timestep, x, generator=generator).prev_sample
    found = ours("ddpm_interpolation", None, model="ddpm", first="1.png", second="2.png", ratio=ratio, keep=keep)
    assert difference(found, (x / 2 + 0.5).clamp(0, 1)) < 5e-4


def test_the_chain_s_steps_add_up_to_its_closed_form() -> None:
    """Apply q(x_t | x_t-1) step by step: mean and variance are those that the path gives at once (equation 4)."""
    mean, variance = 1.0, 0.0
    for t in range(1000):
        beta = 0.0001 + (0.02 - 0.0001) * t / 999
        mean, variance = mean * sqrt(1 - beta), variance * (1 - beta) + beta
        sigma = CHAIN.sigmas[t]
        scale = CHAIN.input_scale(sigma)
        assert mean == pytest.approx(scale * CHAIN.alpha(sigma), rel=1e-9)
        assert sqrt(variance) == pytest.approx(scale * sigma, rel=1e-9)


def test_a_step_s_mean_and_deviation_are_the_posterior_s() -> None:
    """Draw q(x_t-1 | x_t, x_0) of equations 6 and 7, in the network's coordinates, for a known sample."""
    schedule = schedules.model(CHAIN, 1000, steps_offset=0)
    sample, x = 0.7, -1.3
    for i in (0, 500, 998):
        t = 999 - i
        (s, before), noise = schedule.sigmas[i : i + 2], NoiseSource(Noise(0), (1, 1, 1, 1), CHAIN)
        alpha_bar, alpha_bar_before = (CHAIN.input_scale(sigma) ** 2 for sigma in (s, before))
        beta = 0.0001 + (0.02 - 0.0001) * t / 999
        mean = sqrt(alpha_bar_before) * beta / (1 - alpha_bar) * sample
        mean += sqrt(1 - beta) * (1 - alpha_bar_before) / (1 - alpha_bar) * x
        deviation = sqrt((1 - alpha_bar_before) / (1 - alpha_bar) * beta)
        state = State(torch.full((1, 1, 1, 1), x / CHAIN.input_scale(s)))
        found = options.DDPM().algorithm(schedule).step(lambda x, _: Prediction(0 * x + sample), state, i, noise)
        drawn = mean + deviation * float(noise.draw(1))
        assert float(found.x) * CHAIN.input_scale(before) == pytest.approx(drawn, rel=1e-4)


# --- NCSN++ -----------------------------------------------------------------------------------------------------------


def test_ncsnpp_equals_the_pipeline() -> None:
    assert difference(ours("ncsnpp"), theirs("ncsnpp")) < 1e-4
    assert difference(ours("ncsnpp", corrections=2, snr=0.05), theirs("ncsnpp", correct_steps=2, snr=0.05)) < 1e-4
    assert difference(ours("ncsnpp", corrections=0), theirs("ncsnpp", correct_steps=0)) < 1e-4


def test_levels_come_from_the_scheduler_s_configuration() -> None:
    handle = denoiser_handle(open_checkpoint(shared_tiny("ncsnpp").folder))
    assert (handle.family, handle.prediction, handle.path) == ("ncsnpp", "score", VarianceExploding(0.01, 20.0))
    assert denoiser_handle(open_checkpoint(shared_tiny("ddpm").folder)).path == CHAIN


def test_annealed_langevin_runs_by_the_same_nodes() -> None:
    plan = plan_of("ncsnpp")
    plan["nodes"]["sampler"] = {"type": "samplers.annealed_langevin", "version": 1, "settings": {"inner_steps": 2}}
    plan["parameters"] = {name: plan["parameters"][name] for name in ("seed", "steps", "size", "model")}
    found = ours("ncsnpp", plan)
    assert found.shape == (1, 3, SIZE, SIZE)
    assert found.std() > 0.05


# --- pixels are latents -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ["ddpm", "ncsnpp"])
def test_pixels_go_through_the_identity_and_back(arch: Arch) -> None:
    handle = autoencoder_handle(open_checkpoint(shared_tiny(arch).folder))
    assert handle.weights is None
    image = Image(torch.rand(2, 4, 5, 6, generator=torch.Generator().manual_seed(0)))
    latent = latent_of(image, handle.latent)
    low = {"ddpm": -1.0, "ncsnpp": 0.0}[arch]
    assert low <= float(latent.samples.min()) < float(latent.samples.max()) <= 1
    torch.testing.assert_close(pixels_of(latent).pixels, image.pixels[:, :3], rtol=0, atol=1e-6)


def test_a_gray_model_sees_the_mean_and_makes_three_equal_channels() -> None:
    gray = LatentFormat("pixels", 1, 1.0, 0.0, 1)
    image = Image(torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)))
    found = pixels_of(latent_of(image, gray)).pixels
    torch.testing.assert_close(found, image.pixels.mean(dim=1, keepdim=True).expand(1, 3, 4, 4), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="is of 1 or 3 channels, and the model works on 6"):
        latent_of(image, LatentFormat("pixels", 6, 1.0, 0.0, 1))


def test_a_preview_of_pixels_is_the_picture() -> None:
    image = Image(torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)))
    target = LatentFormat("pixels", 3, 0.5, -1.0, 1)
    shown = project(latent_of(image, target).samples[0], target)
    torch.testing.assert_close(shown, image.pixels[0], rtol=0, atol=1e-6)


# --- what is refused --------------------------------------------------------------------------------------------------


def problems_of(plan: dict[str, Any], **parameters: Any) -> str:
    with pytest.raises(WorkflowError) as caught:
        graphgen.run(plan, **{"model": "ddpm", "size": SIZE, "steps": STEPS, **parameters})
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_what_cannot_work_is_refused_before_anything_runs() -> None:
    plan = plan_of("ddpm")
    assert "latent.width: is 17 pixels in width, which is no multiple of 2" in problems_of(plan, size=17)
    assert "this one learned none" in problems_of(plan, variance="learned")
    shared_tiny("sd1")
    plan["nodes"]["other"] = {"type": "models.load", "version": 1, "settings": {"path": "sd1"}}
    plan["nodes"]["decoded"]["inputs"]["autoencoder"] = "other.autoencoder"
    plan["nodes"]["words"] = {"type": "text.encode", "version": 1, "inputs": {"encoder": "model.text_encoder"}}
    plan["nodes"]["alone"] = {"type": "guiders.none", "version": 1, "inputs": {"denoiser": "other.denoiser"}}
    plan["nodes"]["clipped"]["settings"] = {"low": 1.0, "high": -1.0}
    found = problems_of(plan)
    assert "decoded.latent: is a latent of family pixels" in found
    assert "words.encoder: is of ddpm, which reads no text" in found
    assert "alone.positive: is not wired, but a denoiser of sd1 must be told a prompt" in found
    assert "clipped.low: is 1, at or above high -1" in found


def test_pictures_of_other_sizes_are_not_mixed(tmp_path: Path) -> None:
    for seed in (1, 2):
        picture_file(tmp_path / "inputs" / f"{seed}.png", seed)
    plan = plan_of("ddpm_interpolation")
    del plan["parameters"]["size"]
    for node, side in (("small_one", 16), ("small_other", 32)):
        plan["nodes"][node]["settings"] |= {"width": side, "height": side}
    with pytest.raises(WorkflowError, match="differs from the first one in width"):
        graphgen.run(plan, model="ddpm", first="1.png", second="2.png", steps=STEPS)
