"""What a picture file says of itself before it is decoded: its format, size and orientation. Torch-free.

Pillow is imported when the first file is opened, which takes 50 ms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from graphgen_nodes.imaging.geometry import MOST_PIXELS, Size, check_size

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


def picture_size(path: Path) -> Size:
    """Return the size of an upright picture from its file's header; remembered until the file changes.

    Raises:
        ValueError: the file is no picture that can be read, or has too many pixels.
        OSError: the file cannot be opened.
    """
    stat = path.stat()
    return _size(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def content_of(path: Path) -> str:
    """Return 40 hexadecimal digits that identify what a file holds; remembered until the file changes.

    Raises:
        OSError: the file cannot be read.
    """
    stat = path.stat()
    return _content(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files in a folder, by their names; folders in it are left alone.

    Raises:
        ValueError: there are none, or one is a link that leads out of the folder.
        OSError: the folder cannot be read.
    """
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    for path in found:
        if path.resolve().parent != folder.resolve():
            raise ValueError(f"'{path.name}' is a link that leads out of the folder; put the picture itself there")
    if not found:
        raise ValueError(f"no picture is in the folder; put some there ({', '.join(SUFFIXES)})")
    return found


@contextmanager
def open_picture(path: Path) -> Iterator[Image]:
    """Open a picture file, its header read and its size checked, its pixels not decoded.

    Raises:
        ValueError: the file is no picture that can be read, or has too many pixels.
        OSError: the file cannot be opened.
    """
    import PIL.Image

    with path.open("rb") as file:
        try:
            picture = PIL.Image.open(file, formats=FORMATS)
            size = Size(*picture.size)
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
            raise ValueError(
                f"'{path.name}' has too many pixels; at most {MOST_PIXELS} are allowed (8192 x 8192); "
                "make it smaller in another program"
            ) from None
        except Exception:  # a hostile header can make a parser fail in every way there is
            raise ValueError(
                f"'{path.name}' is not a picture that can be read; allowed: {', '.join(FORMATS)}; "
                "open and save it in another program"
            ) from None
        try:
            check_size(size)
        except ValueError as error:
            raise ValueError(f"'{path.name}': {error}; make it smaller in another program") from None
        yield picture


def orientation(picture: Image) -> int:
    """Return a picture's EXIF orientation, 1 (upright) to 8; 1 where there is none or it is damaged.

    Ask before the pixels are decoded, so that the header alone and the whole file say the same.
    """
    if picture.format == "TIFF":  # Pillow turns these itself
        return 1
    if picture.format == "PNG" and "exif" not in picture.info:  # Pillow would decode the file to look behind the pixels
        return 1
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # EXIF may hold anything; a picture without a readable one is upright
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


@lru_cache(maxsize=1024)
def _content(path: Path, size: int, modified: int, inode: int) -> str:  # noqa: ARG001
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=20)).hexdigest()


@lru_cache(maxsize=1024)
def _size(path: Path, size: int, modified: int, inode: int) -> Size:  # noqa: ARG001
    with open_picture(path) as picture:
        width, height = picture.size
        return Size(height, width) if orientation(picture) in _TURNED else Size(width, height)
