"""Standard output kept for what graphgen itself says, however much nodes and their libraries print meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def reserved_stdout() -> Iterator[Callable[[str], None]]:
    """Yield the function that writes to standard output; all else that is printed goes to standard error."""
    sys.stdout.flush()
    place = sys.stdout.fileno()
    kept = os.dup(place)

    def write(text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(kept, data) :]

    try:
        os.dup2(sys.stderr.fileno(), place)
        yield write
    finally:
        sys.stdout.flush()
        os.dup2(kept, place)
        os.close(kept)
