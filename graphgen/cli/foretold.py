"""What a run will take, in words."""

from __future__ import annotations

from graphgen.cli.words import duration, size
from graphgen.estimates import Estimate

_MOST = 3


def foretold(estimate: Estimate) -> str:
    """Say what a run will take: `about 4.7 s, 1.2 GiB of memory`, and of which nodes that is not known yet."""
    if estimate.unknown and not estimate.nodes:
        return "none of these nodes has run here before"
    parts: list[str] = []
    if estimate.nodes:
        parts.append(f"{'more than' if estimate.unknown else 'about'} {duration(estimate.seconds)}")
    if estimate.peak_bytes is not None:
        parts.append(f"{size(estimate.peak_bytes)} of memory")
    if estimate.unknown:
        named = ", ".join(sorted(estimate.unknown)[:_MOST]) + (", …" if len(estimate.unknown) > _MOST else "")
        parts.append(f"not known of {named}")
    return ", ".join(parts)
