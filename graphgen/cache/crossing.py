"""Values on their way to another process: what a message says of them, and the images that go beside it.

In: a `StoredValue`. Out: a few words of JSON, and where the value has buffers its image: a short one as bytes, a large
one as the open file that holds it. Nothing is copied, and the other side maps the file copy-on-write. Digests are taken
as they come: the two processes are one engine, and adding 100 MB up again would take a tenth of a second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from graphgen.cache.image import Damaged, Layout, parse, understood
from graphgen.cache.stored import Backing, StoredValue
from graphgen.codec import ValueCodec
from graphgen.errors import LaneError
from graphgen.jsontypes import JSON

Image: TypeAlias = bytes | Backing
"""The bytes beside a message: short ones as they are, many as an open file."""


def send_value(value: StoredValue, images: list[Image]) -> JSON:
    """Say in JSON what the value is; its image, if it has one, joins `images`."""
    if value.image is None:
        return {"digest": value.digest, "document": value.document}
    images.append(value.image)
    return {"image": len(images) - 1}


def receive_value(said: Mapping[str, JSON], images: Sequence[Image], codec: ValueCodec) -> StoredValue:
    """Make the value again, whose image may be one of those that came with the message.

    Raises:
        LaneError: it is not a value, or of a type that is not known here.
    """
    try:
        if "image" not in said:
            layout, image = Layout(str(said["document"]), str(said["digest"]), ()), None
            size = len(layout.document)
        else:
            image = images[int(str(said["image"]))]
            layout = parse(image if isinstance(image, bytes) else image.view(private=False))
            size = len(layout.document) + sum(span.stop - span.start for span in layout.spans)
    except (Damaged, LookupError, ValueError) as error:
        raise LaneError(f"a value that came from another process cannot be read: {error}") from error
    if not understood(layout.document, codec):
        raise LaneError("a value is of a type that this process does not know; install the same plugins for both")
    return StoredValue(codec, layout, image, size)


def receive_file(descriptor: int) -> Image:
    """Take over an open file that came with a message; as bytes, when too many are open already."""
    image = Backing.adopt(descriptor)
    if image is not None:
        return image
    try:
        data, size = b"", os.fstat(descriptor).st_size
        while len(data) < size and (more := os.pread(descriptor, size - len(data), len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)
