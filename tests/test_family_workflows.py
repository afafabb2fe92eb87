"""Each model family's workflow in workflows/ draws what diffusers' pipeline for the family draws by default.

Everything runs in float32 on the CPU with tiny random weights, through the very file, with its own sampler and
schedule; docs/families.md has the greatest differences of the range 0..1 before rounding.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

import graphgen
from graphgen_nodes import Image

WORKFLOWS = Path(__file__).parent.parent / "workflows"
PROMPT, NEGATIVE = "A red Apple, on 2 blue tables", "blurry"
SHARED: Mapping[str, Any] = {"prompt": PROMPT, "seed": 7, "steps": 5, "width": 96, "height": 64}

MODELS: Mapping[str, Arch] = {"sd1": "sd1", "sd2": "sd2", "sd3": "sd3", "flux_dev": "flux", "flux_schnell": "schnell"}

CASES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sd1": ({"negative": NEGATIVE, "guidance": 5.0}, {"negative_prompt": NEGATIVE, "guidance_scale": 5.0}),
    "sd2": ({"negative": NEGATIVE, "guidance": 5.0}, {"negative_prompt": NEGATIVE, "guidance_scale": 5.0}),
    "sd3": ({"negative": NEGATIVE, "guidance": 5.0}, {"negative_prompt": NEGATIVE, "guidance_scale": 5.0}),
    "flux_dev": ({"guidance": 5.0}, {"guidance_scale": 5.0}),
    "flux_schnell": ({}, {"guidance_scale": 0.0, "max_sequence_length": 256}),
}
"""What is set besides `SHARED`, by our parameters and by the pipeline's arguments."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "sd1": {"steps": 50, "guidance": 7.5, "width": 512, "height": 512},
    "sd2": {"steps": 50, "guidance": 7.5, "width": 768, "height": 768},
    "sd3": {"steps": 28, "guidance": 7.0, "width": 1024, "height": 1024},
    "flux_dev": {"steps": 28, "guidance": 3.5, "width": 1024, "height": 1024},
    "flux_schnell": {"steps": 4, "width": 1024, "height": 1024},
}
"""What the pipelines take where nothing is said, but for schnell's steps, which are those it was distilled for."""


@pytest.fixture(autouse=True)
def models(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared_tiny(MODELS[request.getfixturevalue("name")]).folder.parent
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(folder))


def drawn(name: str, model: str) -> Tensor:
    """Run the workflow on a model."""
    found = graphgen.run(WORKFLOWS / f"{name}.json", **SHARED, **CASES[name][0], model=model)["picture"]
    assert isinstance(found, Image)
    return found.pixels


def reference(name: str) -> Tensor:
    """Run the family's pipeline with the scheduler that its model comes with."""
    pipeline = make_pipeline(MODELS[name], seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        found = pipeline(
            PROMPT,
            width=SHARED["width"],
            height=SHARED["height"],
            num_inference_steps=SHARED["steps"],
            generator=torch.Generator().manual_seed(SHARED["seed"]),
            output_type="pt",
            **CASES[name][1],
        ).images
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_picture_is_the_pipeline_s(name: str) -> None:
    expected = reference(name)
    assert expected.std() > 0.05, "a flat picture proves nothing"
    folder = drawn(name, MODELS[name])
    difference = float((folder - expected).abs().max())
    print(f"{name}: {difference:.1e}")
    assert difference < 2e-4
    single = drawn(name, f"{MODELS[name]}.safetensors")
    assert float((single - folder).abs().max()) < 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_named_and_begin_with_the_pipeline_s_defaults(name: str) -> None:
    written = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    values = {}
    for parameter, about in written["parameters"].items():
        assert about["description"]
        node, setting = about["sets"][0].split(".")
        values[parameter] = written["nodes"][node]["settings"][setting]
    assert {parameter: values[parameter] for parameter in DEFAULTS[name]} == DEFAULTS[name]
    assert values.keys() == {"model", "count", *SHARED, *CASES[name][0]}
