"""Names for files that nodes write: what a person may type, and what is made of it. Torch-free."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST_PART = 150
"""The most bytes one folder or file name may take, so that a number, a digest and a suffix still fit into 255."""
MOST_PARTS = 8

_ALLOWED = re.compile(r"[\w(\[](?:[\w ()\[\].,+=@#~-]*[\w)\]+=-])?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # devices on Windows, anywhere


def clean_stem(name: str) -> str:
    """Return a name for a file inside the outputs root, folders allowed: `portraits/anna`.

    Letters of all scripts are allowed; they come back composed (NFC), so that one name is one file on every system.

    Raises:
        ValueError: it is empty, absolute, leads out of the folder, or holds characters that some system refuses.
    """
    stem = unicodedata.normalize("NFC", name)
    parts = stem.split("/")
    if not stem or len(parts) > MOST_PARTS:
        raise ValueError(f"the name {name!r} has {len(parts) if stem else 0} parts; allowed are 1 to {MOST_PARTS}")
    for part in parts:
        if not _ALLOWED.fullmatch(part) or _RESERVED.fullmatch(part):
            raise ValueError(
                f"the name {name!r} cannot be a file's; allowed: letters, digits and _ - . , + = @ # ~ ( ) [ ] and "
                "spaces inside, folders separated by /, such as 'portraits/anna'"
            )
        if len(part.encode()) > LONGEST_PART:
            raise ValueError(f"'{part[:20]}...' takes {len(part.encode())} bytes; a name may take {LONGEST_PART}")
    return stem


def numbered(stem: str, count: int) -> Iterator[str]:
    """Yield a name for each picture of a batch: the stem itself for one, `stem-1`, `stem-2`, ... for several."""
    if count == 1:
        yield stem
    else:
        yield from (f"{stem}-{number}" for number in range(1, count + 1))
