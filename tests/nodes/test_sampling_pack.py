"""The sampling packs: nodes called as functions, what they refuse while a workflow is checked, previews, cancelling."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from nodes.sampling_oracles import FORMAT, WORDS, RandomNetwork, handle
from PIL import Image as Picture

from graphgen import Context, Preview, Refusal
from graphgen.codec import ValueCodec
from graphgen.errors import Cancelled
from graphgen.node import spec_of
from graphgen.types import build_table
from graphgen_nodes.packs import guiders, latents, noise, samplers, sampling, schedules
from graphgen_nodes.sampling.guiders import ClassifierFreeGuidance
from graphgen_nodes.sampling.options import SAMPLERS
from graphgen_nodes.sampling.preview import preview_png
from graphgen_nodes.sampling.projections import PROJECTIONS, fit_projection, project
from graphgen_nodes.sockets import Denoiser, Flow, Latent, LatentFormat, TextConditioning, VariancePreserving
from graphgen_nodes.tensors import TENSOR

PACKS = (guiders, latents, noise, samplers, sampling, schedules)
DENOISER = handle(VariancePreserving())


class Room:
    """The engine's side of a context, with one network to lend."""

    def __init__(self, *, cancel_after: int = 10_000, watched: bool = True) -> None:
        self.network = RandomNetwork()
        self.leased: list[object] = []
        self.reports: list[tuple[int, int]] = []
        self.previews: list[Preview] = []
        self.cancel_after = cancel_after
        self.is_watched = watched

    def cancelled(self) -> bool:
        return len(self.network.calls) >= self.cancel_after

    def watched(self) -> bool:
        return self.is_watched

    def progress(self, done: int, total: int, stage: str = "") -> None:  # noqa: ARG002
        self.reports.append((done, total))

    def preview(self, preview: Preview) -> None:
        self.previews.append(preview)

    def log(self, level: Literal["info", "warning"], message: str) -> None:  # noqa: ARG002
        raise AssertionError(message)

    def path(self, root: str, name: str) -> Path:  # noqa: ARG002
        raise AssertionError(name)

    def adapted(self, words: str, *, exact: bool) -> None:
        raise AssertionError(words, exact)

    def free(self) -> int:
        return 0

    def lease(
        self,
        handle: object,
        report: Callable[[int, int], None],  # noqa: ARG002
        room: int | None,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        self.leased.append(handle)
        return nullcontext(self.network)

    def remembers(self) -> bool:
        return False

    def digest(self, value: object) -> str:
        raise AssertionError(value)

    def recall(self, key: str, of: str) -> object | None:  # noqa: ARG002
        raise AssertionError(key)

    def remember(self, key: str, value: object, of: str, words: str) -> None:  # noqa: ARG002
        raise AssertionError(key)


def draw(room: Room, *, denoiser: Denoiser = DENOISER, seed: int = 3, batch: int = 1, **settings: Any) -> Latent:
    """Run the graph of a text-to-image workflow by hand."""
    found = sampling.sample(
        Context(room),
        guiders.none(denoiser, WORDS),
        samplers.euler(),
        schedules.default(denoiser, steps=6),
        noise.gaussian(seed=seed),
        latents.empty(denoiser, width=64, height=32, batch=batch),
        **settings,
    )
    return found.latent


# --- nodes as functions ---------------------------------------------------------------------------------------------


def test_the_nodes_make_a_latent_and_say_how_far_they_are() -> None:
    room = Room()
    latent = draw(room)
    assert latent.format == FORMAT
    assert latent.samples.shape == (1, 4, 4, 8)
    assert latent.samples.dtype == torch.float32
    assert room.leased == [DENOISER]
    assert room.reports[0] == (0, 6)
    assert room.reports[-1] == (6, 6)
    assert len(room.network.calls) == 6


def test_seeds_differ_and_repeat() -> None:
    first, again, other = draw(Room()), draw(Room()), draw(Room(), seed=4)
    assert torch.equal(first.samples, again.samples)
    assert not torch.allclose(first.samples, other.samples, atol=0.01)


def test_the_network_format_follows_the_weights_and_states_stay_float32() -> None:
    room = Room()
    room.network.dtype = torch.bfloat16
    room.network.mix = room.network.mix.bfloat16()
    assert draw(room).samples.dtype == torch.float32
    assert all(seen.dtype == torch.bfloat16 for seen, _ in room.network.calls)


@pytest.mark.parametrize("make", samplers.register_nodes(), ids=lambda make: make.__name__)
def test_every_sampler_node_runs_with_its_defaults(make: Callable[[], Any]) -> None:
    room = Room()
    found = sampling.sample(
        Context(room),
        guiders.classifier_free(DENOISER, WORDS, WORDS, scale=3.0),
        make(),
        schedules.karras(DENOISER, steps=4),
        noise.gaussian(),
        latents.empty(DENOISER, width=32, height=32),
    )
    assert torch.isfinite(found.latent.samples).all()
    assert found.denoised.samples.shape == found.latent.samples.shape


def test_slices_hand_a_noisy_latent_on() -> None:
    schedule = schedules.default(DENOISER, steps=6)
    parts = (noise.gaussian(seed=3), latents.empty(DENOISER, width=64, height=32))
    guider, method = guiders.none(DENOISER, WORDS), samplers.euler_ancestral()
    whole = sampling.sample(Context(Room()), guider, method, schedule, *parts)
    first = sampling.sample(Context(Room()), guider, method, schedules.slice(schedule, end=0.5), *parts)
    rest = schedules.slice(schedule, start=0.5)
    end = sampling.sample(Context(Room()), guider, method, rest, parts[0], first.latent, add_noise=False)
    assert torch.allclose(end.latent.samples, whole.latent.samples, atol=1e-5)


def test_the_eighth_image_of_a_batch_can_be_made_alone() -> None:
    batch = draw(Room(), seed=5, batch=8)
    found = sampling.sample(
        Context(Room()),
        guiders.none(DENOISER, WORDS),
        samplers.euler(),
        schedules.default(DENOISER, steps=6),
        noise.gaussian(seed=5, first=7),
        latents.empty(DENOISER, width=64, height=32),
    )
    assert torch.allclose(found.latent.samples, batch.samples[7:], atol=1e-5)


def test_cancelling_stops_within_a_step() -> None:
    room = Room(cancel_after=2)
    with pytest.raises(Cancelled):
        draw(room)
    assert len(room.network.calls) == 2


def test_a_preview_is_made_only_while_somebody_watches_and_wants_it() -> None:
    watched, alone, unwanted = Room(), Room(watched=False), Room()
    draw(watched)
    draw(alone)
    draw(unwanted, preview=False)
    assert Picture.open(BytesIO(watched.previews[0].data)).size == (256, 128)
    assert alone.previews == unwanted.previews == []


def test_a_latent_of_another_model_is_refused_when_run() -> None:
    stranger = Latent(torch.zeros(1, 16, 4, 4), LatentFormat("sd3", 16, 1.5305, 0.0609))
    schedule = schedules.default(DENOISER, steps=2)
    parts = (guiders.none(DENOISER, WORDS), samplers.euler())
    with pytest.raises(ValueError, match=r"sampling.sample.latent: is in the format .*sd3.*latents.empty"):
        sampling.sample(Context(Room()), *parts, schedule, noise.gaussian(), stranger)
    other = schedules.default(handle(Flow(), "flow"), steps=2)
    with pytest.raises(ValueError, match=r"sampling.sample.schedule: is made for Flow.*with this denoiser"):
        sampling.sample(Context(Room()), *parts, other, noise.gaussian(), latents.empty(DENOISER))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 100}, "multiple of 8"),
        ({"height": 36, "width": 64}, "multiple of 8"),
        ({"width": 16384, "height": 16384, "batch": 2}, "more than 268,435,456 pixels"),
    ],
)
def test_sizes_that_cannot_be_are_refused_with_the_cure(settings: dict[str, int], words: str) -> None:
    with pytest.raises(Refusal, match=words) as refusal:
        latents.empty(DENOISER, **settings)
    assert refusal.value.cure


# --- while a workflow is checked ------------------------------------------------------------------------------------


def test_listing_and_checking_import_no_torch() -> None:
    program = """
import sys
from graphgen.node import spec_of
from graphgen_nodes.packs import guiders, latents, noise, samplers, sampling, schedules
from graphgen_nodes.sockets import Denoiser, LatentFormat, VariancePreserving, Weights
handle = Denoiser("sd1", Weights("", "", "unet", "diffusers"), "epsilon", VariancePreserving(),
                  LatentFormat("sd", 4, 0.18215))
for pack in (guiders, latents, noise, samplers, sampling, schedules):
    for function in pack.register_nodes():
        spec_of(function).to_json()
schedules.slice(schedules.karras(handle, steps=5), start=0.5)
samplers.unipc()
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_setting_is_described_and_every_wire_too() -> None:
    for pack in PACKS:
        for function in pack.register_nodes():
            spec = spec_of(function)
            assert spec.description
            properties = spec.settings_schema().get("properties", {})
            assert isinstance(properties, dict)
            assert all("description" in schema for schema in properties.values()), spec.id
            assert all(wire.description for wire in spec.inputs), spec.id


def test_samplers_guiders_and_schedules_travel_as_data() -> None:
    classes = [cls for pack in (guiders, samplers, schedules) for cls in pack.register_types()]
    table = build_table([*classes, type(schedules.default(DENOISER)), Denoiser, LatentFormat, type(WORDS),
                         type(DENOISER.weights)])  # fmt: skip
    codec = ValueCodec(table, {TENSOR.classname: TENSOR})
    for value in (*(kind() for kind in SAMPLERS), schedules.slice(schedules.flow(handle(Flow(), "flow")), start=0.5)):
        assert codec.decode(codec.encode(value)) == value
    guider = codec.decode(codec.encode(guiders.classifier_free(DENOISER, WORDS, WORDS)))
    assert isinstance(guider, ClassifierFreeGuidance)
    assert guider.denoiser == DENOISER
    assert isinstance(guider.positive, TextConditioning)
    assert torch.equal(guider.positive.embeddings, WORDS.embeddings)


# --- previews -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4, 16])
def test_a_preview_of_any_format_is_a_small_png(channels: int) -> None:
    picture = Picture.open(BytesIO(preview_png(torch.randn(2, channels, 6, 12), LatentFormat("new", channels, 1.0))))
    assert picture.format == "PNG"
    assert picture.size == (256, 128)


def test_frames_show_the_first() -> None:
    latent = torch.randn(1, 4, 5, 6, 6)
    one = preview_png(latent, LatentFormat("video", 4, 1.0))
    assert one == preview_png(latent[:, :, :1], LatentFormat("video", 4, 1.0))


def test_a_known_projection_is_found_again_by_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    latents_, true = torch.randn(4, 4, 8, 8, generator=generator), torch.randn(3, 5, generator=generator) / 8
    ones = torch.ones(4, 1, 8, 8)
    pixels = torch.einsum("rc,bchw->brhw", true, torch.cat([latents_, ones], dim=1)) / 2 + 0.5
    fitted = fit_projection(latents_, pixels.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3))
    assert torch.allclose(torch.tensor(fitted), true, atol=1e-4)
    fmt = LatentFormat("fitted", 4, 1.0)
    monkeypatch.setitem(PROJECTIONS, fmt, fitted)
    assert torch.allclose(project(latents_[0], fmt), pixels[0].clamp(0, 1), atol=1e-3)
