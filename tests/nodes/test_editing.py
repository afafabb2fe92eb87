"""Check models that see a picture beside the latent against diffusers' pipelines: InstructPix2Pix and inpainting.

The workflows that come along are run, in float32 on the CPU with tiny random weights. docs/editing.md has the greatest
differences of the range 0..1, before rounding.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import EDITING, Arch, make_control, make_pipeline, shared_tiny
from torch import Tensor

import graphgen
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen_nodes import Conditioning, Image, Latent, SizedConditioning, TextConditioning
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.compositions import Composition, Region, parts_of, restricted
from graphgen_nodes.conditionings import same_prompt
from graphgen_nodes.families import family
from graphgen_nodes.families.flux import pack
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.sampling.composing import pieces_of
from graphgen_nodes.sampling.dual import DualGuidance
from graphgen_nodes.sampling.protocols import Prediction
from graphgen_nodes.weights import FamilyNetwork

WORKFLOWS = Path(__file__).parents[2] / "workflows"
PROMPT, NEGATIVE = "A red Apple, on 2 blue tables", "blurry"
SEED, STEPS, GUIDANCE, WIDTH, HEIGHT = 7, 5, 5.0, 96, 64
USUAL: dict[str, JSON] = {
    "prompt": PROMPT,
    "negative": NEGATIVE,
    "seed": SEED,
    "steps": STEPS,
    "guidance": GUIDANCE,
    "width": WIDTH,
    "height": HEIGHT,
    "picture": "picture.png",
}
CLOSE = 2e-4


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny("sd1").folder.parent))
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    monkeypatch.setenv("GRAPHGEN_INPUTS_DIR", str(inputs))
    picture().save(inputs / "picture.png")
    mask().save(inputs / "mask.png")


def picture() -> PIL.Image.Image:
    """Return a picture of which no part is like another."""
    across, down = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    pixels = np.stack([across, down, 0.5 + 0.5 * np.sin(9 * across * down)], axis=2)
    return PIL.Image.fromarray((255 * pixels).round().astype(np.uint8))


def mask() -> PIL.Image.Image:
    """Return a mask of which no side is at a cell's border."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[13:45, 20:71] = 255
    return PIL.Image.fromarray(values)


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def ours(plan: dict[str, Any], output: str = "picture", **parameters: Any) -> Tensor:
    found = graphgen.run(plan, **{name: value for name, value in (USUAL | parameters).items() if value is not None})
    image = found[output]
    assert isinstance(image, Image)
    return image.pixels


def theirs(pipeline: Any, **arguments: Any) -> Tensor:
    usual = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "negative_prompt": NEGATIVE}
    settings = {name: value for name, value in (usual | arguments).items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        found = pipeline(
            PROMPT, image=picture(), generator=torch.Generator().manual_seed(SEED), output_type="pt", **settings
        ).images
    assert isinstance(found, Tensor)
    return found


def assert_close(found: Tensor, expected: Tensor, what: str, allowed: float = CLOSE) -> None:
    assert expected.std() > 0.05, "a flat picture proves nothing"
    difference = float((found - expected).abs().max())
    print(f"{what}: {difference:.1e}")
    assert difference < allowed


# --- InstructPix2Pix ------------------------------------------------------------------------------------------------


def test_instruct_pix2pix_is_the_pipeline_s() -> None:
    shared_tiny("pix2pix")
    found = ours(workflow("instruct_pix2pix"), model="pix2pix", picture_guidance=1.3)
    assert_close(found, theirs(make_pipeline("pix2pix", seed=0), image_guidance_scale=1.3), "InstructPix2Pix")
    single = ours(workflow("instruct_pix2pix"), model="pix2pix.safetensors", picture_guidance=1.3)
    assert_close(single, found, "single file", 1e-5)


def test_instruct_pix2pix_of_sdxl_is_the_pipeline_s() -> None:
    shared_tiny("sdxl_pix2pix")
    found = ours(workflow("instruct_pix2pix"), model="sdxl_pix2pix", picture_guidance=1.3)
    pipeline = make_pipeline("sdxl_pix2pix", seed=0)
    expected = theirs(pipeline, image_guidance_scale=1.3, height=HEIGHT, width=WIDTH)
    assert_close(found, expected, "InstructPix2Pix of SDXL")
    other = theirs(pipeline, image_guidance_scale=1.0, height=HEIGHT, width=WIDTH)
    assert (expected - other).abs().max() > 0.01


def test_scales_of_one_are_the_positive_prediction() -> None:
    shared_tiny("pix2pix")
    dual = ours(workflow("instruct_pix2pix"), model="pix2pix", guidance=1.0, picture_guidance=1.0)
    plan = workflow("instruct_pix2pix")
    inputs = {"denoiser": "model.denoiser", "positive": "instructed.conditioning"}
    plan["nodes"]["guider"] = {"type": "guiders.none", "inputs": inputs}
    del plan["parameters"]["guidance"], plan["parameters"]["picture_guidance"]
    assert torch.equal(dual, ours(plan, model="pix2pix", guidance=None))


# --- inpainting -----------------------------------------------------------------------------------------------------


def test_inpainting_is_the_pipeline_s() -> None:
    shared_tiny("inpainting")
    expected = theirs(make_pipeline("inpainting", seed=0), mask_image=mask(), width=WIDTH, height=HEIGHT)
    found = ours(workflow("inpainting"), "painted", model="inpainting", mask="mask.png")
    assert_close(found, expected, "inpainting")
    single = ours(workflow("inpainting"), "painted", model="inpainting.safetensors", mask="mask.png")
    assert_close(single, found, "single file", 1e-5)


def test_inpainting_that_follows_a_picture_is_the_pipeline_s() -> None:
    """A ControlNet sees the latent alone, not what the denoiser sees beside it."""
    from diffusers import StableDiffusionControlNetInpaintPipeline

    shared_tiny("inpainting"), shared_tiny("sd1")
    plan = workflow("inpainting")
    plan["nodes"]["net"] = {"type": "controlnet.load", "settings": {"path": "sd1_controlnet"}}
    wires = {"denoiser": "model.denoiser", "controlnet": "net.controlnet", "image": "fitted.image"}
    plan["nodes"]["follow"] = {"type": "controlnet.apply", "inputs": wires}
    plan["nodes"]["guider"]["inputs"]["denoiser"] = "follow.denoiser"
    found = ours(plan, "painted", model="inpainting", mask="mask.png")
    net = make_control(make_pipeline("sd1", seed=0), 0)
    parts = {**make_pipeline("inpainting", seed=0).components, "controlnet": net}
    pipeline = StableDiffusionControlNetInpaintPipeline(**parts, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    given = {"mask_image": mask(), "control_image": picture(), "width": WIDTH, "height": HEIGHT}
    expected = theirs(pipeline, **given, controlnet_conditioning_scale=1.0)
    assert_close(found, expected, "inpainting that follows a picture")
    without = ours(workflow("inpainting"), "painted", model="inpainting", mask="mask.png")
    assert float((found - without).abs().max()) > 1e-3


def test_inpainting_with_sdxl_is_the_pipeline_s() -> None:
    shared_tiny("sdxl_inpainting")
    plan = workflow("inpainting")
    plan["nodes"]["sampler"] = {"type": "samplers.euler"}
    plan["nodes"]["schedule"]["settings"] = {"spacing": "leading", "steps_offset": 1, "rounding": "none"}
    found = ours(plan, "painted", model="sdxl_inpainting", mask="mask.png")
    pipeline = make_pipeline("sdxl_inpainting", seed=0)
    expected = theirs(pipeline, mask_image=mask(), width=WIDTH, height=HEIGHT, strength=1.0)
    assert_close(found, expected, "inpainting with SDXL")


def test_flux_fill_is_the_pipeline_s() -> None:
    shared_tiny("flux_fill")
    plan = workflow("inpainting")
    plan["nodes"]["sampler"] = {"type": "samplers.euler"}
    inputs = {"denoiser": "model.denoiser", "latent": "latent.latent"}
    plan["nodes"]["schedule"] = {"type": "schedules.default", "inputs": inputs}
    plan["nodes"]["told"] = {
        "type": "text.guidance",
        "inputs": {"conditioning": "yes.conditioning"},
        "settings": {"scale": 30.0},
    }
    plan["nodes"]["guider"] = {
        "type": "guiders.none",
        "inputs": {"denoiser": "model.denoiser", "positive": "told.conditioning"},
    }
    del plan["parameters"]["guidance"], plan["parameters"]["negative"], plan["nodes"]["no"], plan["nodes"]["negative"]
    found = ours(plan, "painted", model="flux_fill", mask="mask.png", guidance=None, negative=None)
    noise = torch.randn(1, 16, HEIGHT // 8, WIDTH // 8, generator=torch.Generator().manual_seed(SEED))
    expected = theirs(
        make_pipeline("flux_fill", seed=0),
        latents=pack(noise),  # it would draw for the picture first
        mask_image=mask(),
        width=WIDTH,
        height=HEIGHT,
        guidance_scale=30.0,
        negative_prompt=None,
    )
    assert_close(found, expected, "Flux.1 Fill")


def test_all_outside_the_mask_stays_as_it_was() -> None:
    shared_tiny("inpainting")
    plan = workflow("inpainting")
    plan["nodes"]["laid"]["inputs"]["mask"] = "mask.mask"
    found = ours(plan, model="inpainting", mask="mask.png")
    marked = torch.tensor(np.asarray(mask())) > 0
    before = torch.tensor(np.asarray(picture())).permute(2, 0, 1)[None].float() / 255
    assert torch.equal(found[:, :, ~marked], before[:, :, ~marked])
    assert float((found - before).abs()[:, :, marked].mean()) > 0.05


# --- what is seen beside the latent -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("arch", "base"), [("pix2pix", "sd1"), ("inpainting", "sd1"), ("sdxl_inpainting", "sdxl")])
def test_further_channels_without_weight_change_nothing(arch: Arch, base: Arch) -> None:
    """As such networks begin their training: from a text-to-image network, with zeros for the further channels."""
    plain, wide = make_pipeline(base, seed=0).unet, make_pipeline(arch, seed=0).unet
    wide.load_state_dict({**plain.state_dict(), "conv_in.weight": wide.conv_in.weight}, strict=True)
    wide.conv_in.weight[:, :4] = plain.conv_in.weight
    wide.conv_in.weight[:, 4:] = 0
    generator = torch.Generator().manual_seed(0)
    x, seen = (torch.randn(2, count, 8, 12, generator=generator) for count in (4, wide.config.in_channels - 4))
    words: dict[str, Any] = {"embeddings": torch.randn(2, 7, plain.config.cross_attention_dim, generator=generator)}
    told: Conditioning = TextConditioning(base, **words)
    if base == "sdxl":
        sizes: dict[str, Any] = {"sizes": torch.zeros(2, 6, dtype=torch.int64), "score": torch.zeros(2)}
        told = SizedConditioning(base, pooled=torch.randn(2, 32, generator=generator), **words, **sizes)
    timestep = torch.tensor([300.0, 300.0])
    without = FamilyNetwork(plain, family(base))(x, timestep, told)
    assert torch.equal(FamilyNetwork(wide, family(base))(x, timestep, replace(told, beside=seen)), without)
    wide.conv_in.weight[:, 4:] = 0.1
    assert not torch.equal(FamilyNetwork(wide, family(base))(x, timestep, replace(told, beside=seen)), without)


def test_a_network_says_what_it_lacks_or_has_too_much_of() -> None:
    network = FamilyNetwork(make_pipeline("inpainting", seed=0).unet, family("sd1"))
    x, timestep, words = torch.zeros(1, 4, 8, 8), torch.zeros(1), TextConditioning("sd1", torch.zeros(1, 7, 64))
    with pytest.raises(ValueError, match="has 0 channels, but the network takes 5 beside the latent's 4"):
        network(x, timestep, words)
    with pytest.raises(ValueError, match="has 4 channels, but the network takes 5"):
        network(x, timestep, replace(words, beside=torch.zeros(1, 4, 8, 8)))
    with pytest.raises(ValueError, match=r"has \(4, 8\) rows and columns, but the latent has \(8, 8\)"):
        network(x, timestep, replace(words, beside=torch.zeros(1, 5, 4, 8)))


def test_recognised_from_the_header_by_the_number_of_channels() -> None:
    kinds = {arch: denoiser_handle(open_checkpoint(shared_tiny(arch).file)) for arch in ("sd1", *EDITING)}
    assert {arch: (handle.family, handle.beside, handle.latent.channels) for arch, handle in kinds.items()} == {
        "sd1": ("sd1", "nothing", 4),
        "pix2pix": ("sd1", "picture", 4),
        "inpainting": ("sd1", "masked_picture", 4),
        "sdxl_inpainting": ("sdxl", "masked_picture", 4),
        "flux_fill": ("flux", "masked_picture", 16),
    }


def test_a_prompt_for_a_region_alone_is_shown_that_part_of_the_picture() -> None:
    seen = torch.randn(1, 4, 8, 8)
    words = TextConditioning("sd1", torch.zeros(1, 7, 64), beside=seen)
    half = restricted(words, Region(right=0.5, alone=True), 1.0)
    whole = Composition("sd1", (*parts_of(half), *parts_of(words)))
    first, second = pieces_of(whole, torch.zeros(1, 4, 8, 8))
    assert first.conditioning.beside is not None
    assert torch.equal(first.conditioning.beside, seen[..., :4])
    assert second.conditioning.beside is seen


# --- two scales ------------------------------------------------------------------------------------------------------


@given(st.floats(0, 20), st.floats(0, 20))
def test_dual_guidance_is_the_paper_s_formula(scale: float, middle_scale: float) -> None:
    """And what has no share in it is not asked for."""
    handle = denoiser_handle(open_checkpoint(shared_tiny("sd1").file))
    first, second, third = prompts = [TextConditioning("sd1", torch.zeros(1, 1, 1)) for _ in range(3)]
    guidance = DualGuidance(handle, first, second, third, scale, middle_scale).guidance()
    asked = guidance.conditionings(1.0)
    seen = [Prediction(torch.randn(2, 4)) for _ in prompts]
    positive, middle, negative = (prediction.denoised for prediction in seen)
    told = [next(own for one, own in zip(prompts, seen, strict=True) if same_prompt(one, prompt)) for prompt in asked]
    found = guidance.combine(torch.zeros(2, 4), 1.0, told).denoised
    expected = negative + scale * (positive - middle) + middle_scale * (middle - negative)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert any(same_prompt(prompt, second) for prompt in asked) is (scale != middle_scale)
    assert all(same_prompt(prompt, first) is not bool(prompt.negative) for prompt in asked)


# --- what is known and refused before anything runs -------------------------------------------------------------------


def problems_of(plan: dict[str, Any], **parameters: Any) -> str:
    with pytest.raises(WorkflowError) as caught:
        ours(plan, **parameters)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_a_prompt_that_shows_nothing_is_refused_with_the_node_to_add() -> None:
    shared_tiny("inpainting")
    plan = workflow("inpainting")
    plan["nodes"]["guider"]["inputs"]["positive"] = "positive.conditioning"
    plan["nodes"]["guider"]["inputs"]["negative"] = "shown.conditioning"
    inputs = {"conditioning": "negative.conditioning", "latent": "encoded.latent"}
    plan["nodes"]["shown"] = {"type": "editing.picture", "inputs": inputs}
    found = problems_of(plan, model="inpainting", mask="mask.png")
    assert "guider.positive: shows the denoiser nothing beside the latent, but this one sees a mask" in found
    assert "put editing.masked_picture between the prompt and the guider" in found
    plan["nodes"]["guider"]["inputs"]["positive"] = "yes.conditioning"
    assert "guider.negative: shows the denoiser a picture beside the latent" in problems_of(
        plan, model="inpainting", mask="mask.png"
    )


def test_a_picture_is_not_shown_to_a_model_that_sees_none() -> None:
    found = problems_of(workflow("instruct_pix2pix"), model="sd1")
    assert "guider.positive: shows the denoiser a picture beside the latent, but this one sees nothing there" in found


def test_sizes_and_latents_must_agree() -> None:
    shared_tiny("inpainting")
    plan = workflow("inpainting")
    plan["parameters"]["width"]["sets"].remove("latent.width")
    assert "sample.latent: has 64 columns, but what the denoiser sees beside it has 12" in problems_of(
        plan, model="inpainting", mask="mask.png"
    )
    plan = workflow("inpainting")
    shared_tiny("sdxl_inpainting")
    plan["nodes"]["other"] = {"type": "models.load_autoencoder", "settings": {"path": "sdxl_inpainting"}}
    plan["nodes"]["encoded"]["inputs"]["autoencoder"] = "other.autoencoder"
    assert "yes.latent: is a latent of sdxl, but sd1, which the prompt is for, has sd" in problems_of(
        plan, model="inpainting", mask="mask.png"
    )


# --- depths ----------------------------------------------------------------------------------------------------------


def test_depths_are_shown_as_the_pipeline_s_loop_does() -> None:
    """StableDiffusionDepth2ImgPipeline draws for the picture before the noise, so its loop is written out here."""
    shared_tiny("depth")
    plan = workflow("sd2")
    nodes = plan["nodes"]
    nodes["photo"] = {"type": "images.load", "settings": {"path": "picture.png"}}
    nodes["encoded"] = {
        "type": "autoencoder.encode",
        "inputs": {"autoencoder": "model.autoencoder", "image": "photo.image"},
    }
    nodes["near"] = {"type": "masks.from_image", "inputs": {"image": "photo.image"}, "settings": {"channel": "green"}}
    for name in ("positive", "negative"):
        inputs = {"conditioning": f"{name}.conditioning", "latent": "encoded.latent", "depths": "near.mask"}
        nodes[f"deep_{name}"] = {"type": "editing.depth", "inputs": inputs}
        nodes["guider"]["inputs"][name] = f"deep_{name}.conditioning"
    inputs = {"schedule": "schedule.schedule"}
    nodes["part"] = {"type": "schedules.slice", "inputs": inputs, "settings": {"start": 0.4}}
    nodes["sample"]["inputs"] |= {"schedule": "part.schedule", "latent": "encoded.latent"}
    plan["outputs"]["begin"] = {"from": "encoded.latent"}
    values = {name: USUAL[name] for name in ("prompt", "negative", "seed", "steps", "guidance")}
    found = graphgen.run(plan, **values, model="depth")
    drawn, begin = found["picture"], found["begin"]
    assert isinstance(drawn, Image)
    assert isinstance(begin, Latent)
    parts = make_pipeline("depth", seed=0)
    near = torch.tensor(np.asarray(picture()))[None, None, :, :, 1].float() / 255
    deep = torch.nn.functional.interpolate(near, size=(8, 12), mode="bicubic", align_corners=False)
    deep = 2 * (deep - deep.min()) / (deep.max() - deep.min()) - 1  # as its prepare_depth_map
    words = parts.tokenizer([NEGATIVE, PROMPT], padding="max_length", max_length=77, return_tensors="pt")
    parts.scheduler.set_timesteps(STEPS)
    timesteps = parts.scheduler.timesteps[STEPS * 2 // 5 :]
    noise = torch.randn(begin.samples.shape, generator=torch.Generator().manual_seed(SEED))
    x = parts.scheduler.add_noise(begin.samples, noise, timesteps[:1])
    with torch.no_grad():
        states = parts.text_encoder(words.input_ids).last_hidden_state
        for timestep in timesteps:
            seen = torch.cat([torch.cat([x, deep], dim=1)] * 2)
            without, along = parts.unet(seen, timestep, states).sample.chunk(2)
            x = parts.scheduler.step(without + GUIDANCE * (along - without), timestep, x).prev_sample
        expected = (parts.vae.decode(x / parts.vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)
    assert_close(drawn.pixels, expected, "depths")
    assert "put editing.depth between the prompt and the guider" in problems_of(
        workflow("sd2"), model="depth", picture=None
    )
