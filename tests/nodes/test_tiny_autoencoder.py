"""Tiny autoencoders: loaded whole and in halves, against diffusers and against the release's own row of layers.

Everything is in float32 on the CPU with random weights; pictures are in 0..1.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from engine_kit import N, config, problems_of, workflow
from nodes.facts_kit import assert_foretold
from nodes.test_sampling_pack import DENOISER, Room, draw
from PIL import Image as Picture
from released import taesd
from safetensors.torch import load_file, save_file
from tiny import make_pipeline, make_tiny_autoencoder, shared_tiny
from torch import Tensor, nn

from graphgen import Context, Place, Refusal, ResourceError
from graphgen import context as context_module
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.events import Event, NodePreview
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.residency import Residency
from graphgen_nodes import Image, Latent, LatentFormat
from graphgen_nodes.checkpoints import CheckpointError, open_checkpoint
from graphgen_nodes.control.patch import Control
from graphgen_nodes.families.handles import autoencoder_handle
from graphgen_nodes.families.known import known_autoencoder
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.packs import autoencoder as nodes
from graphgen_nodes.packs import controlnet
from graphgen_nodes.sampling.preview import Previewer
from graphgen_nodes.sockets import Autoencoder, ControlNet

WORKFLOWS = Path(__file__).parents[2] / "workflows"
FAMILIES = {"sd1": 4, "sdxl": 4, "sd3": 16, "flux": 16}
"""Channels of latents; tiny autoencoders of as many look alike."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny autoencoders of 4 and 16 channels: whole, in diffusers' one file, and in released halves."""
    folder = tmp_path_factory.mktemp("tiny") / "models"
    for channels in (4, 16):
        module = make_tiny_autoencoder(channels, seed=channels)
        module.save_pretrained(folder / f"whole{channels}", safe_serialization=True)
        save_file(module.state_dict(), folder / f"bare{channels}.safetensors")
        for half in ("encoder", "decoder"):
            save_file(taesd(module.state_dict(), half), folder / f"{half}{channels}.safetensors")
    shutil.copy(shared_tiny("sd1").file, folder)
    return folder


@pytest.fixture(scope="module")
def machine(models: Path) -> Iterator[Engine]:
    with Engine(config(models.parent, device="cpu"), build_registry(find_plugins()), use_cache=False) as made:
        yield made


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


# --- the same numbers -------------------------------------------------------------------------------------------------


def released_decoder(channels: int, width: int = 8) -> nn.Sequential:
    """The release's decoder, one row of layers, its clamp written as the two steps it is."""

    class Clamp(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 3 * torch.tanh(x / 3)

    layers: list[nn.Module] = [Clamp(), nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
    for blocks in (3, 3, 3):
        layers += [Residual(width) for _ in range(blocks)]
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, Residual(width), nn.Conv2d(width, 3, 3, padding=1))


def released_encoder(channels: int, width: int = 8) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), Residual(width)]
    for _ in range(3):
        layers.append(nn.Conv2d(width, width, 3, padding=1, stride=2, bias=False))
        layers += [Residual(width) for _ in range(3)]
    return nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))


class Residual(nn.Module):
    """Three convolutions and what they are added to."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(width, width, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.ReLU(), convolutions[2])

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x) + x)


def handle_of(models: Path, path: str, family: str) -> Autoencoder:
    return autoencoder_handle(open_checkpoint(models / path), family)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("path", ["whole", "bare{}.safetensors", "decoder{}.safetensors"])
def test_decoding_equals_diffusers(models: Path, family: str, path: str) -> None:
    """As pipelines decode: the latent goes in as it was sampled, whatever the units of the family's autoencoder."""
    channels = FAMILIES[family]
    name = path.format(channels) if "{" in path else f"{path}{channels}"
    handle, samples = handle_of(models, name, family), noise(2, channels, 8, 12)
    found = nodes.decode(Context(Bench()), handle, Latent(samples, handle.latent)).pixels
    with torch.no_grad():
        expected = (make_tiny_autoencoder(channels, seed=channels).decode(samples).sample / 2 + 0.5).clamp(0, 1)
    assert found.shape == (2, 3, 64, 96)
    assert expected.std() > 0.05, "a flat picture proves nothing"
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("path", ["whole", "bare{}.safetensors", "encoder{}.safetensors"])
def test_encoding_equals_diffusers(models: Path, family: str, path: str) -> None:
    channels = FAMILIES[family]
    name = path.format(channels) if "{" in path else f"{path}{channels}"
    handle, pixels = handle_of(models, name, family), noise(2, 3, 64, 32).sigmoid()
    found = nodes.encode(Context(Bench()), handle, Image(pixels))
    with torch.no_grad():
        expected = make_tiny_autoencoder(channels, seed=channels).encode(pixels * 2 - 1).latents
    assert found.format == handle.latent
    torch.testing.assert_close(found.samples, expected, rtol=0, atol=1e-5)
    assert torch.equal(nodes.encode(Context(Bench()), handle, Image(pixels), draw=True).samples, found.samples)


def test_released_halves_are_rows_of_layers_that_work_on_pixels_from_0_to_1(models: Path) -> None:
    """Against the release's modules: its names, its clamp, its ranges."""
    samples, pixels = noise(1, 16, 4, 6), noise(1, 3, 32, 16).sigmoid()
    decoder, encoder = released_decoder(16), released_encoder(16)
    decoder.load_state_dict(load_file(models / "decoder16.safetensors"))
    encoder.load_state_dict(load_file(models / "encoder16.safetensors"))
    reader, writer = (handle_of(models, f"{half}16.safetensors", "sd3") for half in ("encoder", "decoder"))
    picture = nodes.decode(Context(Bench()), writer, Latent(samples, writer.latent)).pixels
    latent = nodes.encode(Context(Bench()), reader, Image(pixels)).samples
    with torch.no_grad():
        torch.testing.assert_close(picture, decoder(samples).clamp(0, 1), rtol=0, atol=1e-5)
        torch.testing.assert_close(latent, encoder(pixels), rtol=0, atol=1e-5)


def test_units_that_config_json_says_are_the_network_s(models: Path, tmp_path: Path) -> None:
    module = make_tiny_autoencoder(16, seed=16)
    module.register_to_config(scaling_factor=2.0, shift_factor=0.25)
    module.save_pretrained(tmp_path / "scaled", safe_serialization=True)
    handle, plain = handle_of(tmp_path, "scaled", "flux"), handle_of(models, "whole16", "flux")
    samples = noise(1, 16, 4, 4)
    found = nodes.decode(Context(Bench()), handle, Latent(samples, handle.latent))
    expected = nodes.decode(Context(Bench()), plain, Latent(samples / 2 + 0.25, plain.latent))
    torch.testing.assert_close(found.pixels, expected.pixels, rtol=0, atol=1e-6)
    assert handle.latent == plain.latent


@pytest.mark.parametrize("reads", ["latents", "unshifted latents"])
def test_controlnets_may_read_through_a_tiny_one(models: Path, reads: Literal["latents", "unshifted latents"]) -> None:
    """What the family's own autoencoder would give: scaled, and for some without the shift that was taken off."""
    handle, image = handle_of(models, "whole16", "sd3"), Image(noise(1, 3, 32, 32).sigmoid())
    denoiser = replace(DENOISER, family="sd3", latent=handle.latent)
    network = ControlNet("sd3", DENOISER.weights, reads)
    steered = controlnet.apply(Context(Bench()), denoiser, network, image, autoencoder=handle).denoiser
    (patch,) = steered.patches
    assert isinstance(patch, Control)
    scaled = nodes.encode(Context(Bench()), handle, image).samples
    shift = 1.5305 * 0.0609 if reads == "unshifted latents" else 0.0
    torch.testing.assert_close(patch.picture, scaled + shift, rtol=0, atol=1e-6)
    half = handle_of(models, "decoder16.safetensors", "sd3")
    with pytest.raises(Refusal, match="its encoder is needed here"):
        controlnet.apply(Context(Bench()), denoiser, network, image, autoencoder=half)


# --- recognised, and refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["whole", "bare", "decoder", "encoder"])
@pytest.mark.parametrize(("channels", "names"), [(4, "dit, sd1, sd2, sdxl, sdxl_refiner"), (16, "flux, sd3")])
def test_families_whose_latents_look_alike_must_be_said(models: Path, path: str, channels: int, names: str) -> None:
    checkpoint = open_checkpoint(models / f"{path}{channels}{'' if path == 'whole' else '.safetensors'}")
    with pytest.raises(CheckpointError, match=f"could be an autoencoder of {names}; set family to one of them"):
        autoencoder_handle(checkpoint)
    with pytest.raises(
        CheckpointError, match=f"for latents of {channels} channels, and those of .* have {20 - channels}"
    ):
        autoencoder_handle(checkpoint, "sd3" if channels == 4 else "sdxl")


def test_a_model_whose_autoencoder_is_a_tiny_one_is_whole(tmp_path: Path) -> None:
    """As diffusers saves a pipeline whose vae was exchanged: the denoiser tells the family."""
    pipeline = make_pipeline("sd1", seed=0)
    pipeline.vae = make_tiny_autoencoder(4)
    pipeline.save_pretrained(tmp_path / "model", safe_serialization=True)
    handle = autoencoder_handle(open_checkpoint(tmp_path / "model"))
    assert handle.latent == autoencoder_handle(open_checkpoint(shared_tiny("sd1").folder)).latent
    assert handle.weights is not None
    assert handle.weights.part == "tiny_vae"


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_a_half_is_refused_where_the_other_is_needed(models: Path, machine: Engine, half: str) -> None:
    verb, other, wire = {"encoder": ("decode", "decoder", "latent"), "decoder": ("encode", "encoder", "image")}[half]
    given = N("latents.empty", denoiser="model.denoiser") if wire == "latent" else N("images.solid")
    graph: dict[str, JSON] = {
        "model": N("models.load", {"path": "sd1.safetensors"}),
        "tiny": N("models.load_autoencoder", {"path": f"{half}4.safetensors", "family": "sd1"}),
        "given": given,
        "end": {"type": f"autoencoder.{verb}", "inputs": {"autoencoder": "tiny.autoencoder", wire: f"given.{wire}"}},
    }
    (problem,) = problems_of(machine, workflow(graph, f"end.{'image' if verb == 'decode' else 'latent'}"))
    assert str(problem) == (
        f"end.autoencoder: is an autoencoder's {half} alone, and its {other} is needed here; add a "
        f"models.load_autoencoder with the file of the {other}, or with a diffusers folder of both"
    )
    handle = handle_of(models, f"{half}4.safetensors", "sd1")
    call: Any = nodes.decode if verb == "decode" else nodes.encode
    value = Latent(noise(1, 4, 8, 8), handle.latent) if verb == "decode" else Image(noise(1, 3, 64, 64))
    with pytest.raises(Refusal, match=f"its {other} is needed here"):
        call(Context(Bench()), handle, value)


def test_another_family_s_latent_is_refused_while_checking(machine: Engine) -> None:
    graph = {
        "model": N("models.load", {"path": "sd1.safetensors"}),
        "tiny": N("models.load_autoencoder", {"path": "whole4", "family": "sdxl"}),
        "latent": N("latents.empty", denoiser="model.denoiser"),
        "end": N("autoencoder.decode", autoencoder="tiny.autoencoder", latent="latent.latent"),
    }
    (problem,) = problems_of(machine, workflow(graph, "end.image"))
    assert problem.place == "end.latent"
    assert "family sd with 4 channels" in problem.message
    assert "family sdxl" in problem.message


def test_a_damaged_half_says_what_it_lacks(models: Path, tmp_path: Path) -> None:
    tensors = load_file(models / "decoder4.safetensors")
    del tensors["7.weight"]
    save_file(tensors, tmp_path / "damaged.safetensors")
    handle = handle_of(tmp_path, "damaged.safetensors", "sd1")
    with pytest.raises(ResourceError, match="damaged"):
        nodes.decode(Context(Bench()), handle, Latent(noise(1, 4, 8, 8), handle.latent))


@pytest.mark.parametrize("path", ["whole4", "decoder4.safetensors"])
def test_what_is_foretold_comes(models: Path, machine: Engine, path: str) -> None:
    graph = workflow({"tiny": N("models.load_autoencoder", {"path": path, "family": "sd2"})}, "tiny.autoencoder")
    facts = machine.check(graph).nodes["tiny"].facts["autoencoder"]
    assert_foretold(facts, handle_of(models, path, "sd2"), path)
    assert facts == known_autoencoder(open_checkpoint(models / path), "sd2")


# --- previews ---------------------------------------------------------------------------------------------------------


class Bench(Room):
    """An engine's side of a context that lends real autoencoders, and counts them."""

    def __init__(self, *, broken: str = "", **how: Any) -> None:
        super().__init__(**how)
        self.residency = Residency([ModelLoader()], Place("cpu", "float32"))
        self.broken = broken
        self.logged: list[str] = []

    def log(self, level: Literal["info", "warning"], message: str) -> None:
        self.logged.append(f"{level}: {message}")

    def lease(
        self, handle: object, report: Callable[[int, int], None], room: int | None
    ) -> AbstractContextManager[object]:
        if not isinstance(handle, Autoencoder):
            return super().lease(handle, report, room)
        self.leased.append(handle)
        if self.broken:
            raise ResourceError(self.broken)
        return self.residency.lease(handle, report, room)


def sampled(room: Room, previewer: Autoencoder | None, **settings: Any) -> Latent:
    """Sample with a random network for latents of Stable Diffusion 1, two to four cells."""
    denoiser = replace(DENOISER, latent=LatentFormat("sd", 4, 0.18215))
    return draw(room, denoiser=denoiser, previewer=previewer, **settings)


def test_a_previewer_shows_what_it_decodes(models: Path) -> None:
    handle, samples = handle_of(models, "decoder4.safetensors", "sd1"), noise(2, 4, 4, 8)
    preview = Previewer(Context(Bench()), handle.latent, handle).show(samples)
    shown = Picture.open(BytesIO(preview.data))
    expected = nodes.decode(Context(Bench()), handle, Latent(samples[:1], handle.latent)).pixels[0]
    assert (preview.media_type, shown.size) == ("image/jpeg", (64, 32))
    given = torch.tensor(list(shown.tobytes())).reshape(32, 64, 3).permute(2, 0, 1) / 255
    assert float((given - expected).abs().mean()) < 0.04 < float(expected.std()), "as far as JPEG keeps it"


def test_a_previewer_changes_nothing_but_the_previews(models: Path) -> None:
    watched, plain = Bench(), Bench()
    latent = sampled(watched, handle_of(models, "decoder4.safetensors", "sd1"))
    assert torch.equal(latent.samples, sampled(plain, None).samples)
    assert (watched.previews[0].media_type, plain.previews[0].media_type) == ("image/jpeg", "image/png")


def test_nobody_who_watches_means_no_previewer_is_loaded(models: Path) -> None:
    previewer = handle_of(models, "whole4", "sd1")
    alone, unwanted = Bench(watched=False), Bench()
    sampled(alone, previewer)
    sampled(unwanted, previewer, preview=False)
    assert previewer not in [*alone.leased, *unwanted.leased]


def test_a_previewer_that_cannot_be_had_stops_no_run(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_module, "PREVIEW_INTERVAL", 0.0)
    previewer = handle_of(models, "whole4", "sd1")
    room = Bench(broken="cpu: the weights do not fit")
    sampled(room, previewer)
    assert room.logged == ["warning: goes on with rough previews: cpu: the weights do not fit"]
    assert room.leased.count(previewer) == 1
    assert {preview.media_type for preview in room.previews} == {"image/png"}
    assert len(room.previews) == 6


@pytest.mark.parametrize(
    ("path", "family", "words"),
    [
        (
            "whole4",
            "sdxl",
            "decodes latents of 4 channels of family sdxl, but what is sampled has 4 channels of family sd",
        ),
        ("encoder4.safetensors", "sd1", "is an autoencoder's encoder alone, and its decoder is needed here"),
    ],
)
def test_a_previewer_that_does_not_fit_is_refused(
    models: Path, machine: Engine, path: str, family: str, words: str
) -> None:
    (problem,) = problems_of(machine, text_to_image({"path": path, "family": family}))
    assert problem.place == "sample.previewer"
    assert words in problem.message
    with pytest.raises((ValueError, Refusal)):
        sampled(Bench(), handle_of(models, path, family))


def test_a_previewer_is_no_part_of_the_key(machine: Engine) -> None:
    def key(source: dict[str, JSON]) -> str | None:
        return machine.plan(machine.check(source)).keys["sample"]

    plain = key(text_to_image(None))
    assert plain is not None
    assert key(text_to_image({"path": "whole4", "family": "sd1"})) == plain
    assert key(text_to_image({"path": "decoder4.safetensors", "family": "sd1"})) == plain


def text_to_image(tiny: dict[str, JSON] | None) -> dict[str, JSON]:
    wires = {} if tiny is None else {"previewer": "tiny.autoencoder"}
    graph: dict[str, JSON] = {} if tiny is None else {"tiny": N("models.load_autoencoder", tiny)}
    return workflow(
        {
            **graph,
            "model": N("models.load", {"path": "sd1.safetensors"}),
            "words": N("text.encode", {"text": "a red apple"}, encoder="model.text_encoder"),
            "guider": N("guiders.none", denoiser="model.denoiser", positive="words.conditioning"),
            "sampler": N("samplers.euler"),
            "schedule": N("schedules.default", {"steps": 2}, denoiser="model.denoiser"),
            "noise": N("noise.gaussian"),
            "latent": N("latents.empty", {"width": 64, "height": 64}, denoiser="model.denoiser"),
            "sample": {
                "type": "sampling.sample",
                "inputs": {
                    "guider": "guider.guider",
                    "sampler": "sampler.sampler",
                    "schedule": "schedule.schedule",
                    "noise": "noise.noise",
                    "latent": "latent.latent",
                    **wires,
                },
            },
        },
        "sample.latent",
    )


def test_the_workflow_draws_what_the_model_draws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """workflows/previews.json, watched: its pictures are those of workflows/sd1.json, its previews are a decoder's."""
    models = shared_tiny("sd1").folder.parent
    shown: list[NodePreview] = []

    def listen(event: Event) -> None:
        if isinstance(event, NodePreview):
            shown.append(event)

    parameters: dict[str, JSON] = {"model": "sd1", "prompt": "a red apple", "width": 64, "height": 64, "steps": 2}
    with Engine(Config.load({"models": str(models), "cache": str(tmp_path)})) as engine:
        plain = engine.run(WORKFLOWS / "sd1.json", parameters, targets=["picture"]).outputs["picture"]
        again = engine.plan(engine.check(WORKFLOWS / "previews.json", parameters), targets=["picture"])
        assert "sample" not in again.order, "a previewer computes nothing again"
    with Engine(Config.load({"models": str(models)}), use_cache=False) as engine:
        found = engine.run(WORKFLOWS / "previews.json", parameters, listen=listen).outputs["picture"]
    assert isinstance(plain, Image)
    assert isinstance(found, Image)
    assert torch.equal(found.pixels, plain.pixels)
    assert {event.media_type for event in shown} == {"image/jpeg"}
