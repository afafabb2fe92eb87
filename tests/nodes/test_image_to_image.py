"""Check image-to-image against diffusers' pipelines: a slice of the schedule from a picture's latent, for every family.

The families' workflows are run from the middle of their schedules on, in float32 on the CPU with tiny random weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from nodes.test_editing import HEIGHT, NEGATIVE, PROMPT, SEED, WIDTH, assert_close, machine, picture, workflow
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

import graphgen
from graphgen_nodes import Image

__all__ = ["machine"]  # a fixture

STEPS, STRENGTH = 6, 0.5
DDIM = {"timestep_spacing": "leading", "steps_offset": 1, "clip_sample": False, "set_alpha_to_one": False}

CASES: Mapping[Arch, tuple[str, str, dict[str, Any]]] = {
    "sd1": ("sd1", "StableDiffusionImg2ImgPipeline", {"negative_prompt": NEGATIVE, "guidance_scale": 5.0}),
    "sdxl": ("sdxl", "StableDiffusionXLImg2ImgPipeline", {"negative_prompt": NEGATIVE, "guidance_scale": 5.0}),
    "sd3": ("sd3", "StableDiffusion3Img2ImgPipeline", {"negative_prompt": NEGATIVE, "guidance_scale": 5.0}),
    "flux": ("flux_dev", "FluxImg2ImgPipeline", {"guidance_scale": 5.0}),
}
"""By model: its workflow, the pipeline, and what that is told besides."""


def ours(name: str, model: Arch, told: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Run a family's workflow from a picture on; return the picture drawn, and the latent that it began with."""
    plan = workflow(name)
    nodes = plan["nodes"]
    nodes["photo"] = {"type": "images.load", "settings": {"path": "picture.png"}}
    inputs = {"autoencoder": "model.autoencoder", "image": "photo.image"}
    nodes["encoded"] = {"type": "autoencoder.encode", "inputs": inputs}
    nodes["part"] = {
        "type": "schedules.slice",
        "inputs": {"schedule": "schedule.schedule"},
        "settings": {"start": 1 - STRENGTH},
    }
    nodes["sample"]["inputs"] |= {"latent": "encoded.latent", "schedule": "part.schedule"}
    if "latent" in nodes["schedule"]["inputs"]:
        nodes["schedule"]["inputs"]["latent"] = "encoded.latent"
    if model == "sd1":
        nodes["sampler"]["type"] = "samplers.ddim"  # PNDM's pipeline takes another part of its steps
    del nodes["latent"]
    for parameter in ("width", "height", "count"):
        del plan["parameters"][parameter]
    plan["outputs"]["begin"] = {"from": "encoded.latent"}
    values = {"prompt": PROMPT, "seed": SEED, "steps": STEPS, "model": model, "guidance": told["guidance_scale"]}
    if "negative_prompt" in told:
        values["negative"] = told["negative_prompt"]
    found = graphgen.run(plan, **values)
    drawn, begin = found["picture"], found["begin"]
    assert isinstance(drawn, Image)
    samples: Tensor = begin.samples  # type: ignore[attr-defined]
    return drawn.pixels, samples


@pytest.mark.parametrize("model", CASES)
def test_redrawing_a_picture_is_the_pipeline_s(model: Arch) -> None:
    import diffusers

    shared_tiny(model)
    name, kind, told = CASES[model]
    found, begin = ours(name, model, told)
    parts = make_pipeline(model, seed=0)
    more = {"requires_safety_checker": False} if model == "sd1" else {}
    pipeline = getattr(diffusers, kind)(**parts.components, **more)
    if model == "sd1":
        pipeline.scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config, **DDIM)
    pipeline.set_progress_bar_config(disable=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        expected = pipeline(
            PROMPT,
            image=begin,
            strength=STRENGTH,
            num_inference_steps=STEPS,
            generator=torch.Generator().manual_seed(SEED),
            output_type="pt",
            **({"height": HEIGHT, "width": WIDTH} if model in ("sd3", "flux") else {}),
            **told,
        ).images
    assert_close(found, expected, f"image to image, {model}")
    assert picture().size == (WIDTH, HEIGHT) == (found.shape[3], found.shape[2])
