"""Check SDXL and its refiner against diffusers' pipelines, by running the workflows that come along.

Tiny random weights, float32 on the CPU. The greatest difference allowed is 1e-3 of the range 0..1, before rounding.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

import graphgen
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen_nodes import Image

WORKFLOWS = Path(__file__).parents[2] / "workflows"
PROMPT, NEGATIVE = "A red Apple, on 2 blue tables", "blurry"
SEED, STEPS, GUIDANCE, WIDTH, HEIGHT = 7, 5, 5.0, 72, 56
USUAL: dict[str, JSON] = {"prompt": PROMPT, "seed": SEED, "steps": STEPS, "guidance": GUIDANCE}
SIZE: dict[str, JSON] = {"width": WIDTH, "height": HEIGHT}
CLOSE = 1e-4


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    archs: tuple[Arch, ...] = ("sdxl", "sdxl_refiner")
    for arch in archs:
        monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny(arch).folder.parent))


def workflow(name: str) -> dict[str, Any]:
    found = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def ours(plan: dict[str, Any], **parameters: JSON) -> Tensor:
    model: dict[str, JSON] = {"model": "sdxl", **({"refiner": "sdxl_refiner"} if "refiner" in plan["nodes"] else {})}
    image = graphgen.run(plan, **{**USUAL, **SIZE, **model, **parameters})["picture"]
    assert isinstance(image, Image)
    return image.pixels


def theirs(pipeline: Any, **options: Any) -> Tensor:
    usual = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "output_type": "pt"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        found = pipeline(PROMPT, generator=torch.Generator().manual_seed(SEED), **{**usual, **options}).images
    assert isinstance(found, Tensor)
    return found


def assert_close(found: Tensor, reference: Tensor, what: str, allowed: float = CLOSE) -> None:
    assert found.shape == reference.shape
    assert reference.std() > 0.05, "a flat picture proves nothing"
    difference = float((found - reference).abs().max())
    print(f"{what}: {difference:.1e}")
    assert difference < allowed


def of_base(**options: Any) -> Tensor:
    return theirs(make_pipeline("sdxl", seed=0), width=WIDTH, height=HEIGHT, **options)


# --- the base model -------------------------------------------------------------------------------------------------


def test_workflow_draws_as_the_pipeline_does_by_default() -> None:
    """No negative prompt is zeros, sizes are the picture's own, and so are sampler and schedule."""
    assert_close(ours(workflow("sdxl")), of_base(), "sdxl")


def test_single_file_draws_the_same() -> None:
    folder = ours(workflow("sdxl"), negative=NEGATIVE)
    assert_close(folder, of_base(negative_prompt=NEGATIVE), "sdxl with a negative prompt")
    assert_close(ours(workflow("sdxl"), negative=NEGATIVE, model="sdxl.safetensors"), folder, "single file", 1e-5)


def test_empty_prompt_can_be_read_out() -> None:
    """To the pipeline an empty negative prompt is another than none."""
    plan = workflow("sdxl")
    plan["nodes"]["negative"]["settings"]["empty"] = "encoded"
    found = ours(plan)
    assert_close(found, of_base(negative_prompt=""), "empty negative prompt read out")
    assert float((found - ours(workflow("sdxl"))).abs().max()) > 0.01


def test_each_encoder_reads_its_own_prompt() -> None:
    plan = workflow("sdxl")
    plan["nodes"]["positive"]["settings"]["text_2"] = "a cat"
    plan["nodes"]["negative"]["settings"]["text_2"] = "grey"
    expected = of_base(negative_prompt=NEGATIVE, prompt_2="a cat", negative_prompt_2="grey")
    assert_close(ours(plan, negative=NEGATIVE), expected, "second prompts")


def test_sizes_are_told() -> None:
    plan = workflow("sdxl")
    sizes = {"width": 500, "height": 300, "left": 16, "top": 8, "target_width": 640, "target_height": 320}
    for name in ("positive", "negative"):
        inputs = {"conditioning": f"{name}.conditioning"}
        plan["nodes"][f"sized_{name}"] = {"type": "conditioning.size", "inputs": inputs, "settings": sizes}
        plan["nodes"]["guider"]["inputs"][name] = f"sized_{name}.conditioning"
    found = ours(plan)
    told = {"original_size": (300, 500), "crops_coords_top_left": (8, 16), "target_size": (320, 640)}
    assert_close(found, of_base(**told), "sizes")
    assert float((found - ours(workflow("sdxl"))).abs().max()) > 0.01


def test_a_picture_of_a_batch_equals_its_single_run() -> None:
    batch = ours(workflow("sdxl"), count=2)
    assert_close(batch[1:], ours(workflow("sdxl"), seed=SEED + 1), "second of a batch", 1e-5)


# --- fine-tunes and distilled models --------------------------------------------------------------------------------

TRAILING = {"spacing": "trailing", "rounding": "none", "initial_noise": "sigma"}


def by_schedule(plan: dict[str, Any], **settings: JSON) -> dict[str, Any]:
    """Return a workflow whose schedule is that of EulerDiscreteScheduler with trailing timesteps."""
    schedule = {**plan["nodes"]["schedule"], "type": "schedules.model", "settings": {**TRAILING, **settings}}
    return {**plan, "nodes": {**plan["nodes"], "schedule": schedule}}


def test_v_prediction_down_to_pure_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with trainers' markers draws as a folder whose scheduler_config.json says it, and as the pipeline."""
    from diffusers import EulerDiscreteScheduler

    pipeline = make_pipeline("sdxl", seed=0)
    told = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config, **told)
    pipeline.save_pretrained(tmp_path / "v")
    marks = {"v_pred": torch.zeros(1), "ztsnr": torch.ones(1)}
    save_file({**load_file(shared_tiny("sdxl").file), **marks}, tmp_path / "v.safetensors")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(tmp_path))
    plan = by_schedule(workflow("sdxl"))
    plan["nodes"]["guider"]["settings"]["rescale"] = 0.7
    found = ours(plan, model="v")
    expected = theirs(pipeline, width=WIDTH, height=HEIGHT, guidance_rescale=0.7)
    assert_close(found, expected, "v, zero terminal SNR", 1e-3)
    assert_close(ours(plan, model="v.safetensors"), found, "the same by markers", 1e-5)


def test_distilled_models_load_as_plain_ones() -> None:
    """Lightning's way of drawing: few trailing steps along the slope, without guidance."""
    from diffusers import EulerDiscreteScheduler

    pipeline = make_pipeline("sdxl", seed=0)
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config, timestep_spacing="trailing")
    expected = theirs(pipeline, width=WIDTH, height=HEIGHT, guidance_scale=0.0, num_inference_steps=4)
    assert_close(ours(by_schedule(workflow("sdxl")), steps=4, guidance=1.0), expected, "few steps, unguided")


# --- the refiner ----------------------------------------------------------------------------------------------------


def of_both(refiner: Any, end: float) -> Tensor:
    """Draw with the base up to a share of the steps, and hand over to a pipeline."""
    latents = of_base(denoising_end=end, output_type="latent")
    return theirs(refiner, image=latents, denoising_start=end)


def test_refiner_takes_over_as_in_the_pipelines() -> None:
    """The latent handed over is still noisy; the refiner is told scores of 6 and, to keep away from, 2.5."""
    refiner = make_pipeline("sdxl_refiner", seed=0)
    refiner.vae = make_pipeline("sdxl", seed=0).vae
    expected = of_both(refiner, 0.6)
    found = ours(workflow("sdxl_refiner"), hand_over=0.6)
    assert_close(found, expected, "base and refiner")
    files: dict[str, JSON] = {"model": "sdxl.safetensors", "refiner": "sdxl_refiner.safetensors"}
    assert_close(ours(workflow("sdxl_refiner"), hand_over=0.6, **files), found, "single files", 1e-5)
    assert float((found - ours(workflow("sdxl_refiner"), hand_over=0.6, negative_score=6.0)).abs().max()) > 1e-3


def test_the_same_model_handed_over_to_is_one_run() -> None:
    split = ours(workflow("sdxl_refiner"), refiner="sdxl", hand_over=0.6, score=0.0, negative_score=0.0)
    assert_close(split, ours(workflow("sdxl")), "hand-over to the same model", 1e-5)


def test_refiner_redraws_a_picture() -> None:
    """Image-to-image at strength 0.6, which the refiner is used for as well, from the base's finished latent."""
    refiner = make_pipeline("sdxl_refiner", seed=0)
    refiner.vae = make_pipeline("sdxl", seed=0).vae
    latents = of_base(output_type="latent")
    expected = theirs(refiner, image=latents, strength=0.6, negative_prompt=NEGATIVE)
    plan = workflow("sdxl_refiner")
    plan["nodes"]["refined"]["settings"]["add_noise"] = True
    del plan["parameters"]["hand_over"], plan["nodes"]["first"]["settings"], plan["nodes"]["rest"]["settings"]
    plan["nodes"]["rest"]["settings"] = {"start": 0.4}
    plan["nodes"]["refiner_negative"]["settings"]["text"] = NEGATIVE
    plan["parameters"]["negative"]["sets"] = ["negative.text"]
    assert_close(ours(plan), expected, "refiner, image to image")


# --- what is refused ------------------------------------------------------------------------------------------------


def problems_of(plan: dict[str, Any], **parameters: JSON) -> str:
    with pytest.raises(WorkflowError) as caught:
        ours(plan, **parameters)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_refiner_wants_a_prompt_of_its_own_encoder() -> None:
    plan = workflow("sdxl_refiner")
    plan["nodes"]["refiner_guider"]["inputs"]["positive"] = "positive.conditioning"
    found = problems_of(plan)
    assert "refiner_guider.positive: is made for sdxl, but the denoiser is sdxl_refiner" in found
    assert "take the text encoder from the same model as the denoiser" in found


def test_what_a_model_is_not_told_is_refused() -> None:
    plan = workflow("sdxl_refiner")
    plan["nodes"]["fine"]["settings"]["target_width"] = 640
    plan["nodes"]["poor"]["inputs"]["conditioning"] = "negative.conditioning"
    found = problems_of(plan)
    assert "fine.target_width: is 640, which a model of sdxl_refiner is not told" in found
    assert "poor.score: is 2.5, which a model of sdxl is not told" in found
