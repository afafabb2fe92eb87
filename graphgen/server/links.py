"""Links that open one address to whoever has them, for an hour, without the token.

In: an address of this server and its key. Out: the address with the time until which it opens, and a signature of both.
The key is derived from the token, which cannot be read off a link; a new token ends all links.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b

LASTS = 3600
"""Seconds that a link lasts."""
_MARK = "&signature="


def key_of(token: str | None) -> bytes:
    """Derive the key of links from a server's token; without a token nothing is hidden, and the key is known."""
    return blake2b(b"links", key=(token or "").encode()[:64], digest_size=32).digest()


def signed(address: str, key: bytes, now: float) -> str:
    """Return a link to an address of this server, such as `/v1/images/files/401f….png`, that may have a query."""
    text = f"{address}{'&' if '?' in address else '?'}until={int(now) + LASTS}"
    return f"{text}{_MARK}{_signature(text, key)}"


def opens(link: str, key: bytes, now: float) -> bool:
    """Tell whether a link, as it was requested, byte for byte, was signed with a key and is not too old."""
    text, mark, signature = link.rpartition(_MARK)
    until = text.rpartition("until=")[2]
    if not (mark and until.isascii() and until.isdigit() and len(until) < 20):
        return False
    return hmac.compare_digest(signature.encode(errors="replace"), _signature(text, key).encode()) and now <= int(until)


def _signature(text: str, key: bytes) -> str:
    return blake2b(text.encode(errors="replace"), key=key, digest_size=20).hexdigest()
