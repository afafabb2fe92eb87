"""How pictures and masks look as files, from the bytes of their tensors."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy
import PIL.Image
import pytest

from graphgen import Buffer
from graphgen_nodes.imaging.renderings import draw_image, draw_mask

WITHOUT_TORCH = """
import sys
from graphgen import Buffer
from graphgen_nodes.plugin import register_renderers
image, mask = register_renderers()
assert image.count({"pixels": Buffer("F32", (2, 3, 4, 5), bytes(480))}) == 2
assert mask.draw({"values": Buffer("F32", (1, 4, 5), bytes(80))}, 0, 16)[0] == "image/webp"
assert "torch" not in sys.modules
"""


def drawn(file: tuple[str, bytes]) -> PIL.Image.Image:
    assert file[0] == "image/webp"
    return PIL.Image.open(io.BytesIO(file[1]))


def buffer(values: object, numbers: str = "f4") -> Buffer:
    array = numpy.asarray(values, numbers)
    return Buffer({"f2": "F16", "f4": "F32", "f8": "F64"}[numbers], array.shape, array.tobytes())


@pytest.mark.parametrize("numbers", ["f2", "f4", "f8"])
def test_one_of_a_batch_is_drawn_and_transparency_stays(numbers: str) -> None:
    pixels = numpy.zeros((3, 4, 32, 64))
    pixels[1, 1], pixels[1, 3] = 1.0, 0.5
    picture = drawn(draw_image({"pixels": buffer(pixels, numbers)}, 1, 32))
    assert (picture.mode, picture.size) == ("RGBA", (32, 16))
    assert abs(numpy.asarray(picture).astype(int) - (0, 255, 0, 128)).max() <= 4


def test_numbers_that_overflowed_show_as_black_and_white() -> None:
    values = numpy.zeros((1, 8, 32))
    values[..., :8], values[..., 8:16], values[..., 16:24], values[..., 24:] = numpy.nan, numpy.inf, -3.0, 7.0
    shown = numpy.asarray(drawn(draw_mask({"values": buffer(values)}, 0, 512)).convert("L"))
    assert [int(shown[4, column]) for column in (4, 12, 20, 28)] == [0, 255, 0, 255]


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 2, 8, 8), (1, 3, 0, 8)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"channels|batch|no pixels"):
        draw_image({"pixels": buffer(numpy.zeros(shape))}, 0, 64)
    with pytest.raises(ValueError, match="batch"):
        draw_mask({"values": [1, 2]}, 0, 64)
    with pytest.raises(ValueError, match="batch"):
        draw_mask({"values": Buffer("I64", (1, 1, 1), bytes(8))}, 0, 64)


def test_nothing_heavy_is_imported_to_look_at_a_value() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
