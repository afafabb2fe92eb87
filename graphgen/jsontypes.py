"""JSON as Python sees it, and the one canonical way to write it.

Keys and digests are made of canonical JSON: sorted names, no spaces, no NaN or infinity, UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical(value: JSON) -> str:
    """Write a JSON value in its one canonical form.

    Raises:
        ValueError: the value holds NaN or an infinity.
    """
    return _encode(value)


def digest(*parts: bytes | bytearray | memoryview) -> str:
    """Return the 40 hexadecimal digits of BLAKE2b-160 over the parts, one after another."""
    hasher = blake2b(digest_size=20)
    for part in parts:
        hasher.update(part)
    return hasher.hexdigest()


def json_digest(value: JSON) -> str:
    """Return the digest of a JSON value's canonical form."""
    return blake2b(_encode(value).encode(), digest_size=20).hexdigest()
