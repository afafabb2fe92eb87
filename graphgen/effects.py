"""Writing the files that effect nodes give, so that repeating it changes nothing.

A file's name ends in a digest of its content, `apple-1f0c2a9b.png`, so the same content always gets the same name and
other content never overwrites it. Where the file's format can carry texts, the workflow that made it is put in.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from errno import EACCES
from pathlib import Path

from graphgen.errors import PathError
from graphgen.files import Files, OutputFile
from graphgen.hookspecs import FileFormat
from graphgen.jsontypes import digest


@dataclass(frozen=True)
class Provenance:
    """What made a file: `lasting` texts name the content; `passing` ones (the run record, an editor's view) do not.

    `passing` is asked only when a file is written that is not there yet.
    """

    lasting: Mapping[str, str]
    passing: Callable[[], Mapping[str, str]]


def check_folder(folder: Path) -> None:
    """Make sure that files can be written, before hours of work instead of after them.

    Raises:
        PathError: the folder cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except OSError as error:
        cure = "choose another folder with -o or GRAPHGEN_OUTPUTS_DIR"
        raise PathError(f"outputs: {folder} cannot be written to: {error.strerror}; {cure}") from error


def write_files(files: Files, folder: Path, formats: Mapping[str, FileFormat], made_by: Provenance) -> tuple[str, ...]:
    """Write files into a folder unless they are there already; return their paths in order.

    Raises:
        PathError: a file's name would leave the folder.
        OSError: the folder cannot be written to.
    """
    return tuple(str(_write(file, folder, formats.get(file.suffix), made_by)) for file in files.files)


def _write(file: OutputFile, folder: Path, format_: FileFormat | None, made_by: Provenance) -> Path:
    named = _embedded(file, format_, made_by.lasting)
    stem = _inside(folder, file.stem)
    if not _is_suffix(file.suffix):
        raise PathError(
            f"outputs: {file.suffix!r} is no suffix of a file; allowed: a dot, letters and digits, as '.png'"
        )
    name = f"{stem.name}-{digest(named)[:8]}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    copy = 1
    while True:
        path = stem.with_name(f"{name}{file.suffix}" if copy == 1 else f"{name}-{copy}{file.suffix}")
        if _is_ours(path, file, format_):
            return path
        if not path.exists() and _create(path, _complete(file, format_, made_by)):
            return path
        copy += 1


_FORBIDDEN = re.compile(r"[\\:\x00-\x1f]")
"""What means something else than a name on one system or another."""

_is_suffix = re.compile(r"(\.[A-Za-z0-9]+)+").fullmatch


def _inside(folder: Path, stem: str) -> Path:
    path = folder / stem
    if _FORBIDDEN.search(stem) or not {"", ".", ".."}.isdisjoint(stem.split("/")):
        allowed = "allowed: a relative name without '..', such as 'portraits/anna'"
        raise PathError(f"outputs: {stem!r} is no name inside the outputs folder; {allowed}")
    root = folder.resolve()
    if not path.parent.resolve().is_relative_to(root):
        raise PathError(f"outputs: '{stem}' leaves the outputs folder by a link; choose another name")
    return path


def _complete(file: OutputFile, format_: FileFormat | None, made_by: Provenance) -> bytes:
    return _embedded(file, format_, {**made_by.lasting, **made_by.passing()})


def _embedded(file: OutputFile, format_: FileFormat | None, texts: Mapping[str, str]) -> bytes:
    return format_.embed(file.data, texts) if format_ and format_.embed else file.data


def _is_ours(path: Path, file: OutputFile, format_: FileFormat | None) -> bool:
    """Tell whether a file is already what would be written, give or take the texts that do not name it."""
    try:
        there = path.read_bytes()
        return there == _embedded(file, format_, format_.read(there) if format_ and format_.read else {})
    except (ValueError, OSError):
        return False  # not there; or somebody else's file or folder, or a damaged one, which keeps its name


def _create(path: Path, data: bytes) -> bool:
    """Write a file whole or not at all; False when another one has taken the name meanwhile."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(data)
        try:
            os.link(part, path)  # unlike a rename, this never replaces anything
        except FileExistsError:
            return False
        except OSError:  # a disk without links
            if path.exists():
                return False
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return True
