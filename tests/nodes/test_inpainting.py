"""Check painting within a mask with any model: against diffusers' pipeline, and what must stay as it was."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nodes.test_editing import (
    CLOSE,
    GUIDANCE,
    HEIGHT,
    NEGATIVE,
    PROMPT,
    SEED,
    STEPS,
    WIDTH,
    assert_close,
    machine,
    ours,
    problems_of,
    workflow,
)
from tiny import make_pipeline, shared_tiny
from torch import Tensor

from graphgen_nodes import Image, Latent, LatentFormat, Mask, Noise, VariancePreserving
from graphgen_nodes.imaging import masks
from graphgen_nodes.sampling import driver, options, schedules
from graphgen_nodes.sampling.masked import MaskedSampler
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.protocols import Prediction

__all__ = ["machine"]  # a fixture

CHAIN = {"spacing": "leading", "steps_offset": 1, "final_sigma": "sigma_min"}
DDIM = {"timestep_spacing": "leading", "steps_offset": 1, "clip_sample": False, "set_alpha_to_one": False}


def plain(strength: float) -> dict[str, Any]:
    """Return the workflow as StableDiffusionInpaintPipeline paints with networks of four channels, by DDIM."""
    plan = workflow("inpaint")
    nodes, sizes = plan["nodes"], {"width": WIDTH, "height": HEIGHT}
    nodes["fitted"]["settings"] |= sizes
    nodes["mask"]["settings"] |= {**sizes, "method": "nearest"}
    nodes["method"]["type"] = "samplers.ddim"
    nodes["schedule"] = {"type": "schedules.model", "inputs": {"denoiser": "model.denoiser"}, "settings": CHAIN}
    nodes["part"]["settings"] = {"start": 1 - strength}
    if strength == 1:
        nodes["empty"] = {"type": "latents.empty", "inputs": {"denoiser": "model.denoiser"}, "settings": sizes}
        nodes["sample"]["inputs"]["latent"] = "empty.latent"
    plan["outputs"] = {"picture": {"from": "decoded.image"}}
    for name in ("enlarged", "upscaler", "save"):
        del nodes[name]
    return plan


def blocky() -> Tensor:
    """Return a mask whose sides are at the cells' borders."""
    values = torch.zeros(1, 1, HEIGHT, WIDTH)
    values[..., 16:48, 24:72] = 1
    return values


@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_painting_with_four_channels_is_the_pipeline_s(strength: float, tmp_path: Any) -> None:
    import diffusers
    import PIL.Image

    shared_tiny("sd1")
    PIL.Image.fromarray((255 * blocky()[0, 0]).byte().numpy()).save(tmp_path / "inputs" / "mask.png")
    found = ours(plain(strength), model="sd1", mask="mask.png", width=None, height=None)
    parts = make_pipeline("sd1", seed=0).components
    pipeline = diffusers.StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False)
    pipeline.scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config, **DDIM)
    pipeline.set_progress_bar_config(disable=True)
    picture = torch.tensor(np.asarray(PIL.Image.open(tmp_path / "inputs" / "picture.png"))).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        latent = pipeline.vae.encode(picture * 2 - 1).latent_dist.mode() * pipeline.vae.config.scaling_factor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        expected = pipeline(
            PROMPT,
            negative_prompt=NEGATIVE,
            image=latent,
            masked_image_latents=latent,
            mask_image=blocky(),
            width=WIDTH,
            height=HEIGHT,
            strength=strength,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(SEED),
            output_type="pt",
        ).images
    assert_close(found, expected, f"four channels, strength {strength}", CLOSE)


# --- the algorithm ---------------------------------------------------------------------------------------------------

FORMAT = LatentFormat("sd", 4, 0.18215)
PATH = VariancePreserving(0.00085, 0.012, "scaled_linear", 1000)
METHODS = st.sampled_from(
    [options.Euler(), options.EulerAncestral(), options.Heun(), options.DPMpp2M(), options.DPMppSDE(), options.LMS(),
     options.PNDM(), options.UniPC(), options.LCM()]
)  # fmt: skip
LATENT = Latent(torch.randn(1, 4, 4, 6, generator=torch.Generator().manual_seed(3)), FORMAT)


def denoise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
    """Predict something that depends on all of x."""
    return Prediction(0.3 * x / (1 + sigma) + 0.1 * x.mean())


def mask_of(values: Tensor) -> Mask:
    return Mask(values.repeat_interleave(8, 1).repeat_interleave(8, 2))


@given(METHODS, st.integers(0, 2**24 - 1), st.sampled_from([0, 2]), st.sampled_from(["blend", "differential"]))
def test_what_is_not_marked_comes_out_exactly_and_a_resumed_run_is_the_same(
    method: Any, marks: int, start: int, grey: Any
) -> None:
    values = torch.tensor([float(marks >> bit & 1) for bit in range(24)]).reshape(1, 4, 6)
    sampler = MaskedSampler(method, LATENT, mask_of(values), grey)
    schedule = replace(schedules.model(PATH, 6), start=start)
    noise = NoiseSource(Noise(5), (2, 4, 4, 6), PATH)
    states = [driver.begin(sampler, schedule, noise, LATENT.samples)]
    states += driver.trajectory(denoise, sampler, schedule, noise, states[0])
    kept = (values == 0)[:, None].expand(2, 4, -1, -1)
    for found in driver.result(schedule, states[-1]):
        assert torch.equal(found[kept], LATENT.samples.expand(2, -1, -1, -1)[kept])
    middle = states[3]
    again = list(driver.trajectory(denoise, sampler, schedule, NoiseSource(Noise(5), (2, 4, 4, 6), PATH), middle))
    assert torch.equal(again[-1].x, states[-1].x)


@given(METHODS)
def test_a_mask_of_ones_changes_nothing(method: Any) -> None:
    schedule = schedules.model(PATH, 6)
    noise = NoiseSource(Noise(5), (1, 4, 4, 6), PATH)
    sampler = MaskedSampler(method, LATENT, mask_of(torch.ones(1, 4, 6)))
    runs = [driver.sample(denoise, found, schedule, noise, LATENT.samples).x for found in (method, sampler)]
    torch.testing.assert_close(*runs, rtol=0, atol=0)


def test_grey_is_the_strength_of_each_place() -> None:
    """A network that looks at each place alone: what is marked by m comes out as image-to-image of strength m."""

    def pointwise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        return Prediction(0.3 * x / (1 + sigma) + 0.1)

    schedule = schedules.model(PATH, 5)
    noise = NoiseSource(Noise(5), (1, 4, 4, 6), PATH)
    strengths = torch.tensor([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    sampler = MaskedSampler(options.Euler(), LATENT, mask_of(strengths.expand(1, 4, 6)), "differential")
    found = driver.result(schedule, driver.sample(pointwise, sampler, schedule, noise, LATENT.samples))[0]
    assert torch.equal(found[..., 0], LATENT.samples[..., 0])
    for column in range(1, 6):
        part = replace(schedule, start=5 - column)
        state = driver.sample(pointwise, options.Euler(), part, noise, LATENT.samples)
        alone = driver.result(part, state)[0]
        torch.testing.assert_close(found[..., column], alone[..., column], rtol=1e-5, atol=1e-5)


def test_a_latent_of_another_size_is_refused() -> None:
    sampler = MaskedSampler(options.Euler(), LATENT, mask_of(torch.ones(1, 4, 6)))
    noise = NoiseSource(Noise(5), (1, 4, 8, 8), PATH)
    with pytest.raises(ValueError, match=r"is \(1, 4, 4, 6\), but \(1, 4, 8, 8\) is sampled"):
        driver.sample(denoise, sampler, schedules.model(PATH, 3), noise, torch.zeros(1, 4, 8, 8))


def test_what_does_not_fit_is_refused_before_anything_runs() -> None:
    plan = workflow("inpaint")
    plan["nodes"]["empty"] = {
        "type": "latents.empty",
        "inputs": {"denoiser": "model.denoiser"},
        "settings": {"width": 128, "height": 64},
    }
    plan["nodes"]["sample"]["inputs"]["latent"] = "empty.latent"
    plan["nodes"]["small"] = {"type": "masks.solid", "settings": {"width": 32, "height": 32}}
    told = {"model": "sd1", "mask": "mask.png", "width": None, "height": None}
    assert "sample.latent: differs in columns from the picture that editing.inpaint keeps" in problems_of(plan, **told)
    plan["nodes"]["sampler"]["inputs"]["mask"] = "small.mask"
    assert "sampler.mask: latent is 64 x 64, mask is 32 x 32" in problems_of(plan, **told)


# --- beyond the edges ------------------------------------------------------------------------------------------------


@given(st.tuples(*[st.integers(0, 9)] * 4), st.integers(0, 5))
def test_an_extended_picture_holds_the_one_before(sides: tuple[int, int, int, int], feather: int) -> None:
    before = torch.rand(2, 3, 12, 10)
    left, top, right, bottom = sides
    found, mask = masks.extend(Image(before), masks.Border(*sides), feather)
    assert found.pixels.shape == (2, 3, 12 + top + bottom, 10 + left + right)
    assert mask.values.shape == (2, 12 + top + bottom, 10 + left + right)
    inside = (slice(None), slice(top, top + 12), slice(left, left + 10))
    assert torch.equal(found.pixels[:, :, inside[1], inside[2]], before)
    outside = torch.ones_like(mask.values, dtype=torch.bool)
    outside[inside] = False
    assert bool((mask.values[outside] == 1).all())
    kept = mask.values[inside]
    assert bool((kept < 1).all())
    assert bool((kept[:, feather : 12 - feather, feather : 10 - feather] == 0).all())
    if feather and left:
        assert float(kept[0, 6, 0]) == pytest.approx(feather / (feather + 1))


def test_the_border_has_the_edges_colours() -> None:
    before = torch.rand(1, 3, 4, 4)
    found, _ = masks.extend(Image(before), masks.Border(2, 0, 0, 3), 0)
    assert torch.equal(found.pixels[..., :4, :2], before[..., :1].expand(-1, -1, -1, 2))
    assert torch.equal(found.pixels[..., 4:, 2:], before[..., -1:, :].expand(-1, -1, 3, -1))
