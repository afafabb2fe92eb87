"""Check encoding and decoding against diffusers, in tiles against whole pictures, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor, nn

from graphgen import Place
from graphgen_nodes import Image, Latent, LatentFormat
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import autoencoder_handle
from graphgen_nodes.imaging.autoencoder import blend, check_format, decode, encode, plan_tiles
from graphgen_nodes.loading import ModelLoader

ARCHES: tuple[Arch, ...] = ("sd1", "sd3", "flux")
PLAIN = LatentFormat("plain", 3, 0.5, 0.25, 8)


def quiet(done: int, total: int) -> None:
    """Take a report and do nothing."""


def loaded(arch: Arch) -> tuple[nn.Module, LatentFormat]:
    handle = autoencoder_handle(open_checkpoint(shared_tiny(arch).file))
    module = ModelLoader().load(handle, Place("cpu", "float32"), quiet).module
    assert isinstance(module, nn.Module)
    return module, handle.latent


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("arch", ARCHES)
def test_decoding_equals_diffusers(arch: Arch) -> None:
    module, target = loaded(arch)
    samples = noise(2, target.channels, 8, 12)
    found = decode(module, Latent(samples, target), 0, quiet).pixels
    pipeline = make_pipeline(arch, seed=0)
    config = pipeline.vae.config
    with torch.no_grad():
        picture = pipeline.vae.decode(samples / config.scaling_factor + (config.shift_factor or 0)).sample
    expected = pipeline.image_processor.postprocess(picture, output_type="pt")
    assert found.shape == (2, 3, 64, 96)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("arch", ARCHES)
def test_encoding_equals_diffusers(arch: Arch) -> None:
    module, target = loaded(arch)
    pixels = torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    pipeline = make_pipeline(arch, seed=0)
    config = pipeline.vae.config
    with torch.no_grad():
        found = pipeline.vae.encode(pixels * 2 - 1).latent_dist
    mode = encode(module, Image(pixels), target, 0, quiet)
    expected = (found.mode() - (config.shift_factor or 0)) * config.scaling_factor
    torch.testing.assert_close(mode.samples, expected, rtol=0, atol=1e-4)
    assert mode.format == target

    drawn = encode(module, Image(pixels), target, 0, quiet, seed=5)
    draws = torch.cat([noise(1, *found.mean.shape[1:], seed=5 + index) for index in range(2)])
    expected = (found.mean + found.std * draws - (config.shift_factor or 0)) * config.scaling_factor
    torch.testing.assert_close(drawn.samples, expected, rtol=1e-4, atol=1e-4)


def test_a_picture_of_a_batch_equals_its_single_run() -> None:
    module, target = loaded("sd1")
    samples = noise(3, 4, 8, 8)
    batch = decode(module, Latent(samples, target), 0, quiet).pixels
    for index in range(3):
        single = decode(module, Latent(samples[index : index + 1], target), 0, quiet).pixels
        torch.testing.assert_close(batch[index : index + 1], single, rtol=0, atol=1e-6)


def test_alpha_is_left_out() -> None:
    module, target = loaded("sd1")
    pixels = torch.rand(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    with_alpha = encode(module, Image(pixels), target, 0, quiet)
    assert torch.equal(with_alpha.samples, encode(module, Image(pixels[:, :3]), target, 0, quiet).samples)


# --- tiles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width", "size"), [(8, 8, 16), (17, 16, 16), (100, 33, 32), (16, 250, 16)])
def test_tiles_cover_a_picture_and_overlap(height: int, width: int, size: int) -> None:
    windows = plan_tiles(height, width, size)
    covered = torch.zeros(height, width)
    for window in windows:
        assert 0 <= window.top < window.bottom <= height
        assert 0 <= window.left < window.right <= width
        assert window.bottom - window.top == min(size, height)
        assert window.right - window.left == min(size, width)
        covered[window.top : window.bottom, window.left : window.right] += 1
    assert covered.min() >= 1
    for first, second in pairwise(windows):
        if first.top == second.top:
            assert first.right - second.left >= size // 4


def test_one_tile_where_the_picture_fits() -> None:
    assert len(plan_tiles(64, 64, 64)) == 1
    assert len(plan_tiles(1000, 1000, 0)) == 1


def test_blending_gives_back_what_was_cut() -> None:
    picture = noise(1, 3, 50, 70)
    windows = plan_tiles(50, 70, 16)
    pieces: Iterator[Tensor] = (picture[..., w.top : w.bottom, w.left : w.right] for w in windows)
    torch.testing.assert_close(blend(pieces, windows, 1), picture, rtol=0, atol=1e-5)


class Enlarger(nn.Module):
    """A real, local autoencoder: pixels are averaged over 8 x 8 and repeated. Tiles of it equal the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def decode(self, latent: Tensor, return_dict: bool) -> tuple[Tensor]:  # noqa: ARG002 - as AutoencoderKL has it
        return (nn.functional.interpolate(latent, scale_factor=8) * self.weight,)

    def encode(self, pixels: Tensor) -> Any:
        from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
        from diffusers.models.modeling_outputs import AutoencoderKLOutput

        mean = nn.functional.avg_pool2d(pixels, 8)
        return AutoencoderKLOutput(latent_dist=DiagonalGaussianDistribution(torch.cat([mean, mean * 0], dim=1)))


def test_tiled_coding_of_a_local_network_equals_the_whole() -> None:
    module = Enlarger()
    latent = Latent(noise(2, 3, 20, 30), PLAIN)
    whole, tiled = (decode(module, latent, tile, quiet).pixels for tile in (0, 64))
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)
    image = Image(whole)
    for seed in (None, 3):
        one, two = (encode(module, image, PLAIN, tile, quiet, seed).samples for tile in (0, 64))
        torch.testing.assert_close(two, one, rtol=0, atol=1e-5)


def test_tiles_of_a_real_network_join_without_seams() -> None:
    """Compare steps between neighbouring pixels at the tiles' edges with those elsewhere."""
    module, target = loaded("sd1")
    tiled = decode(module, Latent(noise(1, 4, 16, 32), target), 128, quiet).pixels
    assert tiled.shape == (1, 3, 128, 256)
    steps = tiled.diff(dim=-1).abs().mean(dim=(0, 1, 2))
    edges = {side * 8 - 1 for window in plan_tiles(16, 32, 16) for side in (window.left, window.right)}
    inner = [edge for edge in edges if 0 <= edge < 255]
    assert sorted(inner) == [63, 127, 191]
    assert max(float(steps[edge]) for edge in inner) < 2 * float(steps.mean())


def test_progress_counts_tiles_and_can_stop() -> None:
    class Stop(Exception):
        pass

    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        decode(Enlarger(), Latent(noise(2, 3, 20, 20), PLAIN), 64, stop)
    assert seen == [(0, 18), (1, 18), (2, 18)]


# --- what is refused ------------------------------------------------------------------------------------------------


def test_a_latent_of_another_format_is_refused() -> None:
    _, sd1 = loaded("sd1")
    _, sd3 = loaded("sd3")
    with pytest.raises(ValueError, match="family sd3 instead of sd, channels 16 instead of 4"):
        check_format(sd3, sd1)
    check_format(sd1, sd1)


def test_sides_that_do_not_fit_are_refused() -> None:
    module, target = loaded("sd1")
    with pytest.raises(ValueError, match=r"60 x 32 pixels; both must be multiples of 8.*resize to 56 x 32"):
        encode(module, Image(torch.zeros(1, 3, 32, 60)), target, 0, quiet)
