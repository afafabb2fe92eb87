"""Read single numbers out of a checkpoint's tensors, without torch: what a header does not tell and a handle must say.

In: a part and a tensor's name. Out: plain floats.
"""

from __future__ import annotations

import struct

from graphgen_nodes.checkpoints.files import file_header
from graphgen_nodes.checkpoints.parts import Part

FORMATS = {"F64": "<d", "F32": "<f", "F16": "<e"}
"""How `struct` writes the number formats that can be read."""


def ends_of(part: Part, name: str) -> tuple[float, float] | None:
    """Return the first and the last number of a tensor; None where it is not there, empty or of another format."""
    if name not in part.places:
        return None
    path, full = part.places[name]
    header = file_header(path)
    info = header.tensors[full]
    layout = FORMATS.get(info.dtype)
    if layout is None or info.begin == info.end:
        return None
    width = struct.calcsize(layout)
    with path.open("rb") as file:
        found: list[float] = []
        for place in (info.begin, info.end - width):
            file.seek(header.data + place)
            found.extend(struct.unpack(layout, file.read(width)))
    return found[0], found[1]
