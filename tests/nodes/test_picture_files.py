"""Picture files of every format become the right tensors, and damaged or huge ones a clear error."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy
import PIL.Image
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphgen_nodes.imaging.files import read_picture, to_pillow, write_picture
from graphgen_nodes.imaging.geometry import MOST_PIXELS, Size
from graphgen_nodes.imaging.headers import picture_size
from graphgen_nodes.imaging.previews import preview_of

LOSSLESS: dict[str, dict[str, Any]] = {"png": {}, "webp": {"lossless": True, "exact": True}, "bmp": {}, "tiff": {}}


def noise(*shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(5).integers(0, 256, shape, numpy.uint8)


def as_planes(values: numpy.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(numpy.float32) / 255).permute(2, 0, 1)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_colours_are_exact(tmp_path: Path, suffix: str) -> None:
    values = noise(7, 5, 3)
    PIL.Image.fromarray(values).save(tmp_path / f"a.{suffix}", **LOSSLESS[suffix])
    picture = read_picture(tmp_path / f"a.{suffix}")
    assert picture.pixels.shape == (3, 7, 5)
    assert picture.pixels.dtype == torch.float32
    assert torch.equal(picture.pixels, as_planes(values))
    assert torch.equal(picture.alpha, torch.ones(7, 5))
    assert picture_size(tmp_path / f"a.{suffix}") == Size(5, 7)


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_alpha_becomes_a_plane_and_hidden_colours_stay(tmp_path: Path, suffix: str) -> None:
    values = noise(6, 4, 4)
    values[0, 0, 3] = 0
    PIL.Image.fromarray(values).save(tmp_path / f"a.{suffix}", **LOSSLESS[suffix])
    picture = read_picture(tmp_path / f"a.{suffix}")
    assert torch.equal(picture.pixels, as_planes(values)[:3])
    assert torch.equal(picture.alpha, as_planes(values)[3])


def test_jpeg_is_near(tmp_path: Path) -> None:
    values = numpy.full((16, 16, 3), (200, 100, 50), numpy.uint8)
    PIL.Image.fromarray(values).save(tmp_path / "a.jpg", quality=95)
    assert (read_picture(tmp_path / "a.jpg").pixels - as_planes(values)).abs().max() < 0.02


def test_a_gif_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [PIL.Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert torch.equal(read_picture(tmp_path / "a.gif").pixels[:, 0, 0], torch.tensor([1.0, 0, 0]))


def test_a_palette_becomes_colours_and_its_transparent_one_alpha(tmp_path: Path) -> None:
    palette = PIL.Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "a.png", transparency=1)
    picture = read_picture(tmp_path / "a.png")
    assert picture.pixels[:, 0].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert picture.alpha.tolist() == [[1, 0]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    white = PIL.Image.new("RGB", (3, 2), "white").convert("L" if mode == "LA" else mode).convert(mode)
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
    white.save(path)
    picture = read_picture(path)
    assert torch.allclose(picture.pixels, torch.ones(3, 2, 3), atol=0.01)
    assert torch.equal(picture.alpha, torch.ones(2, 3))


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_keeps_its_precision(tmp_path: Path, suffix: str) -> None:
    values = numpy.array([[0, 1, 257], [30000, 65534, 65535]], numpy.uint16)
    PIL.Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    picture = read_picture(tmp_path / f"a.{suffix}")
    expected = torch.from_numpy(values.astype(numpy.float64) / 65535).float()
    assert torch.equal(picture.pixels, expected.expand(3, 2, 3))


def test_16_bit_rgb_is_read_to_8_bits(tmp_path: Path) -> None:
    row = b"\0" + struct.pack(">6H", 0, 65535, 32768, 257, 512, 65280)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(row)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    expected = torch.tensor([[0, 257 / 65535], [1, 512 / 65535], [32768 / 65535, 65280 / 65535]])
    assert (read_picture(tmp_path / "a.png").pixels[:, 0] - expected).abs().max() < 1 / 255


def test_float_tiff_is_read_as_it_is(tmp_path: Path) -> None:
    values = numpy.array([[0.1, 0.5], [numpy.nan, 7.0]], numpy.float32)
    PIL.Image.fromarray(values).save(tmp_path / "a.tif")
    assert torch.equal(read_picture(tmp_path / "a.tif").pixels[0], torch.tensor([[0.1, 0.5], [0.0, 1.0]]))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_are_turned_upright(tmp_path: Path, suffix: str, turn: int) -> None:
    values = numpy.zeros((32, 48, 3), numpy.uint8)
    values[:16, :16] = (255, 0, 0)
    values[16:, 32:] = (0, 0, 255)
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / f"a.{suffix}"
    PIL.Image.fromarray(values).save(path, exif=exif)
    with PIL.Image.open(path) as stored:
        expected = _upright(values, turn)
        assert stored.getexif()[0x0112] == turn
    picture = read_picture(path)
    assert picture.pixels.shape == (3, *expected.shape[:2])
    assert (picture.pixels - as_planes(expected)).abs().mean() < 0.03
    assert picture_size(path) == Size(expected.shape[1], expected.shape[0])


def _upright(values: numpy.ndarray, turn: int) -> numpy.ndarray:
    """Turn as the EXIF standard's table says where row 0 and column 0 are to be seen."""
    height, width = values.shape[:2]
    row, column = numpy.mgrid[0:height, 0:width]
    left, right, top, bottom = column, width - 1 - column, row, height - 1 - row
    places = {
        1: (top, left),
        2: (top, right),
        3: (bottom, right),
        4: (bottom, left),
        5: (left, top),
        6: (left, bottom),
        7: (right, bottom),
        8: (right, top),
    }
    to_row, to_column = places[turn]
    shape = (width, height) if turn >= 5 else (height, width)
    found = numpy.zeros((*shape, 3), numpy.uint8)
    found[to_row, to_column] = values
    return found


def test_unreadable_exif_does_not_matter(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (3, 2)).save(tmp_path / "a.png", exif=b"Exif\0\0rubbish")
    assert read_picture(tmp_path / "a.png").pixels.shape == (3, 2, 3)


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    for width, height in ((8193, 8193), (10_000, 10_000), (30_000, 30_000)):
        ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        body = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr)) + bytes(4) + b"IDAT" + bytes(4)
        (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        for read in (read_picture, picture_size):
            with pytest.raises(ValueError, match=r"'bomb\.png'.* at most 67108864 ") as caught:
                read(tmp_path / "bomb.png")
            assert "make it smaller" in str(caught.value)
    assert MOST_PIXELS == 8192 * 8192


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0", b"8BPS"])
def test_what_is_no_picture_is_refused_without_addresses(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"'a\.png' is not a picture that can be read; allowed: PNG, JPEG") as caught:
        read_picture(tmp_path / "a.png")
    assert "0x" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp"])
def test_truncated_pictures_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    PIL.Image.fromarray(noise(64, 64, 3)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"damaged or truncated|not a picture"):
        read_picture(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(suffix=st.sampled_from(["png", "jpg", "webp", "tif", "gif", "bmp"]), data=st.data())
def test_no_damage_does_more_than_raise_valueerror(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    path = tmp_path / f"fuzz.{suffix}"
    PIL.Image.fromarray(noise(8, 8, 3)).save(path)
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        picture = read_picture(path)
    except ValueError:
        return
    assert 0 <= picture.pixels.min() <= picture.pixels.max() <= 1


def test_what_is_written_as_png_comes_back_to_8_bits(tmp_path: Path) -> None:
    for channels in (3, 4):
        pixels = torch.rand(channels, 9, 11, generator=torch.Generator().manual_seed(1))
        (tmp_path / "a.png").write_bytes(write_picture(pixels))
        picture = read_picture(tmp_path / "a.png")
        back = torch.cat([picture.pixels, picture.alpha[None]])[:channels]
        assert torch.equal(back, (pixels * 255).round() / 255)
        assert write_picture(back) == write_picture(pixels)


def test_values_outside_are_clamped_and_half_precision_is_taken() -> None:
    picture = to_pillow(torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float16).reshape(3, 1, 1))
    assert picture.getpixel((0, 0)) == (0, 128, 255)


def test_jpeg_and_webp_are_near_and_smaller_at_lower_quality(tmp_path: Path) -> None:
    pixels = torch.linspace(0, 1, 64).expand(3, 64, 64)
    for form in ("jpeg", "webp"):
        (tmp_path / "a").write_bytes(good := write_picture(pixels, form, 95))
        assert (read_picture(tmp_path / "a").pixels - pixels).abs().max() < 0.05
        assert len(write_picture(pixels, form, 10)) < len(good)


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        write_picture(torch.full((3, 1, 1), torch.nan))
    with pytest.raises(ValueError, match="no transparency; choose png or webp"):
        write_picture(torch.zeros(4, 1, 1), "jpeg")
    with pytest.raises(ValueError, match=r"allowed: \[3 or 4, height, width\]"):
        write_picture(torch.zeros(1, 1, 1))


def test_a_preview_is_small_and_survives_nan(tmp_path: Path) -> None:
    preview = preview_of(torch.full((4, 600, 1200), torch.nan), longest=256)
    assert preview.media_type == "image/jpeg"
    (tmp_path / "a.jpg").write_bytes(preview.data)
    assert picture_size(tmp_path / "a.jpg") == Size(256, 128)
    assert read_picture(tmp_path / "a.jpg").pixels.max() == 0
