"""Pinned values: what stands in for nodes whose mode is `pin`, held where no eviction and no clearing reaches it.

In: a resolved node that names a digest for each of its outputs. Out: the values, every byte and their types checked, or
Problems that say what is missing and how to mend it. Each value is a file in the data root, named by what it holds,
`pins/ab/<digest>.safetensors`, in the form of the cache's files: copying it to another machine is all it takes there.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from graphgen.cache import StoredValue
from graphgen.cache.image import Damaged
from graphgen.cache.stored import read_file
from graphgen.codec import ValueCodec
from graphgen.errors import PathError, Problem, did_you_mean, one_of
from graphgen.inference import NOTE, PathOf
from graphgen.jsontypes import JSON, json_digest
from graphgen.novalue import reason_in
from graphgen.registry import Registry
from graphgen.resolve import ResolvedNode
from graphgen.spec import Facts, OutputSpec
from graphgen.types import SocketType, TypeTable

FOLDER = "pins"
"""The folder in the data root."""
_NOTE = "is pinned to a stored value: what comes in and its settings change nothing"


def gave_key(digests: Mapping[str, str]) -> str:
    """Return the key of a result that only its values tell from others: what a node gave that runs every time."""
    return json_digest(["gave", dict(digests)])


def hold(value: StoredValue, data: Path) -> None:
    """Write a value into the pins of a data root, in place of what may lie there damaged.

    Raises:
        PathError: the folder cannot be written to.
    """
    path = data / _name_of(value.digest)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for piece in value.pieces():
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())  # unlike what the cache holds, this cannot be made again
        part.replace(path)
    except OSError as error:
        cure = "choose another folder with GRAPHGEN_DATA_DIR"
        raise PathError(f"{path.parent} cannot be written to: {error.strerror or error}", cure=cure) from error
    finally:
        with suppress(OSError):
            part.unlink()


def held(digest: str, data: Path, codec: ValueCodec) -> StoredValue | None:
    """Return a value that lies in the pins of a data root; None where it is not there, or damaged."""
    try:
        value = read_file(data / _name_of(digest), codec)
    except (Damaged, OSError):
        return None
    return value if value.digest == digest else None


def read_pins(
    node: ResolvedNode, registry: Registry, path_of: PathOf, problems: list[Problem]
) -> dict[str, StoredValue]:
    """Return the values that a node is pinned to, by output; report what is wrong with them."""
    name, outputs = node.name, tuple(output.name for output in node.spec.outputs)
    if not node.pinned:
        cure = f"`graphgen pin FILE {name}` pins it to what it gave last; or remove its mode"
        problems.append(Problem("not_pinned", name, "has the mode 'pin', but is pinned to no value", cure=cure))
        return {}
    found: dict[str, StoredValue] = {}
    given = {node.renamed_outputs.get(output, output): digest for output, digest in node.pinned.items()}
    for lost in given.keys() - set(outputs):
        message, near = f"{node.spec.id} has no output '{lost}'", did_you_mean(lost, outputs)
        problems.append(Problem("unknown_output", f"{name}.pinned", message, lost, one_of(outputs), near))
    for output in node.spec.outputs:
        if output.name not in given:
            message, cure = f"its output '{output.name}' is pinned to no value", _again(name)
            problems.append(Problem("not_pinned", f"{name}.pinned", message, cure=cure))
        elif value := _read(name, output, given[output.name], registry, path_of, problems):
            found[output.name] = value
    return found


def facts_of(values: Mapping[str, StoredValue], outputs: tuple[OutputSpec, ...], types: TypeTable) -> dict[str, Facts]:
    """Return what stored values tell of themselves, and the note that the node is pinned."""
    facts = {item.name: _facts(values[item.name], types) for item in outputs if item.name in values}
    first = next(iter(facts), None)
    return facts if first is None else {**facts, first: {**facts[first], NOTE: _NOTE}}


def _read(
    name: str, output: OutputSpec, digest: str, registry: Registry, path_of: PathOf, problems: list[Problem]
) -> StoredValue | None:
    place, file = f"{name}.pinned.{output.name}", _name_of(digest)
    try:
        value = read_file(path_of("data", file), registry.codec)
        if value.digest != digest:
            raise Damaged("it holds another value")
    except (PathError, FileNotFoundError):
        message = f"the value it is pinned to is not here: there is no '{file}' in data"
        cure = f"copy that file from where it was pinned, or {_again(name)}"
        problems.append(Problem("pin_missing", place, message, digest, cure=cure))
    except (Damaged, OSError) as error:
        message = f"the value it is pinned to cannot be read: '{file}' in data: {error}"
        cure = f"copy that file from where it is sound, or {_again(name)}"
        problems.append(Problem("pin_damaged", place, message, digest, cure=cure))
    else:
        if _is_of(output.type, json.loads(value.document), registry.types):
            return value
        message = f"is pinned to a {value.summary()}, but gives {output.type}"
        problems.append(Problem("wrong_type", place, message, digest, cure=_again(name)))
    return None


def _again(name: str) -> str:
    return f"remove the pin with `graphgen unpin FILE {name}`; it can be pinned anew after a run"


def _name_of(digest: str) -> str:
    return f"{FOLDER}/{digest[:2]}/{digest}.safetensors"


def _is_of(kind: SocketType, document: JSON, types: TypeTable) -> bool:
    """Tell whether a value is of a socket type, by its document: as `accepts` does, without making the value."""
    if document is None:
        return kind.optional
    if kind.item is not None:
        item = kind.item
        return isinstance(document, list) and all(_is_of(item, one, types) for one in document)
    name = _class_of(document)
    if name == "no_value":
        return False
    if kind.name in (name, "any") or (name, kind.name) == ("int", "float"):
        return True
    return kind.name in types.ancestors.get(name, frozenset())


def _class_of(document: JSON) -> str:
    if not isinstance(document, dict):
        return type(document).__name__
    ((mark, content),) = document.items()
    return str(content[0]) if mark == "$buffer" and isinstance(content, list) else mark.removeprefix("$")


def _facts(value: StoredValue, types: TypeTable) -> Facts:
    """Return the value of a number or text, the length of a list, the sides of a tensor whose class names them."""
    document = json.loads(value.document)
    if isinstance(document, bool | int | float | str):
        return {"value": document}
    if isinstance(document, list):
        return {"count": len(document)}
    axes: tuple[str, ...] = getattr(types.classes.get(_class_of(document)), "axes", ())
    shape = value.first_shape
    return dict(zip(axes, shape, strict=True)) if axes and shape and len(axes) == len(shape) else {}


def blocked(values: Mapping[str, StoredValue]) -> str | None:
    """Return why one of the values is none, if one is."""
    return next((reason for value in values.values() if (reason := reason_in(value.document)) is not None), None)
