"""A value that is not there: what a node returns in place of an output it blocks."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class NoValue:
    """Block an output: `return NoValue("the mask is empty")`.

    What needs the output is skipped and says why; an optional input does without. In a map the item is left out. A
    node with several outputs that returns it blocks them all.
    """

    reason: str


_MARK = '{"$no_value"'


def reason_in(document: str) -> str | None:
    """Return why a stored value, given as its document, is not there; None if it is."""
    if not document.startswith(_MARK):
        return None
    return str(json.loads(document)["$no_value"]["reason"])
