"""The kinds of pictures that a ControlNet union is told of, by the words people use for them. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ALIASES: Mapping[str, tuple[str, ...]] = {
    "openpose": ("pose",),
    "hed": ("softedge",),
    "pidi": ("softedge",),
    "scribble": ("softedge",),
    "sketch": ("softedge",),
    "lineart": ("canny", "softedge"),
    "anime": ("canny",),
    "mlsd": ("canny",),
    "seg": ("segments",),
    "segment": ("segments",),
    "segmentation": ("segments",),
    "inpaint": ("repaint",),
    "low quality": ("low_quality",),
    "grey": ("gray",),
}
"""Other words, and what they are to the unions that were published, the nearest first."""


def mode_of(word: str, modes: Sequence[str]) -> int | None:
    """Return the number of a kind of picture, from its name or number; None for a network that is told none.

    Raises:
        ValueError: the network must be told one and is not, or the other way round, or does not know it.
    """
    name = word.strip().lower()
    known = f"allowed are {', '.join(modes)}, and numbers from 0 to {len(modes) - 1}"
    if not modes:
        if name:
            raise ValueError(f"is {word!r}, but this ControlNet knows one kind of picture alone; leave it empty")
        return None
    if not name:
        raise ValueError(f"is empty, but this ControlNet knows several kinds of pictures: say which it is; {known}")
    for candidate in (name, *ALIASES.get(name, ())):
        if candidate in modes:
            return modes.index(candidate)
    if name.isascii() and name.isdecimal() and int(name) < len(modes):
        return int(name)
    raise ValueError(f"is {word!r}, which this ControlNet does not know; {known}")
