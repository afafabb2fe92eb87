"""Saved workflows by name: the user's own, which lie as files in the data root, and the examples that come along.

In: names and documents. Out: the same, with every version that was saved. A name is a file's name without `.json`; the
user's own hides an example of its name. What identifies a version is the digest of the file, so that one who edits the
file by hand is noticed as well.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Any
from urllib.parse import quote

import graphgen
from graphgen.errors import WorkflowError
from graphgen.jsontypes import digest
from graphgen.server.problems import Trouble, missing, wrong_workflow
from graphgen.server.route import Service
from graphgen.server.shapes import DeletedView, VersionView, WorkflowView
from graphgen.strictjson import read_json

KEPT = 200
"""Versions of one workflow that are kept."""

_is_name = re.compile(r"[^\W_][\w .,()+-]{0,99}").fullmatch
"""Letters and digits of any script; no dot in front, no separator, nothing that a file system reads otherwise."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def is_name(name: str) -> bool:
    """Tell whether a workflow may be saved under a name, on any system."""
    return bool(_is_name(name)) and not _RESERVED.fullmatch(name) and name == name.strip(" .")


@dataclass(frozen=True)
class Library:
    """The folders of the user's own workflows, of the examples, and of what the examples look like."""

    own: Path
    examples: Path
    pictures: Path

    def find(self, name: str) -> Path:
        """Return the file of a workflow.

        Raises:
            Trouble: there is none of that name.
        """
        for path in (self.own / f"{name}.json", self.examples / f"{name}.json") if is_name(name) else ():
            if path.is_file() and path.resolve().parent == path.parent.resolve():
                return path
        raise missing("workflow")

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

    def listed(self) -> list[WorkflowView]:
        """Describe all workflows, the user's own first."""
        found: dict[str, WorkflowView] = {}
        for folder in (self.own, self.examples):
            for path in sorted(folder.glob("*.json")):
                if is_name(path.stem) and path.stem not in found:
                    found.update((view["name"], view) for view in self._described(path))
        return list(found.values())

    def picture(self, name: str) -> Path | None:
        """Return a picture of what an example gives, or of its graph; None where there is none."""
        found = (self.pictures / "examples" / f"{name}.png", self.pictures / "graphs" / f"{name}.svg")
        return next((path for path in found if is_name(name) and path.is_file()), None)

    def _described(self, path: Path) -> Iterator[WorkflowView]:
        try:
            data, changed = path.read_bytes(), path.stat().st_mtime
        except OSError:
            return
        document = _loosely(data)
        yield {
            "name": path.stem,
            "title": str(document.get("name") or path.stem),
            "description": str(document.get("description") or ""),
            "own": path.parent == self.own,
            "changed": changed,
            "etag": digest(data),
            "thumbnail": f"/api/workflows/{quote(path.stem)}/thumbnail" if self.picture(path.stem) else None,
            "outputs": list(document.get("outputs") or ()),
            "parameters": list(document.get("parameters") or ()),
        }

    # --- what the store's thread does, one after another ------------------------------------------------------------

    def save(self, connection: sqlite3.Connection, name: str, document: Mapping[str, Any], seen: str | None) -> str:
        """Save a workflow over the version that was `seen` (None: there was none) and return what identifies it.

        Raises:
            Trouble: another version is there by now, or the name cannot be one.
        """
        if not is_name(name):
            detail = "a workflow's name is letters, digits, blanks and . , ( ) + -, beginning with a letter or digit"
            raise Trouble(422, "bad-name", detail)
        self._check_seen(name, seen)
        data = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
        current = self.own / f"{name}.json"
        if current.is_file():
            _add_version(connection, name, current.read_bytes())
        _add_version(connection, name, data)
        _write(current, data)
        return digest(data)

    def delete(self, connection: sqlite3.Connection, name: str, seen: str | None) -> None:
        """Delete one of the user's own workflows; its versions are kept, so that it can be restored.

        Raises:
            Trouble: there is none of that name, or another version is there by now.
        """
        path = self.find(name)
        self._check_seen(name, seen)
        if path.parent != self.own:
            raise Trouble(409, "example", "examples come along with graphgen and are not deleted")
        _add_version(connection, name, path.read_bytes())
        path.unlink()

    def _check_seen(self, name: str, seen: str | None) -> None:
        """Refuse a change by somebody who has not seen what would be lost."""
        others = {path.stem.casefold(): path.stem for path in self.own.glob("*.json")}
        if others.get(name.casefold(), name) != name:
            detail = f"a workflow is called '{others[name.casefold()]}' already, and some systems take the two for one"
            raise Trouble(409, "bad-name", detail)
        try:
            path = self.find(name)
        except Trouble:
            if seen is not None:
                raise Trouble(412, "changed", "the workflow is not there any more") from None
            return
        if seen is None and path.parent == self.own:
            raise Trouble(428, "not-seen", "the workflow exists; send the ETag of the version you have as If-Match")
        if seen is not None and seen != digest(path.read_bytes()):
            raise Trouble(412, "changed", "the workflow was changed meanwhile; read it again, then save")


def library_of(service: Service) -> Library:
    """Return the library of a server. What comes along lies in the package, or in the repository it is run from."""
    package = Path(graphgen.__file__).parent
    shipped = package / "workflows"
    examples, pictures = (
        (shipped, shipped / "pictures")
        if shipped.is_dir()
        else (package.parent / "workflows", package.parent / "docs" / "pictures")
    )
    return Library(service.engine.config.roots.data / "workflows", examples, pictures)


def versions(connection: sqlite3.Connection, name: str) -> list[VersionView]:
    """List the versions of a workflow, the latest first."""
    question = "SELECT version, saved, digest FROM versions WHERE name = ? ORDER BY version DESC"
    return [
        {"version": version, "saved": saved, "etag": etag}
        for version, saved, etag in connection.execute(question, (name,))
    ]


def deleted(connection: sqlite3.Connection, own: Path) -> list[DeletedView]:
    """List the workflows of which versions are kept, but no file, the latest first; at most 100."""
    question = (
        "SELECT name, MAX(version), saved, document FROM versions GROUP BY name ORDER BY saved DESC"  # of the latest
    )
    gone = (row for row in connection.execute(question) if not (own / f"{row[0]}.json").is_file())
    return [
        {"name": name, "title": str(_loosely(text.encode()).get("name") or name), "version": number, "saved": saved}
        for name, number, saved, text in islice(gone, 100)
    ]


def version(connection: sqlite3.Connection, name: str, number: int) -> str:
    """Return a version of a workflow as JSON text.

    Raises:
        Trouble: there is none of that number.
    """
    question = "SELECT document FROM versions WHERE name = ? AND version = ?"
    found = connection.execute(question, (name, number)).fetchone()
    if found is None:
        raise missing("version")
    return str(found[0])


async def workflow_named(service: Service, workflow: dict[str, object] | str) -> dict[str, object]:
    """Return a workflow's document: the one given, or the saved one of that name.

    Raises:
        Trouble: there is none of that name, or its file is no JSON.
    """
    if not isinstance(workflow, str):
        return workflow
    data, _ = await service.aside(library_of(service).read, workflow)
    try:
        document = await service.aside(read_json, data.decode("utf-8-sig"))
    except WorkflowError as error:
        raise wrong_workflow(error.problems) from error
    except UnicodeDecodeError:
        raise missing("workflow") from None
    return dict(document) if isinstance(document, dict) else {"graphgen": None}


def _add_version(connection: sqlite3.Connection, name: str, data: bytes) -> None:
    """Keep a version, unless it is the latest one already; of many, drop the oldest."""
    question = "SELECT version, digest FROM versions WHERE name = ? ORDER BY version DESC LIMIT 1"
    number, known = connection.execute(question, (name,)).fetchone() or (0, "")
    if known == digest(data):
        return
    row = (name, number + 1, time(), digest(data), data.decode("utf-8", errors="replace"))
    connection.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("DELETE FROM versions WHERE name = ? AND version <= ?", (name, number + 1 - KEPT))


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


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
