"""Memory that runs out in the midst of a node: idle weights go, then ways that take less are tried, and told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_kit import Log, N, carry_out, config, engine, workflow
from nodes.control_kit import make_control, save_control
from nodes.resuming_kit import Shelf
from nodes.sampling_oracles import RandomNetwork
from nodes.test_resuming import A, draw, guide, same
from packs import tight
from tiny import shared_tiny
from torch import Tensor

from graphgen import Context, ResourceError, events
from graphgen.engine import Engine
from graphgen.errors import Cancelled
from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import Registry, build_registry
from graphgen.report import Report
from graphgen_nodes.sockets import Conditioning
from graphgen_nodes.thrift import BLOCKS, in_less_memory


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


def test_enlarging_goes_on_in_smaller_tiles(made: Engine) -> None:
    nodes = {
        "model": N("upscalers.load"),
        "small": N("images.solid", {"width": 260, "height": 8, "color": "#4080c0"}),
        "tight": N("tight.upscaler", {"most": 2000}, upscaler="model.upscaler"),
        "large": N("images.upscale", upscaler="tight.upscaler", image="small.image"),
        "asked": N("images.upscale", {"tile": 128}, upscaler="model.upscaler", image="small.image"),
    }
    report, log = carry_out(made, workflow(nodes, "large.image", "asked.image"))
    assert report.status == "done", report.failures
    assert [words.rpartition("again ")[2] for words in warnings_of(log, "large")] == ["in tiles of 128 pixels"]
    assert adapted(report, "large") == "in tiles of 128 pixels"
    pictures: list[Any] = [report.outputs[name] for name in ("large", "asked")]
    torch.testing.assert_close(pictures[0].pixels, pictures[1].pixels, atol=1e-5, rtol=0)


def test_what_a_control_net_reads_goes_on_in_tiles(made: Engine, tmp_path: Path) -> None:
    nets = tmp_path / "nets"
    nets.mkdir()
    save_control(make_control("sd3"), nets, "control")
    roots = replace(made.config.roots, models=nets)
    shutil.copytree(shared_tiny("sd3").folder, nets / "sd3")
    nodes = {
        "model": N("models.load", {"path": "sd3"}),
        "net": N("controlnet.load", {"path": "control"}),
        "picture": N("images.solid", {"width": 640, "height": 64, "color": "#4080c0"}),
        "tight": N("tight.autoencoder", {"most": 300}, autoencoder="model.autoencoder"),
        "steered": N(
            "controlnet.apply",
            denoiser="model.denoiser",
            controlnet="net.controlnet",
            image="picture.image",
            autoencoder="tight.autoencoder",
        ),
    }
    with engine(tmp_path, installed=made.registry, roots=roots, device="cpu") as found:
        report, log = carry_out(found, workflow(nodes, "steered.denoiser"))
    assert report.status == "done", report.failures
    assert len(warnings_of(log, "steered")) == 2
    assert adapted(report, "steered") == "in tiles of 256 pixels"


# --- what is kept of it -----------------------------------------------------------------------------------------------


class Narrow(RandomNetwork):
    """A network with memory for one image in a call, from some call on."""

    def __init__(self, roomy_calls: int = 0) -> None:
        super().__init__(2)
        self.roomy_calls = roomy_calls

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning = A) -> Tensor:
        if len(x) > 1 and len(self.calls) >= self.roomy_calls:
            raise torch.OutOfMemoryError(f"no room for {len(x)}")
        return super().__call__(x, timestep, conditioning)


def narrow(kept: Any = None, roomy_calls: int = 0, **given: Any) -> Shelf:
    shelf = Shelf(kept, **given)
    shelf.network = Narrow(roomy_calls)
    return shelf


SINGLE = "with one image in a call"


def test_states_of_smaller_calls_are_those_of_runs_that_ask_for_them() -> None:
    short = narrow()
    found = draw(short, guide())
    assert same(found, draw(Shelf(), guide(), batch_limit=1, keep_every=0))
    assert short.adaptations == [(SINGLE, False)]
    roomy = Shelf(short.kept)
    assert same(draw(roomy, guide()), draw(Shelf(), guide(), keep_every=0))
    assert roomy.logged == [], "with the memory the run is what was asked for, from the start"
    asked = Shelf(short.kept)
    assert same(draw(asked, guide(), batch_limit=1), found)
    assert asked.logged == ["goes on from step 4 of 6"]


def test_a_run_in_smaller_calls_that_is_stopped_goes_on_in_them() -> None:
    whole = draw(Shelf(), guide(), batch_limit=1, keep_every=0)
    stopped = narrow(cancel_after=13)  # four calls a step
    with pytest.raises(Cancelled):
        draw(stopped, guide())
    rest = narrow(stopped.kept)
    assert same(draw(rest, guide()), whole)
    assert "goes on from step" in rest.logged[-1]
    assert rest.calls < 24


def test_states_after_memory_ran_out_on_the_way_are_not_kept() -> None:
    short = narrow(roomy_calls=3)
    found = draw(short, guide())
    assert short.words == ["step 2 of 6", "step 3 of 6"]
    assert short.adaptations == [(SINGLE, False)]
    roomy = Shelf(short.kept)
    plain = draw(roomy, guide())
    assert roomy.logged == ["goes on from step 3 of 6"]
    assert same(plain, draw(Shelf(), guide(), keep_every=0))
    torch.testing.assert_close(found[0], plain[0], rtol=1e-4, atol=1e-4)


def test_weights_that_come_block_by_block_change_nothing_that_is_kept() -> None:
    shelf = Shelf()
    assert in_less_memory(Context(shelf), ("", _full), (BLOCKS, lambda: 7)) == 7
    assert shelf.adaptations == [(BLOCKS, True)]
    assert in_less_memory(Context(shelf), ("", _full), (f"in tiles, {BLOCKS}", lambda: 8)) == 8
    assert shelf.adaptations[1:] == [(f"in tiles, {BLOCKS}", False)]


def _full() -> int:
    raise MemoryError("full")


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
