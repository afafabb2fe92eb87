"""`sampling.invert`: a step taken back is the step's inverse, on every path, and a picture comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from engine_kit import N, workflow
from nodes.sampling_oracles import PATHS
from tiny import shared_tiny
from torch import Tensor

from graphgen.config import Config
from graphgen.engine import Engine
from graphgen_nodes.sampling.inverting import unstep
from graphgen_nodes.sampling.protocols import Prediction
from graphgen_nodes.sampling.samplers.algorithm import transfer
from graphgen_nodes.sockets import Path


@pytest.fixture(scope="module")
def made() -> Iterator[Engine]:
    with Engine(Config.load({"models": str(shared_tiny("sd1").folder.parent)})) as found:
        yield found


@pytest.mark.parametrize("name", PATHS)
def test_a_step_taken_back_is_its_inverse(name: str) -> None:
    """For a denoiser of Gaussian data, whose steps are known: by DDIM's own step, also to sigma 0."""
    path: Path = PATHS[name]

    def denoise(x: Tensor, sigma: float) -> Prediction:
        alpha, variance = path.alpha(sigma), 0.25
        return Prediction(alpha * variance / (alpha**2 * variance + sigma**2) * x)

    x = torch.linspace(-1, 1, 9)
    for s, t in ((0.9, 0.8), (0.5, 0.45), (0.02, 0.0)):
        there = unstep(path, denoise, x, s, t, 60)
        again = transfer(path, there, s, denoise(there, s).denoised, t)
        torch.testing.assert_close(again, x, rtol=0, atol=1e-5)


def round_trip(made: Engine, model: str, looks: int, steps: int) -> float:
    """Draw a latent, go back to its noise and draw it again; return how far apart the two are, of the range."""
    nodes: dict[str, Any] = {
        "model": N("models.load", {"path": model}),
        "prompt": N("text.encode", {"text": "a red apple"}, encoder="model.text_encoder"),
        "guider": N("guiders.none", denoiser="model.denoiser", positive="prompt.conditioning"),
        "schedule": N("schedules.default", {"steps": steps}, denoiser="model.denoiser"),
        "noise": N("noise.gaussian", {"seed": 7}),
        "empty": N("latents.empty", {"width": 64, "height": 64}, denoiser="model.denoiser"),
        "euler": N("samplers.euler"),
        "ddim": N("samplers.ddim"),
    }
    shared: dict[str, Any] = {"guider": "guider.guider", "schedule": "schedule.schedule", "noise": "noise.noise"}
    nodes |= {
        "drawn": N("sampling.sample", sampler="euler.sampler", latent="empty.latent", **shared),
        "back": N(
            "sampling.invert",
            {"looks": looks},
            guider="guider.guider",
            schedule="schedule.schedule",
            latent="drawn.latent",
        ),
        "again": N("sampling.sample", {"add_noise": False}, sampler="ddim.sampler", latent="back.latent", **shared),
    }
    outputs: Any = made.run(workflow(nodes, "drawn.latent", "again.latent")).outputs
    drawn, again = (outputs[name].samples for name in ("drawn", "again"))
    return float((again - drawn).abs().max() / (drawn.max() - drawn.min()))


@pytest.mark.parametrize(("model", "steps", "least"), [("sd1", 12, 1e-4), ("emoji", 20, 0.03)])
def test_a_picture_comes_back(model: str, steps: int, least: float, made: Engine) -> None:
    """A model that predicts the noise, and one that predicts a flow, whose steps are larger."""
    plain, exact = (round_trip(made, model, looks, steps) for looks in (1, 8))
    print(f"{model}: {plain:.1e} with one look a step, {exact:.1e} with eight")
    assert exact < plain / 3
    assert exact < least
