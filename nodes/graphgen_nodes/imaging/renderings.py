"""Pictures and masks as picture files to look at, from the bytes of their tensors. Torch-free.

In: the fields of an `Image` or a `Mask`, tensors as buffers, which picture of the batch, and how large it may be. Out:
a WebP. Numbers beyond 0..1 show as black and white, and so do infinities; NaN is black, as in previews.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from graphgen import Buffer, Renderer
from graphgen_nodes.sockets import Image, Mask

if TYPE_CHECKING:
    import numpy

_Fields: TypeAlias = Mapping[str, object]
_NUMBERS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def draw_image(fields: _Fields, index: int, longest: int) -> tuple[str, bytes]:
    """Draw a picture of `pixels[batch, 3 or 4, height, width]`.

    Raises:
        ValueError: it is not made so.
    """
    planes = _planes(fields["pixels"], index, 4)
    if len(planes) not in (3, 4):
        raise ValueError(f"pictures have 3 or 4 channels, and this has {len(planes)}")
    return _file(planes.transpose(1, 2, 0), longest)


def draw_mask(fields: _Fields, index: int, longest: int) -> tuple[str, bytes]:
    """Draw a mask of `values[batch, height, width]`.

    Raises:
        ValueError: it is not made so.
    """
    return _file(_planes(fields["values"], index, 3), longest)


def _planes(buffer: object, index: int, rank: int) -> numpy.ndarray:
    """Return an entry of a batch as bytes 0 ... 255."""
    import numpy

    if not isinstance(buffer, Buffer) or len(buffer.shape) != rank or buffer.dtype not in _NUMBERS:
        raise ValueError("it holds no batch of numbers of 16, 32 or 64 bits")
    values = numpy.frombuffer(buffer.data, _NUMBERS[buffer.dtype]).reshape(buffer.shape)[index]
    if not values.size:
        raise ValueError("it has no pixels")
    whole = numpy.nan_to_num(values.astype(numpy.float32), nan=0.0, posinf=1.0, neginf=0.0)
    pixels: numpy.ndarray = (whole.clip(0, 1) * 255).round().astype(numpy.uint8)
    return pixels


def _file(pixels: numpy.ndarray, longest: int) -> tuple[str, bytes]:
    import numpy
    import PIL.Image

    picture = PIL.Image.fromarray(numpy.ascontiguousarray(pixels))
    picture.thumbnail((longest, longest), PIL.Image.Resampling.LANCZOS)
    target = io.BytesIO()
    picture.save(target, "WEBP", quality=90)
    return "image/webp", target.getvalue()


def _count(field: str) -> Callable[[_Fields], int]:
    """Return what counts the entries of the batch in a field."""

    def count(fields: _Fields) -> int:
        held = fields[field]
        return held.shape[0] if isinstance(held, Buffer) and held.shape else 0

    return count


RENDERERS = (Renderer(Image, _count("pixels"), draw_image), Renderer(Mask, _count("values"), draw_mask))
