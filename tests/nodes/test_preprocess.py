"""Pictures to follow, drawn without a network: against the same by scipy, and by what is known of simple pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from nodes.facts_kit import assert_foretold
from nodes.test_images import facts, infer, known
from numpy.typing import NDArray
from scipy import ndimage

from graphgen import Refusal
from graphgen_nodes import Image
from graphgen_nodes.imaging import hints
from graphgen_nodes.packs import preprocess

LUMA = np.array([0.299, 0.587, 0.114])
NODES = preprocess.register_nodes()


def noise(channels: int = 3, height: int = 60, width: int = 50, seed: int = 0) -> torch.Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(seed))


def gray_of(picture: torch.Tensor) -> NDArray[np.float64]:
    return np.tensordot(LUMA, picture.double().numpy(), axes=1)


def by_scipy(picture: torch.Tensor, low: float, high: float, sigma: float) -> NDArray[np.bool_]:
    """Find the edges of one picture by scipy's filters, pixel by pixel and component by component."""
    gray = ndimage.gaussian_filter(gray_of(picture), sigma, mode="nearest")
    down, across = (ndimage.sobel(gray, axis=axis, mode="nearest") for axis in (0, 1))
    steep = np.hypot(across, down)
    rim = np.pad(steep, 1)
    thin = np.zeros_like(steep)
    for row, column in np.ndindex(*steep.shape):
        angle = np.degrees(np.arctan2(down[row, column], across[row, column])) % 180
        y, x = ((0, 1), (1, 1), (1, 0), (1, -1), (0, 1))[int((angle + 22.5) // 45)]
        if (
            steep[row, column] > rim[row + 1 - y, column + 1 - x]
            and steep[row, column] >= rim[row + 1 + y, column + 1 + x]
        ):
            thin[row, column] = steep[row, column]
    parts, _ = ndimage.label(thin > low, structure=np.ones((3, 3)))
    kept = np.unique(parts[thin > high])
    return np.isin(parts, kept[kept > 0])


@pytest.mark.parametrize(("low", "high", "sigma"), [(0.2, 0.6, 1.0), (0.05, 0.3, 2.0), (0.5, 0.5, 0.7)])
def test_canny_finds_what_scipy_finds(low: float, high: float, sigma: float) -> None:
    picture = noise()
    found = preprocess.canny(Image(picture), low=low, high=high, sigma=sigma).pixels
    for ours, one in zip(found, picture, strict=True):
        expected = by_scipy(one, low, high, sigma)
        assert 0.01 < expected.mean() < 0.5
        assert (ours[0].bool().numpy() != expected).mean() < 1e-3  # where rounding decides


def test_hysteresis_keeps_the_components_with_a_strong_pixel() -> None:
    generator = np.random.default_rng(0)
    for share in (0.05, 0.2, 0.35, 0.5):
        weak = generator.random((40, 30)) < share
        strong = weak & (generator.random((40, 30)) < 0.05)
        parts, _ = ndimage.label(weak, structure=np.ones((3, 3)))
        kept = np.unique(parts[strong])
        assert np.array_equal(hints._hysteresis(strong, weak), np.isin(parts, kept[kept > 0]))


def test_the_edge_of_a_square_is_a_line_a_pixel_wide() -> None:
    picture = torch.zeros(1, 3, 32, 32)
    picture[..., 8:24, 8:24] = 1.0
    edges = preprocess.canny(Image(picture), sigma=1.0).pixels
    assert sorted(set(edges.flatten().tolist())) == [0.0, 1.0]
    assert edges[0, 0, 16].sum() == 2  # left and right
    assert edges[0, 0, :, 16].sum() == 2
    assert preprocess.canny(Image(torch.full((1, 3, 16, 16), 0.3))).pixels.sum() == 0
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1.0
    assert preprocess.canny(Image(step), low=3.9, high=3.99, sigma=0.0).pixels.sum() > 0
    assert preprocess.canny(Image(step), low=3.9, high=4.01, sigma=0.0).pixels.sum() == 0


def test_lines_are_an_extended_difference_of_gaussians() -> None:
    picture, sigma, sharpness, level, slope = noise(), 1.2, 15.0, 0.6, 8.0
    found = preprocess.lines(Image(picture), sigma=sigma, sharpness=sharpness, level=level, slope=slope).pixels
    for ours, one in zip(found, picture, strict=True):
        gray = gray_of(one)
        near, far = (ndimage.gaussian_filter(gray, s, mode="nearest") for s in (sigma, 1.6 * sigma))
        sharp = (1 + sharpness) * near - sharpness * far
        expected = np.where(sharp >= level, 1.0, 1 + np.tanh(slope * (sharp - level)))
        assert np.abs(1 - ours[0].numpy() - expected.clip(0, 1)).max() < 1e-3
    assert found.std() > 0.1


@pytest.mark.parametrize("sigma", [0.0, 0.8, 5.0])
def test_blur_is_scipy_s(sigma: float) -> None:
    picture = noise(height=40, width=30)
    expected = ndimage.gaussian_filter(picture.double().numpy(), (0, 0, sigma, sigma), mode="nearest")
    assert np.abs(preprocess.blur(Image(picture), sigma=sigma).pixels.numpy() - expected).max() < 1e-6


def test_tile_leaves_what_is_coarse() -> None:
    """A picture of one colour stays, a fine checkerboard becomes gray, and one of large fields stays recognisable."""
    plain = torch.full((1, 3, 33, 47), 0.25)
    assert torch.allclose(preprocess.tile(Image(plain), factor=4).pixels, plain, atol=1e-6)
    fine = (torch.arange(32)[:, None] + torch.arange(32)).remainder(2).float().expand(1, 3, 32, 32)
    assert (preprocess.tile(Image(fine), factor=4).pixels - 0.5).abs().max() < 1e-5
    coarse = torch.zeros(1, 3, 32, 32)
    coarse[..., 16:] = 1.0
    found = preprocess.tile(Image(coarse), factor=4).pixels
    assert found[..., :12].max() < 0.1
    assert found[..., 20:].min() > 0.9
    assert torch.equal(preprocess.tile(Image(fine), factor=1).pixels, fine)


def test_inverting_twice_gives_it_back_and_thresholds_split() -> None:
    picture = noise()
    assert torch.allclose(preprocess.invert(preprocess.invert(Image(picture))).pixels, picture, atol=1e-6)
    gray = preprocess.gray(Image(picture)).pixels
    assert np.abs(gray[0, 0].numpy() - gray_of(picture[0])).max() < 1e-6
    split = preprocess.threshold(Image(picture), level=0.4).pixels
    assert torch.equal(split.bool(), gray >= 0.4)


@pytest.mark.parametrize("make", NODES, ids=lambda make: make.__name__)
@pytest.mark.parametrize("channels", [3, 4])
def test_size_and_range_are_kept_and_foretold(make: Any, channels: int) -> None:
    """Pictures of any size, transparent ones too, give opaque ones in 0..1; each of a batch as if it were alone."""
    for height, width in ((1, 1), (3, 20), (17, 16)):
        picture = noise(channels, height, width)
        found = make(Image(picture))
        assert 0 <= float(found.pixels.min()) <= float(found.pixels.max()) <= 1
        assert torch.allclose(found.pixels[1:], make(Image(picture[1:])).pixels, atol=1e-6)
        asked = known({}, {"image": facts(width, height, channels, 2)})
        assert_foretold(infer(make, asked)["image"], found, make.__name__)


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    for attempt in (
        lambda: infer(preprocess.canny, known({"low": 0.9, "high": 0.8}, {"image": {}})),
        lambda: preprocess.canny(Image(noise()), low=0.9, high=0.8),
    ):
        with pytest.raises(Refusal, match=r"is 0\.9, above high, 0\.8"):
            attempt()
