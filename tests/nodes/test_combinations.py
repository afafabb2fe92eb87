"""Check that ways to steer a model act together: as diffusers' pipelines for both, or whichever comes first."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from engine_kit import N
from nodes.ip_adapter_kit import SIDE, adapter_for, vision
from nodes.test_editing import assert_close, ours, picture, theirs, workflow
from nodes.test_editing import machine as machine
from tiny import make_pipeline, shared_tiny
from torch import Tensor

from graphgen.errors import WorkflowError

IP_ADAPTER, ENCODER, CONTROL = "sd1_ip_adapter.safetensors", "image_encoder", "sd1_controlnet"


def seeing(plan: dict[str, Any], denoiser: str, strength: float = 1.0) -> str:
    """Add an IP-Adapter that sees the picture to a workflow; return its denoiser."""
    plan["nodes"] |= {
        "shown": N("images.load", {"path": "picture.png"}),
        "eye": N("image_encoder.load", {"path": ENCODER}),
        "read": N("image_encoder.encode", encoder="eye.image_encoder", image="shown.image"),
        "adapter": N("ip_adapter.load", {"path": IP_ADAPTER}),
    }
    plan["nodes"]["seeing"] = N(
        "ip_adapter.apply",
        {"strength": strength},
        denoiser=denoiser,
        adapter="adapter.ip_adapter",
        embedding="read.image_embedding",
    )
    return "seeing.denoiser"


def following(plan: dict[str, Any], denoiser: str, image: str) -> str:
    """Add a ControlNet that follows a picture to a workflow; return its denoiser."""
    plan["nodes"]["net"] = N("controlnet.load", {"path": CONTROL})
    plan["nodes"]["steered"] = N("controlnet.apply", denoiser=denoiser, controlnet="net.controlnet", image=image)
    return "steered.denoiser"


def test_an_ip_adapter_beside_instruct_pix2pix_is_the_pipeline_s() -> None:
    """Only the instructed prediction sees the adapter's picture; the two that are moved away from see nothing."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    shared_tiny("sd1")
    shared_tiny("pix2pix")
    plan = workflow("instruct_pix2pix")
    plan["nodes"]["guider"]["inputs"]["denoiser"] = seeing(plan, "model.denoiser")
    found = ours(plan, model="pix2pix")
    pipeline = make_pipeline("pix2pix", seed=0)
    processor = CLIPImageProcessorPil(size=SIDE, crop_size=SIDE)
    pipeline.register_modules(image_encoder=vision(), feature_extractor=processor)
    adapter = adapter_for("plus", make_pipeline("sd1", seed=0).unet, 0)
    pipeline.load_ip_adapter([adapter], subfolder=[""], weight_name=[""], image_encoder_folder=None)
    assert_close(found, theirs(pipeline, ip_adapter_image=picture()), "IP-Adapter beside InstructPix2Pix")


@pytest.mark.parametrize("method", ["guiders.dual", "guiders.perpendicular"])
def test_an_edit_of_a_prompt_is_guided_by_three_conditionings(method: str) -> None:
    """The first image is what it is without the edit, and the second another one."""
    shared_tiny("sd1")
    drawn = [_edited(method, edit=edit) for edit in (True, False)]
    torch.testing.assert_close(drawn[0][0], drawn[1][0], rtol=0, atol=1e-5)
    assert float((drawn[0][1] - drawn[1][1]).abs().max()) > 1e-3


def test_what_an_edit_and_a_picture_make_is_the_same_in_both_orders() -> None:
    """An edit of attention to the prompt leaves what an IP-Adapter added to it before."""
    shared_tiny("sd1")
    first, second = (_edited("guiders.classifier_free", order=order) for order in ("picture first", "edit first"))
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)
    assert float((first - _edited("guiders.classifier_free")).abs().max()) > 1e-3


def test_everything_at_once_is_drawn_and_each_part_counts() -> None:
    """LoRA, ControlNet, IP-Adapter and perturbed attention on one denoiser, guided by a composed prompt."""
    shared_tiny("sd1")
    parts = ("lora", "control", "picture", "perturbed", "composed")
    whole = _steered(parts)
    assert torch.equal(_steered(parts), whole)
    for part in parts:
        without = _steered(tuple(other for other in parts if other != part))
        assert float((whole - without).abs().max()) > 1e-5, part


@pytest.mark.parametrize("wired", [True, False])
def test_a_controlnet_for_a_region_alone_is_refused_before_anything_runs(wired: bool) -> None:
    """It follows a picture of the whole: for other prompts it may act, but not for one that sees a window."""
    shared_tiny("sd1")
    plan = workflow("text_to_image")
    nodes = plan["nodes"]
    nodes["left"] = N("conditioning.area", {"width": 0.5, "alone": True}, conditioning="positive.conditioning")
    nodes["together"] = N("conditioning.combine", conditionings=["left.conditioning", "negative.conditioning"])
    nodes["shown"] = N("images.load", {"path": "picture.png"})
    nodes["guider"]["inputs"] |= {
        "denoiser": following(plan, "model.denoiser", "shown.image"),
        "positive": "together.conditioning",
    }
    if wired:
        nodes["steered"]["inputs"]["conditioning"] = "together.conditioning"
    place = "steered.conditioning" if wired else "guider.positive"
    sizes: dict[str, Any] = {"width": None, "height": None, "picture": None}
    with pytest.raises(WorkflowError, match=rf"{place}: shows the model a region alone, but a ControlNet"):
        ours(plan, model="sd1", **sizes)


def _edited(method: str, *, edit: bool = True, order: str = "") -> Tensor:
    """Draw by Prompt-to-Prompt with another guider, and an IP-Adapter before or after the edit."""
    plan = workflow("prompt_to_prompt")
    nodes = plan["nodes"]
    if order == "picture first":
        nodes["edit"]["inputs"]["denoiser"] = seeing(plan, "model.denoiser", strength=0.7)
    denoiser = seeing(plan, "edit.denoiser", strength=0.7) if order == "edit first" else "edit.denoiser"
    wires: dict[str, Any] = {"denoiser": denoiser if edit else "model.denoiser", "positive": "edit.conditioning"}
    wires["negative"] = "negative.conditioning"
    if method == "guiders.dual":
        wires["middle"] = "negative.conditioning"
    if method == "guiders.perpendicular":
        wires["empty"] = "negative.conditioning"
    nodes["guider"] = N(method, {"scale": 3.0}, **wires)
    return ours(plan, model="sd1", edited="A green Apple, on 2 blue tables", picture=None)


def _steered(parts: tuple[str, ...]) -> Tensor:
    """Draw by a model that is steered in several ways."""
    plan = workflow("image_to_image")
    nodes, denoiser = plan["nodes"], "model.denoiser"
    plan["parameters"] |= {size: {"sets": [f"fitted.{size}"]} for size in ("width", "height")}
    if "lora" in parts:
        nodes["lora"] = N("lora.load", {"path": "sd1_lora.safetensors"}, denoiser=denoiser)
        denoiser = "lora.denoiser"
    if "picture" in parts:
        denoiser = seeing(plan, denoiser)
    if "control" in parts:
        denoiser = following(plan, denoiser, "fitted.image")
    if "composed" in parts:
        nodes["left"] = N("conditioning.area", {"width": 0.5}, conditioning="positive.conditioning")
        both = ["left.conditioning", "negative.conditioning"]
        nodes["together"] = N("conditioning.combine", conditionings=both)
    nodes["guider"]["inputs"] |= {"denoiser": denoiser}
    if "composed" in parts:
        nodes["guider"]["inputs"]["positive"] = "together.conditioning"
    if "perturbed" in parts:
        nodes["perturbed"] = N("guiders.perturbed_attention", {"layers": "mid_block"}, guider="guider.guider")
        nodes["sample"]["inputs"]["guider"] = "perturbed.guider"
    return ours(plan, model="sd1")
