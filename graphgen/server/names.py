"""Names of saved workflows: a file's name without `.json`, with the folders it lies in before it (`portraits/oil`).

In: a name that somebody gives. Out: whether it is one on every system, and whether it stays inside a folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

LONGEST = 200
"""Characters of a name, with its folders."""
DEEPEST = 8
"""Parts of a name: its folders, and itself."""
FORM = (
    "a workflow's name is letters, digits, blanks and . , ( ) + -, beginning with a letter or digit; "
    f"folders stand before it, with / between, {DEEPEST} parts and {LONGEST} characters at most"
)

_is_plain = re.compile(r"[^\W_][\w .,()+-]{0,99}").fullmatch
"""Letters and digits of any script; no dot in front, no separator, nothing that a file system reads otherwise."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_SUFFIX = ".json"


def is_name(name: str) -> bool:
    """Tell whether a workflow may be saved under a name, on any system."""
    *folders, last = name.split("/")
    return (
        len(name) <= LONGEST
        and len(folders) < DEEPEST
        and all(map(_is_part, (*folders, last)))
        and not any(folder.lower().endswith(_SUFFIX) for folder in folders)  # it could be another workflow's file
    )


def _is_part(part: str) -> bool:
    return bool(_is_plain(part)) and not _RESERVED.fullmatch(part) and part == part.strip(" .")


def file_of(base: Path, name: str) -> Path:
    """Return where the file of a name lies, or would."""
    return base / f"{name}{_SUFFIX}"


def stays_inside(base: Path, path: Path) -> bool:
    """Tell whether a path below a folder is where it says: no link, of a file or a folder, leads elsewhere."""
    return path.resolve().parent == base.resolve() / path.parent.relative_to(base)


def twin_of(base: Path, name: str) -> str | None:
    """Return what lies there already under a name that differs in case alone: some systems take the two for one."""
    folder, seen = base, list[str]()
    *folders, last = name.split("/")
    for part in (*folders, f"{last}{_SUFFIX}"):
        try:
            there = os.listdir(folder)
        except OSError:
            return None  # no such folder, so nothing in it
        if part not in there and (like := next((one for one in there if one.casefold() == part.casefold()), None)):
            return "/".join((*seen, like)).removesuffix(_SUFFIX)
        seen.append(part)
        folder /= part
    return None
