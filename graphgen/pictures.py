"""Values as pictures, by what plugins know of their types: for whoever shows them beside the nodes that gave them.

In: a stored value and the renderers of the registry. Out: how many pictures are in it, and one of them as the bytes of
a picture file. A list shows those of its items, one after another. No value is made: renderers look at its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from graphgen.cache import StoredValue
from graphgen.codec import Buffer
from graphgen.hookspecs import Fields, Renderer
from graphgen.jsontypes import JSON
from graphgen.registry import Registry


def count_pictures(value: StoredValue, registry: Registry) -> int:
    """Return how many pictures are in a value; 0 where nobody can show it."""
    return sum(renderer.count(fields) for renderer, fields in _shown(value, registry))


def draw_picture(value: StoredValue, registry: Registry, index: int, longest: int) -> tuple[str, bytes] | None:
    """Return one picture of a value as a media type and bytes, its longer side `longest` pixels at most.

    None where it has none of that index.

    Raises:
        ValueError: the renderer cannot show this value.
    """
    for renderer, fields in _shown(value, registry):
        count = renderer.count(fields)
        if index < count:
            return renderer.draw(fields, index, longest)
        index -= count
    return None


def type_of(value: StoredValue) -> str:
    """Name a value's type as sockets do: `image`, `float`, `list`, `none`."""
    document = json.loads(value.document)
    mark = _mark(document)
    return mark or {"NoneType": "none", "dict": "map"}.get(type(document).__name__, type(document).__name__)


def _shown(value: StoredValue, registry: Registry) -> Iterator[tuple[Renderer, Fields]]:
    """Yield the parts of a value that can be shown, each with who shows it."""
    encoded = value.encoded
    document = json.loads(encoded.document)
    for item in document if isinstance(document, list) else [document]:
        name = _mark(item)
        kinds = (name, *sorted(registry.types.ancestors.get(name, ())))
        renderer = next((registry.renderers[kind] for kind in kinds if kind in registry.renderers), None)
        if renderer is not None:
            yield renderer, {field: _part(held, encoded.buffers) for field, held in item[f"${name}"].items()}


def _mark(document: JSON) -> str:
    """Return the name of the class that a document is of; empty for numbers, texts and lists."""
    return next(iter(document)).removeprefix("$") if isinstance(document, dict) and document else ""


def _part(document: JSON, buffers: Sequence[Buffer]) -> JSON | Buffer:
    if isinstance(document, dict) and isinstance(place := document.get("$buffer"), list):
        return buffers[int(str(place[1]))]
    return document
