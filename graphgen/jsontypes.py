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

# JSONEncoder makes one of these for every value, which takes longer than writing most values; not all Pythons have it
_make = getattr(json.encoder, "c_make_encoder", None)
_write = _make and _make(
    None, json.JSONEncoder().default, json.encoder.encode_basestring, None, ":", ",", True, False, False
)


def canonical(value: JSON) -> str:
    """Write a JSON value in its one canonical form.

    Raises:
        ValueError: the value holds NaN or an infinity.
    """
    return "".join(_write(value, 0)) if _write else _encode(value)


def digest(*parts: bytes | bytearray | memoryview) -> str:
    """Return the 40 hexadecimal digits of BLAKE2b-160 over the parts, one after another."""
    hasher = blake2b(digest_size=20)
    for part in parts:
        hasher.update(part)
    return hasher.hexdigest()


def json_digest(value: JSON) -> str:
    """Return the digest of a JSON value's canonical form."""
    return blake2b(canonical(value).encode(), digest_size=20).hexdigest()
