"""Memory that runs out in the midst of a node: idle weights go, then ways that take less are tried, and told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_kit import Log, N, carry_out, config, engine, workflow
from packs import tight
from tiny import shared_tiny
from torch import Tensor

from graphgen import Context, ResourceError, events
from graphgen.engine import Engine
from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import Registry, build_registry
from graphgen.report import Report
from graphgen_nodes.thrift import in_less_memory


@pytest.fixture(scope="module")
def installed() -> Registry:
    made = build_registry([*find_plugins(), *module_plugins({"tight": tight})])
    assert not made.broken, made.broken
    return made


@pytest.fixture
def made(tmp_path: Path, installed: Registry) -> Iterator[Engine]:
    roots = replace(config(tmp_path).roots, models=shared_tiny("sd1").folder.parent)
    with engine(tmp_path, installed=installed, roots=roots, device="cpu") as found:
        yield found


def drawing(denoiser: dict[str, Any], autoencoder: dict[str, Any], **sampling: Any) -> dict[str, Any]:
    """Return a workflow whose networks have little memory."""
    nodes = {
        "model": N("models.load", {"path": "sd1"}),
        "tight": N("tight.denoiser", denoiser, denoiser="model.denoiser"),
        "tight_too": N("tight.autoencoder", autoencoder, autoencoder="model.autoencoder"),
        "words": N("text.encode", {"text": "a red apple"}, encoder="model.text_encoder"),
        "guider": N(
            "guiders.classifier_free",
            denoiser="tight.denoiser",
            positive="words.conditioning",
            negative="words.conditioning",
        ),
        "sampler": N("samplers.euler"),
        "schedule": N("schedules.default", {"steps": 3}, denoiser="model.denoiser"),
        "noise": N("noise.gaussian", {"seed": 1}),
        "latent": N("latents.empty", {"width": 128, "height": 64, "batch": 2}, denoiser="model.denoiser"),
        "sample": N(
            "sampling.sample",
            sampling,
            guider="guider.guider",
            sampler="sampler.sampler",
            schedule="schedule.schedule",
            noise="noise.noise",
            latent="latent.latent",
        ),
        "picture": N("autoencoder.decode", {"tile": 0}, autoencoder="tight_too.autoencoder", latent="sample.latent"),
    }
    return workflow(nodes, "sample.latent", "picture.image")


PLENTY: dict[str, Any] = {"most": 1000}


def run(made: Engine, *given: dict[str, Any], **sampling: Any) -> tuple[Report, Log]:
    report, log = carry_out(made, drawing(*given, **sampling))
    assert report.status == "done", report.failures
    return report, log


def latent_of(report: Report) -> Tensor:
    value: Any = report.outputs["sample"]
    samples: Tensor = value.samples
    return samples


def warnings_of(log: Log, node: str) -> list[str]:
    told = (event for event in log.events if isinstance(event, events.NodeLog) and event.node == node)
    return [event.message for event in told if event.level == "warning"]


def adapted(report: Report, node: str) -> str | None:
    record = report.record()
    return record.made_with(record.nodes[node]).get("adapted")


def test_sampling_goes_on_in_smaller_calls_then_block_by_block(made: Engine) -> None:
    """With one image in a call the picture is the same to rounding, and as if it had been asked for, bit for bit."""
    plain, log = run(made, {"most": 9, "most_whole": 9}, PLENTY)
    assert warnings_of(log, "sample") == []
    assert adapted(plain, "sample") is None

    single, log = run(made, {"most": 1, "most_whole": 1}, PLENTY)
    assert warnings_of(log, "sample") == ["out of memory; tries again with one image in a call"]
    assert adapted(single, "sample") == "with one image in a call"
    torch.testing.assert_close(latent_of(single), latent_of(plain), atol=1e-4, rtol=1e-4)

    streamed, log = run(made, {"most": 1, "most_whole": 0}, PLENTY)
    assert [words.rpartition("again ")[2] for words in warnings_of(log, "sample")] == [
        "with one image in a call",
        "with one image in a call, with weights that come block by block",
    ]
    assert adapted(streamed, "sample") == "with one image in a call, with weights that come block by block"
    asked, _ = run(made, {"most": 9, "most_whole": 9}, PLENTY, batch_limit=1)
    assert torch.equal(latent_of(streamed), latent_of(single))
    assert torch.equal(latent_of(asked), latent_of(single))


def test_decoding_goes_on_in_tiles(made: Engine) -> None:
    """The model's smallest tiles are wider than its tiny picture, so that blocks are all that is left; then nothing."""
    report, _ = carry_out(made, drawing({"most": 9, "most_whole": 9}, {"most": 100}))
    assert report.status == "failed"
    (failure,) = report.failures
    assert failure.node == "picture"
    assert "cpu: the memory is not enough (tried to allocate 128 where 100 fit)" in str(failure)
    assert "make the picture or the batch smaller" in str(failure)
    plain, log = run(made, {"most": 9, "most_whole": 9}, {"most": 128})
    assert warnings_of(log, "picture") == []
    assert adapted(plain, "picture") is None


def test_tiles_become_smaller(made: Engine) -> None:
    nodes = {
        "model": N("models.load", {"path": "sd1"}),
        "latent": N("latents.empty", {"width": 640, "height": 64}, denoiser="model.denoiser"),
        "tight": N("tight.autoencoder", {"most": 300}, autoencoder="model.autoencoder"),
        "picture": N("autoencoder.decode", {"tile": 0}, autoencoder="tight.autoencoder", latent="latent.latent"),
        "asked": N("autoencoder.decode", {"tile": 256}, autoencoder="model.autoencoder", latent="latent.latent"),
    }
    report, log = carry_out(made, workflow(nodes, "picture.image", "asked.image"))
    assert report.status == "done", report.failures
    assert [words.rpartition("again ")[2] for words in warnings_of(log, "picture")] == [
        "in tiles of 512 pixels",
        "in tiles of 256 pixels",
    ]
    assert adapted(report, "picture") == "in tiles of 256 pixels"
    pictures: list[Any] = [report.outputs[name] for name in ("picture", "asked")]
    assert torch.equal(pictures[0].pixels, pictures[1].pixels)


class Idle(Context):
    """A context with idle weights, which go when they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = [1 << 20]

    def free(self) -> int:
        return self.idle.pop() if self.idle else 0


def test_idle_weights_go_before_anything_else_is_tried() -> None:
    calls: list[str] = []

    def work() -> int:
        calls.append("as asked")
        if len(calls) == 1:
            raise MemoryError("full")
        return 7

    assert in_less_memory(Idle(), ("", work), ("otherwise", lambda: 0)) == 7
    assert calls == ["as asked", "as asked"]


def test_main_memory_counts_as_memory() -> None:
    """What torch raises where main memory is full is no MemoryError of Python's."""
    with pytest.raises(ResourceError, match="the memory is not enough"):
        in_less_memory(Context(), ("", lambda: torch.empty(1 << 60, dtype=torch.uint8)))


def test_other_errors_pass() -> None:
    def work() -> int:
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        in_less_memory(Context(), ("", work), ("otherwise", lambda: 1))
