"""`workflows/prompt_to_prompt_real.json`: a picture comes back from its noise, beside an edit that keeps its shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.jsontypes import JSON

WORKFLOW = Path(__file__).parents[2] / "workflows" / "prompt_to_prompt_real.json"
SAME = "a red apple on a white background"


@pytest.fixture(scope="module")
def made() -> Iterator[Engine]:
    with Engine(Config.load({})) as found:
        yield found


def drawn(made: Engine, *, plain: bool = False, **given: JSON) -> dict[str, Tensor]:
    """Return the two pictures and their latents, and the picture's own as the autoencoder has them."""
    workflow: dict[str, Any] = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    workflow["nodes"]["there"] = {
        **workflow["nodes"]["decoded"],
        "inputs": {"autoencoder": "model.autoencoder", "latent": "encoded.latent"},
    }
    if plain:
        workflow["nodes"]["guider"]["inputs"]["denoiser"] = "model.denoiser"
    wires = {
        "pictures": "decoded.image",
        "there": "there.image",
        "latents": "sample.latent",
        "encoded": "encoded.latent",
    }
    workflow["outputs"] = {name: {"from": wire} for name, wire in wires.items()}
    report = made.run(workflow, given)
    assert report.status == "done", report.failures
    values: dict[str, Any] = dict(report.outputs)
    return {name: value.pixels if hasattr(value, "pixels") else value.samples for name, value in values.items()}


def test_with_the_same_prompt_the_picture_comes_back_twice(made: Engine) -> None:
    """Whatever the scale: the negative prompt is the picture's own (Miyake et al. 2023)."""
    found = drawn(made, edited=SAME, steps=12, guidance=3.0)
    own = found["encoded"]
    latent = float((found["latents"] - own).abs().max() / (own.max() - own.min()))
    pixels = float((found["pictures"] - found["there"]).abs().max())
    print(f"{latent:.1e} of the latent's range, {pixels:.1e} of a pixel's")
    assert latent < 0.01
    assert pixels < 0.02


def test_an_apple_turns_green_and_stays_where_it_is(made: Engine) -> None:
    edited, plain = (drawn(made, plain=plain, steps=12) for plain in (False, True))
    assert torch.equal(edited["pictures"][0], plain["pictures"][0]), "the first is drawn as if there were no edit"
    picture, edit = edited["pictures"]
    assert [int(one[:, 30:50, 24:40].mean(dim=(1, 2)).argmax()) for one in (picture, edit)] == [0, 1]
    moved = [int((one["pictures"].amin(dim=1) < 0.8).int().diff(dim=0).abs().sum()) for one in (edited, plain)]
    print(f"pixels that change sides: {moved[0]} with shared attention, {moved[1]} without")
    assert moved[0] < moved[1]
