"""Class labels by number or name. Torch-free.

In: what somebody wrote, how many classes a model has, and the file that names them, where there is one. Out: a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.parts import read_json


def label_of(text: str, classes: int, names: Path | None) -> int:
    """Return a class's number from its number or its name; an empty text is the null class, after the last.

    Names are compared without regard to case; a class may have several, separated by commas.

    Raises:
        ValueError: there is no such class, or nothing names the classes.
    """
    word = text.strip()
    if not word:
        return classes
    if word.isascii() and word.isdecimal():
        if int(word) >= classes:
            raise ValueError(f"is {word}; allowed are 0 to {classes - 1}, or nothing for the null class")
        return int(word)
    if names is None:
        raise ValueError(
            f"is {word!r}, but this model does not name its classes; give a number from 0 to {classes - 1} (a "
            "diffusers folder names them by id2label in model_index.json)"
        )
    known = read_names(names)
    if word.casefold() not in known:
        near = ", ".join(repr(name) for name in get_close_matches(word.casefold(), known, n=3))
        raise ValueError(
            f"is {word!r}, which is no class of this model{f'; did you mean {near}?' if near else ''}; allowed are the "
            f"names in {names}, and numbers from 0 to {classes - 1}"
        )
    return known[word.casefold()]


def read_names(path: Path) -> Mapping[str, int]:
    """Return the number of each class by its names, in lower case, from `id2label` of a model_index.json.

    Raises:
        CheckpointError: it is not from numbers to texts.
    """
    stat = path.stat()
    return _read_names(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _read_names(path: Path, size: int, modified: int) -> Mapping[str, int]:  # noqa: ARG001 - they are the memo's key
    told = read_json(path).get("id2label")
    if not isinstance(told, dict) or not all(key.isdecimal() and isinstance(told[key], str) for key in told):
        raise CheckpointError(f"{path}: id2label must map numbers to names; download it again")
    found: dict[str, int] = {}
    for number, names in sorted(told.items(), key=lambda item: int(item[0])):
        for name in names.split(","):
            found.setdefault(name.strip().casefold(), int(number))
    return MappingProxyType(found)
