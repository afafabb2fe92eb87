"""A workflow with the pictures it reads, as one file to hand on: a zip of `workflow.json`, `inputs/` and `needs.json`.

In: a document, and where its inputs lie. Out: the zip; and out of such a zip, which may be anybody's, the document and
the files that it reads. Models are named and not packed; folders of pictures and what comes along with graphgen are not
either. Nothing is ever written where a zip says: its files are looked up by the names that the workflow reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.server.needs import Machine, Need
from graphgen.server.problems import Trouble
from graphgen.strictjson import read_json

SUFFIX = ".graphgen.zip"
"""What a bundle's name ends in."""
_WORKFLOW, _NEEDS, _INPUTS = "workflow.json", "needs.json", "inputs/"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time that all members carry, so that the same workflow gives the same bytes."""
_MOST_MEMBERS = 10_000


class Contents(NamedTuple):
    """What goes into a bundle: its pictures by their names, what is left out, and the size of all of it in bytes."""

    files: Mapping[str, Path]
    left_out: tuple[Need, ...]
    size: int


def contents_of(machine: Machine, document: Mapping[str, Any], inputs: Path) -> Contents:
    """Find what a bundle of a workflow holds; `inputs` is the root that its pictures lie in."""
    files, left_out, root = dict[str, Path](), list[Need](), inputs.resolve()
    for need in machine.needs_of(document):
        path = machine.find(need) if need.kind == "input" else None
        if path is not None and path.is_file() and path.resolve().is_relative_to(root):
            files[need.name] = path
        elif path is None or path.is_dir():
            left_out.append(need)  # and what comes along is on every machine
    return Contents(files, tuple(left_out), sum(path.stat().st_size for path in files.values()))


def write_bundle(target: BinaryIO, data: bytes, contents: Contents) -> None:
    """Write a bundle of a workflow's file.

    Raises:
        OSError: a picture cannot be read any more.
    """
    needs: JSON = {"left_out": [{"kind": need.kind, "name": need.name} for need in contents.left_out]}
    with ZipFile(target, "w") as bundle:
        bundle.writestr(_member(_WORKFLOW), data, ZIP_DEFLATED)
        bundle.writestr(_member(_NEEDS), json.dumps(needs, ensure_ascii=False, indent=2) + "\n", ZIP_DEFLATED)
        for name, path in contents.files.items():
            with path.open("rb") as picture, bundle.open(_member(f"{_INPUTS}{name}"), "w", force_zip64=True) as member:
                while piece := picture.read(1 << 20):
                    member.write(piece)


def _member(name: str) -> ZipInfo:
    info = ZipInfo(name, _EPOCH)
    info.compress_type = ZIP_STORED  # pictures are compressed already
    return info


class Bundle:
    """A zip that somebody brings, read within limits: of `most` bytes in all, and a workflow of `longest`.

    Raises:
        Trouble: it is no zip, too large, or holds no workflow.
    """

    def __init__(self, file: BinaryIO, *, most: int, longest: int) -> None:
        try:
            self._zip = ZipFile(file)
        except (BadZipFile, ValueError) as error:
            raise _bad("this is no zip file") from error
        members = self._zip.infolist()
        if len(members) > _MOST_MEMBERS or sum(info.file_size for info in members) > most:
            raise Trouble(413, "too-large", f"a bundle unpacks to at most {_MOST_MEMBERS:,} files and {most:,} bytes")
        self._sizes = {info.filename: info.file_size for info in members}
        self.document = self._read_document(longest)

    def has(self, name: str) -> bool:
        """Tell whether the file that a workflow reads by a name is in it."""
        return f"{_INPUTS}{name}" in self._sizes

    def open(self, name: str) -> IO[bytes]:
        """Open the file that a workflow reads by a name.

        Raises:
            Trouble: it is encrypted, or packed as nobody here knows.
        """
        return self._open(f"{_INPUTS}{name}")

    def _read_document(self, longest: int) -> dict[str, Any]:
        if self._sizes.get(_WORKFLOW, longest + 1) > longest:
            raise _bad(f"it holds no {_WORKFLOW} of at most {longest:,} bytes")
        with self._open(_WORKFLOW) as member:
            try:
                document = read_json(member.read(longest + 1).decode("utf-8-sig"))
            except (WorkflowError, UnicodeDecodeError, BadZipFile) as error:
                raise _bad(f"its {_WORKFLOW} is no JSON") from error
        if not isinstance(document, dict):
            raise _bad(f"its {_WORKFLOW} is no JSON object")
        return document

    def _open(self, member: str) -> IO[bytes]:
        try:
            return self._zip.open(member)
        except (BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
            raise _bad(f"'{member[:100]}' in it cannot be unpacked") from error


def _bad(detail: str) -> Trouble:
    return Trouble(422, "bad-bundle", f"{detail}; a bundle is what graphgen exports a workflow with its pictures as")
