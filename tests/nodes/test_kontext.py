"""Flux.1 Kontext against diffusers' pipeline, by workflows/flux_kontext.json, and what may not refer to a picture.

In float32 on the CPU with tiny random weights; docs/editing.md has the greatest difference of the range 0..1.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from nodes.test_editing import (
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
    picture,
    problems_of,
    workflow,
)
from tiny import make_pipeline, shared_tiny
from torch import Tensor

from graphgen import Facts, Refusal
from graphgen_nodes import GuidedConditioning, Latent, LatentFormat, TextConditioning
from graphgen_nodes.beside import check_reference
from graphgen_nodes.families.flux import positions, with_reference
from graphgen_nodes.packs import editing

__all__ = ["machine"]  # a fixture

FLUX = LatentFormat("flux", 16, 0.3611, 0.1159)


@pytest.fixture(autouse=True)
def model() -> None:
    shared_tiny("flux")


def kontext(size: tuple[int, int], **arguments: Any) -> Tensor:
    """Draw by diffusers' pipeline, which has the dev model's networks, referring to a picture of a size."""
    from diffusers import FluxKontextPipeline

    parts = make_pipeline("flux", seed=0).components
    pipeline = FluxKontextPipeline(**{name: part for name, part in parts.items() if part is not None})
    pipeline.set_progress_bar_config(disable=True)
    usual = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "max_area": WIDTH * HEIGHT}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        found = pipeline(
            prompt=PROMPT,
            image=picture().resize(size),
            width=WIDTH,
            height=HEIGHT,
            generator=torch.Generator().manual_seed(SEED),
            output_type="pt",
            _auto_resize=False,
            **usual,
            **arguments,
        ).images
    assert isinstance(found, Tensor)
    return found


def plan_for(size: tuple[int, int], folder: Path) -> dict[str, Any]:
    """Return the workflow for a picture to refer to of a size, which is there in that size."""
    picture().resize(size).save(folder / "inputs" / "picture.png")
    plan = workflow("flux_kontext")
    for name, value in zip(("width", "height"), size, strict=True):
        plan["parameters"][name]["sets"] = [f"latent.{name}"]
        plan["nodes"]["fitted"]["settings"][name] = value
    return plan


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (64, 96)])
def test_kontext_is_the_pipeline_s(size: tuple[int, int], tmp_path: Path) -> None:
    found = ours(plan_for(size, tmp_path), model="flux", negative=None)
    assert_close(found, kontext(size), f"Kontext, referring to {size}")
    plain = ours(workflow("flux_dev"), model="flux", negative=None, picture=None)
    assert float((found - plain).abs().max()) > 0.01, "the picture that is referred to counts"


def test_prompts_may_be_guided_that_refer_to_a_picture(tmp_path: Path) -> None:
    plan = plan_for((WIDTH, HEIGHT), tmp_path)
    nodes = plan["nodes"]
    nodes["no"] = {
        "type": "text.encode",
        "inputs": {"encoder": "model.text_encoder"},
        "settings": {"text": NEGATIVE},
    }
    nodes["told"] = {**nodes["positive"], "inputs": {"conditioning": "no.conditioning"}}
    nodes["away"] = {
        **nodes["referring"],
        "inputs": {**nodes["referring"]["inputs"], "conditioning": "told.conditioning"},
    }
    nodes["guider"] = {
        "type": "guiders.classifier_free",
        "inputs": {**nodes["guider"]["inputs"], "negative": "away.conditioning"},
        "settings": {"scale": 2.0},
    }
    plan["parameters"]["guidance"]["sets"].append("told.scale")
    found = ours(plan, model="flux", negative=None)
    assert_close(found, kontext((WIDTH, HEIGHT), negative_prompt=NEGATIVE, true_cfg_scale=2.0), "Kontext, guided")


def test_the_picture_s_tokens_come_after_and_lie_one_picture_on() -> None:
    tokens, places = with_reference(torch.zeros(1, 6, 64), positions(2, 3), torch.ones(1, 16, 4, 2))
    assert tokens.shape == (1, 8, 64)
    assert torch.equal(tokens[0, :, 0], torch.tensor([0.0] * 6 + [1.0] * 2))
    assert places[6:].tolist() == [[1, 0, 0], [1, 1, 0]]
    with pytest.raises(ValueError, match=r"conditioning.reference: has 64 numbers to a token.*takes 384"):
        with_reference(torch.zeros(1, 6, 384), positions(2, 3), torch.ones(1, 16, 4, 2))


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_model_that_sees_something_beside_the_latent_refers_to_nothing() -> None:
    shared_tiny("flux_fill")
    plan = workflow("flux_kontext")
    plan["nodes"]["fill"] = {"type": "models.load_denoiser", "settings": {"path": "flux_fill"}}
    plan["nodes"]["guider"]["inputs"]["denoiser"] = "fill.denoiser"
    plan["nodes"]["mask"] = {"type": "masks.solid", "settings": {"width": WIDTH, "height": HEIGHT}}
    plan["nodes"]["both"] = {
        "type": "editing.masked_picture",
        "inputs": {"conditioning": "referring.conditioning", "latent": "encoded.latent", "mask": "mask.mask"},
    }
    plan["nodes"]["guider"]["inputs"]["positive"] = "both.conditioning"
    found = problems_of(plan, model="flux", negative=None)
    assert "guider.positive: shows a picture to refer to, but this denoiser sees a mask and a masked picture" in found


def test_a_controlnet_and_a_picture_to_refer_to_exclude_each_other() -> None:
    steered: Facts = {"beside": "nothing", "control": [{"width": 96, "height": 64}]}
    with pytest.raises(
        Refusal, match="shows a picture to refer to, but a ControlNet follows a picture of what is drawn"
    ):
        check_reference(steered, {"reference": True}, "positive")
    check_reference(steered, {}, "positive")


def test_other_families_odd_sizes_and_second_pictures_are_refused() -> None:
    shared_tiny("sd3")
    plan = workflow("flux_kontext")
    plan["nodes"]["referring"]["inputs"]["conditioning"] = "prompt.conditioning"
    found = problems_of(plan, model="sd3", negative=None)
    assert "referring.conditioning: is for Stable Diffusion 3, which sees no picture to refer to" in found
    plan = workflow("flux_kontext")
    plan["nodes"]["fitted"]["settings"]["width"] = 72
    plan["parameters"]["width"]["sets"] = ["latent.width"]
    assert "referring.latent: is 72 pixels in width, which is no multiple of 16" in problems_of(
        plan, model="flux", negative=None
    )
    plan = workflow("flux_kontext")
    plan["nodes"]["again"] = {
        "type": "editing.reference",
        "inputs": {"conditioning": "referring.conditioning", "latent": "encoded.latent"},
    }
    plan["nodes"]["guider"]["inputs"]["positive"] = "again.conditioning"
    assert "again.conditioning: shows a picture to refer to already" in problems_of(plan, model="flux", negative=None)


def test_the_node_refuses_them_too() -> None:
    latent = Latent(torch.zeros(1, 16, 4, 4), FLUX)
    words = GuidedConditioning("flux", torch.zeros(1, 2, 8))
    once = editing.reference(words, latent)
    with pytest.raises(Refusal, match="shows a picture to refer to already"):
        editing.reference(once, latent)
    sd3 = LatentFormat("sd3", 16, 1.5305, 0.0609)
    with pytest.raises(Refusal, match="which sees no picture to refer to"):
        editing.reference(TextConditioning("sd3", torch.zeros(1, 2, 8)), Latent(latent.samples, sd3))
