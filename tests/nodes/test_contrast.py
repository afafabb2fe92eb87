"""Guiders that ask a weaker denoiser too, against diffusers' pipelines and written out; and how they are refused."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from nodes.sampling_oracles import SHAPE, RandomNetwork, handle
from nodes.test_guiders import CHAIN, words
from nodes.test_parity import (
    EULER,
    FLOW,
    LEADING,
    NEGATIVE,
    PROMPT,
    SCALE,
    SEED,
    SIZE,
    STEPS,
    node,
    pixels_of,
    problems_of,
    workflow,
)
from nodes.test_parity import alone as alone
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

import graphgen
from graphgen_nodes.perturbations import PerturbedAttention
from graphgen_nodes.sampling.denoiser import NetworkDenoiser
from graphgen_nodes.sampling.guidance import guided, together
from graphgen_nodes.sampling.guiders import (
    ClassifierFreeGuidance,
    ClippedGuidance,
    ContrastGuidance,
    NoGuidance,
    SwitchedGuidance,
)
from graphgen_nodes.sockets import Guider


def around(plan: dict[str, Any], kind: str, inputs: dict[str, str] | None = None, **settings: object) -> dict[str, Any]:
    """Put a guider around that of a workflow."""
    plan["nodes"]["around"] = node(kind, {"guider": "guider.guider", **(inputs or {})}, **settings)
    plan["nodes"]["sample"]["inputs"]["guider"] = "around.guider"
    return plan


def picture_of(plan: dict[str, Any]) -> Tensor:
    return pixels_of(graphgen.run(plan)["picture"])


def from_pipeline(pipeline: Any, **options: Any) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        generator = torch.Generator().manual_seed(SEED)
        found: Tensor = pipeline(
            PROMPT, negative_prompt=NEGATIVE, height=SIZE, width=SIZE, num_inference_steps=STEPS, guidance_scale=SCALE,
            generator=generator, output_type="pt", **options,
        ).images  # fmt: skip
    return found


@pytest.mark.parametrize(("theirs", "ours"), [("mid", "mid_block"), ("up_blocks.1", "up_blocks.1")])
def test_perturbed_attention_draws_what_diffusers_pipeline_draws(theirs: str, ours: str) -> None:
    from diffusers import EulerDiscreteScheduler, StableDiffusionPAGPipeline

    shared_tiny("sd1")
    plan = around(workflow("sd1", EULER, "samplers.euler"), "guiders.perturbed_attention", scale=3.0, layers=ours)
    found = picture_of(plan)
    pipeline = make_pipeline("sd1", seed=0)
    parts = {**pipeline.components, "image_encoder": None, "feature_extractor": None}
    parts["scheduler"] = EulerDiscreteScheduler.from_config(pipeline.scheduler.config, **LEADING)
    pag = StableDiffusionPAGPipeline(**parts, pag_applied_layers=[theirs], requires_safety_checker=False)
    difference = float((found - from_pipeline(pag, pag_scale=3.0)).abs().max())
    print(f"perturbed attention, {theirs}: {difference:.1e}")
    assert difference < 1e-4
    plain = picture_of(workflow("sd1", EULER, "samplers.euler"))
    assert float((found - plain).abs().max()) > 1e-3, "what changes nothing proves nothing"


def test_skipped_layers_draw_what_diffusers_pipeline_draws() -> None:
    shared_tiny("sd3")
    settings: dict[str, Any] = {"scale": 2.8, "layers": "1", "start": 0.1, "end": 0.8}
    found = picture_of(around(workflow("sd3", FLOW, "samplers.euler"), "guiders.skip_layers", **settings))
    told = {"skip_guidance_layers": [1], "skip_layer_guidance_scale": 2.8}
    told |= {"skip_layer_guidance_start": 0.1, "skip_layer_guidance_stop": 0.8}
    difference = float((found - from_pipeline(make_pipeline("sd3", seed=0), **told)).abs().max())
    print(f"skipped layers: {difference:.1e}")
    assert difference < 1e-4
    assert float((found - picture_of(workflow("sd3", FLOW, "samplers.euler"))).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("kind", "arch", "settings"),
    [
        ("guiders.perturbed_attention", "sd1", {"scale": 0.0}),
        ("guiders.skip_layers", "sd3", {"scale": 0.0, "layers": "0"}),
        ("guiders.autoguidance", "sd1", {"scale": 1.0}),
        ("guiders.autoguidance", "sd1", {"scale": 3.0}),
    ],
)
def test_no_scale_and_no_weakness_change_nothing(kind: str, arch: Arch, settings: dict[str, Any]) -> None:
    shared_tiny(arch)
    schedule = FLOW if arch == "sd3" else EULER
    inputs = {"weaker": "model.denoiser"} if kind == "guiders.autoguidance" else {}
    plain = picture_of(workflow(arch, schedule, "samplers.euler"))
    found = picture_of(around(workflow(arch, schedule, "samplers.euler"), kind, inputs, **settings))
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)  # batches of other sizes differ in the last bits


def test_the_example_draws_otherwise_than_without_it() -> None:
    example = Path(__file__).parents[2] / "workflows" / "perturbed_attention.json"
    plain, none, some = (
        pixels_of(graphgen.run(path, steps=2, **told)["picture"])
        for path, told in (
            (example.with_name("text_to_image.json"), {}),
            (example, {"perturbation": 0.0}),
            (example, {"perturbation": 2.0}),
        )
    )
    assert torch.equal(none, plain)
    assert float((some - plain).abs().max()) > 1e-2


# --- written out ----------------------------------------------------------------------------------------------------

STRONG, WEAK = handle(CHAIN), handle(CHAIN, precision="float16")
POSITIVE, NEGATED = words(0.5), words(-0.5)
CFG = ClassifierFreeGuidance(STRONG, POSITIVE, NEGATED, 4.0)
ALONE = NoGuidance(STRONG, POSITIVE)


def predict(guider: Guider, progress: float = 0.0) -> Tensor:
    acting = guider.at(progress)
    networks = [RandomNetwork(1 if handle == STRONG else 2) for handle in acting.denoisers]
    denoisers = [NetworkDenoiser(network, own) for network, own in zip(networks, acting.denoisers, strict=True)]
    return guided(together(denoisers), acting.guidance())(torch.ones(SHAPE), 2.0).denoised


def test_autoguidance_is_the_paper_s() -> None:
    strong, weak = predict(ALONE), predict(NoGuidance(WEAK, POSITIVE))
    assert torch.allclose(predict(ContrastGuidance(STRONG, ALONE, 1.5, WEAK)), weak + 2.5 * (strong - weak), atol=1e-5)


@pytest.mark.parametrize("inner", [CFG, ClippedGuidance(STRONG, CFG, -0.1, 0.1)], ids=["cfg", "clipped"])
def test_the_contrast_is_added_to_any_guider_s_prediction(inner: Guider) -> None:
    strong, weak = predict(ALONE), predict(NoGuidance(WEAK, POSITIVE))
    found = predict(ContrastGuidance(STRONG, inner, 2.0, WEAK))
    assert torch.allclose(found, predict(inner) + 2 * (strong - weak), atol=1e-5)


def test_contrasts_stand_inside_each_other() -> None:
    other = replace(WEAK, precision="bfloat16")
    once = ContrastGuidance(STRONG, CFG, 2.0, WEAK)
    twice = ContrastGuidance(STRONG, once, 0.5, other)
    assert [own.precision for own in twice.denoisers] == ["auto", "float16", "bfloat16"]
    strong, weak = predict(ALONE), predict(NoGuidance(WEAK, POSITIVE))
    assert torch.allclose(predict(twice), predict(once) + 0.5 * (strong - weak), atol=1e-5)


def test_the_positive_prediction_is_asked_for_once() -> None:
    inner = ContrastGuidance(STRONG, CFG, 2.0, WEAK)
    assert len(inner.guidance().conditionings(1.0)) == 3
    patched = ContrastGuidance(STRONG, ALONE, 2.0, None, PerturbedAttention(("mid_block",)))
    assert patched.denoisers == (STRONG, replace(STRONG, patches=(PerturbedAttention(("mid_block",)),)))
    assert len(patched.guidance().conditionings(1.0)) == 2


def test_it_acts_within_its_range_and_on_whichever_guider_has_its_turn() -> None:
    switched = SwitchedGuidance(STRONG, CFG, NoGuidance(WEAK, POSITIVE), 0.5)
    guider = ContrastGuidance(STRONG, switched, 2.0, None, PerturbedAttention(("mid_block",)), start=0.25, end=0.75)
    assert guider.at(0.2) == CFG
    assert guider.at(0.8) == NoGuidance(WEAK, POSITIVE)
    assert [own.precision for own in guider.at(0.3).denoisers] == ["auto", "auto"]
    assert [own.precision for own in guider.at(0.6).denoisers] == ["float16", "float16"]
    assert guider.at(0.3) == guider.at(0.4)


def test_a_guider_that_follows_nothing_of_its_own_is_refused() -> None:
    class Own(Guider):
        denoiser = STRONG

        def guidance(self) -> Any:
            return CFG.guidance()

    with pytest.raises(ValueError, match="a Own follows no conditioning of its own"):
        predict(ContrastGuidance(STRONG, Own(), 2.0, WEAK))


# --- refused --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_weaker_is_refused_before_anything_runs() -> None:
    for arch in ("sd1", "sd3"):
        shared_tiny(arch)
    attention = around(workflow("sd3", FLOW, "samplers.euler"), "guiders.perturbed_attention")
    assert any("around.guider: is of sd3, whose network has no such layers" in line for line in problems_of(attention))
    layers = around(workflow("sd1", EULER, "samplers.euler"), "guiders.skip_layers")
    assert any("use guiders.perturbed_attention" in line for line in problems_of(layers))
    other = around(workflow("sd1", EULER, "samplers.euler"), "guiders.autoguidance", {"weaker": "other.denoiser"})
    other["nodes"]["other"] = node("models.load", path="sd3")
    assert any("around.weaker: is a denoiser of another family" in line for line in problems_of(other))
    ranged = around(workflow("sd1", EULER, "samplers.euler"), "guiders.perturbed_attention", start=0.5, end=0.5)
    assert any("around.start: is 0.5, at or after the end" in line for line in problems_of(ranged))


def test_layers_that_are_not_there_are_named() -> None:
    shared_tiny("sd1")
    plan = around(workflow("sd1", EULER, "samplers.euler"), "guiders.perturbed_attention", layers="middle")
    with pytest.raises(Exception, match=r"no self-attention is in 'middle'; this model has some in .*mid_block"):
        graphgen.run(plan)
