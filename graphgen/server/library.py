"""Saved workflows by name: the user's own, which lie as files in the data root, and the examples that come along.

In: names and documents. Out: the same, with every version that was saved. The user's own hides an example of its name.
What identifies a version is the digest of the file, so that one who edits the file by hand is noticed as well.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

import graphgen
from graphgen.jsontypes import digest
from graphgen.server import moving, versions
from graphgen.server.names import DEEPEST, FORM, file_of, is_name, stays_inside, twin_of
from graphgen.server.needs import Machine, Need
from graphgen.server.problems import Trouble, missing
from graphgen.server.shapes import DeletedView, WorkflowView
from graphgen.server.versions import Moment


@dataclass(frozen=True)
class Library:
    """The folders of the user's own workflows, of the examples, and of what the examples look like."""

    own: Path
    examples: Path
    pictures: Path
    machine: Machine
    _known: dict[str, _Known] = field(default_factory=dict, compare=False)
    """What files say of themselves, read once for each state that they were seen in."""

    @classmethod
    def of(cls, own: Path, machine: Machine) -> Library:
        """Return the library of a folder. What comes along lies in the package, or in the repository it is run from."""
        package = Path(graphgen.__file__).parent
        shipped = package / "workflows"
        if shipped.is_dir():
            return cls(own, shipped, shipped / "pictures", machine)
        return cls(own, package.parent / "workflows", package.parent / "docs" / "pictures", machine)

    def find(self, name: str) -> Path:
        """Return the file of a workflow.

        Raises:
            Trouble: there is none of that name.
        """
        for base in (self.own, self.examples) if is_name(name) else ():
            path = file_of(base, name)
            if path.is_file() and stays_inside(base, path):
                return path
        raise missing("workflow")

    def is_own(self, name: str) -> bool:
        """Tell whether the user has a workflow of a name."""
        return file_of(self.own, name).is_file()

    def read(self, name: str) -> tuple[bytes, str]:
        """Return a workflow's file, and what identifies this version of it.

        Raises:
            Trouble: there is none of that name.
        """
        try:
            data = self.find(name).read_bytes()
        except OSError:
            raise missing("workflow") from None
        return data, digest(data)

    def listed(self, only: str | None = None) -> list[WorkflowView]:
        """Describe all workflows, the user's own first; or the one of a name, if there is one."""
        found: dict[str, WorkflowView] = {}
        there: dict[Need, bool] = {}
        for base in (self.own, self.examples):
            files = _files(base) if only is None else [(only, file_of(base, only))]
            for name, file in files:
                if name not in found and is_name(name):
                    found.update((view["name"], view) for view in self._described(base, name, file, there))
        return list(found.values())

    def picture(self, name: str) -> Path | None:
        """Return a picture of what an example gives, or of its graph; None where there is none."""
        found = (self.pictures / "examples" / f"{name}.png", self.pictures / "graphs" / f"{name}.svg")
        return next((path for path in found if is_name(name) and path.is_file()), None)

    def deleted(self, connection: sqlite3.Connection) -> list[DeletedView]:
        """List the user's workflows of which versions are kept, but no file, the latest first."""
        return versions.deleted(connection, self.is_own, lambda name, data: _title(_loosely(data), name))

    def _described(
        self, base: Path, name: str, file: Path | os.DirEntry[str], there: dict[Need, bool]
    ) -> Iterator[WorkflowView]:
        try:
            stamp = _stamp(file.stat())
            known = self._known.get(os.fspath(file))
            if known is None or known.stamp != stamp:
                path = Path(file)
                if not stays_inside(base, path):
                    return
                known = self._known[os.fspath(file)] = self._look_at(path, name, stamp)
        except OSError:
            self._known.pop(os.fspath(file), None)
            return
        missing = self.machine.lacks(known.needs, there)
        yield {
            **known.view,
            "runs_here": not (missing or known.view["damaged"]),
            "missing": [{"kind": need.kind, "name": need.name} for need in missing],
        }

    def _look_at(self, path: Path, name: str, stamp: _Stamp) -> _Known:
        data = path.read_bytes()
        document = _loosely(data)
        view: WorkflowView = {
            "name": name,
            "title": _title(document, name),
            "description": str(document.get("description") or ""),
            "own": path.is_relative_to(self.own),
            "changed": stamp[0] / 1e9,
            "etag": digest(data),
            "thumbnail": f"/api/workflows/{quote(name, safe='')}/thumbnail" if self.picture(name) else None,
            "outputs": list(document.get("outputs") or ()),
            "parameters": list(document.get("parameters") or ()),
            "damaged": not isinstance(document.get("nodes"), dict),
            "runs_here": False,
            "missing": [],
        }
        return _Known(stamp, view, self.machine.needs_of(document))

    # --- what the store's thread does, one after another ------------------------------------------------------------

    def save(
        self, connection: sqlite3.Connection, name: str, document: Mapping[str, Any], seen: str | None, moment: Moment
    ) -> str:
        """Save a workflow over the version that was `seen` (None: there was none) and return what identifies it.

        Raises:
            Trouble: another version is there by now, or the name cannot be one.
        """
        self._check_free(name)
        self._check_seen(connection, name, seen)
        data = file_bytes(document)
        current = file_of(self.own, name)
        if current.is_file():
            versions.preserve(connection, name, current.read_bytes(), moment.now)
        versions.add(connection, name, data, moment)
        moving.forget(connection, name)
        _write(current, data)
        return digest(data)

    def delete(self, connection: sqlite3.Connection, name: str, seen: str | None, now: float) -> None:
        """Delete one of the user's own workflows; its versions are kept, so that it can be restored.

        Raises:
            Trouble: there is none of that name, or another version is there by now.
        """
        path = self._find_own(connection, name, seen, "deleted")
        versions.preserve(connection, name, path.read_bytes(), now)
        path.unlink()
        moving.remove_empty(self.own, path.parent)

    def begin_move(self, connection: sqlite3.Connection, name: str, to: str, seen: str | None) -> None:
        """Write down that one of the user's own workflows gets another name; `end_move` has to follow.

        Raises:
            Trouble: there is none of that name, another version is there by now, or the new name cannot be taken.
        """
        self._find_own(connection, name, seen, "renamed; make a copy")
        self._check_free(to, but=name)
        is_there = file_of(self.own, to).exists() and (name == to or name.casefold() != to.casefold())
        if is_there or file_of(self.examples, to).is_file():
            raise Trouble(409, "taken", f"there is a workflow called '{to}' already; choose another name")
        moving.intend(connection, self.own, name, to)

    def end_move(self, connection: sqlite3.Connection, name: str, to: str) -> str:
        """Give a workflow its other name, with its versions and runs; return what identifies its version.

        Raises:
            OSError: its file cannot be moved; all is as before then.
        """
        moving.carry_out(connection, self.own, name, to)
        return digest(file_of(self.own, to).read_bytes())

    def recover(self, connection: sqlite3.Connection) -> None:
        """After a restart, finish what was at work."""
        moving.recover(connection, self.own)

    def _find_own(self, connection: sqlite3.Connection, name: str, seen: str | None, done: str) -> Path:
        try:
            path = self.find(name)
        except Trouble:
            raise moved(moving.whereabouts(connection, name)) or missing("workflow") from None
        self._check_seen(connection, name, seen)
        if not path.is_relative_to(self.own):
            raise Trouble(409, "example", f"examples come along with graphgen and are not {done}")
        return path

    def _check_free(self, name: str, but: str | None = None) -> None:
        """Refuse what no workflow can be called, or not here; `but` is the name that is given up for it.

        Raises:
            Trouble: with what is allowed.
        """
        if not is_name(name):
            raise Trouble(422, "bad-name", FORM)
        twin = twin_of(self.own, name)
        if twin is not None and twin != but:
            detail = f"'{twin}' is there already, and some systems take the two for one; write it as that, or otherwise"
            raise Trouble(409, "bad-name", detail)
        path = file_of(self.own, name)
        beside = [folder for folder in path.parents if folder != self.own and folder.is_relative_to(self.own)]
        if not stays_inside(self.own, path) or any(folder.exists() and not folder.is_dir() for folder in beside):
            raise Trouble(409, "bad-name", "what lies there is no folder of workflows; choose another name")

    def _check_seen(self, connection: sqlite3.Connection, name: str, seen: str | None) -> None:
        """Refuse a change by somebody who has not seen what would be lost."""
        try:
            path = self.find(name)
        except Trouble:
            if seen is not None:
                gone = Trouble(412, "changed", "the workflow is not there any more")
                raise moved(moving.whereabouts(connection, name), 412) or gone from None
            return
        if seen is None and path.is_relative_to(self.own):
            raise Trouble(428, "not-seen", "the workflow exists; send the ETag of the version you have as If-Match")
        if seen is not None and seen != digest(path.read_bytes()):
            raise Trouble(412, "changed", "the workflow was changed meanwhile; read it again, then save")


def file_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a workflow as its file holds it."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def moved(to: str | None, status: int = 404) -> Trouble | None:
    """Say what a workflow is called now that is asked for by the name it had; None where it never had another."""
    if to is None:
        return None
    return Trouble(status, "moved", f"the workflow is called '{to}' now", more={"moved_to": to})


_Stamp: TypeAlias = tuple[int, int, int]
"""What changes when a file does: its time in nanoseconds, its size and its number."""


class _Known(NamedTuple):
    """What a file says of itself, in the state that it was seen in."""

    stamp: _Stamp
    view: WorkflowView
    needs: tuple[Need, ...]


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _files(base: Path, within: str = "", depth: int = 1) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the files in a folder and in those below it by their names, in order; links to folders are left alone."""
    try:
        entries = sorted(os.scandir(base / within), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith(".json") and entry.is_file():
            yield within + entry.name.removesuffix(".json"), entry
        elif depth < DEEPEST and entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _files(base, f"{within}{entry.name}/", depth + 1)


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and be sure that it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{token_hex(8)}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _loosely(data: bytes) -> Mapping[str, Any]:
    """Read a document for what it says of itself; one that is no workflow says nothing."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {key: value for key, value in document.items() if key not in ("outputs", "parameters") or _is_object(value)}


def _title(document: Mapping[str, Any], name: str) -> str:
    return str(document.get("name") or name.rpartition("/")[2])


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
