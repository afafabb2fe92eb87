"""Picture files made small, for lists and galleries. Torch-free.

In: the bytes of a picture file of anybody's. Out: a small WebP, upright, its transparency kept.
"""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

from graphgen_nodes.imaging.headers import open_picture

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
    """Return a picture made small, its longer side `longest` pixels at most, as a media type and bytes.

    Raises:
        ValueError: the bytes are no picture that can be read, or have too many pixels.
    """
    import PIL.Image
    import PIL.ImageOps

    with TemporaryDirectory() as folder:  # a file, because its header and size are checked there
        path = Path(folder) / "picture"
        path.write_bytes(data)
        with open_picture(path) as picture:
            picture.draft("RGB", (longest, longest))
            try:
                whole = PIL.ImageOps.exif_transpose(picture)
                small = whole.convert("RGBA" if whole.has_transparency_data else "RGB")
                small.thumbnail((longest, longest), PIL.Image.Resampling.LANCZOS)
            except Exception:  # decoders fail on hostile files in every way there is
                raise ValueError("the picture is damaged or truncated") from None
    target = io.BytesIO()
    small.save(target, "WEBP", quality=80)
    return "image/webp", target.getvalue()
