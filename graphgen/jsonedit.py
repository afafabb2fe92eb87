"""Changes to a JSON text that leave all else in it as it was: order, spaces, line ends.

In: a text that holds JSON, the way to an object in it, and what one of its members is to be. Out: the changed text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from graphgen.jsontypes import JSON

_DECODER = json.JSONDecoder()
_skip = re.compile(r"[ \t\r\n]*").match


class _Member(NamedTuple):
    """Where a member of an object stands: where its key begins, and where its value begins and ends."""

    name: str
    key: int
    start: int
    end: int


def set_member(text: str, way: Sequence[str], name: str, value: JSON) -> str:
    """Return the text in which the object at the end of a way has a member; a new one stands last.

    Raises:
        KeyError: the way leads nowhere.
    """
    start = _find(text, way)
    members = list(_members(text, start))
    written = json.dumps(value, ensure_ascii=False)
    for member in members:
        if member.name == name:
            return text[: member.start] + written + text[member.end :]
    written = f"{json.dumps(name)}: {written}"
    if not members:
        return text[: start + 1] + written + text[start + 1 :]
    lead, end = text[start + 1 : members[0].key], members[-1].end
    return text[:end] + "," + (lead if "\n" in lead else " ") + written + text[end:]


def remove_member(text: str, way: Sequence[str], name: str) -> str:
    """Return the text in which the object at the end of a way has no such member.

    Raises:
        KeyError: the way leads nowhere.
    """
    members = list(_members(text, _find(text, way)))
    for index, member in enumerate(members):
        if member.name == name:
            if index:
                return text[: members[index - 1].end] + text[member.end :]
            after = members[1].key if len(members) > 1 else member.end
            return text[: member.key] + text[after:]
    return text


def _find(text: str, way: Sequence[str]) -> int:
    """Return where the object at the end of a way begins."""
    start = _after_space(text, 0)
    for step in way:
        start = next((member.start for member in _members(text, start) if member.name == step), -1)
        if start < 0 or text[start] != "{":
            raise KeyError(step)
    return start


def _members(text: str, start: int) -> Iterator[_Member]:
    place = _after_space(text, start + 1)
    while text[place] != "}":
        name, end = _DECODER.raw_decode(text, place)
        begin = _after_space(text, _after_space(text, end) + 1)
        _, end = _DECODER.raw_decode(text, begin)
        yield _Member(name, place, begin, end)
        place = _after_space(text, end)
        if text[place] == ",":
            place = _after_space(text, place + 1)


def _after_space(text: str, place: int) -> int:
    found = _skip(text, place)
    return found.end() if found else place
