"""What effect nodes return: files to be written, as data.

An effect node (`@node(effect=True)`) is a pure function that returns `Files`; the engine writes them. So its value
can be cached like any other, and a cached run puts a missing file back from the stored bytes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutputFile:
    """One file: the stem of its name (folders allowed, `portraits/anna`), its suffix (`.png`) and its bytes."""

    stem: str
    suffix: str
    data: bytes


@dataclass(frozen=True)
class Files:
    """Files for the outputs root, in order."""

    files: tuple[OutputFile, ...]
