"""Check the upscalers against ncnn's answers, the published sizes, and tiles against whole pictures."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

import graphgen_nodes
from graphgen_nodes.networks.upscale import (
    Architecture,
    RRDBNet,
    SRVGGNetCompact,
    UpscaleNetwork,
    UpscalerError,
    build,
    detect,
    load,
    upscale,
)

MODELS = Path(graphgen_nodes.__path__[0]) / "models"
SHIPPED = MODELS / "realesr-animevideov3-x4.safetensors"

COMPACT = Architecture("compact", scale=4, channels=3, features=64, blocks=16)
TINY = [
    Architecture("compact", scale=2, channels=3, features=8, blocks=3),
    Architecture("compact", scale=1, channels=1, features=4, blocks=1),
    Architecture("rrdb", scale=4, channels=3, features=8, blocks=1, growth=4),
    Architecture("rrdb", scale=2, channels=3, features=8, blocks=2, growth=4),
    Architecture("rrdb", scale=1, channels=1, features=8, blocks=1, growth=4),
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: with more, small convolutions wait for busy cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shipped() -> UpscaleNetwork:
    return load(load_file(SHIPPED)).float()


def tiny(architecture: Architecture) -> UpscaleNetwork:
    """Build a network with random weights whose answers lie inside 0..1, where nothing is clamped."""
    torch.manual_seed(0)
    module = build(architecture)
    if isinstance(module, RRDBNet):
        torch.nn.init.normal_(module.conv_last.weight, std=0.5)
        torch.nn.init.constant_(module.conv_last.bias, 0.5)  # type: ignore[arg-type]
    return module.eval()


def shapes(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def picture(channels: int, height: int, width: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, channels, height, width, generator=generator)


def ring(size: int) -> Tensor:
    """Draw a ring and a leaning bar, each pixel the mean of 8x8 points."""
    y, x = torch.meshgrid(*(2 * [(torch.arange(size * 8) + 0.5) / (size * 8) - 0.5]), indexing="ij")
    drawn = ((x * x + y * y).sqrt() - 0.3).abs() < 0.05
    drawn |= ((x - 0.4 * y).abs() < 0.04) & (y.abs() < 0.4)
    shade = F.avg_pool2d(drawn.float()[None, None], 8)
    return torch.lerp(
        torch.tensor([1.0, 0.9, 0.3]).view(1, 3, 1, 1), torch.tensor([0.1, 0.2, 0.6]).view(1, 3, 1, 1), shade
    )


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(F.mse_loss(a, b)))


def edges(pixels: Tensor) -> float:
    return float((pixels.diff(dim=-1) ** 2).sum() + (pixels.diff(dim=-2) ** 2).sum())


def test_the_shipped_file_is_the_one_that_was_converted() -> None:
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert digest in (MODELS / "PROVENANCE-realesrgan.md").read_text(encoding="utf-8")
    assert "Redistribution and use" in (MODELS / "LICENSE-realesrgan.txt").read_text(encoding="utf-8")
    assert all(tensor.dtype == torch.float16 for tensor in load_file(SHIPPED).values())


def test_the_shipped_upscaler_answers_like_ncnn(shipped: UpscaleNetwork) -> None:
    """The eight values were computed by ncnn 1.0.20261020 on the CPU, in float32, from the source files."""
    c, i, j = torch.meshgrid(torch.arange(3), torch.arange(24), torch.arange(20), indexing="ij")
    pixels = ((7 * (i // 3) + 5 * (j // 4) + 3 * c) % 16).float() / 15
    with torch.no_grad():
        answer = shipped(pixels[None])[0]
    places = [(0, 0, 0), (0, 95, 79), (1, 40, 41), (2, 13, 66), (1, 71, 5), (0, 50, 30), (2, 90, 12), (1, 3, 77)]
    ncnn = [0.0294, 0.334, -0.101, 0.194, 0.5902, 0.1808, 0.578, 0.4293]
    assert answer.shape == (3, 96, 80)
    assert [float(answer[place]) for place in places] == pytest.approx(ncnn, abs=1.5e-3)
    assert float(answer.mean()) == pytest.approx(0.4782, abs=2e-4)


def test_the_shipped_upscaler_draws_sharper_edges_than_bicubic(shipped: UpscaleNetwork) -> None:
    """Measure sharpness by squared differences of neighbours; error alone would reward blur."""
    large = ring(192)
    small = F.avg_pool2d(large, 4)
    bicubic = F.interpolate(small, scale_factor=4, mode="bicubic").clamp(0, 1)
    result = upscale(shipped, small)
    assert edges(bicubic) < 0.3 * edges(large)
    assert 0.6 * edges(large) < edges(result) < edges(large)
    assert psnr(result, large) > 24
    torch.testing.assert_close(result.mean((0, 2, 3)), large.mean((0, 2, 3)), rtol=0, atol=0.01)


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [
        (COMPACT, 621_424),  # realesr-animevideov3
        (Architecture("compact", 4, 3, 64, 32), 1_213_296),  # realesr-general-x4v3
        (Architecture("rrdb", 4, 3, 64, 6, 32), 4_467_779),  # RealESRGAN_x4plus_anime_6B
        (Architecture("rrdb", 4, 3, 64, 23, 32), 16_697_987),  # RealESRGAN_x4plus
        (Architecture("rrdb", 2, 3, 64, 23, 32), 16_703_171),  # RealESRGAN_x2plus
    ],
)
def test_published_models_are_recognised(architecture: Architecture, parameters: int) -> None:
    with torch.device("meta"):
        module = build(architecture)
    assert detect(shapes(module)) == architecture
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters


def test_the_shipped_file_is_recognised_by_names_and_shapes() -> None:
    assert detect({name: tuple(tensor.shape) for name, tensor in load_file(SHIPPED).items()}) == COMPACT


@pytest.mark.parametrize("architecture", TINY, ids=str)
def test_load_gives_back_what_was_saved(architecture: Architecture) -> None:
    module = tiny(architecture)
    loaded = load(module.state_dict())
    assert type(loaded) is type(module)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    pixels = picture(architecture.channels, 12, 8)
    with torch.no_grad():
        torch.testing.assert_close(loaded(pixels), module(pixels), rtol=0, atol=0)


@pytest.mark.parametrize("architecture", TINY, ids=str)
@pytest.mark.parametrize(("height", "width"), [(40, 52), (33, 47), (1, 3)])
def test_tiles_that_overlap_by_the_reach_equal_the_whole(architecture: Architecture, height: int, width: int) -> None:
    module = tiny(architecture)
    pixels = picture(architecture.channels, height, width, batch=2)
    whole = upscale(module, pixels, tile=0)
    tiled = upscale(module, pixels, tile=13, overlap=module.reach)
    assert whole.shape == (2, architecture.channels, height * architecture.scale, width * architecture.scale)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=2e-6)
    if height > 1:
        assert float((upscale(module, pixels, tile=13, overlap=0) - whole).abs().max()) > 1e-4


def test_the_shipped_upscaler_tiles_without_a_seam(shipped: UpscaleNetwork) -> None:
    assert shipped.reach == 18
    pixels = F.avg_pool2d(ring(96), 2)
    whole = upscale(shipped, pixels, tile=0)
    torch.testing.assert_close(upscale(shipped, pixels, tile=20), whole, rtol=0, atol=5e-6)


def test_a_picture_in_a_batch_equals_itself_alone() -> None:
    module = tiny(TINY[0])
    pixels = picture(3, 20, 24, batch=3)
    alone = torch.cat([upscale(module, pixels[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(upscale(module, pixels), alone, rtol=0, atol=0)


def test_the_answer_is_clamped_and_keeps_the_dtype_of_the_pixels() -> None:
    module = tiny(TINY[0]).double()
    result = upscale(module, picture(3, 9, 9) * 40 - 20)
    assert result.dtype == torch.float32
    assert float(result.min()) == 0
    assert float(result.max()) == 1
    assert not result.requires_grad


def test_progress_is_reported_and_can_stop_the_work() -> None:
    class Stop(Exception):
        pass

    seen: list[tuple[int, int]] = []

    def stop_at_three(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 3:
            raise Stop

    module = tiny(TINY[0])
    with pytest.raises(Stop):
        upscale(module, picture(3, 20, 20, batch=2), tile=10, on_tile=stop_at_three)
    assert seen == [(1, 8), (2, 8), (3, 8)]


def test_a_slope_or_a_block_more_is_not_the_network_it_looks_like() -> None:
    found = shapes(tiny(TINY[0]))
    with pytest.raises(UpscalerError, match=r"missing body\.1\.bias|unknown body\.1\.bias"):
        detect({**found, "body.1.bias": (8,)})
    with pytest.raises(UpscalerError, match=r"missing body\.2\.weight"):
        detect({name: shape for name, shape in found.items() if name != "body.2.weight"})
    with pytest.raises(UpscalerError, match=r"of another shape body\.2\.weight"):
        detect({**found, "body.2.weight": (8, 9, 3, 3)})


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"model.0.weight": (64, 3, 3, 3)}, "not a known upscaler: it holds model.0.weight"),
        ({}, "it holds nothing"),
        ({"body.0.weight": (8, 3, 3, 3), "body.2.weight": (12, 8, 3, 3)}, "allowed is prelu"),
        (
            {"body.0.weight": (8, 3, 3, 3), "body.1.weight": (8,), "body.2.weight": (13, 8, 3, 3)},
            "body.2.weight: 13 outputs for 3 channels",
        ),
        (
            {"body.0.weight": (8, 3, 3, 3), "body.1.weight": (8,), "body.4000000000.weight": (12, 8, 3, 3)},
            "body.4000000000.weight: 12 outputs",
        ),
        ({"conv_first.weight": (8, 5, 3, 3), "conv_last.weight": (3, 8, 3, 3)}, "conv_first.weight: has 5 inputs"),
        ({"conv_first.weight": (8, 3, 3, 3)}, "conv_last.weight: missing"),
        ({"conv_first.weight": (8, 3), "conv_last.weight": (3, 8, 3, 3)}, "must have 4 dimensions"),
    ],
)
def test_what_is_no_upscaler_says_so(found: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(UpscalerError, match=re.escape(message)):
        detect(found)


@pytest.mark.parametrize(
    ("pixels", "settings", "message"),
    [
        (torch.zeros(1, 4, 8, 8), {}, "pixels: must be floating point [batch, 3, height, width]"),
        (torch.zeros(3, 8, 8), {}, "pixels: must be"),
        (torch.zeros(1, 3, 0, 8), {}, "none of them 0"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), {}, "(got torch.uint8"),
        (torch.zeros(1, 3, 8, 8), {"tile": -1}, "tile: must be at least 0"),
        (torch.zeros(1, 3, 8, 8), {"overlap": -1}, "overlap: must be at least 0"),
    ],
)
def test_what_cannot_be_enlarged_says_so(pixels: Tensor, settings: dict[str, int], message: str) -> None:
    with pytest.raises(UpscalerError, match=re.escape(message)):
        upscale(
            SRVGGNetCompact(features=4, blocks=1),
            pixels,
            tile=settings.get("tile", 256),
            overlap=settings.get("overlap"),
        )


def test_rrdb_knows_its_scales() -> None:
    with pytest.raises(UpscalerError, match="scale must be 1, 2 or 4"):
        RRDBNet(scale=3)
