"""Pictures made small, or into another format: upright, transparency kept, and hostile files refused."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable

import PIL.Image
import pytest

from graphgen_nodes.imaging.png import PNG
from graphgen_nodes.imaging.thumbnails import as_jpeg, as_webp, holes, shrunk


def picture(size: tuple[int, int], mode: str = "RGB", form: str = "PNG") -> bytes:
    target = io.BytesIO()
    PIL.Image.new(mode, size, (200, 30, 60, 128)[: len(mode)]).save(target, form)
    return target.getvalue()


def opened(data: bytes, longest: int) -> PIL.Image.Image:
    media_type, small = shrunk(data, longest)
    assert media_type == "image/webp"
    return PIL.Image.open(io.BytesIO(small), formats=["WEBP"])


@pytest.mark.parametrize(("size", "expected"), [((400, 200), (64, 32)), ((200, 400), (32, 64)), ((20, 10), (20, 10))])
def test_the_longer_side_is_as_asked_and_nothing_is_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert opened(picture(size), 64).size == expected


def test_colours_and_transparency_stay() -> None:
    colour = opened(picture((100, 100)), 32).convert("RGB").getpixel((16, 16))
    assert isinstance(colour, tuple)
    assert all(abs(found - meant) < 8 for found, meant in zip(colour, (200, 30, 60), strict=True))
    clear = opened(picture((100, 100), "RGBA"), 32).getpixel((16, 16))
    assert isinstance(clear, tuple)
    assert abs(clear[3] - 128) < 8


def test_what_is_turned_by_its_header_comes_upright() -> None:
    turned = PIL.Image.new("RGB", (40, 20))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    target = io.BytesIO()
    turned.save(target, "JPEG", exif=exif)
    assert opened(target.getvalue(), 20).size == (10, 20)


@pytest.mark.parametrize("data", [b"", b"<svg/>", picture((50, 50))[:60], b"\x89PNG\r\n\x1a\n" + b"\0" * 99])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="picture"):
        shrunk(data, 64)


def test_png_files_are_made_small_without_torch() -> None:
    assert PNG.thumbnail is not None
    code = (
        "import sys, io; from graphgen_nodes.imaging.png import thumbnail; import PIL.Image; t = io.BytesIO(); "
        "PIL.Image.new('RGB', (9, 9)).save(t, 'PNG'); thumbnail(t.getvalue(), 16); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("write", "form"), [(as_jpeg, "JPEG"), (as_webp, "WEBP"), (PNG.convert, "PNG")])
def test_any_picture_becomes_one_of_another_format(write: Callable[[bytes, int, bool], bytes], form: str) -> None:
    for source in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
        made = PIL.Image.open(io.BytesIO(write(picture((40, 20), form=source), 100, False)))
        assert (made.format, made.size) == (form, (40, 20))
        colour = made.convert("RGB").getpixel((20, 10))
        assert isinstance(colour, tuple)
        assert all(abs(found - meant) < 8 for found, meant in zip(colour, (200, 30, 60), strict=True))
    with pytest.raises(ValueError, match="picture"):
        write(picture((50, 50))[:60], 100, False)


def test_transparency_stays_or_lies_on_white() -> None:
    clear = picture((4, 4), "RGBA")
    for write, opaque, mode in ((as_webp, False, "RGBA"), (as_webp, True, "RGB"), (as_jpeg, False, "RGB")):
        made = PIL.Image.open(io.BytesIO(write(clear, 100, opaque)))
        assert made.mode == mode
        if mode == "RGB":
            colour = made.getpixel((2, 2))
            assert isinstance(colour, tuple)
            assert all(abs(found - (meant + 255) / 2) < 8 for found, meant in zip(colour, (200, 30, 60), strict=True))


def test_holes_are_where_a_picture_is_transparent() -> None:
    found = holes(picture((4, 4), "RGBA"))
    assert found is not None
    assert PIL.Image.open(io.BytesIO(found)).getpixel((2, 2)) == 127
    assert holes(picture((4, 4))) is None
    assert holes(picture((4, 4), "L")) is None
