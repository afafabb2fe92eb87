"""Picture files made into others: small ones for lists and galleries, the same picture in another format. Torch-free.

In: the bytes of a picture file of anybody's. Out: the bytes of another one, upright.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from graphgen_nodes.imaging.headers import open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

Format = Literal["PNG", "JPEG", "WEBP"]
"""Formats that pictures are written in, by Pillow's names."""

OTHERS = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}
"""Formats of pictures, beside PNG, by the suffixes of files: they carry no workflow, but can be made small."""


def shrunk(data: bytes, longest: int) -> tuple[str, bytes]:
    """Return a picture made small, its longer side `longest` pixels at most, as WebP: its media type and bytes.

    Raises:
        ValueError: the bytes are no picture that can be read, or have too many pixels.
    """
    import PIL.Image

    with _opened(data, longest) as picture:
        picture.thumbnail((longest, longest), PIL.Image.Resampling.LANCZOS)
        return "image/webp", _written(picture, "WEBP", 80)


def converted(data: bytes, kind: Format, quality: int, *, opaque: bool) -> bytes:
    """Return a picture in another format, at a quality of 0 to 100 for JPEG and WebP, on white if it is to be opaque.

    Raises:
        ValueError: the bytes are no picture that can be read, or have too many pixels.
    """
    import PIL.Image

    with _opened(data) as picture:
        if picture.mode == "RGBA" and (opaque or kind == "JPEG"):
            white = PIL.Image.new("RGBA", picture.size, "white")
            picture = PIL.Image.alpha_composite(white, picture).convert("RGB")
        return _written(picture, kind, quality)


def as_jpeg(data: bytes, quality: int, opaque: bool) -> bytes:
    """Return any picture file as a JPEG; see `converted`."""
    return converted(data, "JPEG", quality, opaque=opaque)


def as_webp(data: bytes, quality: int, opaque: bool) -> bytes:
    """Return any picture file as a WebP; see `converted`."""
    return converted(data, "WEBP", quality, opaque=opaque)


def holes(data: bytes) -> bytes | None:
    """Return a PNG that is white where a picture is transparent, black where it is not; None if it is opaque.

    What is transparent in parts is grey.

    Raises:
        ValueError: the bytes are no picture that can be read, or have too many pixels.
    """
    import PIL.ImageOps

    with _opened(data) as picture:
        if picture.mode != "RGBA" or picture.getchannel("A").getextrema()[0] == 255:
            return None
        return _written(PIL.ImageOps.invert(picture.getchannel("A")), "PNG", 100)


@contextmanager
def _opened(data: bytes, longest: int | None = None) -> Iterator[Image]:
    """Decode a picture, upright, as RGB or RGBA; where it will be made small, JPEG need not be decoded whole."""
    import PIL.ImageOps

    with TemporaryDirectory() as folder:  # a file, because its header and size are checked there
        path = Path(folder) / "picture"
        path.write_bytes(data)
        with open_picture(path) as picture:
            if longest is not None:
                picture.draft("RGB", (longest, longest))
            try:
                whole = PIL.ImageOps.exif_transpose(picture)
                plain = whole.convert("RGBA" if whole.has_transparency_data else "RGB")
            except Exception:  # decoders fail on hostile files in every way there is
                raise ValueError("the picture is damaged or truncated") from None
    yield plain


def _written(picture: Image, kind: Format, quality: int) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, quality=quality)
    return target.getvalue()


WRITERS = {"image/jpeg": as_jpeg, "image/webp": as_webp}
"""What writes pictures of anybody's in other formats than PNG, by media type."""
