"""Picture files into tensors and back, by Pillow.

In: a file of anybody's. Out: RGB and coverage in float32, or a ValueError whose text quotes nothing of Pillow's own
(which names memory addresses). Only the formats listed here are tried: Pillow reads forty, and old ones are how it is
attacked.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import numpy
import PIL.Image
import torch
from torch import Tensor

from graphgen_nodes.imaging.headers import open_picture, orientation

Format = Literal["png", "jpeg", "webp"]
Turn = Callable[[numpy.ndarray], numpy.ndarray]


class Picture(NamedTuple):
    """One picture: `pixels[3, height, width]` and its coverage `alpha[height, width]`, float32 in 0..1."""

    pixels: Tensor
    alpha: Tensor


def read_picture(path: Path) -> Picture:
    """Read the first frame of a PNG, JPEG, WebP, BMP, TIFF or GIF file, upright as its EXIF orientation says.

    Grey and palette pictures become RGB; 16-bit grey keeps its precision, 16-bit RGB is read as 8-bit. Where the file
    has no transparency, alpha is 1.

    Raises:
        ValueError: the file is none of these, is damaged, or has too many pixels.
        OSError: the file cannot be opened.
    """
    with open_picture(path) as picture:
        turn = _TURNS.get(orientation(picture), _upright)
        try:
            picture.load()
            return _decode(picture, turn)
        except Exception:  # decoders fail on hostile files in every way there is
            raise ValueError(
                f"'{path.name}' is a damaged or truncated {picture.format} file; open and save it in another program"
            ) from None


def shown(data: bytes) -> Tensor:
    """Return what the bytes of a picture file show: `planes[4, height, width]` in 0..1, alpha the last.

    Raises:
        ValueError: they are no picture that can be read.
    """
    with TemporaryDirectory() as folder:  # a file, because its header and size are checked there
        path = Path(folder) / "picture"
        path.write_bytes(data)
        picture = read_picture(path)
    return torch.cat([picture.pixels, picture.alpha[None]])


def write_picture(pixels: Tensor, form: Format = "png", quality: int = 92) -> bytes:
    """Return `pixels[3 or 4, height, width]` as a file with 8 bits a channel, rounded to the nearest.

    `quality` is 1..100 and serves JPEG and WebP.

    Raises:
        ValueError: the picture holds NaN or infinity, or is RGBA and goes to JPEG, which has no transparency.
    """
    picture = to_pillow(pixels)
    if form == "jpeg" and picture.mode == "RGBA":
        raise ValueError("JPEG files have no transparency; choose png or webp, or composite the picture over another")
    target = io.BytesIO()
    if form == "png":
        picture.save(target, "PNG", compress_level=6, compress_type=zlib.Z_RLE)  # a quarter of the time, 1 % larger
    elif form == "jpeg":
        picture.save(target, "JPEG", quality=quality, subsampling=0)
    else:
        picture.save(target, "WEBP", quality=quality, exact=True)
    return target.getvalue()


def to_pillow(pixels: Tensor) -> PIL.Image.Image:
    """Return `pixels[3 or 4, height, width]` in 0..1, clamped, as a Pillow image with 8 bits a channel.

    Raises:
        ValueError: there are NaN or infinities, or neither 3 nor 4 channels.
    """
    if pixels.ndim != 3 or pixels.shape[0] not in (3, 4):
        raise ValueError(f"a picture of shape {list(pixels.shape)} cannot be written; allowed: [3 or 4, height, width]")
    if not bool(torch.isfinite(pixels).all()):
        raise ValueError(
            "the picture holds NaN or infinity, so a network overflowed; load its model with precision float32"
        )
    values = (pixels.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return PIL.Image.fromarray(values.permute(1, 2, 0).contiguous().cpu().numpy())


def _decode(picture: PIL.Image.Image, turn: Turn) -> Picture:
    deep = _DEEP.get(picture.mode)
    if deep is not None and not picture.has_transparency_data:
        grey = deep(numpy.asarray(picture)).clip(0, 1).astype(numpy.float32)
        pixels = torch.from_numpy(turn(grey).copy())
        return Picture(pixels.expand(3, -1, -1).contiguous(), torch.ones_like(pixels))
    transparent = picture.has_transparency_data
    values = numpy.asarray(picture.convert("RGBA" if transparent else "RGB"))
    planes = torch.from_numpy(turn(values).transpose(2, 0, 1).astype(numpy.float32)).div_(255)
    alpha = planes[3].clone() if transparent else torch.ones_like(planes[0])
    return Picture(planes[:3].clone(), alpha)


def _upright(values: numpy.ndarray) -> numpy.ndarray:
    return values


_DEEP: dict[str, Turn] = {
    "I;16": lambda values: values / 65535,
    "I;16L": lambda values: values / 65535,
    "I;16B": lambda values: values / 65535,
    "I": lambda values: values / 65535,
    "F": lambda values: numpy.nan_to_num(values),
}
"""Modes with more than 8 bits, which Pillow would clip when it converts them, and how they become 0..1."""

_TURNS: dict[int, Turn] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values.swapaxes(0, 1)[:, ::-1],
    7: lambda values: values.swapaxes(0, 1)[::-1, ::-1],
    8: lambda values: values.swapaxes(0, 1)[::-1],
}
"""EXIF orientations, and what makes them upright."""
